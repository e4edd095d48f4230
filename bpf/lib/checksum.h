/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Internet checksum (RFC 1071, RFC 1624), and where it and ports are in transport headers. */
#ifndef VNET_BPF_CHECKSUM_H
#define VNET_BPF_CHECKSUM_H

#include "bpf/lib/maps.h"

static __always_inline u32 addr_diff(struct vnet_addr *from, struct vnet_addr *to)
{
	u64 sum = 0;

	for (int i = 0; i < 4; i++) {
		sum += (u32)~from->word_be[i];
		sum += to->word_be[i];
	}
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	return sum;
}

static __always_inline u16 checksum_fold(u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Offset of the checksum in the L4 header; 0: none, or not known. */
static __always_inline u32 checksum_offset(u8 proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return 16;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_DCCP:
		return 6;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return 2;
	default:
		return 0;
	}
}

/* Offset of the port in the L4 header, or of ICMP's identifier. */
static __always_inline u32 port_offset(u8 proto, u8 source)
{
	if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6)
		return 4;
	return source ? 0 : 2;
}

#endif
