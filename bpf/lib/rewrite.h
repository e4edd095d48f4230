/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a translation changes, and how it changes a header in the linear part: the same at tc (translate.h)
 * and XDP (forward.h). They differ in the packet's own transport checksum. At XDP it is complete, as in the
 * packet that an ICMP error quotes; at tc only the kernel's helpers know whether it is.
 */
#ifndef VNET_BPF_REWRITE_H
#define VNET_BPF_REWRITE_H

#include "bpf/lib/checksum.h"
#include "bpf/lib/packet.h"

/* Which end of the flow is rewritten, and to what. */
struct rewrite {
	struct vnet_addr from;
	struct vnet_addr to;
	__be16 from_port_be;
	__be16 to_port_be;
	u8 source;
	u8 pad[3];
};

static __always_inline int changes_port(const struct rewrite *r)
{
	return r->from_port_be != r->to_port_be;
}

static __always_inline int changes_nothing(const struct rewrite *r)
{
	return addr_equal(&r->from, &r->to) && !changes_port(r);
}

static __always_inline void set_addr_v4(struct iphdr *ip, const struct rewrite *r)
{
	__be32 to = r->to.word_be[3];

	ip->check = checksum_replace(ip->check, r->from.word_be[3], to);
	if (r->source)
		ip->saddr = to;
	else
		ip->daddr = to;
}

/* An IPv6 header has no checksum. */
static __always_inline void set_addr_v6(struct ipv6hdr *ip, const struct rewrite *r)
{
	addr_to_v6(r->source ? &ip->saddr : &ip->daddr, &r->to);
}

static __always_inline void set_ttl_v4(struct iphdr *ip, u8 from, u8 to)
{
	ip->check = checksum_replace(ip->check, bpf_htons((u16)from << 8), bpf_htons((u16)to << 8));
	ip->ttl = to;
}

/*
 * A complete transport checksum after the rewrite. addresses: their addr_diff(), which ICMPv4's does not
 * cover. UDP: 0 means none and stays; a sum of 0 is sent as 0xffff.
 */
static __always_inline u16 transport_checksum_replace(u16 check, u8 proto, u32 addresses,
						      const struct rewrite *r)
{
	u64 sum = (u16)~check;
	u16 after;

	if (proto == IPPROTO_UDP && !check)
		return 0;
	if (proto != IPPROTO_ICMP)
		sum += addresses;
	sum += (u16)~r->from_port_be;
	sum += r->to_port_be;
	after = ~checksum_fold(sum);
	return proto == IPPROTO_UDP && !after ? 0xffff : after;
}

#endif
