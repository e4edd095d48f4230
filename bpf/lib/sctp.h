/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SCTP's ports. Its checksum, CRC32c (RFC 9260, appendix A), covers them, but no address. A CRC is linear:
 * that of the changed packet differs by the CRC of the change alone, followed by as many zero bytes as come
 * behind it. So the payload, which may be of any length, is not read.
 */
#ifndef VNET_BPF_SCTP_H
#define VNET_BPF_SCTP_H

#include "bpf/lib/packet.h"

#define CRC32C_POLYNOMIAL 0x82f63b78 /* bits in reverse order, as everywhere here */
#define SCTP_CHECKSUM	  8

/* x to the power of 8 * 2^n, modulo the polynomial: what 2^n zero bytes do to a CRC. */
static const u32 crc32c_zeros[16] = {
	0x00800000, 0x00008000, 0x82f63b78, 0x6ea2d55c, 0x18b8ea18, 0x510ac59a, 0xb82be955, 0xb8fdb1e7,
	0x88e56f72, 0x74c360a4, 0xe4172b16, 0x0d65762a, 0x35d73a62, 0x28461564, 0xbf455269, 0xe2ea32dc,
};

static __always_inline u32 crc32c_bit(u32 crc)
{
	return crc >> 1 ^ (crc & 1) * CRC32C_POLYNOMIAL;
}

/*
 * The product of two polynomials. Global, so that the verifier looks at it once, and without branches, of
 * which it would follow each.
 */
__noinline u32 crc32c_multiply(u32 a, u32 b)
{
	u32 product = 0;

	for (int i = 31; i >= 0; i--) {
		product ^= (a >> i & 1) * b;
		b = crc32c_bit(b);
	}
	return product;
}

/* Of two bytes, which a be16 is in memory, and zeros behind them. */
static __always_inline u32 crc32c_of_change(__be16 change, u32 zeros)
{
	u32 crc = change;

	for (int i = 0; i < 16; i++)
		crc = crc32c_bit(crc);
	for (int i = 0; i < 16; i++)
		if (zeros >> i & 1)
			crc = crc32c_multiply(crc32c_zeros[i], crc);
	return crc;
}

/* 0, or negative. at: of the port, 0 or 2. A checksum that a device is still to make is not harmed. */
__noinline int rewrite_sctp_port(struct __sk_buff *skb, struct packet *p, u32 at, u32 from_to)
{
	__be16 from = from_to >> 16, to = from_to;
	u32 bytes, crc; /* little-endian on the wire */

	/* Of a fragmented packet the end is not here. */
	if (!p || p->flags & PACKET_FIRST)
		return -1;
	bytes = p->l3 + p->l3_bytes - p->l4;
	if (bpf_skb_load_bytes(skb, p->l4 + SCTP_CHECKSUM, &crc, sizeof(crc)))
		return -1;
	crc ^= crc32c_of_change(from ^ to, bytes - at - sizeof(to));
	return bpf_skb_store_bytes(skb, p->l4 + at, &to, sizeof(to), BPF_F_RECOMPUTE_CSUM) ||
	       bpf_skb_store_bytes(skb, p->l4 + SCTP_CHECKSUM, &crc, sizeof(crc), BPF_F_RECOMPUTE_CSUM);
}

#endif
