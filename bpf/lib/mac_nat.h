/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * <vnet:macNat>: for a parent that may send from its own MAC only (a station of an access point, a hosted
 * server). Guests' frames leave with the parent's MAC, also in ARP and neighbour discovery; frames to that
 * MAC go to the guest that has their destination address. Guests keep their IP addresses, and their MACs
 * towards each other and the host.
 *
 * An address belongs to the guest that has sent from it. The host's addresses never do, and those of another
 * port only after that port has not used them for MAC_NAT_IDLE.
 */
#ifndef VNET_BPF_MAC_NAT_H
#define VNET_BPF_MAC_NAT_H

#include "bpf/lib/guard.h"
#include "bpf/lib/subnet.h"

/* Seconds: then another port may have an address. */
#define MAC_NAT_IDLE 300
/* Ticks: how exactly the last use is noted. */
#define MAC_NAT_STEP 8

#define DHCP_FLAGS_AT	  10
#define DHCP_CIADDR_AT	  12
#define DHCP_CHADDR_AT	  28
#define DHCP_BROADCAST_BE bpf_htons(0x8000)

/* Has any guest of this parent been learned? */
static __always_inline int has_mac_nat(void)
{
	u32 slot = network_slot;
	struct vnet_quota_usage *u = bpf_map_lookup_elem(&quota_usage, &slot);

	return u && u->learned;
}

static __always_inline void own_mac(u8 *to)
{
	for (int i = 0; i < 6; i++)
		to[i] = gateway_mac[i];
}

/* Notes the address in the port's ring; the port loses the address that it replaces. */
__noinline int enter_ring(struct vnet_addr *addr, u32 slot)
{
	struct vnet_mac_nat_ring *ring = bpf_map_lookup_elem(&mac_nat_rings, &slot);
	struct vnet_address_key gone;
	struct vnet_mac_nat *theirs;
	u32 place;

	if (!ring || !addr)
		return -1;
	place = ring->next++ % VNET_MAC_NAT_OF_PORT;
	address_key(&gone, &ring->addr[place], network_slot);
	ring->addr[place] = *addr;
	theirs = bpf_map_lookup_elem(&mac_nat, &gone);
	if (theirs && theirs->slot == slot)
		bpf_map_delete_elem(&mac_nat, &gone);
	return 0;
}

/* The port's guest sends from addr. 0, or the drop reason. */
__noinline int learn_address(struct __sk_buff *skb, struct vnet_addr *addr, u32 slot)
{
	struct vnet_mac_nat fresh = {}, *known;
	struct vnet_address_key key;
	struct vnet_quota_usage *u;
	u32 parent = network_slot, now = tick_now();

	if (!addr || bpf_skb_load_bytes(skb, 6, fresh.mac, 6))
		return DROP(MAC_NAT);
	address_key(&key, addr, network_slot);
	known = bpf_map_lookup_elem(&mac_nat, &key);
	if (likely(known && known->slot == slot && known->ifindex == skb->ifindex &&
		   mac_equal(known->mac, fresh.mac))) {
		if (now - known->seen >= MAC_NAT_STEP)
			known->seen = now;
		return 0;
	}
	if (bpf_map_lookup_elem(&host_addresses, &key.addr))
		return DROP(MAC_NAT);
	if (known && known->slot != slot && now - known->seen <= ticks_of(MAC_NAT_IDLE))
		return DROP(MAC_NAT);
	if (!(known && known->slot == slot) && enter_ring(addr, slot))
		return DROP(MAC_NAT);
	fresh.ifindex = skb->ifindex;
	fresh.seen = now;
	fresh.slot = slot;
	if (bpf_map_update_elem(&mac_nat, &key, &fresh, BPF_ANY))
		return DROP(MAC_NAT);
	u = bpf_map_lookup_elem(&quota_usage, &parent);
	if (u)
		u->learned = 1;
	return 0;
}

static __always_inline int is_arp(const struct arp_packet *arp)
{
	return arp->hardware == bpf_htons(1) && arp->protocol == bpf_htons(ETH_P_IP) &&
	       arp->hardware_size == 6 && arp->protocol_size == 4;
}

__noinline int arp_out(struct __sk_buff *skb, u32 slot)
{
	struct arp_packet arp __attribute__((aligned(4)));
	struct vnet_addr sender;
	__be32 v4;
	int err;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &arp, sizeof(arp)) || !is_arp(&arp))
		return DROP(MAC_NAT);
	__builtin_memcpy(&v4, arp.sender_ip, 4);
	if (v4) { /* else it only asks whether an address is free (RFC 5227) */
		addr_from_v4(&sender, v4);
		err = learn_address(skb, &sender, slot);
		if (err)
			return err;
	}
	own_mac(arp.sender_mac);
	return bpf_skb_store_bytes(skb, ETH_HLEN, &arp, sizeof(arp), 0) ? DROP(WRITE_FAILED) : 0;
}

/* Offset of the options; 0: not a message with link-layer addresses. */
static __always_inline u32 nd_options_at(u8 type)
{
	switch (type) {
	case ND_ROUTER_SOLICIT:
		return 8;
	case ND_ROUTER_ADVERT:
		return 16;
	case ND_NEIGHBOR_SOLICIT:
	case ND_NEIGHBOR_ADVERT:
		return 24;
	case ND_REDIRECT:
		return 40;
	default:
		return 0;
	}
}

/* Replaces the guest's link-layer address in options by the parent's. */
__noinline int nd_out(struct __sk_buff *skb, struct packet *p)
{
	__be32 option[2], other[2];
	u8 mac[6] __attribute__((aligned(4)));
	u8 *bytes = (u8 *)option;
	u32 at, end, options;

	if (!p)
		return DROP(MALFORMED);
	options = nd_options_at(icmp_type(skb, p));
	if (!options)
		return 0;
	if (bpf_skb_load_bytes(skb, 6, mac, sizeof(mac)))
		return DROP(MALFORMED);
	end = end_of(p);
	p->cursor = l4_of(p) + options;
	for (int i = 0; i < ND_OPTIONS_MAX; i++) {
		at = cursor_of(p);
		if (at + 8 > end)
			break;
		if (bpf_skb_load_bytes(skb, at, option, sizeof(option)) || !bytes[1])
			return DROP(MALFORMED);
		p->cursor = at + bytes[1] * 8;
		if ((bytes[0] != ND_SOURCE_MAC && bytes[0] != ND_TARGET_MAC) || bytes[1] != 1 ||
		    !mac_equal(bytes + 2, mac))
			continue;
		other[0] = option[0];
		other[1] = option[1];
		own_mac((u8 *)other + 2);
		if (bpf_skb_store_bytes(skb, at, other, sizeof(other), 0) ||
		    bpf_l4_csum_replace(skb, l4_of(p) + 2, 0,
					bpf_csum_diff(option, sizeof(option), other, sizeof(other), 0), 0))
			return DROP(WRITE_FAILED);
	}
	/* Otherwise an option could be hidden. */
	return cursor_of(p) == end ? 0 : DROP(MALFORMED);
}

/*
 * A server sends its answer to the client's hardware address unless it is asked to broadcast it (RFC
 * 2131 4.1), and who has an address can be found by it.
 */
__noinline int dhcp_out(struct __sk_buff *skb, struct packet *p)
{
	__be16 flags_be, asked_be;
	__be32 client_be;
	u32 message;

	if (!p || p->proto != IPPROTO_UDP || p->flags & (PACKET_LATER | PACKET_ERROR) ||
	    p->flow.sport_be != bpf_htons(PORT_DHCP_CLIENT) ||
	    p->flow.dport_be != bpf_htons(PORT_DHCP_SERVER))
		return 0;
	message = l4_of(p) + 8;
	if (bpf_skb_load_bytes(skb, message + DHCP_FLAGS_AT, &flags_be, 2) ||
	    bpf_skb_load_bytes(skb, message + DHCP_CIADDR_AT, &client_be, 4))
		return DROP(MALFORMED);
	if (client_be || flags_be & DHCP_BROADCAST_BE)
		return 0;
	asked_be = flags_be | DHCP_BROADCAST_BE;
	return bpf_skb_store_bytes(skb, message + DHCP_FLAGS_AT, &asked_be, 2, 0) ||
			       bpf_l4_csum_replace(skb, l4_of(p) + 6, flags_be, asked_be,
						   2 | BPF_F_MARK_MANGLED_0)
		       ? DROP(WRITE_FAILED)
		       : 0;
}

__noinline int ip_out(struct __sk_buff *skb, u32 slot)
{
	struct packet *p = scratch_packet();
	struct vnet_addr source;
	int err;

	if (!p)
		return DROP(MALFORMED);
	err = parse_frame(skb, p);
	if (err)
		return err;
	if (!p->family)
		return DROP(MAC_NAT);
	source = *packet_source(p);
	if (!is_unspecified(&source)) {
		err = learn_address(skb, &source, slot);
		if (err)
			return err;
	}
	if (p->family == 4)
		return dhcp_out(skb, p);
	return p->proto == IPPROTO_ICMPV6 && !(p->flags & PACKET_LATER) ? nd_out(skb, p) : 0;
}

/* Before a guest's frame is sent to the wire. 0, or the drop reason. */
static __always_inline int mac_nat_out(struct __sk_buff *skb, u32 slot)
{
	u8 mac[6] __attribute__((aligned(4)));
	int err;

	pop_priority_tags(skb);
	if (is_tagged(skb))
		return DROP(MAC_NAT);
	err = skb->protocol == bpf_htons(ETH_P_ARP) ? arp_out(skb, slot) : ip_out(skb, slot);
	if (err)
		return err;
	own_mac(mac);
	return bpf_skb_store_bytes(skb, 6, mac, sizeof(mac), 0) ? DROP(WRITE_FAILED) : 0;
}

static __always_inline struct vnet_mac_nat *guest_behind(const struct vnet_addr *addr)
{
	struct vnet_address_key key;

	address_key(&key, addr, network_slot);
	return bpf_map_lookup_elem(&mac_nat, &key);
}

static __always_inline u32 hand_to(struct __sk_buff *skb, u32 ifindex, const u8 *mac)
{
	return bpf_skb_store_bytes(skb, 0, mac, 6, 0) ? 0 : ifindex;
}

/* The ifindex of the guest's port; 0: for the host. */
__noinline u32 arp_in(struct __sk_buff *skb)
{
	struct arp_packet arp __attribute__((aligned(4)));
	struct vnet_mac_nat *guest;
	struct vnet_addr target;
	__be32 v4;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &arp, sizeof(arp)) || !is_arp(&arp))
		return 0;
	__builtin_memcpy(&v4, arp.target_ip, 4);
	addr_from_v4(&target, v4);
	guest = guest_behind(&target);
	if (!guest)
		return 0;
	if (is_gateway_mac(arp.target_mac)) {
		__builtin_memcpy(arp.target_mac, guest->mac, 6);
		if (bpf_skb_store_bytes(skb, ETH_HLEN, &arp, sizeof(arp), 0))
			return 0;
	}
	return hand_to(skb, guest->ifindex, guest->mac);
}

/* A DHCP reply that was not broadcast, by its chaddr. As arp_in(). */
__noinline u32 dhcp_in(struct __sk_buff *skb, struct packet *p)
{
	struct vnet_fdb_key client = {.network = network_slot};
	struct vnet_fdb_entry *entry;
	struct vnet_port *port;
	u32 ifindex;

	if (!p || !is_dhcp_reply(p) || bpf_skb_load_bytes(skb, l4_of(p) + 8 + DHCP_CHADDR_AT, client.mac, 6))
		return 0;
	entry = bpf_map_lookup_elem(&fdb, &client);
	if (!entry)
		return 0;
	ifindex = entry->ifindex;
	port = bpf_map_lookup_elem(&ports, &ifindex);
	return port && port->flags & VNET_PORT_F_MAC_NAT ? hand_to(skb, ifindex, client.mac) : 0;
}

/* A frame to the parent's MAC: writes its guest's MAC. The ifindex of the guest's port; 0: for the host. */
__noinline u32 mac_nat_in(struct __sk_buff *skb)
{
	struct packet *p = scratch_packet();
	struct vnet_mac_nat *guest;

	if (!p || is_tagged(skb))
		return 0;
	if (skb->protocol == bpf_htons(ETH_P_ARP))
		return arp_in(skb);
	if (parse_frame(skb, p) || !p->family)
		return 0;
	guest = guest_behind(packet_target(p));
	return guest ? hand_to(skb, guest->ifindex, guest->mac) : dhcp_in(skb, p);
}

#endif
