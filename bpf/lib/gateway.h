/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gateway's checks: what may pass from a network's guests to the host's stack, and from there to its
 * guests. Here a network's mode is enforced; docs/modes.md has the table.
 */
#ifndef VNET_BPF_GATEWAY_H
#define VNET_BPF_GATEWAY_H

#include "bpf/lib/binding.h"
#include "bpf/lib/deliver.h"
#include "bpf/lib/dhcp.h"
#include "bpf/lib/dhcp_client.h"
#include "bpf/lib/flood.h"
#include "bpf/lib/hairpin.h"
#include "bpf/lib/to_stack.h"
#include "bpf/lib/host_access.h"
#include "bpf/lib/neighbour.h"
#include "bpf/lib/reject.h"
#include "bpf/lib/snoop.h"
#include "bpf/lib/vlan.h"

/*
 * Does the stack certainly deliver it locally, or refuse it? Every other result means that the packet would
 * be forwarded.
 */
static __always_inline int fib_is_not_forwarded(long rc)
{
	return rc == BPF_FIB_LKUP_RET_NOT_FWDED || rc == BPF_FIB_LKUP_RET_BLACKHOLE ||
	       rc == BPF_FIB_LKUP_RET_UNREACHABLE || rc == BPF_FIB_LKUP_RET_PROHIBIT ||
	       rc == BPF_FIB_LKUP_RET_FWD_DISABLED;
}

/* May a packet of this network's guests be forwarded to where the host would route it? */
__noinline int may_leave(struct __sk_buff *skb, struct packet *p)
{
	u32 slot = network_slot;
	struct vnet_network *net = bpf_map_lookup_elem(&networks, &slot);
	struct vnet_device *device;
	struct vnet_subnet *to;
	struct bpf_fib_lookup q;
	u32 out;
	int err;
	long rc;

	if (!p)
		return 0;
	route_query_packet(&q, p, gateway_ifindex);
	rc = bpf_fib_lookup(skb, &q, sizeof(q), 0);
	/* The host itself, or no route: the stack delivers it, or answers. */
	if (fib_is_not_forwarded(rc)) {
		err = check_host_access(skb, p);
		return err ? verdict_reject(err) : TC_ACT_OK;
	}
	/* For an encapsulating route the lookup names no interface: it leads out by one that is not ours. */
	out = rc == BPF_FIB_LKUP_RET_UNSUPP_LWT || rc < 0 ? 0 : q.ifindex;
	if (out == gateway_ifindex)
		return TC_ACT_OK;
	if (network_flags & VNET_NETWORK_F_ISOLATED)
		return verdict_reject(DROP(ISOLATED));
	device = device_of(out);
	to = subnet_of(packet_target(p));
	if ((device && device->role == VNET_DEVICE_GATEWAY && is_hidden(device->slot)) ||
	    (to && to->network != slot && is_hidden(to->network)))
		return verdict_reject(DROP(OTHER_NETWORK));
	if (network_flags & VNET_NETWORK_F_OPEN)
		return TC_ACT_OK;
	if (!net || (net->uplink_ifindex && net->uplink_ifindex != out))
		return verdict_reject(DROP(NO_UPLINK));
	/* A hidden network's packets leave only where a program of ours translates them. */
	if (!device && !(network_flags & VNET_NETWORK_F_VISIBLE))
		return verdict_reject(DROP(NO_UPLINK));
	return TC_ACT_OK;
}

/* An address of a guest at another port than the sender's. */
static __always_inline int is_at_another_port(struct __sk_buff *skb, const struct vnet_addr *addr)
{
	struct vnet_address *known = address_of(addr, network_slot);

	return known && known->port && known->port != skb->tc_index;
}

/* Replies to a connection of another network's guest, which is masqueraded at this gateway. */
static __always_inline int handle_gateway_reply(struct __sk_buff *skb, struct packet *p)
{
	struct rewrite r = {};
	struct vnet_flow *key;
	struct vnet_session *s;

	if (p->flags & PACKET_LATER && !fragment_follow(p))
		return TC_ACT_OK;
	s = session_inbound(&p->flow, &key);
	if (!s || !key || s->network == network_slot)
		return TC_ACT_OK;
	/* An error about what was sent to another guest, or to none. */
	if (p->flags & PACKET_ERROR && is_at_another_port(skb, &p->flow.src))
		return DROP(SPOOFED_SOURCE);
	if (p->flags & PACKET_ERROR && !quotes_data_in_flight(s, p))
		return DROP(NO_SESSION);
	if (p->flags & PACKET_FIRST)
		fragment_note(p, 1);
	session_use(s, p, VNET_IN, tick_now(), skb->len);
	r.from = p->flow.dst;
	r.to = key->src;
	r.from_port_be = p->flow.dport_be;
	r.to_port_be = key->sport_be;
	skb->tc_index = VNET_TC_INDEX_ADMITTED;
	return translate(skb, p, &r, 1);
}

/* Not IP: what the host's stack needs. Anything else could be decapsulated and routed (MPLS). */
static __always_inline int from_guest_not_ip(struct __sk_buff *skb)
{
	if (skb->protocol == bpf_htons(ETH_P_ARP) || skb->protocol == bpf_htons(ETH_P_RARP))
		return TC_ACT_OK;
	return network_flags & VNET_NETWORK_F_OPEN ? TC_ACT_OK : DROP(ETHERTYPE);
}

/* The gateway's own addresses, which are in its subnets. Linux drops them as IPv4 sources, not as IPv6. */
static __always_inline int is_gateway_address(const struct vnet_addr *source)
{
	struct vnet_address *known = address_of(source, network_slot);

	return known && !known->port && known->source == VNET_ADDRESS_FIXED;
}

/*
 * What a guest without an address sends on the link: DHCP, DAD and group reports. The stack would answer an
 * echo request by a packet to ::, by its default route.
 */
static __noinline int may_lack_address(struct __sk_buff *skb, struct packet *p)
{
	if (!stays_on_link(p))
		return 0;
	return p->proto != IPPROTO_ICMPV6 || p->family == 4 || may_lack_ipv6_source(icmp_type(skb, p));
}

#define IP_OPTION_END	 0
#define IP_OPTION_NOP	 1
#define IP_OPTION_LSRR	 131
#define IP_OPTION_SSRR	 137
#define IP_OPTIONS_BYTES 40

/*
 * A guest that chooses the route. The stack accepts it only with accept_source_route on, but then uses it to
 * forward and for its answers; options that cannot be read count as one.
 */
static __noinline int has_source_route(struct __sk_buff *skb, struct packet *p)
{
	u32 at = p->l3 + sizeof(struct iphdr);
	u8 option[2];

	for (int i = 0; i < IP_OPTIONS_BYTES; i++) {
		if (at >= p->l4)
			return 0;
		if (bpf_skb_load_bytes(skb, at, option, 1))
			return 1;
		if (option[0] == IP_OPTION_END)
			return 0;
		if (option[0] == IP_OPTION_NOP) {
			at++;
			continue;
		}
		if (option[0] == IP_OPTION_LSRR || option[0] == IP_OPTION_SSRR ||
		    bpf_skb_load_bytes(skb, at, option, 2) || option[1] < 2)
			return 1;
		at += option[1];
	}
	return 1;
}

static __always_inline int gateway_from_guest(struct __sk_buff *skb, struct packet *p)
{
	const struct vnet_addr *source;
	struct vnet_subnet *subnet;
	int err;

	/* The host's own multicast, looped back to its listeners: it has no link header. */
	if (skb->pkt_type == PACKET_LOOPBACK)
		return TC_ACT_OK;
	/* Only our own programs at the ports hand frames over; the bridge's are from members not attached. */
	if (!is_marked(skb))
		return DROP(UNATTACHED);
	if (is_tagged(skb))
		return DROP(VLAN_TAGGED);
	err = parse_frame(skb, p);
	if (err)
		return err;
	if (!p->family)
		return from_guest_not_ip(skb);
	err = filter_dhcp(skb, p, skb->tc_index, network_slot, 0);
	if (err)
		return err;
	/*
	 * No guest may use another network's addresses, not even an open network's guests. The source is
	 * checked first: what the host answers to a group, or to a packet that it cannot forward, goes there.
	 */
	source = packet_source(p);
	subnet = subnet_of(source);
	if (subnet ? subnet->network != network_slot : !(network_flags & VNET_NETWORK_F_OPEN)) {
		/* On this link only: the stack forwards neither, and answers the latter on this link. */
		if (is_unspecified(source) ? may_lack_address(skb, p)
					   : p->family == 6 && is_link_local6(source))
			return check_host_access(skb, p);
		return DROP(SPOOFED_SOURCE);
	}
	if (is_gateway_address(source))
		return DROP(SPOOFED_SOURCE);
	if (unlikely(p->flags & PACKET_OPTIONS) && p->family == 4 && !(network_flags & VNET_NETWORK_F_OPEN) &&
	    has_source_route(skb, p))
		return DROP(NO_WAY_OUT);
	if (is_unspecified(packet_target(p)))
		return DROP(NOT_ROUTABLE);
	if (stays_on_link(p))
		return check_host_access(skb, p);
	if (!(network_flags & VNET_NETWORK_F_ISOLATED)) {
		err = to_port_forward(skb, p);
		if (err != TC_ACT_OK)
			return err;
		err = handle_gateway_reply(skb, p);
		if (err || skb->tc_index == VNET_TC_INDEX_ADMITTED)
			return err;
	}
	err = is_forward_reply(p, network_slot) ? TC_ACT_OK : may_leave(skb, p);
	if (err == TC_ACT_OK)
		note_to_stack(p);
	return err;
}

/*
 * Rewritten to a guest of this network by the host's DNAT: the administrator's port forward. Packets that
 * were addressed to a guest have been dropped before; nor may a source route lead to one.
 */
static __always_inline int is_host_dnat(struct __sk_buff *skb, struct packet *p, int turned)
{
	struct vnet_subnet *to;

	if (network_flags & VNET_NETWORK_F_ISOLATED || !turned || !p->family)
		return 0;
	to = subnet_of(packet_target(p));
	if (!to || to->network != network_slot)
		return 0;
	return !(p->flags & PACKET_OPTIONS) || (p->family == 4 && !has_source_route(skb, p));
}

/*
 * From another network, by the host's routing: only into a visible one, or where the host's DNAT leads it;
 * and never from an isolated one.
 */
static __always_inline int enter_from_network(struct __sk_buff *skb, struct packet *p, u32 network)
{
	struct vnet_subnet *subnet;
	u32 theirs = flags_of_network(network);

	int answers = p->family && is_forward_reply(p, network);

	if (theirs & VNET_NETWORK_F_ISOLATED ||
	    !(network_flags & VNET_NETWORK_F_VISIBLE || answers || is_host_dnat(skb, p, is_dnatted(p))))
		return DROP(OTHER_NETWORK);
	if (theirs & VNET_NETWORK_F_VISIBLE && !answers)
		return TC_ACT_OK;
	subnet = subnet_of(packet_source(p));
	if (!subnet && p->family && !is_tunneled(p))
		return TC_ACT_OK; /* translated by the host's NAT: a reply of a port forward */
	if (!subnet || subnet->network != network)
		return DROP(SPOOFED_SOURCE);
	return admit_outbound(skb, p, subnet, gateway_ifindex);
}

/*
 * From outside: into a visible network only, through its own uplink if it has one. judged: an uplink's hook
 * has found that no guest was addressed.
 */
static __always_inline int enter_from_outside(struct __sk_buff *skb, struct packet *p,
					      struct vnet_fdb_entry *target, int is_uplink, int judged)
{
	u32 slot = network_slot;
	struct vnet_network *net = bpf_map_lookup_elem(&networks, &slot);
	int err;

	if (!(network_flags & VNET_NETWORK_F_VISIBLE))
		return is_host_dnat(skb, p, judged) ? TC_ACT_OK : DROP(NOT_VISIBLE);
	if (!p->family)
		return DROP(ETHERTYPE);
	if (is_guest_address(packet_source(p)))
		return DROP(SPOOFED_SOURCE);
	if (!net || (net->uplink_ifindex && net->uplink_ifindex != skb->ingress_ifindex))
		return DROP(NO_UPLINK);
	if (is_uplink && target) {
		/* No session for what the port refuses: an outsider could use up the guest's quota. */
		err = check_receive_port(skb, target->ifindex);
		if (err)
			return err;
		admit_visible(skb, p, slot, target->slot, skb->ingress_ifindex);
	}
	return TC_ACT_OK;
}

/* May the packet enter the network from the host's stack? */
static __always_inline int may_enter(struct __sk_buff *skb, struct packet *p, struct vnet_fdb_entry *target)
{
	struct vnet_device *from;
	int is_uplink;

	/*
	 * The host itself, and what its stack forwards back into the network. The host's own error may quote
	 * a packet to another network's guest, whose address must not be seen here.
	 */
	if (!skb->ingress_ifindex || skb->ingress_ifindex == gateway_ifindex)
		return network_flags & VNET_NETWORK_F_VISIBLE && p->flags & PACKET_ERROR
			       ? admit_outbound(skb, p, NULL, gateway_ifindex)
			       : TC_ACT_OK;
	from = device_of(skb->ingress_ifindex);
	/* tc_index is valid only behind our own hooks, which write it. */
	if (from && skb->tc_index == VNET_TC_INDEX_ADMITTED)
		return TC_ACT_OK;
	if (from && from->role == VNET_DEVICE_GATEWAY)
		return enter_from_network(skb, p, from->slot);
	is_uplink = from && from->role == VNET_DEVICE_UPLINK;
	return enter_from_outside(skb, p, target, is_uplink,
				  (is_uplink || (from && from->role == VNET_DEVICE_VRF)) &&
					  skb->tc_index == VNET_TC_INDEX_JUDGED);
}

/*
 * To every port. One of them gets the frame itself: if it were dropped at egress, the sender would get an
 * error (ENOBUFS). Without ports there is no receiver.
 */
static __always_inline int flood_from_host(struct __sk_buff *skb)
{
	u32 last = flood_but_last(skb, 0, MODE_BRIDGE, VLAN_GATEWAYS);

	return last ? redirect_out(last) : TC_ACT_SHOT;
}

static __always_inline int gateway_to_guest(struct __sk_buff *skb, struct packet *p)
{
	struct vnet_fdb_key to = {.network = network_slot};
	struct vnet_fdb_entry *target;
	u8 mac[6] __attribute__((aligned(4)));
	int verdict, err;

	if (read_bytes(skb, 0, mac, sizeof(mac)))
		return DROP(MALFORMED);
	__builtin_memcpy(to.mac, mac, 6);
	target = mac[0] & 1 ? NULL : bpf_map_lookup_elem(&fdb, &to);
	if (unlikely(is_marked(skb) && skb->cb[CB_NEXT] == MARK_RESOLVED))
		count_link_header(skb);
	if (!is_marked(skb)) {
		if (is_tagged(skb))
			return DROP(VLAN_TAGGED);
		/* The host forwards, and sends, IP that the parser rejects: may_enter() does not depend on
		 * its result.
		 */
		err = parse_frame(skb, p);
		verdict = may_enter(skb, p, target);
		if (verdict < 0)
			return verdict;
		if (!err) {
			/* Only the host's own: anyone else could forge a DHCP reply. */
			if (!skb->ingress_ifindex)
				snoop(skb, p, network_slot);
			if (is_dhcp_reply(p))
				repair_dhcp_reply(skb);
		}
	}
	if (!target)
		return flood_from_host(skb);
	return deliver(skb, target->ifindex, target->slot, target->flags, VLAN_GATEWAYS, 0);
}

#endif
