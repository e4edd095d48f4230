/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IPv6 sources and neighbour discovery of a guest that may use its own addresses only (no-ipv6-spoofing).
 * Its link-local address is not listed: it is derived from its MAC, or claimed by DAD.
 */
#ifndef VNET_BPF_NEIGHBOUR_H
#define VNET_BPF_NEIGHBOUR_H

#include "bpf/lib/address.h"

#define ND_OPTIONS_MAX 8
#define ND_SOURCE_MAC  1
#define ND_TARGET_MAC  2

/* 0: none, as in a later fragment; no type that matters here is 0. */
static __always_inline u8 icmp_type(struct __sk_buff *skb, const struct packet *p)
{
	u8 type = 0;

	if (!(p->flags & PACKET_LATER))
		bpf_skb_load_bytes(skb, p->l4, &type, 1);
	return type;
}

/* fe80::/64 with an interface identifier derived from a MAC (RFC 4291), any MAC. */
static __always_inline int is_eui64(const struct vnet_addr *addr)
{
	const u8 *id = (const u8 *)&addr->word_be[2];

	return is_link_local6(addr) && id[3] == 0xff && id[4] == 0xfe;
}

static __always_inline int is_eui64_of(const struct vnet_addr *addr, const u8 *mac)
{
	const u8 *id = (const u8 *)&addr->word_be[2];

	return is_eui64(addr) && (id[0] ^ 2) == mac[0] && id[1] == mac[1] && id[2] == mac[2] &&
	       id[5] == mac[3] && id[6] == mac[4] && id[7] == mac[5];
}

static __always_inline int owns_ipv6(struct vnet_addr *addr, const u8 *mac, u32 slot)
{
	return is_eui64_of(addr, mac) || owns_address(addr, slot);
}

/* An address that a guest may assign itself: link-local, or in a prefix that its network advertises. */
__noinline int may_claim(struct vnet_addr *addr, u32 flags, u32 network)
{
	struct vnet_subnet_key where = {.prefixlen = 128};
	struct vnet_subnet *subnet;

	if (!addr)
		return 0;
	if (is_link_local6(addr))
		return !is_eui64(addr);
	if (!(flags & VNET_PORT_F_AUTOCONF) || flags & VNET_PORT_F_FIXED6)
		return 0;
	where.addr = *addr;
	subnet = bpf_map_lookup_elem(&subnets, &where);
	return subnet && subnet->network == network;
}

/* Every link-layer address that the message carries is the guest's. */
__noinline int nd_options_match(struct __sk_buff *skb, u32 at, u32 end)
{
	u8 option[8] __attribute__((aligned(4))), mac[6] __attribute__((aligned(4)));

	if (bpf_skb_load_bytes(skb, 6, mac, sizeof(mac)))
		return 0;
	for (int i = 0; i < ND_OPTIONS_MAX; i++) {
		if (at == end)
			return 1;
		if (at + sizeof(option) > end || bpf_skb_load_bytes(skb, at, option, sizeof(option)) ||
		    !option[1])
			return 0;
		if ((option[0] == ND_SOURCE_MAC || option[0] == ND_TARGET_MAC) && !mac_equal(option + 2, mac))
			return 0;
		at += option[1] * 8;
	}
	return at == end;
}

/* type: the message's. probe: it is from ::, which is DAD. */
__noinline int filter_nd(struct __sk_buff *skb, struct vnet_port *port, struct packet *p, u32 type, u32 probe)
{
	struct vnet_addr target;
	u32 at, end;
	u8 mac[6];

	if (!port || !p)
		return DROP(MALFORMED);
	/* RFC 6980: neighbour discovery is never fragmented. RFC 4861: nor is it routed. */
	if (p->flags & PACKET_FIRST || p->ttl != 255)
		return DROP(SPOOFED_ND);
	at = p->l4;
	end = p->l3 + p->l3_bytes;
	if (type == ND_ROUTER_SOLICIT)
		return nd_options_match(skb, at + 8, end) ? 0 : DROP(SPOOFED_ND);
	if (at + 24 > end || bpf_skb_load_bytes(skb, at + 8, &target, sizeof(target)) ||
	    bpf_skb_load_bytes(skb, 6, mac, sizeof(mac)))
		return DROP(MALFORMED);
	if (!nd_options_match(skb, at + 24, end))
		return DROP(SPOOFED_ND);
	if (type == ND_NEIGHBOR_SOLICIT && !probe)
		return 0;
	if (owns_ipv6(&target, mac, port->slot))
		return 0;
	if (!probe || !may_claim(&target, port->flags, port->network))
		return DROP(SPOOFED_ND);
	return claim_address(&target, port->slot, port->network) ? 0 : DROP(SPOOFED_ND);
}

static __always_inline int filter_source6(struct __sk_buff *skb, struct vnet_port *port, struct packet *p)
{
	struct vnet_addr src = p->flags & PACKET_ERROR ? p->outer_src : p->flow.src;
	u32 unspecified = !(src.word_be[0] | src.word_be[1] | src.word_be[2] | src.word_be[3]);
	u32 type = p->proto == IPPROTO_ICMPV6 ? icmp_type(skb, p) : 0;
	u8 mac[6];

	if (bpf_skb_load_bytes(skb, 6, mac, sizeof(mac)))
		return DROP(MALFORMED);
	if (unspecified) {
		if (!may_lack_ipv6_source(type))
			return DROP(SPOOFED_SOURCE);
	} else if (!owns_ipv6(&src, mac, port->slot)) {
		return DROP(SPOOFED_SOURCE);
	}
	if (type == ND_NEIGHBOR_SOLICIT || type == ND_NEIGHBOR_ADVERT || type == ND_ROUTER_SOLICIT)
		return filter_nd(skb, port, p, type, unspecified);
	return 0;
}

#endif
