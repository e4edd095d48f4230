/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The filters of a port, named as libvirt's: what its guest may send, besides the source MAC (guard.h).
 * They depend on nothing but the frame and hash lookups of the port's own addresses.
 */
#ifndef VNET_BPF_FILTER_H
#define VNET_BPF_FILTER_H

#include "bpf/lib/dhcp_client.h"
#include "bpf/lib/neighbour.h"
#include "bpf/lib/vlan.h"

struct arp_packet {
	__be16 hardware;
	__be16 protocol;
	u8 hardware_size;
	u8 protocol_size;
	__be16 operation;
	u8 sender_mac[6];
	u8 sender_ip[4];
	u8 target_mac[6];
	u8 target_ip[4];
};

/* A probe has no sender address (RFC 5227); in anything else it must be an address of the guest. */
__noinline int filter_arp(struct __sk_buff *skb, u32 slot)
{
	struct arp_packet arp __attribute__((aligned(4)));
	struct vnet_addr sender;
	__be32 v4;
	u8 mac[6] __attribute__((aligned(4)));

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &arp, sizeof(arp)) || bpf_skb_load_bytes(skb, 6, mac, 6))
		return DROP(MALFORMED);
	if (arp.hardware != bpf_htons(1) || arp.protocol != bpf_htons(ETH_P_IP) || arp.hardware_size != 6 ||
	    arp.protocol_size != 4 || !mac_equal(arp.sender_mac, mac))
		return DROP(SPOOFED_ARP);
	__builtin_memcpy(&v4, arp.sender_ip, 4);
	if (!v4)
		return arp.operation == bpf_htons(1) ? 0 : DROP(SPOOFED_ARP);
	addr_from_v4(&sender, v4);
	return owns_address(&sender, slot) ? 0 : DROP(SPOOFED_ARP);
}

/* QEMU announces a migrated guest: RARP for its own MAC, without an address. */
__noinline int filter_rarp(struct __sk_buff *skb)
{
	struct arp_packet arp __attribute__((aligned(4)));
	u8 mac[6] __attribute__((aligned(4)));

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &arp, sizeof(arp)) || bpf_skb_load_bytes(skb, 6, mac, 6))
		return DROP(MALFORMED);
	if (arp.operation != bpf_htons(3) || !mac_equal(arp.sender_mac, mac) ||
	    !mac_equal(arp.target_mac, mac) ||
	    arp.sender_ip[0] | arp.sender_ip[1] | arp.sender_ip[2] | arp.sender_ip[3])
		return DROP(ETHERTYPE);
	return 0;
}

/* Without an address a guest sends as a DHCP client, and group reports, and nothing else. */
static __always_inline int filter_source4(struct packet *p, struct vnet_addr *src, u32 slot)
{
	if (src->word_be[3])
		return owns_address(src, slot) ? 0 : DROP(SPOOFED_SOURCE);
	if (p->flags & PACKET_LATER)
		return DROP(SPOOFED_SOURCE);
	if (p->proto == IPPROTO_UDP && p->flow.sport_be == bpf_htons(PORT_DHCP_CLIENT) &&
	    p->flow.dport_be == bpf_htons(PORT_DHCP_SERVER))
		return 0;
	return p->proto == IPPROTO_IGMP ? 0 : DROP(SPOOFED_SOURCE);
}

static __always_inline int filter_ipv4(struct __sk_buff *skb, u32 flags, u32 slot, struct packet *p)
{
	int error = p->flags & PACKET_ERROR;
	struct vnet_addr src = error ? p->outer_src : p->flow.src;
	u32 dst = bpf_ntohl(error ? p->outer_dst.word_be[3] : p->flow.dst.word_be[3]);
	int err;
	u8 type;

	if (flags & VNET_PORT_F_NO_IP_SPOOFING) {
		err = filter_source4(p, &src, slot);
		if (err)
			return err;
	}
	if (flags & VNET_PORT_F_NO_IP_MULTICAST && dst >> 28 == 0xe)
		return DROP(IP_MULTICAST);
	if (!(flags & VNET_PORT_F_CLEAN) || flags & VNET_PORT_F_DHCP_SERVER || p->flags & PACKET_LATER)
		return 0;
	if (p->proto == IPPROTO_UDP && p->flow.dport_be == bpf_htons(PORT_DHCP_CLIENT))
		return DROP(DHCP_SERVER);
	if (p->proto == IPPROTO_ICMP && !bpf_skb_load_bytes(skb, p->l4, &type, 1) &&
	    (type == ICMP_REDIRECT || type == ICMP_ROUTER_ADVERT))
		return DROP(ROUTER);
	return 0;
}

/* Headers that hide what follows from us; ESP is opaque by design. */
static __always_inline int is_opaque_header(u8 proto)
{
	return proto == IPPROTO_AH || proto == IPPROTO_MH || proto == IPPROTO_HIP || proto == IPPROTO_SHIM6 ||
	       proto >= IPPROTO_EXPERIMENTS;
}

static __always_inline int filter_ipv6(struct __sk_buff *skb, struct vnet_port *port, struct packet *p)
{
	u32 flags = port->flags;
	int err;

	if (flags & VNET_PORT_F_NO_IPV6_SPOOFING) {
		err = filter_source6(skb, port, p);
		if (err)
			return err;
	}
	if (!(flags & VNET_PORT_F_CLEAN) || p->flags & PACKET_LATER)
		return 0;
	if (is_opaque_header(p->proto))
		return DROP(HIDDEN);
	if (flags & VNET_PORT_F_DHCP_SERVER)
		return 0;
	if (p->proto == IPPROTO_UDP && p->flow.dport_be == bpf_htons(PORT_DHCP6_CLIENT))
		return DROP(DHCP_SERVER);
	if (p->proto == IPPROTO_ICMPV6) {
		u8 type = icmp_type(skb, p);

		if (type == ND_ROUTER_ADVERT || type == ND_REDIRECT)
			return DROP(ROUTER);
	}
	return 0;
}

__noinline int filter(struct __sk_buff *skb, struct vnet_port *port, struct packet *p)
{
	u32 flags, slot, guarded;
	int err;

	if (!port || !p)
		return DROP(MALFORMED);
	flags = port->flags;
	slot = port->slot;
	if (is_tagged(skb))
		return DROP(VLAN_TAGGED);
	switch (bpf_ntohs(skb->protocol)) {
	case ETH_P_ARP:
		return flags & VNET_PORT_F_NO_ARP_SPOOFING ? filter_arp(skb, slot) : 0;
	case ETH_P_RARP:
		return flags & VNET_PORT_F_CLEAN ? filter_rarp(skb) : 0;
	case ETH_P_IP:
		err = filter_ipv4(skb, flags, slot, p);
		break;
	case ETH_P_IPV6:
		err = filter_ipv6(skb, port, p);
		break;
	default:
		return flags & VNET_PORT_F_CLEAN ? DROP(ETHERTYPE) : 0;
	}
	if (err)
		return err;
	guarded = !!(flags & (VNET_PORT_F_CLEAN | VNET_PORT_F_NO_IP_SPOOFING));
	return filter_dhcp(skb, p, slot, port->network, guarded);
}

#endif
