// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The programs of one uplink. Egress is the only place where masquerade bindings are made for what the
 * host's stack has let through, and the last check against leaks: what comes from a hidden guest leaves
 * translated or not at all. Ingress translates the replies and delivers them.
 */
#include "bpf/lib/account.h"
#include "bpf/lib/binding.h"
#include "bpf/lib/deliver.h"
#include "bpf/lib/held.h"
#include "bpf/lib/host_nat.h"
#include "bpf/lib/inwards.h"
#include "bpf/lib/mapped_in.h"
#include "bpf/lib/outside.h"
#include "bpf/lib/admit_forward.h"
#include "bpf/lib/vlan.h"

const volatile __u32 link_header = ETH_HLEN; /* 0: an interface without one (WireGuard, PPP) */
const volatile __u8 is_bridge;

/* The contents of a VLAN's frame. The VLAN's own device, if there is one, has programs of its own. */
__noinline int parse_behind_tags(struct __sk_buff *skb, struct packet *p)
{
	struct behind_tags at = {};

	if (!p)
		return DROP(MALFORMED);
	skip_tags(skb, &at);
	return parse_at(skb, p, at.l3, at.protocol);
}

/* The network whose gateway a packet came in by; NULL: the host's own, or from elsewhere. */
static __always_inline struct vnet_network *input_network(struct __sk_buff *skb)
{
	struct vnet_device *from = skb->ingress_ifindex ? device_of(skb->ingress_ifindex) : NULL;
	u32 slot;

	if (!from || from->role != VNET_DEVICE_GATEWAY)
		return NULL;
	slot = from->slot;
	return bpf_map_lookup_elem(&networks, &slot);
}

static __always_inline int check_host_translated(struct vnet_network *before, const struct packet *p, int err)
{
	if (err || before->flags & VNET_NETWORK_F_ISOLATED || is_tunneled(p) ||
	    (before->uplink_ifindex && before->uplink_ifindex != uplink_ifindex))
		return DROP(NO_WAY_OUT);
	return TC_ACT_OK;
}

/* A source of that network must come by its gateway, or from the host, which has an address there, too. */
static __always_inline int is_valid_input(struct __sk_buff *skb, u32 network)
{
	struct vnet_network *net = bpf_map_lookup_elem(&networks, &network);
	u32 by = skb->ingress_ifindex;

	return net && (!by || by == net->gateway_ifindex || by == net->gateway_vrf ||
		       net->flags & VNET_NETWORK_F_OPEN);
}

/*
 * A datagram of the host's, or one that its NAT has given the host's address: if a guest's session has got
 * the same flow for its replies, it is deleted, and the guest gets another port. Where
 * a guest has the port for all endpoints, replies to flows of the host's NAT must not be taken for the
 * guest's.
 */
__noinline int evict_for_host(struct packet *p, u32 is_forwarded)
{
	struct session_scratch *m = session_scratch();
	struct vnet_flow answer = {};
	struct vnet_flow *owner;
	struct vnet_session *s;

	if (!p || !m || p->proto != IPPROTO_UDP || p->flags & (PACKET_LATER | PACKET_ERROR))
		return 0;
	if (is_forwarded && has_mappings()) {
		owner = mapping_at(&m->probe, &p->flow.src, p->flow.sport_be);
		s = owner ? bpf_map_lookup_elem(&sessions, owner) : NULL;
		if (s)
			s->mapped |= VNET_MAPPED_SHARED;
	}
	answer.src = p->flow.dst;
	answer.dst = p->flow.src;
	answer.sport_be = p->flow.dport_be;
	answer.dport_be = p->flow.sport_be;
	answer.proto = p->proto;
	s = session_inbound(&answer, &owner);
	return s && owner && !(s->flags & VNET_SESSION_F_INBOUND) ? session_delete(owner) : 0;
}

static __always_inline int handle_egress(struct __sk_buff *skb, struct packet *p)
{
	struct vnet_network *before = input_network(skb);
	u32 hidden = before && !(before->flags & VNET_NETWORK_F_VISIBLE);
	struct vnet_subnet *from, *to;
	int tagged = is_tagged(skb);
	int err = unlikely(tagged) ? parse_behind_tags(skb, p) : parse(skb, p, link_header);

	/* A header that cannot be parsed hides the source; the host's own stack sends none. */
	if (!p->family)
		return hidden ? DROP(NO_WAY_OUT) : err;
	from = subnet_of(packet_source(p));
	to = subnet_of(packet_target(p));
	/* The host's own replies to a hidden guest leave by that guest's gateway, or not at all. */
	if (to && is_hidden(to->network) && (!from || from->network == to->network))
		return DROP(NO_WAY_OUT);
	if (!from && hidden)
		return check_host_translated(before, p, err);
	if (!from && (err || !(p->flags & PACKET_ERROR))) {
		/* From a gateway of ours: an uplink on top of this interface has translated it already. */
		if (!err && !before)
			evict_for_host(p, skb->ingress_ifindex);
		return TC_ACT_OK;
	}
	if (err)
		return err;
	if (from && !is_valid_input(skb, from->network))
		return DROP(SPOOFED_SOURCE);
	if (is_group_or_local(p))
		return from && is_hidden(from->network) ? DROP(NOT_ROUTABLE) : TC_ACT_OK;
	if (unlikely(tagged))
		return from && is_hidden(from->network) ? DROP(VLAN_TAGGED) : TC_ACT_OK;
	return admit_outbound(skb, p, from, uplink_ifindex);
}

SEC("tc")
int uplink_egress(struct __sk_buff *skb)
{
	struct account a = {
		.hook = VNET_HOOK_UPLINK_EGRESS, .slot = uplink_slot, .counts = COUNT_TX, .bytes = skb->len};
	struct packet *p;
	int verdict;

	if (likely(is_marked(skb))) /* redirected from a port, not counted here yet */
		return leave(skb, TC_ACT_OK, a);
	p = scratch_packet();
	verdict = p ? handle_egress(skb, p) : DROP(MALFORMED);
	a.port = input_port(skb);
	return leave(skb, verdict, a);
}

/* A function of its own, so that its stack is free again when a session is created, which takes eight
 * frames (kernels below 6.18 limit the whole chain to 512 bytes).
 */
__noinline int check_new_forward(struct __sk_buff *skb, struct packet *p)
{
	return p && opens_connection(p, OPEN_BY_SYN) ? check_port_forward(skb, p, uplink_ifindex, NULL, 0)
						     : NOT_FORWARDED;
}

/* <portForward>: a new connection to the host's address and port, for a guest. */
static __always_inline int admit_forward(struct __sk_buff *skb, struct packet *p)
{
	int found = check_new_forward(skb, p);

	if (found < 0 || found == NOT_FORWARDED)
		return found < 0 ? found : 0;
	return create_forward_session(skb, p, uplink_ifindex, found == GUEST_NOT_LOCATED);
}

/* For packets to a guest from an interface without one. */
static __always_inline int add_link_header(struct __sk_buff *skb, struct packet *p)
{
	__be16 protocol = skb->protocol;

	if (bpf_skb_change_head(skb, ETH_HLEN, 0) || bpf_skb_store_bytes(skb, 12, &protocol, 2, 0))
		return -1;
	p->l3 += ETH_HLEN;
	p->l4 += ETH_HLEN;
	p->quoted += ETH_HLEN;
	p->quoted_l4 += ETH_HLEN;
	return 0;
}

/*
 * With br_netfilter, conntrack has seen a bridge's packet already, before it was translated here, and would
 * not look at it again. A packet that re-enters is new to it.
 */
static __always_inline int reinject(struct __sk_buff *skb)
{
	mark_done(skb);
	return redirect_in(uplink_ifindex);
}

/* to: the flow as the guest gets it. */
static __always_inline int handle_reply(struct __sk_buff *skb, struct packet *p, struct vnet_session *s,
					struct vnet_flow *to)
{
	struct vnet_leg *leg = &s->leg[VNET_IN];
	int way = inbound_hop(skb, p, s, to, uplink_ifindex), fast = way >= 0;
	struct rewrite r = {};
	int err;

	if (unlikely(p->flags & PACKET_FIRST)) {
		fragment_note(p, !fast);
		if (release_held_fragments(skb, p))
			return DROP(WRITE_FAILED);
	}
	if (unlikely(s->mapped & VNET_MAPPED_FTP) && ftp_in(skb, to))
		return DROP(WRITE_FAILED);
	session_use(s, p, VNET_IN, tick_now(), skb->len);
	r.from = p->flow.dst;
	r.to = to->dst;
	r.from_port_be = p->flow.dport_be;
	r.to_port_be = to->dport_be;
	if (fast && ((link_header != ETH_HLEN && add_link_header(skb, p)) || decrement_ttl(skb, p) ||
		     (!way && write_macs(skb, &leg->hop))))
		return DROP(WRITE_FAILED);
	err = translate(skb, p, &r, 1);
	if (err)
		return err;
	if (likely(fast))
		return redirect_inbound(skb, s, way);
	skb->tc_index = VNET_TC_INDEX_ADMITTED;
	return is_bridge ? reinject(skb) : TC_ACT_OK;
}

/* To a network with bypass: the session is created before the host's rules see the packet. */
static __always_inline struct vnet_session *admit_bypass_inbound(struct __sk_buff *skb, struct packet *p,
								 struct vnet_flow **found)
{
	struct vnet_subnet *to = subnet_of(packet_target(p));

	if (!to || !(flags_of_network(to->network) & VNET_NETWORK_F_BYPASS) ||
	    check_unsolicited(packet_source(p), to) ||
	    !(flags_of_network(to->network) & VNET_NETWORK_F_VISIBLE))
		return NULL;
	note_to_stack(p); /* the host's NAT has not seen it yet */
	if (!admit_visible(skb, p, to->network, 0, uplink_ifindex))
		return NULL;
	return session_inbound(&p->flow, found);
}

static __always_inline void follow_first_fragment(struct __sk_buff *skb, struct packet *p)
{
	int way = fragment_follow(p);

	if (way == 2)
		p->flags |= PACKET_OPTIONS; /* its first is with the host's stack */
	if (way)
		return;
	if (subnet_of(packet_target(p)))
		fragment_note_early(p);
	else
		hold_fragment(skb, p);
}

/* A packet without a session. */
static __always_inline int pass_to_host(struct __sk_buff *skb, struct packet *p)
{
	struct vnet_subnet *to = subnet_of(packet_target(p));
	int turned = is_bridge && to && host_nat_has_translated(skb);
	int refused = check_unsolicited(packet_source(p), turned ? NULL : to);

	if (refused)
		return refused;
	/* Packets for the host are not noted: a noted guest's packet may be waiting for this ND reply. */
	if (to && !turned)
		note_to_stack(p);
	else
		skb->tc_index = VNET_TC_INDEX_JUDGED;
	return TC_ACT_OK;
}

static __always_inline int handle_ingress(struct __sk_buff *skb, struct packet *p)
{
	struct vnet_session *s;
	struct vnet_flow *found;
	struct vnet_flow to = {};
	int tagged, err;

	/* The host's own multicast, looped back to its listeners: it has no link header. */
	if (skb->pkt_type == PACKET_LOOPBACK)
		return TC_ACT_OK;
	tagged = is_tagged(skb);
	err = unlikely(tagged) ? parse_behind_tags(skb, p) : parse(skb, p, link_header);
	/* What cannot be parsed is left to the host, unless it is for a guest. */
	if (!p->family)
		return TC_ACT_OK;
	if (is_blocked(p->flags & PACKET_ERROR ? &p->outer_src : &p->flow.src))
		return DROP(BLOCKED);
	if (err) {
		struct vnet_subnet *to = subnet_of(packet_target(p));
		int refused = check_unsolicited(packet_source(p), to);

		return refused || !to ? refused : err;
	}
	if (unlikely(p->flags & PACKET_LATER))
		follow_first_fragment(skb, p);
	s = session_inbound(&p->flow, &found);
	/* Of a VLAN: translated, admitted and counted at the VLAN's own device, if there is one. */
	if (unlikely(tagged))
		return s ? TC_ACT_OK : check_unsolicited(packet_source(p), subnet_of(packet_target(p)));
	if (!s) {
		err = exceeds_new_flows(p);
		if (err)
			return err;
		err = admit_forward(skb, p);
		if (err)
			return err;
		s = session_inbound(&p->flow, &found);
	}
	if (!s) {
		err = admit_mapped(skb, p, uplink_ifindex, 0);
		if (err)
			return err;
		s = session_inbound(&p->flow, &found);
	}
	if (!s)
		s = admit_bypass_inbound(skb, p, &found);
	if (s && found) {
		/* A reply's source is the session's far end; an error's may be any router on the path. */
		if (p->flags & PACKET_ERROR && is_guest_address(&p->outer_src))
			return DROP(SPOOFED_SOURCE);
		if (p->flags & PACKET_ERROR && !quotes_data_in_flight(s, p))
			return DROP(NO_SESSION);
		inside_reply_flow(found, &to);
		return handle_reply(skb, p, s, &to);
	}
	return pass_to_host(skb, p);
}

SEC("tc")
int uplink_ingress(struct __sk_buff *skb)
{
	struct account a = {
		.hook = VNET_HOOK_UPLINK_INGRESS, .slot = uplink_slot, .counts = COUNT_RX, .bytes = skb->len};
	struct packet *p = scratch_packet();

	if (unlikely(is_bridge && is_marked(skb)))
		return PASS;
	skb->tc_index = 0;
	if (unlikely(is_tagged(skb)))
		pop_priority_tags(skb);
	return leave(skb, p ? handle_ingress(skb, p) : DROP(MALFORMED), a);
}

char LICENSE[] SEC("license") = "GPL";
