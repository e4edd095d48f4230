// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The programs of one network: at its ports and at its gateway (the Linux bridge). What is fixed for a
 * network is rodata, so that the verifier prunes what it does not use.
 */
#include "bpf/bridge.h"
#include "bpf/gateway.h"
#include "bpf/guard.h"

/* Straight out of the uplink, as the session says. The stack's way is always right, too: TC_ACT_OK. */
static __always_inline int send_out(struct __sk_buff *skb, struct packet *p, struct vnet_session *s)
{
	struct vnet_leg *leg = &s->leg[VNET_OUT];
	struct rewrite r = {};
	u32 now = tick_now();
	int unresolved = 0;
	u32 ifindex, mtu = 0;

	if (unlikely(leg->hop.tick != now))
		unresolved =
			route_out(skb, &p->flow, leg, s->flags & VNET_SESSION_F_MASQUERADE ? &s->nat : NULL,
				  gateway_ifindex);
	if (unlikely(unresolved < 0))
		return TC_ACT_OK;
	if (unlikely(unresolved) ? bpf_check_mtu(skb, leg->hop.ifindex, &mtu, 0, BPF_MTU_CHK_SEGS) != 0
				 : too_big(skb, p, leg->hop.mtu))
		return TC_ACT_OK;
	if (unlikely(p->flags & PACKET_FIRST))
		fragment_note(p, 0);
	session_use(s, p, VNET_OUT, now, skb->len);
	ifindex = leg->hop.ifindex;
	r.from = p->flow.src;
	r.to = s->nat;
	r.from_port_be = p->flow.sport_be;
	r.to_port_be = s->nat_port_be;
	r.source = 1;
	if (unlikely(decrement_ttl(skb, p)) || (!unresolved && write_macs(skb, &leg->hop)))
		return DROP(WRITE_FAILED);
	if (translate(skb, p, &r, 1))
		return DROP(WRITE_FAILED);
	mark_done(skb);
	/* The kernel resolves the neighbour, and holds the packet meanwhile. The stack's way to the same
	 * end leads past the host's FORWARD rules, which have never seen this connection's answers.
	 */
	return unlikely(unresolved) ? bpf_redirect_neigh(ifindex, NULL, 0, 0) : bpf_redirect(ifindex, 0);
}

/* Which uplink a guest's new flow may leave by without being asked for; 0: the stack shall see it. */
__noinline u32 bypass_uplink(struct __sk_buff *skb, struct packet *p)
{
	u32 slot = network_slot;
	struct vnet_network *net = bpf_map_lookup_elem(&networks, &slot);
	struct vnet_subnet_key where = {.prefixlen = 128};
	struct vnet_subnet *subnet;
	struct making *m = making_of();
	struct vnet_device *uplink;
	struct bpf_fib_lookup q;
	long rc;

	if (!p || !m || !net || net->nat_first)
		return 0;
	where.addr = p->flow.src;
	subnet = bpf_map_lookup_elem(&subnets, &where);
	if (!subnet || subnet->network != slot)
		return 0;
	route_query(&q, &p->flow.src, &p->flow.dst, p->family == 4, p->proto, gateway_ifindex);
	rc = bpf_fib_lookup(skb, &q, sizeof(q), 0);
	if (rc != BPF_FIB_LKUP_RET_SUCCESS && rc != BPF_FIB_LKUP_RET_NO_NEIGH)
		return 0;
	uplink = device_of(q.ifindex);
	if (!uplink || uplink->role != VNET_DEVICE_UPLINK ||
	    (net->uplink_ifindex && net->uplink_ifindex != q.ifindex))
		return 0;
	m->hop.ifindex = 0;
	if (rc == BPF_FIB_LKUP_RET_SUCCESS) {
		m->hop.ifindex = q.ifindex;
		__builtin_memcpy(m->hop.dmac, q.dmac, 6);
		__builtin_memcpy(m->hop.smac, q.smac, 6);
		m->hop.mtu = q.mtu_result;
	}
	return q.ifindex;
}

/* hostFirewall='bypass': the session is made here instead of behind the host's FORWARD rules. */
__noinline int admit_bypass(struct __sk_buff *skb, struct packet *p)
{
	struct admission a = {.network = network_slot, .port = skb->tc_index};
	struct making *m = making_of();
	u32 masquerade;

	if (!p || !m)
		return 0;
	masquerade = p->family == 4 ? VNET_NETWORK_F_MASQUERADE4 : VNET_NETWORK_F_MASQUERADE6;
	if (p->flags & (PACKET_REPLY | PACKET_LATER | PACKET_ERROR))
		return 0;
	if (p->proto == IPPROTO_TCP && (p->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
		return 0;
	if (is_icmp(p->family, p->proto) && !p->flow.sport_be)
		return 0;
	a.uplink = bypass_uplink(skb, p);
	if (!a.uplink)
		return 0;
	a.nat = p->flow.src;
	if (network_flags & masquerade) {
		if (route_source(skb, &p->flow.dst, a.uplink, &a.nat))
			return 0;
		a.flags = VNET_SESSION_F_MASQUERADE;
	}
	a.hop_known = m->hop.ifindex == a.uplink && m->hop.mtu;
	return session_create(skb, &p->flow, &a);
}

/* To the gateway's MAC: known sessions leave at once, the rest is the host stack's. */
static __always_inline int route_from_guest(struct __sk_buff *skb, struct packet *p, int parsed)
{
	struct vnet_session *s;
	int err = parsed ? 0 : parse(skb, p, ETH_HLEN);

	if (err)
		return err;
	if (!p->family)
		return TC_ACT_OK;
	if (unlikely(p->flags & PACKET_LATER)) {
		if (fragment_follow(p) != 1)
			return TC_ACT_OK;
	}
	if (unlikely(p->ttl <= 1 || p->flags & PACKET_OPTIONS))
		return TC_ACT_OK;
	/* The session's way is the way to its far end, and to nobody else whom an error is sent to. */
	if (unlikely(p->flags & PACKET_ERROR) && !addr_equal(&p->outer_dst, &p->flow.dst))
		return TC_ACT_OK;
	s = session_outbound(&p->flow);
	if (unlikely(!s) && network_flags & VNET_NETWORK_F_BYPASS) {
		err = admit_bypass(skb, p);
		if (err)
			return err;
		s = session_outbound(&p->flow);
	}
	/* Another port's session: somebody uses its guest's address. Let the stack's rules judge. */
	if (unlikely(!s || s->network != network_slot || (s->port && s->port != skb->tc_index))) {
		if (p->flags & PACKET_FIRST)
			fragment_note(p, 1);
		return TC_ACT_OK;
	}
	return send_out(skb, p, s);
}

static __always_inline int from_guest(struct __sk_buff *skb, struct vnet_port *port)
{
	struct vnet_fdb_key to = {.network = network_slot};
	struct vnet_fdb_entry *target;
	struct packet *p = packet_room();
	u8 macs[12] __attribute__((aligned(4)));
	int err;

	if (unlikely(!p || read_bytes(skb, 0, macs, sizeof(macs))))
		return DROP(MALFORMED);
	err = guard(port, macs + 6, skb->ifindex);
	if (err)
		return err;
	skb->tc_index = port->slot;
	if (unlikely(port->flags & VNET_PORT_F_VET)) {
		err = vet(skb, port, p);
		if (err)
			return err;
	}
	if (unlikely(macs[0] & 1)) {
		/* 01:80:c2:00:00:0x is between bridges (802.1D): a guest has no say in the host's. */
		if (macs[0] == 0x01 && macs[1] == 0x80 && macs[2] == 0xc2 && !macs[3] && !macs[4] &&
		    macs[5] < 0x10)
			return DROP(BPDU);
		if (!(network_flags & VNET_NETWORK_F_BRIDGED))
			return TC_ACT_OK;
	}
	if (network_flags & VNET_NETWORK_F_BRIDGED)
		return take_shortcut(skb, macs, port->slot);
	if (is_gateway_mac(macs))
		return route_from_guest(skb, p, port->flags & VNET_PORT_F_VET);
	__builtin_memcpy(to.mac, macs, 6);
	target = bpf_map_lookup_elem(&fdb, &to);
	if (!target || target->ifindex == skb->ifindex)
		return TC_ACT_OK;
	return deliver(skb, target->ifindex, target->slot, target->flags, 1);
}

SEC("tc")
int port_ingress(struct __sk_buff *skb)
{
	u32 ifindex = skb->ifindex;
	u32 bytes = skb->len;
	struct vnet_port *port = bpf_map_lookup_elem(&ports, &ifindex);

	if (!port)
		return leave(skb, VNET_HOOK_PORT_INGRESS, DROP(UNATTACHED), network_slot, COUNT_NOTHING,
			     bytes);
	return leave(skb, VNET_HOOK_PORT_INGRESS, from_guest(skb, port), port->slot, COUNT_TX, bytes);
}

SEC("tc")
int port_egress(struct __sk_buff *skb)
{
	u32 ifindex = skb->ifindex;
	u32 bytes = skb->len;
	struct vnet_port *port;
	int err;

	if (is_done(skb))
		return PASS;
	port = bpf_map_lookup_elem(&ports, &ifindex);
	if (!port)
		return leave(skb, VNET_HOOK_PORT_EGRESS, DROP(UNATTACHED), network_slot, COUNT_NOTHING,
			     bytes);
	err = may_receive(skb, port);
	if (!err && network_flags & VNET_NETWORK_F_BRIDGED)
		note_shortcut(skb, port->slot, port->flags & VNET_PORT_F_PEER ? VNET_HOP_F_PEER : 0);
	return leave(skb, VNET_HOOK_PORT_EGRESS, err, port->slot, COUNT_RX, bytes);
}

SEC("tc")
int gateway_ingress(struct __sk_buff *skb)
{
	u32 bytes = skb->len;
	struct packet *p = packet_room();

	return leave(skb, VNET_HOOK_GATEWAY_INGRESS, p ? from_bridge(skb, p) : DROP(MALFORMED), network_slot,
		     COUNT_NOTHING, bytes);
}

SEC("tc")
int gateway_egress(struct __sk_buff *skb)
{
	u32 bytes = skb->len;
	struct packet *p = packet_room();

	return leave(skb, VNET_HOOK_GATEWAY_EGRESS, p ? to_guest(skb, p) : DROP(MALFORMED), network_slot,
		     COUNT_NOTHING, bytes);
}

/* A bridged network's way out: the interface that joins the host's bridge to the outside. */
SEC("tc")
int member_ingress(struct __sk_buff *skb)
{
	u32 bytes = skb->len;
	struct vnet_device *member = member_of(skb->ifindex);
	u8 to[6] __attribute__((aligned(4)));

	if (!(network_flags & VNET_NETWORK_F_BRIDGED) || !member)
		return PASS;
	snoop_from_outside(skb);
	return leave(skb, VNET_HOOK_MEMBER_INGRESS,
		     read_bytes(skb, 0, to, sizeof(to)) ? TC_ACT_OK : take_shortcut(skb, to, member->slot),
		     member->slot, COUNT_RX, bytes);
}

SEC("tc")
int member_egress(struct __sk_buff *skb)
{
	struct vnet_device *member = member_of(skb->ifindex);

	if (!(network_flags & VNET_NETWORK_F_BRIDGED) || !member)
		return PASS;
	if (!is_done(skb))
		note_shortcut(skb, 0, 0);
	return leave(skb, VNET_HOOK_MEMBER_EGRESS, TC_ACT_OK, member->slot, COUNT_TX, skb->len);
}

char LICENSE[] SEC("license") = "GPL";
