/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DHCP snooping: an address that a trusted server (the host's own dnsmasq, a port with allow-dhcp-server)
 * leases to a guest becomes an address of the guest's port, until the lease ends. The port is found by the
 * client's MAC.
 */
#ifndef VNET_BPF_SNOOP_H
#define VNET_BPF_SNOOP_H

#include "bpf/lib/address.h"

#define DHCP_OPTIONS_AT	    240
#define DHCP_MAX_OPTIONS    40
#define DHCP_PAD	    0
#define DHCP_LEASE_TIME	    51
#define DHCP_TYPE	    53
#define DHCP_END	    255
#define DHCP_ACK	    5
#define DHCP6_MAX_ADDRESSES 8 /* in one reply */
#define DHCP6_REPLY	    7
#define DHCP6_IA_NA	    3
#define DHCP6_IA_TA	    4
#define DHCP6_IAADDR	    5
#define LEASE_FOR_GOOD	    0xffffffff
#define LEASE_SLACK	    2 /* ticks: a renewal may be on its way */

static __always_inline u32 lease_end(u32 seconds)
{
	u32 until;

	if (seconds == LEASE_FOR_GOOD)
		return 0;
	until = tick_now() + ticks_of(seconds) + LEASE_SLACK;
	return until ? until : 1;
}

/* A port with fixed addresses of the family gets no others. */
static __always_inline int lease_to(struct vnet_fdb_key *client, struct vnet_addr *addr, u32 seconds,
				    u32 fixed)
{
	struct vnet_fdb_entry *entry = bpf_map_lookup_elem(&fdb, client);
	struct vnet_port *port;
	u32 ifindex;

	if (!entry || !seconds)
		return 0;
	ifindex = entry->ifindex;
	port = bpf_map_lookup_elem(&ports, &ifindex);
	if (!port || port->flags & fixed)
		return 0;
	return lease_address(addr, port->slot, port->network, lease_end(seconds));
}

/* The offset of an option's data; 0: none. */
__noinline int dhcp4_option(struct __sk_buff *skb, struct packet *p, u32 wanted)
{
	u32 end;
	u8 head[2];

	if (!p)
		return 0;
	end = end_of(p);
	p->cursor = l4_of(p) + 8 + DHCP_OPTIONS_AT;
	for (int i = 0; i < DHCP_MAX_OPTIONS; i++) {
		u32 at = cursor_of(p);

		if (at + 2 > end || bpf_skb_load_bytes(skb, at, head, 2) || head[0] == DHCP_END)
			return 0;
		if (head[0] == wanted)
			return at + 2;
		p->cursor = at + (head[0] == DHCP_PAD ? 1 : 2 + head[1]);
	}
	return 0;
}

__noinline int snoop_dhcp4(struct __sk_buff *skb, struct packet *p, u32 network)
{
	struct vnet_fdb_key client = {.network = network};
	struct vnet_addr addr;
	u32 at, message;
	__be32 v4, seconds;
	u8 bytes[4];

	if (!p)
		return 0;
	message = p->l4 + 8;
	/* op, htype, hlen: a reply to an Ethernet client */
	if (bpf_skb_load_bytes(skb, message, bytes, 4) || bytes[0] != 2 || bytes[1] != 1 || bytes[2] != 6)
		return 0;
	if (bpf_skb_load_bytes(skb, message + 16, &v4, 4) || !v4 ||
	    bpf_skb_load_bytes(skb, message + 28, client.mac, 6))
		return 0;
	at = dhcp4_option(skb, p, DHCP_TYPE);
	if (!at || bpf_skb_load_bytes(skb, at, bytes, 1) || bytes[0] != DHCP_ACK)
		return 0;
	at = dhcp4_option(skb, p, DHCP_LEASE_TIME);
	if (!at || bpf_skb_load_bytes(skb, at - 1, bytes, 1) || bytes[0] != 4 ||
	    bpf_skb_load_bytes(skb, at, &seconds, 4))
		return 0;
	addr_from_v4(&addr, v4);
	return lease_to(&client, &addr, bpf_ntohl(seconds), VNET_PORT_F_FIXED4);
}

/* The offset of the next address from the cursor on, which is moved behind it; 0: none. */
__noinline int dhcp6_address(struct __sk_buff *skb, struct packet *p)
{
	u32 end;
	u8 head[4];

	if (!p)
		return 0;
	end = end_of(p);
	for (int i = 0; i < DHCP_MAX_OPTIONS; i++) {
		u32 at = cursor_of(p), code, length;

		if (at + 4 > end || bpf_skb_load_bytes(skb, at, head, 4))
			return 0;
		code = head[0] << 8 | head[1];
		length = head[2] << 8 | head[3];
		at += 4;
		/* Addresses are options nested in others: only the outer one's header is skipped. */
		p->cursor = at + (code == DHCP6_IA_NA ? 12 : code == DHCP6_IA_TA ? 4 : length);
		if (code == DHCP6_IAADDR && length >= 24)
			return at;
	}
	return 0;
}

__noinline int snoop_dhcp6(struct __sk_buff *skb, struct packet *p, u32 network)
{
	struct vnet_fdb_key client = {.network = network};
	struct vnet_addr addr;
	__be32 seconds;
	u8 type;

	if (!p)
		return 0;
	if (bpf_skb_load_bytes(skb, p->l4 + 8, &type, 1) || type != DHCP6_REPLY ||
	    bpf_skb_load_bytes(skb, 0, client.mac, 6))
		return 0;
	p->cursor = p->l4 + 12;
	for (int i = 0; i < DHCP6_MAX_ADDRESSES; i++) {
		u32 at = dhcp6_address(skb, p);

		if (!at || bpf_skb_load_bytes(skb, at, &addr, sizeof(addr)) ||
		    bpf_skb_load_bytes(skb, at + 20, &seconds, 4))
			break;
		lease_to(&client, &addr, bpf_ntohl(seconds), VNET_PORT_F_FIXED6);
	}
	return 0;
}

/* For packets of a trusted sender. */
static __always_inline void snoop(struct __sk_buff *skb, struct packet *p, u32 network)
{
	if (p->proto != IPPROTO_UDP || p->flags & (PACKET_FIRST | PACKET_LATER))
		return;
	if (p->family == 4 && p->flow.dport_be == bpf_htons(PORT_DHCP_CLIENT))
		snoop_dhcp4(skb, p, network);
	else if (p->family == 6 && p->flow.dport_be == bpf_htons(PORT_DHCP6_CLIENT))
		snoop_dhcp6(skb, p, network);
}

#endif
