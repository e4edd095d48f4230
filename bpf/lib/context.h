/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The uplink's XDP program shares the parser and the policy with those at tc, and bpf/lost.bpf.c the parser
 * and the monitor. What differs between their contexts is here. The struct tag is a macro, because the
 * verifier recognizes a context by its type's name.
 */
#ifndef VNET_BPF_CONTEXT_H
#define VNET_BPF_CONTEXT_H

#include "bpf/lib/kernel.h"

#ifdef VNET_LOST
#include "bpf/lib/lost_context.h"
#else
static __always_inline u64 coarse_now(void)
{
	return bpf_ktime_get_coarse_ns();
}
#endif

#ifdef VNET_XDP
#define pkt_ctx xdp_md

static __always_inline long load_bytes(struct pkt_ctx *ctx, u32 at, void *to, u32 n)
{
	return bpf_xdp_load_bytes(ctx, at, to, n);
}
static __always_inline u32 frame_bytes(struct pkt_ctx *ctx)
{
	return bpf_xdp_get_buff_len(ctx);
}
static __always_inline u32 segment_bytes(struct pkt_ctx *ctx __attribute__((unused)))
{
	return 0; /* no GRO yet */
}
static __always_inline u32 interface_of(struct pkt_ctx *ctx)
{
	return ctx->ingress_ifindex;
}
/* A tag that the card has not stripped is in the bytes, and protocol_of() is then the tag's. */
static __always_inline u32 has_tag(struct pkt_ctx *ctx __attribute__((unused)))
{
	return 0;
}
static __always_inline __be16 protocol_of(struct pkt_ctx *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;

	return (void *)(eth + 1) > (void *)(long)ctx->data_end ? 0 : eth->h_proto;
}
static __always_inline u32 input_slot(struct pkt_ctx *ctx __attribute__((unused)))
{
	return 0;
}
static __always_inline long store_bytes(struct pkt_ctx *ctx, u32 at, const void *from, u32 n)
{
	return bpf_xdp_store_bytes(ctx, at, (void *)from, n);
}
#elif !defined(VNET_LOST)
#define pkt_ctx __sk_buff

static __always_inline long load_bytes(struct pkt_ctx *ctx, u32 at, void *to, u32 n)
{
	return bpf_skb_load_bytes(ctx, at, to, n);
}
static __always_inline u32 frame_bytes(struct pkt_ctx *ctx)
{
	return ctx->len;
}
static __always_inline u32 segment_bytes(struct pkt_ctx *ctx)
{
	return ctx->gso_size;
}
static __always_inline u32 interface_of(struct pkt_ctx *ctx)
{
	return ctx->ifindex;
}
static __always_inline u32 has_tag(struct pkt_ctx *ctx)
{
	return ctx->vlan_present;
}
static __always_inline __be16 protocol_of(struct pkt_ctx *ctx)
{
	return ctx->protocol;
}
/* The slot of a packet's input port, behind that port's own hook. */
static __always_inline u32 input_slot(struct pkt_ctx *ctx)
{
	return ctx->tc_index;
}
static __always_inline long store_bytes(struct pkt_ctx *ctx, u32 at, const void *from, u32 n)
{
	return bpf_skb_store_bytes(ctx, at, from, n, 0);
}
#endif

#endif
