/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one exit. Every program returns leave(): a verdict is a TC_ACT_* or, negative, the reason of a
 * drop; what left and what was dropped is counted here and nowhere else.
 */
#ifndef VNET_BPF_ACCOUNT_H
#define VNET_BPF_ACCOUNT_H

#include "bpf/lib/count.h"
#include "bpf/lib/monitor.h"

#define DROP(name) (-(int)VNET_DROP_##name)

enum counted { COUNT_NOTHING, COUNT_RX, COUNT_TX };

static __always_inline void count_traffic(u32 slot, enum counted what, u32 bytes)
{
	struct vnet_traffic *t = bpf_map_lookup_elem(&traffic, &slot);

	if (unlikely(!t))
		return;
	if (what == COUNT_RX) {
		t->rx_packets++;
		t->rx_bytes += bytes;
	} else {
		t->tx_packets++;
		t->tx_bytes += bytes;
	}
}

static __always_inline void dropped(struct pkt_ctx *ctx, enum vnet_hook hook, u32 slot, u32 reason, u32 bytes)
{
	count_drop(slot, reason);
	monitor(ctx, hook, slot, reason, bytes);
}

#if !defined(VNET_XDP) && !defined(VNET_LOST)
/*
 * TC_ACT_OK inside the programs; outwards it becomes TC_ACT_UNSPEC ("next"): programs of others get their
 * turn, and the kernel leaves skb->tc_index alone, which it overwrites on TC_ACT_OK.
 */
#define PASS TC_ACT_UNSPEC

/* bytes: the length as the packet arrived, taken before anything was rewritten. */
static __always_inline int leave(struct pkt_ctx *ctx, enum vnet_hook hook, int verdict, u32 slot,
				 enum counted what, u32 bytes)
{
	if (unlikely(verdict < 0)) {
		dropped(ctx, hook, slot, -verdict, bytes);
		return TC_ACT_SHOT;
	}
	if (what != COUNT_NOTHING)
		count_traffic(slot, what, bytes);
	return verdict == TC_ACT_OK ? PASS : verdict;
}
#endif

#endif
