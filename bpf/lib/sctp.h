/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rewrites SCTP ports. The checksum, CRC32c (RFC 9260, appendix A), covers them, but no addresses. A CRC is
 * linear: that of the changed packet differs by the CRC of the change alone, followed by as many zero bytes
 * as there are bytes behind it. So the payload is not read.
 */
#ifndef VNET_BPF_SCTP_H
#define VNET_BPF_SCTP_H

#include "bpf/lib/packet.h"

#define CRC32C_POLYNOMIAL 0x82f63b78 /* bit-reversed, as everywhere here */
#define SCTP_CHECKSUM	  8

/* x^(8 * 2^n) modulo the polynomial: a factor that appends 2^n zero bytes to a CRC. */
static const u32 crc32c_zeros[16] = {
	0x00800000, 0x00008000, 0x82f63b78, 0x6ea2d55c, 0x18b8ea18, 0x510ac59a, 0xb82be955, 0xb8fdb1e7,
	0x88e56f72, 0x74c360a4, 0xe4172b16, 0x0d65762a, 0x35d73a62, 0x28461564, 0xbf455269, 0xe2ea32dc,
};

static __always_inline u32 crc32c_bit(u32 crc)
{
	return crc >> 1 ^ (crc & 1) * CRC32C_POLYNOMIAL;
}

/*
 * The product of two polynomials. A global function, so that it is verified once, and without branches, since
 * the verifier would follow both sides of each.
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

/* The CRC of two bytes, as a be16 is in memory, followed by `zeros` zero bytes. */
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

/* Nonzero: failed. at: offset of the port, 0 or 2. Harmless if a device has yet to fill in the checksum. */
__noinline int rewrite_sctp_port(struct __sk_buff *skb, struct packet *p, u32 at, u32 from_to)
{
	__be16 from = from_to >> 16, to = from_to;
	u32 bytes, crc; /* little-endian on the wire */

	/* The end of a fragmented packet is not here. */
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
