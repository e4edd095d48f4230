/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Port forwards that a guest uses. To another network's guest it is as from outside: that one sees the real
 * source, and the gateway that the packet came in by is the uplink. From a guest of its own network, itself
 * included, replies would go straight back, from an address that was never asked. So the source is changed to
 * the gateway's address (a hairpin): two sessions, one as if the packet had left, the other as if it came in.
 * To a port that is mapped for another guest it comes from the sender's own mapping (RFC 4787 REQ-9).
 */
#ifndef VNET_BPF_HAIRPIN_H
#define VNET_BPF_HAIRPIN_H

#include "bpf/lib/inwards.h"
#include "bpf/lib/mapped_in.h"
#include "bpf/lib/admit_forward.h"
#include "bpf/lib/reject.h"

static __always_inline int gateway_address(u8 family, struct vnet_addr *to)
{
	const volatile struct vnet_addr *from = family == 4 ? &gateway_addr4 : &gateway_addr6;

	for (int i = 0; i < 4; i++)
		to->word_be[i] = from->word_be[i];
	return !is_unspecified(to);
}

/* Below 6.2 a map key must come from a map or the stack: not from an argument, even if that is in a map. */
static __always_inline struct packet *own_packet(struct packet *argument)
{
	return argument ? scratch_packet() : NULL;
}

__noinline int check_guest_forward(struct __sk_buff *skb, struct packet *p)
{
	struct vnet_addr gateway = {};

	if (!p || !opens_connection(p, OPEN_BY_SYN) || !gateway_address(p->family, &gateway))
		return NOT_FORWARDED;
	return check_port_forward(skb, p, gateway_ifindex, &gateway, network_slot);
}

/* The outbound half: the sender's. */
__noinline int hairpin_create_outbound(struct __sk_buff *skb, struct packet *p)
{
	struct admission a = {.network = network_slot,
			      .port = skb->tc_index,
			      .uplink = gateway_ifindex,
			      .flags = VNET_SESSION_F_HAIRPIN | VNET_SESSION_F_STACK};

	if (!p || !gateway_address(p->family, &a.nat))
		return DROP(NO_ADDRESS);
	return session_create(skb, &p->flow, &a);
}

/* The inbound half: from the address and the port that the outbound half has been given. */
__noinline int hairpin_create_inbound(struct __sk_buff *skb, struct packet *from, u32 not_located)
{
	struct admission a = {.network = network_slot,
			      .uplink = gateway_ifindex,
			      .not_located = not_located,
			      .flags =
				      VNET_SESSION_F_HAIRPIN | VNET_SESSION_F_STACK | VNET_SESSION_F_INBOUND};
	struct packet *p = own_packet(from);
	struct session_scratch *m = session_scratch();
	struct vnet_session *outer;

	if (!p || !m)
		return DROP(SESSION_LIMIT);
	outer = session_outbound(&p->flow);
	if (!outer)
		return DROP(NO_SESSION);
	m->answer.src = outer->nat;
	m->answer.sport_be = outer->nat_port_be;
	if (forward_key(p, &m->answer) != network_slot)
		return DROP(NO_SESSION);
	a.nat = p->flow.dst;
	a.nat_port_be = p->flow.dport_be;
	return session_create(skb, &m->key, &a);
}

static __always_inline int hairpin_create(struct __sk_buff *skb, struct packet *p, u32 not_located)
{
	int err = hairpin_create_outbound(skb, p);

	if (err)
		return err;
	err = hairpin_create_inbound(skb, p, not_located);
	if (err)
		session_delete(&p->flow);
	return err;
}

/* 1: it has a session now; 0: it is not for a guest. */
static __always_inline int admit_guest_forward(struct __sk_buff *skb, struct packet *p)
{
	int found = check_guest_forward(skb, p), err;
	struct vnet_port_forward *to;

	if (found == NOT_FORWARDED)
		return 0;
	if (found < 0)
		return verdict_reject(found);
	to = port_forward_of(p);
	if (!to)
		return 0;
	err = to->network == network_slot
		      ? hairpin_create(skb, p, found == GUEST_NOT_LOCATED)
		      : create_forward_session(skb, p, gateway_ifindex, found == GUEST_NOT_LOCATED);
	return err ? err : 1;
}

/* Is the destination a guest's mapped port, and not a socket of the host? */
__noinline int is_to_mapped(struct __sk_buff *skb, struct packet *p)
{
	return p && opens_connection(p, OPEN_BY_SYN) && network_of_mapping(p) && !is_hosts_own(skb, p);
}

/*
 * As admit_guest_forward(): creates the outer half of a hairpin to a mapped port. Whether that port lets it
 * in is asked later, by open_mapped(): the sender's own port is open to replies in any case.
 */
static __always_inline int admit_to_mapped(struct __sk_buff *skb, struct packet *p)
{
	struct admission a = {.network = network_slot,
			      .port = skb->tc_index,
			      .uplink = gateway_ifindex,
			      .mapped = VNET_MAPPED_IN,
			      .flags = VNET_SESSION_F_HAIRPIN | VNET_SESSION_F_STACK};
	int err;

	if (!(network_flags & (VNET_NETWORK_F_MASQUERADE4 | VNET_NETWORK_F_MASQUERADE6)) ||
	    !is_to_mapped(skb, p))
		return 0;
	a.nat = p->flow.dst;
	err = begin_outwards(skb, p, &a);
	return err ? err : 1;
}

/* Creates the inner half of a hairpin to a mapped port, if it does not exist. */
static __always_inline int open_mapped(struct __sk_buff *skb, struct packet *p, struct vnet_session *outer)
{
	struct session_scratch *m = session_scratch();
	struct vnet_flow *key;
	int err = 0;

	if (!m || !(outer->mapped & VNET_MAPPED_IN) || outer->network != network_slot ||
	    (outer->port && outer->port != skb->tc_index))
		return 0;
	m->unturned = p->flow;
	p->flow.src = outer->nat;
	p->flow.sport_be = outer->nat_port_be;
	if (!session_inbound(&p->flow, &key))
		err = admit_mapped(skb, p, gateway_ifindex, VNET_SESSION_F_HAIRPIN | VNET_SESSION_F_STACK);
	p->flow = m->unturned;
	return err;
}

/* Rewrites one end of the packet, and of what it quotes, and p accordingly. */
__noinline int rewrite_end(struct __sk_buff *skb, struct packet *p, struct rewrite *r)
{
	int err;

	if (!p || !r)
		return DROP(WRITE_FAILED);
	err = translate(skb, p, r, 1);
	if (err)
		return err;
	if (r->source) {
		p->flow.src = p->outer_src = r->to;
		p->flow.sport_be = r->to_port_be;
	} else {
		p->flow.dst = p->outer_dst = r->to;
		p->flow.dport_be = r->to_port_be;
	}
	return 0;
}

/* Functions of their own, so that their stack is free again when the packet is redirected. */
__noinline int translate_outbound(struct __sk_buff *skb, struct packet *p, struct vnet_session *s)
{
	struct rewrite r = {.source = 1};

	if (!p || !s)
		return DROP(WRITE_FAILED);
	session_use(s, p, VNET_OUT, tick_now(), skb->len);
	r.from = p->flow.src;
	r.to = s->nat;
	r.from_port_be = p->flow.sport_be;
	r.to_port_be = s->nat_port_be;
	return rewrite_end(skb, p, &r);
}

__noinline int translate_inbound(struct __sk_buff *skb, struct packet *p, struct vnet_session *s,
				 struct vnet_flow *key)
{
	struct rewrite r = {};

	if (!p || !s || !key)
		return DROP(WRITE_FAILED);
	session_use(s, p, VNET_IN, tick_now(), skb->len);
	r.from = p->flow.dst;
	r.to = key->src;
	r.from_port_be = p->flow.dport_be;
	r.to_port_be = key->sport_be;
	return rewrite_end(skb, p, &r);
}

static __always_inline int hairpin_outbound(struct __sk_buff *skb, struct packet *p)
{
	struct vnet_session *s = session_outbound(&p->flow);

	if (!s)
		return DROP(NO_SESSION);
	if (s->network != network_slot || (s->port && s->port != skb->tc_index))
		return DROP(SPOOFED_SOURCE);
	return translate_outbound(skb, p, s);
}

/* Out by one half, in by the other; never by the stack, which accepts no packet from its own address. */
__noinline int hairpin_redirect(struct __sk_buff *skb, struct packet *from)
{
	struct packet *p = own_packet(from);
	struct vnet_session *s;
	struct vnet_flow *key;
	struct session_scratch *m = session_scratch();
	struct vnet_leg *leg;
	int err, way = 0;

	if (!p || !m)
		return DROP(NO_SESSION);
	err = hairpin_outbound(skb, p);
	if (err)
		return err;
	s = session_inbound(&p->flow, &key);
	if (!s || !key)
		return DROP(NO_SESSION);
	inside_reply_flow(key, &m->answer);
	err = translate_inbound(skb, p, s, key);
	if (err)
		return err;
	leg = &s->leg[VNET_IN];
	if (leg->hop.tick != tick_now())
		way = route_in(skb, &m->answer, s, gateway_ifindex);
	if (way < 0)
		return DROP(NO_WAY_OUT);
	if (!way && write_macs(skb, &leg->hop))
		return DROP(WRITE_FAILED);
	return redirect_inbound(skb, s, way);
}

/* To another network's guest: past the stack, or TC_ACT_OK. */
__noinline int redirect_to_network(struct __sk_buff *skb, struct packet *from)
{
	struct packet *p = own_packet(from);
	struct vnet_session *s;
	struct vnet_flow *key;
	struct session_scratch *m = session_scratch();
	struct vnet_leg *leg;
	int way, err;

	if (!p || !m)
		return TC_ACT_OK;
	s = session_inbound(&p->flow, &key);
	if (!s || !key || s->network == network_slot || !(s->flags & VNET_SESSION_F_INBOUND))
		return TC_ACT_OK;
	inside_reply_flow(key, &m->answer);
	way = inbound_hop(skb, p, s, &m->answer, gateway_ifindex);
	if (way < 0)
		return TC_ACT_OK;
	leg = &s->leg[VNET_IN];
	if (decrement_ttl(skb, p) || (!way && write_macs(skb, &leg->hop)))
		return DROP(WRITE_FAILED);
	err = translate_inbound(skb, p, s, key);
	return err ? err : redirect_inbound(skb, s, way);
}

/* An error that is not sent from one end of its session to the other. */
static __always_inline int is_third_party_error(const struct packet *p)
{
	return p->flags & PACKET_ERROR &&
	       (!addr_equal(&p->outer_dst, &p->flow.dst) || !addr_equal(&p->outer_src, &p->flow.src));
}

/* TC_ACT_OK: it is for no port forward, or takes the stack there. */
static __always_inline int to_port_forward(struct __sk_buff *skb, struct packet *p)
{
	struct vnet_session *s;
	struct vnet_flow *key;
	int err;

	if (is_third_party_error(p) || (p->flags & PACKET_LATER && !fragment_follow(p)))
		return TC_ACT_OK;
	s = session_outbound(&p->flow);
	if (!s && !session_inbound(&p->flow, &key)) {
		err = admit_guest_forward(skb, p);
		if (!err)
			err = admit_to_mapped(skb, p);
		if (err < 0)
			return err;
		s = err ? session_outbound(&p->flow) : NULL;
	}
	if (!s || !(s->flags & VNET_SESSION_F_HAIRPIN))
		return redirect_to_network(skb, p);
	err = open_mapped(skb, p, s);
	if (err) /* no ICMP error for nat-filter: the other guest may be about to send */
		return err == DROP(NAT_FILTER) ? err : verdict_reject(err);
	return hairpin_redirect(skb, p);
}

/* A guest's reply to another network's guest, by the stack: allowed though that network may be hidden. */
static __always_inline int is_forward_reply(struct packet *p, u32 network)
{
	struct vnet_session *s = session_outbound(&p->flow);

	return s && s->network == network && s->flags & VNET_SESSION_F_INBOUND;
}

#endif
