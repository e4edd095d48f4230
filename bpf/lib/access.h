/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of a packet. Headers nearly always lie in the linear part, where a load or a store costs a
 * nanosecond or two; the helpers, which cost ten times that, are for the rest. Nothing here touches
 * skb->csum: a write must leave the sum over the packet unchanged (as a header with its own checksum
 * updated does), or be corrected by bpf_l4_csum_replace().
 */
#ifndef VNET_BPF_ACCESS_H
#define VNET_BPF_ACCESS_H

#include "bpf/lib/context.h"

/* A bound for the verifier; no header that we write lies beyond. */
#define ACCESS_MAX 0x3fff

#ifdef VNET_LOST
static __always_inline void *linear(struct pkt_ctx *ctx __attribute__((unused)),
				    u32 at __attribute__((unused)), u32 n __attribute__((unused)))
{
	return NULL; /* readable by a helper only */
}
#else
/* n bytes at an offset of the linear part, or NULL. */
static __always_inline void *linear(struct pkt_ctx *ctx, u32 at, u32 n)
{
	u8 *data = (u8 *)(long)ctx->data;
	u8 *end = (u8 *)(long)ctx->data_end;

	/* Keep it in one register: the verifier knows the range of the register that was compared. */
	if (!__builtin_constant_p(at))
		asm volatile("" : "+r"(at));
	if (unlikely(at > ACCESS_MAX))
		return NULL;
	data += at;
	return unlikely(data + n > end) ? NULL : data;
}
#endif

/*
 * As if aligned to 4: the compiler copies words instead of bytes. The verifier allows it on CPUs with
 * efficient unaligned access.
 */
static __always_inline void copy_aligned(void *to, const void *from, u32 n)
{
	__builtin_memcpy(__builtin_assume_aligned(to, 4), __builtin_assume_aligned(from, 4), n);
}

/* n is a constant, and the buffer aligned to 4. */
static __always_inline int read_bytes(struct pkt_ctx *ctx, u32 at, void *to, u32 n)
{
	void *from = linear(ctx, at, n);

	if (unlikely(!from))
		return load_bytes(ctx, at, to, n);
	copy_aligned(to, from, n);
	return 0;
}

static __always_inline int write_bytes(struct pkt_ctx *ctx, u32 at, const void *from, u32 n)
{
	void *to = linear(ctx, at, n);

	if (unlikely(!to))
		return store_bytes(ctx, at, from, n);
	copy_aligned(to, from, n);
	return 0;
}

/* A checksum after a word that it covers has changed (RFC 1624, equation 3). */
static __always_inline u16 checksum_replace(u16 check, u32 from, u32 to)
{
	u64 sum = (u16)~check;

	sum += (u32)~from;
	sum += to;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

#endif
