// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The programs of one network: at its ports and at its gateway (the Linux bridge). A network's constants
 * are rodata, so that the verifier prunes what it does not use.
 */
#include "bpf/lib/at_port.h"
#include "bpf/lib/bridge.h"
#include "bpf/lib/gateway.h"
#include "bpf/lib/guard.h"
#include "bpf/lib/plugged.h"

/* Out of the uplink, as the session says. TC_ACT_OK: by the stack, which is always right. */
static __always_inline int redirect_outbound(struct __sk_buff *skb, struct packet *p, struct vnet_session *s)
{
	struct vnet_leg *leg = &s->leg[VNET_OUT];
	struct rewrite r = {};
	u32 now = tick_now();
	int unresolved = 0;
	u32 ifindex;

	if (unlikely(leg->hop.tick != now))
		unresolved = route_out(skb, p, s, gateway_ifindex);
	if (unlikely(unresolved < 0))
		return TC_ACT_OK;
	if (unlikely(unresolved) ? too_big_for(skb, p, leg->hop.ifindex) : too_big(skb, p, leg->hop.mtu))
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
	/* The kernel resolves the neighbour, and queues the packet meanwhile. The stack would do the same,
	 * but through the host's FORWARD rules, which have not seen this connection's replies.
	 */
	return unlikely(unresolved) ? redirect_to_neighbour(skb, ifindex) : redirect_out(ifindex);
}

/* The uplink that a guest's new flow may leave by, past the host's rules; 0: it takes the stack. */
__noinline u32 bypass_uplink(struct __sk_buff *skb, struct packet *p)
{
	u32 slot = network_slot;
	struct vnet_network *net = bpf_map_lookup_elem(&networks, &slot);
	struct vnet_subnet_key where = {.prefixlen = 128};
	struct vnet_subnet *subnet;
	struct session_scratch *m = session_scratch();
	struct vnet_device *uplink;
	struct bpf_fib_lookup q;
	long rc;

	if (!p || !m || !net || net->nat_first)
		return 0;
	where.addr = p->flow.src;
	subnet = bpf_map_lookup_elem(&subnets, &where);
	if (!subnet || subnet->network != slot)
		return 0;
	route_query_packet(&q, p, gateway_ifindex);
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

/* The admission of what is admitted here instead of behind the host's FORWARD rules. 0: nothing is. */
__noinline int admit_bypass(struct __sk_buff *skb, struct packet *p, struct admission *a)
{
	struct session_scratch *m = session_scratch();
	u32 masquerade;

	if (!p || !a || !m || !opens_session(p, OPEN_BY_SYN))
		return 0;
	masquerade = p->family == 4 ? VNET_NETWORK_F_MASQUERADE4 : VNET_NETWORK_F_MASQUERADE6;
	a->uplink = bypass_uplink(skb, p);
	if (!a->uplink)
		return 0;
	a->nat = p->flow.src;
	if (network_flags & masquerade) {
		if (route_source(skb, &p->flow.dst, a->uplink, &a->nat))
			return 0;
		a->flags = VNET_SESSION_F_MASQUERADE;
	}
	a->flags |= VNET_SESSION_F_PLAIN;
	a->hop_known = m->hop.ifindex == a->uplink && m->hop.mtu;
	return 1;
}

/* hostFirewall='bypass': the session is made in the port's program. */
static __always_inline int begin_bypass(struct __sk_buff *skb, struct packet *p)
{
	struct admission a = {.network = network_slot, .port = skb->tc_index};

	return admit_bypass(skb, p, &a) ? begin_outwards(skb, p, &a) : 0;
}

/* To the gateway's MAC: packets of known sessions are redirected, all others take the host's stack. */
static __always_inline int route_from_guest(struct __sk_buff *skb, struct packet *p, int parsed)
{
	struct vnet_session *s;
	int err = parsed ? 0 : parse(skb, p, ETH_HLEN);

	if (err)
		return err;
	if (!p->family)
		return TC_ACT_OK;
	if (unlikely(p->flags & PACKET_LATER)) {
		int way = fragment_follow(p);

		if (!way)
			fragment_note_early(p);
		if (way != 1)
			return TC_ACT_OK;
	}
	if (unlikely(p->ttl <= 1 || p->flags & PACKET_OPTIONS))
		return TC_ACT_OK;
	/* The session's path is between its ends. The gateway checks errors from or to anyone else. */
	if (unlikely(p->flags & PACKET_ERROR) &&
	    (!addr_equal(&p->outer_dst, &p->flow.dst) || !addr_equal(&p->outer_src, &p->flow.src)))
		return TC_ACT_OK;
	s = session_outbound(&p->flow);
	if (unlikely(!s) && network_flags & VNET_NETWORK_F_BYPASS) {
		err = begin_bypass(skb, p);
		if (err)
			return err;
		s = session_outbound(&p->flow);
	}
	/* Another port's session: its guest's address is used here. The slow path checks that. */
	if (unlikely(!s || s->network != network_slot || (s->port && s->port != skb->tc_index) ||
		     s->flags & VNET_SESSION_F_STACK ||
		     (p->flags & PACKET_FIRST && fragment_was_overtaken(p)))) {
		if (p->flags & PACKET_FIRST)
			fragment_note(p, 1);
		return TC_ACT_OK;
	}
	/* The flow that its guest sends was seen unchanged behind the host's NAT. */
	if (unlikely(!(s->flags & VNET_SESSION_F_PLAIN)))
		s->flags |= VNET_SESSION_F_PLAIN;
	return redirect_outbound(skb, p, s);
}

/* To the host's stack, by the gateway's ingress program, which accepts only what a port's program hands over.
 */
static __always_inline int to_gateway(struct __sk_buff *skb)
{
	mark_done(skb);
	return redirect_in(gateway_ifindex);
}

/*
 * To a MAC of this network, or to a group. The Linux bridge is bypassed: it would forward frames to and from
 * members that are not attached.
 */
static __always_inline int switch_frame(struct __sk_buff *skb, struct vnet_port *port, struct packet *p,
					u8 *macs, u32 vlan)
{
	struct vnet_fdb_key to = {.network = network_slot};
	struct vnet_fdb_entry *target;
	int verdict;

	if (is_gateway_mac(macs)) {
		if (unlikely(vlan) && vlan != gateway_vlan(network_slot))
			return DROP(OTHER_VLAN);
		if (unlikely(is_tagged(skb)))
			return DROP(VLAN_TAGGED);
		if (unlikely(port->flags & VNET_PORT_F_LIMIT_OUT) &&
		    is_over_share(port->slot, VNET_OUT, wire_bytes(skb), 0))
			return DROP(BANDWIDTH);
		verdict = route_from_guest(skb, p, port->flags & VNET_PORT_F_INSPECT);
		return verdict == TC_ACT_OK ? to_gateway(skb) : verdict;
	}
	if (macs[0] & 1) {
		flood(skb, skb->ifindex, MODE_BRIDGE, vlan);
		return unlikely(vlan) && vlan != gateway_vlan(network_slot) ? TC_ACT_SHOT : to_gateway(skb);
	}
	__builtin_memcpy(to.mac, macs, 6);
	target = bpf_map_lookup_elem(&fdb, &to);
	if (likely(target))
		return target->ifindex == skb->ifindex
			       ? DROP(REFLECTED)
			       : deliver(skb, target->ifindex, target->slot, target->flags, vlan, 1);
	flood(skb, skb->ifindex, MODE_BRIDGE, vlan);
	return TC_ACT_SHOT; /* every port has a clone */
}

/* <vnet:link-protocols>, as a Linux bridge's group_fwd_mask; on the host's own bridge that applies, too. */
static __always_inline int link_protocol_is_forwarded(const u8 *link_protocol)
{
	u32 slot = network_slot;
	struct vnet_network *net = bpf_map_lookup_elem(&networks, &slot);

	return net && net->link_protocols >> (link_protocol[5] & 0xf) & 1;
}

static __always_inline int from_guest(struct __sk_buff *skb, struct vnet_port *port)
{
	struct packet *p = scratch_packet();
	u8 macs[12] __attribute__((aligned(4)));
	int err, vlan = 0;

	if (unlikely(!is_plugged(skb)))
		return DROP(NO_BRIDGE);
	if (unlikely(port->flags & VNET_PORT_F_LIMIT_OUT) &&
	    is_over_limit(port->slot, VNET_OUT, wire_bytes(skb)))
		return DROP(BANDWIDTH);
	if (unlikely(is_tagged(skb)) && !(network_flags & VNET_NETWORK_F_BRIDGED))
		pop_priority_tags(skb);
	if (unlikely(port->flags & VNET_PORT_F_VLAN)) {
		vlan = enter_vlan(skb, skb->ifindex);
		if (vlan < 0)
			return vlan;
	}
	if (unlikely(!p || read_bytes(skb, 0, macs, sizeof(macs))))
		return DROP(MALFORMED);
	err = guard(port, macs + 6, skb->ifindex);
	if (err)
		return err;
	skb->tc_index = port->slot;
	if (unlikely(port->flags & VNET_PORT_F_INSPECT)) {
		err = inspect_frame(skb, port, p);
		if (err)
			return err;
	}
	if (unlikely(is_link_protocol(macs)) && !link_protocol_is_forwarded(macs))
		return DROP(BPDU);
	return network_flags & VNET_NETWORK_F_BRIDGED ? take_shortcut(skb, macs, port->slot)
						      : switch_frame(skb, port, p, macs, vlan);
}

SEC("tc")
int port_ingress(struct __sk_buff *skb)
{
	u32 ifindex = skb->ifindex;
	struct vnet_port *port = bpf_map_lookup_elem(&ports, &ifindex);
	struct account a = at_port(VNET_HOOK_PORT_INGRESS, port, COUNT_TX, skb->len);

	return leave(skb, port ? from_guest(skb, port) : DROP(UNATTACHED), a);
}

/*
 * From the host's own bridge come all frames without our mark; from a gateway of ours only the bridge's own
 * link protocol. Anything else is from a member that is not attached.
 */
static __always_inline int is_valid_unmarked(struct __sk_buff *skb)
{
	u8 to[6] __attribute__((aligned(4)));

	if (network_flags & VNET_NETWORK_F_BRIDGED || is_marked(skb))
		return 1;
	return !skb->ingress_ifindex && !read_bytes(skb, 0, to, sizeof(to)) && is_link_protocol(to);
}

static __always_inline int to_port(struct __sk_buff *skb, struct vnet_port *port)
{
	u32 vlan = is_marked(skb) ? skb->cb[CB_VLAN] : 0;
	int err = check_receive(skb, port);

	if (!err && unlikely(crosses_vlan(port, vlan)))
		err = leave_vlan(skb, skb->ifindex, vlan);
	if (!err && unlikely(port->flags & VNET_PORT_F_LIMIT_IN) && is_over_limit_in(skb, port->slot))
		err = DROP(BANDWIDTH);
	if (!err && network_flags & VNET_NETWORK_F_BRIDGED)
		note_shortcut(skb, port->slot, port->flags & VNET_PORT_F_PEER ? VNET_HOP_F_PEER : 0);
	return err;
}

SEC("tc")
int port_egress(struct __sk_buff *skb)
{
	u32 ifindex = skb->ifindex;
	struct vnet_port *port;

	if (is_marked(skb) && likely(skb->cb[CB_NEXT] != MARK_CHECK))
		return PASS;
	port = bpf_map_lookup_elem(&ports, &ifindex);
	return leave(skb, port && is_valid_unmarked(skb) ? to_port(skb, port) : DROP(UNATTACHED),
		     at_port(VNET_HOOK_PORT_EGRESS, port, COUNT_RX, skb->len));
}

/*
 * A link protocol for the host's own daemon, where guests may reach the host. Its port has let it pass as
 * one; other frames to such a group are checked like all frames.
 */
static __always_inline int is_host_link_protocol(struct __sk_buff *skb)
{
	u8 to[6] __attribute__((aligned(4)));

	if (network_flags & (VNET_NETWORK_F_HOST_SERVICES | VNET_NETWORK_F_HOST_CLOSED))
		return 0;
	return (skb->protocol == bpf_htons(ETH_P_LLDP) || skb->protocol == bpf_htons(ETH_P_PAE)) &&
	       is_marked(skb) && !is_tagged(skb) && !read_bytes(skb, 0, to, sizeof(to)) &&
	       is_link_protocol(to);
}

static __always_inline int into_host(struct __sk_buff *skb, struct packet *p)
{
	if (unlikely(is_host_link_protocol(skb)))
		return TC_ACT_OK;
	return p ? gateway_from_guest(skb, p) : DROP(MALFORMED);
}

static __always_inline struct account at_gateway(struct __sk_buff *skb, enum vnet_hook hook, u32 bytes)
{
	return (struct account){.hook = hook,
				.slot = network_slot,
				.bytes = bytes,
				.network = network_slot,
				.port = input_port(skb)};
}

SEC("tc")
int gateway_ingress(struct __sk_buff *skb)
{
	u32 bytes = skb->len;
	struct packet *p = scratch_packet();
	int verdict = into_host(skb, p);
	int action = leave(skb, verdict, at_gateway(skb, VNET_HOOK_GATEWAY_INGRESS, bytes));

	/* Once shown and counted, it may be turned into the ICMP error. */
	return unlikely(verdict_is_reject(verdict)) ? reject(skb, p, gateway_ifindex, network_slot) : action;
}

SEC("tc")
int gateway_egress(struct __sk_buff *skb)
{
	u32 bytes = skb->len;
	struct packet *p = scratch_packet();
	int verdict = p ? gateway_to_guest(skb, p) : DROP(MALFORMED);

	return leave(skb, verdict, at_gateway(skb, VNET_HOOK_GATEWAY_EGRESS, bytes));
}

/* The bridge uplink of a bridged network, which connects the host's bridge to the outside. */
SEC("tc")
int member_ingress(struct __sk_buff *skb)
{
	struct vnet_device *member = bridge_uplink_at(skb->ifindex);
	struct account a = {.hook = VNET_HOOK_MEMBER_INGRESS,
			    .counts = COUNT_RX,
			    .bytes = skb->len,
			    .network = network_slot};
	u8 to[6] __attribute__((aligned(4)));

	if (!(network_flags & VNET_NETWORK_F_BRIDGED) || !member)
		return PASS;
	snoop_from_outside(skb);
	a.slot = member->slot;
	return leave(skb,
		     read_bytes(skb, 0, to, sizeof(to)) ? TC_ACT_OK : take_shortcut(skb, to, member->slot),
		     a);
}

SEC("tc")
int member_egress(struct __sk_buff *skb)
{
	struct vnet_device *member = bridge_uplink_at(skb->ifindex);
	u32 from = input_port(skb);

	if (!(network_flags & VNET_NETWORK_F_BRIDGED) || !member)
		return PASS;
	if (from && is_over_share(from, VNET_OUT, wire_bytes(skb), 0))
		return leave(skb, DROP(BANDWIDTH),
			     (struct account){.hook = VNET_HOOK_MEMBER_EGRESS,
					      .slot = from,
					      .bytes = skb->len,
					      .network = network_slot,
					      .port = from});
	if (!is_marked(skb))
		note_shortcut(skb, 0, 0);
	return leave(skb, TC_ACT_OK,
		     (struct account){.hook = VNET_HOOK_MEMBER_EGRESS,
				      .slot = member->slot,
				      .counts = COUNT_TX,
				      .bytes = skb->len});
}

char LICENSE[] SEC("license") = "GPL";
