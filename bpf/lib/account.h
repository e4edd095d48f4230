/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The single exit. Every program at an interface returns leave(), which gets the verdict and the packet's
 * account: traffic and drops are counted here and nowhere else. A packet that another of our programs has
 * redirected here (mark.h) has been counted and just passes.
 *
 * Two programs are not at an interface, and call count_drop() themselves: the fence at FORWARD
 * (bpf/fence.bpf.c) and the tracepoint (bpf/lost.bpf.c).
 */
#ifndef VNET_BPF_ACCOUNT_H
#define VNET_BPF_ACCOUNT_H

#include "bpf/lib/count.h"
#include "bpf/lib/monitor.h"
#include "bpf/lib/verdict.h"

enum counted { COUNT_NOTHING, COUNT_RX, COUNT_TX, COUNT_FORWARDED };

struct account {
	enum vnet_hook hook;
	u32 slot; /* whose counters: a port's, a network's, an uplink's */
	enum counted counts;
	u32 bytes;   /* as the packet arrived, before any rewrite */
	u32 network; /* slots: whose packet it is; 0: not known, see monitor_identify() */
	u32 port;
};

static __always_inline void count_traffic(u32 slot, enum counted what, u32 bytes)
{
	struct vnet_traffic *t = bpf_map_lookup_elem(&traffic, &slot);

	if (unlikely(!t))
		return;
	if (what == COUNT_TX) {
		t->tx_packets++;
		t->tx_bytes += bytes;
		return;
	}
	t->rx_packets++;
	t->rx_bytes += bytes;
	if (what == COUNT_FORWARDED)
		t->forwarded++;
}

static __always_inline void account_drop(struct pkt_ctx *ctx, const struct account *a, u32 reason)
{
	count_drop(a->slot, reason);
	if (unlikely(has_reader()))
		monitor_drop(ctx, a->hook, drop_slots(a->slot, a->network, a->port), reason, a->bytes);
}

#ifdef VNET_XDP
/* Packets that XDP passes on are counted at tc. */
static __always_inline int leave(struct xdp_md *ctx, int verdict, struct account a)
{
	if (likely(verdict >= 0 && verdict_action(verdict) != XDP_REDIRECT))
		return XDP_PASS;
	a.bytes = frame_bytes(ctx);
	if (verdict < 0) {
		account_drop(ctx, &a, verdict_drop_reason(verdict));
		return XDP_DROP;
	}
	count_traffic(a.slot, COUNT_FORWARDED, a.bytes);
	count_traffic(verdict_port(verdict), COUNT_RX, a.bytes);
	return XDP_REDIRECT;
}
#elif !defined(VNET_LOST)
/*
 * What TC_ACT_OK of our functions becomes, "next": other programs run, too, and the kernel keeps
 * skb->tc_index, which it overwrites on TC_ACT_OK.
 */
#define PASS TC_ACT_UNSPEC

static __always_inline int leave(struct __sk_buff *skb, int verdict, struct account a)
{
	if (unlikely(verdict < 0)) {
		account_drop(skb, &a, verdict_drop_reason(verdict));
		return TC_ACT_SHOT;
	}
	if (a.counts != COUNT_NOTHING)
		count_traffic(a.slot, a.counts, a.bytes);
	/* Its present length: the link header may be a new one. */
	if (verdict_port(verdict))
		count_traffic(verdict_port(verdict), COUNT_RX, skb->len);
	return verdict_action(verdict) == TC_ACT_OK ? PASS : verdict_action(verdict);
}

/* The slot of a guest packet's input port, behind that port's own hook; 0: not known. */
static __always_inline u32 input_port(struct __sk_buff *skb)
{
	return skb->tc_index < VNET_SLOTS ? skb->tc_index : 0;
}
#endif

#endif
