/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gateway's judgement: what may pass from a network's bridge to the host stack, and from the host
 * stack to its guests. Here a network's mode is enforced; docs/modes.md has the table.
 */
#ifndef VNET_BPF_GATEWAY_H
#define VNET_BPF_GATEWAY_H

#include "bpf/binding.h"
#include "bpf/deliver.h"
#include "bpf/dhcp.h"
#include "bpf/host_access.h"
#include "bpf/reject.h"
#include "bpf/snoop.h"

/*
 * Does the stack keep it, or refuse it, for sure? Every answer that is not known to mean so means that the
 * packet would be forwarded.
 */
static __always_inline int is_no_way_out(long rc)
{
	return rc == BPF_FIB_LKUP_RET_NOT_FWDED || rc == BPF_FIB_LKUP_RET_BLACKHOLE ||
	       rc == BPF_FIB_LKUP_RET_UNREACHABLE || rc == BPF_FIB_LKUP_RET_PROHIBIT ||
	       rc == BPF_FIB_LKUP_RET_FWD_DISABLED;
}

/* May a packet that this network's guests sent be routed on to where the host would route it? */
__noinline int may_leave(struct __sk_buff *skb, struct packet *p)
{
	u32 slot = network_slot;
	struct vnet_network *net = bpf_map_lookup_elem(&networks, &slot);
	struct vnet_device *device;
	struct bpf_fib_lookup q;
	u32 out;
	int err;
	long rc;

	if (!p)
		return 0;
	route_query(&q, packet_source(p), packet_target(p), p->family == 4, p->proto, gateway_ifindex);
	rc = bpf_fib_lookup(skb, &q, sizeof(q), 0);
	/* The host itself, or no way: the stack delivers, or answers. */
	if (is_no_way_out(rc)) {
		err = host_access(skb, p);
		return err ? reject(skb, p, gateway_ifindex, slot, err) : TC_ACT_OK;
	}
	/* An encapsulating route names no interface: it leads out by one that is none of ours. */
	out = rc == BPF_FIB_LKUP_RET_UNSUPP_LWT || rc < 0 ? 0 : q.ifindex;
	if (out == gateway_ifindex)
		return TC_ACT_OK;
	if (network_flags & VNET_NETWORK_F_ISOLATED)
		return reject(skb, p, gateway_ifindex, slot, DROP(ISOLATED));
	device = device_of(out);
	if (device && device->role == VNET_DEVICE_GATEWAY &&
	    !(flags_of_network(device->slot) & VNET_NETWORK_F_VISIBLE))
		return reject(skb, p, gateway_ifindex, slot, DROP(OTHER_NETWORK));
	if (network_flags & VNET_NETWORK_F_OPEN)
		return TC_ACT_OK;
	if (!net || (net->uplink_ifindex && net->uplink_ifindex != out))
		return reject(skb, p, gateway_ifindex, slot, DROP(NO_UPLINK));
	/* What must be translated leaves only where a program of ours does it. */
	if (!device && !(network_flags & VNET_NETWORK_F_VISIBLE))
		return reject(skb, p, gateway_ifindex, slot, DROP(NO_UPLINK));
	return TC_ACT_OK;
}

static __always_inline int is_unspecified(const struct vnet_addr *a)
{
	return !(a->word_be[0] | a->word_be[1] | a->word_be[3]);
}

/* Answers to what a hidden network's guest began with a guest of this one: its address comes back. */
static __always_inline int take_back_here(struct __sk_buff *skb, struct packet *p)
{
	struct rewrite r = {};
	struct vnet_flow *key;
	struct vnet_session *s;

	if (p->flags & PACKET_LATER && !fragment_follow(p))
		return TC_ACT_OK;
	s = session_inbound(&p->flow, &key);
	if (!s || !key || s->network == network_slot)
		return TC_ACT_OK;
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

static __always_inline int from_bridge(struct __sk_buff *skb, struct packet *p)
{
	const struct vnet_addr *source;
	struct vnet_subnet *subnet;
	int err;

	/* The host's own multicast, looped back to its listeners: it has no link header, and is nobody's. */
	if (skb->pkt_type == PACKET_LOOPBACK)
		return TC_ACT_OK;
	err = parse_frame(skb, p);
	if (skb->tc_index == VNET_TC_INDEX_ADMITTED) /* from a bridge member that is no port of ours */
		skb->tc_index = 0;
	if (err)
		return err;
	if (!p->family)
		return TC_ACT_OK;
	/* Whoever has no address yet asks there, too. */
	if (stays_on_link(p))
		return host_access(skb, p);
	source = packet_source(p);
	subnet = subnet_of(source);
	/* Another network's addresses are nobody's to use, an open one's guests included. */
	if (subnet ? subnet->network != network_slot : !(network_flags & VNET_NETWORK_F_OPEN)) {
		if (is_unspecified(source) ||
		    (p->family == 6 && (bpf_ntohl(source->word_be[0]) & 0xffc00000) == 0xfe800000))
			return host_access(skb, p); /* the stack does not forward these */
		return DROP(SPOOFED_SOURCE);
	}
	if (network_flags & VNET_NETWORK_F_VISIBLE) {
		err = take_back_here(skb, p);
		if (err || skb->tc_index == VNET_TC_INDEX_ADMITTED)
			return err;
	}
	return may_leave(skb, p);
}

/* From another network, by the host's routing: only into a visible one, and never from an isolated one. */
static __always_inline int enter_from_network(struct __sk_buff *skb, struct packet *p, u32 network)
{
	struct vnet_subnet *subnet;
	u32 theirs = flags_of_network(network);

	if (!(network_flags & VNET_NETWORK_F_VISIBLE) || theirs & VNET_NETWORK_F_ISOLATED)
		return DROP(OTHER_NETWORK);
	if (theirs & VNET_NETWORK_F_VISIBLE)
		return TC_ACT_OK;
	subnet = subnet_of(packet_source(p));
	if (!subnet || subnet->network != network)
		return DROP(SPOOFED_SOURCE);
	return depart(skb, p, subnet, gateway_ifindex);
}

/* From outside: into a visible network only, through its own uplink where it has one. */
static __always_inline int enter_from_outside(struct __sk_buff *skb, struct packet *p,
					      struct vnet_fdb_entry *target, u32 is_uplink)
{
	u32 slot = network_slot;
	struct vnet_network *net = bpf_map_lookup_elem(&networks, &slot);
	int err;

	if (!(network_flags & VNET_NETWORK_F_VISIBLE))
		return DROP(NOT_VISIBLE);
	if (!net || (net->uplink_ifindex && net->uplink_ifindex != skb->ingress_ifindex))
		return DROP(NO_UPLINK);
	if (is_uplink && target) {
		/* What the port refuses makes no session: an outsider could use up the guest's share. */
		err = port_refuses(skb, target->ifindex);
		if (err)
			return err;
		admit_visible(skb, p, slot, target->slot, skb->ingress_ifindex);
	}
	return TC_ACT_OK;
}

/* Who may send into the network through the host stack? */
static __always_inline int may_enter(struct __sk_buff *skb, struct packet *p, struct vnet_fdb_entry *target)
{
	struct vnet_device *from;

	/* The host itself, and what its stack turned round within the network. */
	if (!skb->ingress_ifindex || skb->ingress_ifindex == gateway_ifindex)
		return TC_ACT_OK;
	from = device_of(skb->ingress_ifindex);
	/* tc_index can be believed only behind our own hooks, which write it. */
	if (from && skb->tc_index == VNET_TC_INDEX_ADMITTED)
		return TC_ACT_OK;
	if (from && from->role == VNET_DEVICE_GATEWAY)
		return enter_from_network(skb, p, from->slot);
	return enter_from_outside(skb, p, target, from && from->role == VNET_DEVICE_UPLINK);
}

static __always_inline int to_guest(struct __sk_buff *skb, struct packet *p)
{
	struct vnet_fdb_key to = {.network = network_slot};
	struct vnet_fdb_entry *target;
	u8 mac[6] __attribute__((aligned(4)));
	int verdict, err;

	if (read_bytes(skb, 0, mac, sizeof(mac)))
		return TC_ACT_OK;
	__builtin_memcpy(to.mac, mac, 6);
	target = mac[0] & 1 ? NULL : bpf_map_lookup_elem(&fdb, &to);
	if (!is_done(skb)) {
		/* The host forwards, and sends, IP that the parser does not read: who may enter does not
		 * hang on it.
		 */
		err = parse_frame(skb, p);
		verdict = err || p->family ? may_enter(skb, p, target) : TC_ACT_OK;
		if (verdict < 0)
			return verdict;
		if (!err) {
			/* The host's own alone: anybody can send what looks like an answer of DHCP's. */
			if (!skb->ingress_ifindex)
				snoop(skb, p, network_slot);
			if (is_dhcp_reply(p))
				repair_dhcp_reply(skb);
		}
	}
	if (!target)
		return TC_ACT_OK;
	return deliver(skb, target->ifindex, target->slot, target->flags, 0);
}

#endif
