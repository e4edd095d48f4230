/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The context of a packet that the kernel is about to free, for the parser and the monitor: it begins at the
 * network header, and only the linear part can be read. Included by bpf/lib/context.h, which has the same
 * functions for others. The NULL checks are for the verifier, which verifies global functions on their own.
 */
#ifndef VNET_BPF_LOST_CONTEXT_H
#define VNET_BPF_LOST_CONTEXT_H

#include "bpf/lib/kernel.h"
#include "maps/lost_abi.h"

struct freed_packet {
	u64 start;
	u32 length;
	u32 readable;
	u32 ifindex;
	__be16 protocol_be;
	u16 slot; /* skb->tc_index */
	struct vnet_cause cause;
};
#define pkt_ctx freed_packet

/* Tracing programs have no coarse clock. */
static __always_inline u64 coarse_now(void)
{
	return bpf_ktime_get_ns();
}

static __always_inline long load_bytes(struct pkt_ctx *ctx, u32 at, void *to, u32 n)
{
	if (!ctx || (u64)at + n > ctx->readable)
		return -EINVAL;
	return bpf_probe_read_kernel(to, n, (const void *)(long)(ctx->start + at));
}
static __always_inline long store_bytes(struct pkt_ctx *ctx __attribute__((unused)),
					u32 at __attribute__((unused)),
					const void *from __attribute__((unused)),
					u32 n __attribute__((unused)))
{
	return -EINVAL;
}
static __always_inline u32 frame_bytes(struct pkt_ctx *ctx)
{
	return ctx ? ctx->length : 0;
}
static __always_inline u32 segment_bytes(struct pkt_ctx *ctx __attribute__((unused)))
{
	return 0;
}
static __always_inline u32 interface_of(struct pkt_ctx *ctx)
{
	return ctx ? ctx->ifindex : 0;
}
static __always_inline u32 has_tag(struct pkt_ctx *ctx __attribute__((unused)))
{
	return 0;
}
static __always_inline __be16 protocol_of(struct pkt_ctx *ctx)
{
	return ctx ? ctx->protocol_be : 0;
}
static __always_inline u32 input_slot(struct pkt_ctx *ctx)
{
	return ctx ? ctx->slot : 0;
}

#endif
