// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The programs of one uplink. Egress is the single place where masquerade bindings are made for what
 * the host stack let through, and the leak guard: what comes from a guest leaves translated or not at
 * all. Ingress takes the answers back.
 */
#include "bpf/binding.h"
#include "bpf/deliver.h"
#include "bpf/outside.h"

const volatile __u32 link_header = ETH_HLEN; /* 0: an interface without one (WireGuard, PPP) */

static __always_inline int out(struct __sk_buff *skb, struct packet *p)
{
	struct vnet_subnet *from;
	int err = parse(skb, p, link_header);

	/* A header that cannot be read hides whose packet it is; the host's own stack sends none. */
	if (!p->family)
		return err;
	from = subnet_of(packet_source(p));
	if (!from && (err || !(p->flags & PACKET_ERROR)))
		return TC_ACT_OK;
	if (err)
		return err;
	if (is_group_or_local(p))
		return from && !(flags_of_network(from->network) & VNET_NETWORK_F_VISIBLE)
			       ? DROP(NOT_ROUTABLE)
			       : TC_ACT_OK;
	return depart(skb, p, from, uplink_ifindex);
}

SEC("tc")
int uplink_egress(struct __sk_buff *skb)
{
	u32 bytes = skb->len;
	struct packet *p;

	if (likely(is_done(skb))) {
		count_traffic(uplink_slot, COUNT_TX, bytes);
		return PASS;
	}
	p = packet_room();
	return leave(skb, VNET_HOOK_UPLINK_EGRESS, p ? out(skb, p) : DROP(MALFORMED), uplink_slot, COUNT_TX,
		     bytes);
}

/* A function of its own: the query's room is not on the stack any more when a session is made, which takes
 * eight frames (kernels below 6.18 hold the whole chain to 512 bytes).
 */
__noinline int is_for_host(struct __sk_buff *skb, struct packet *p)
{
	struct bpf_fib_lookup q;

	if (!p)
		return 0;
	route_query(&q, &p->flow.src, &p->flow.dst, p->family == 4, p->proto, uplink_ifindex);
	return bpf_fib_lookup(skb, &q, sizeof(q), 0) == BPF_FIB_LKUP_RET_NOT_FWDED;
}

/* <portForward>: a new connection to the host's address and port, for a guest. */
__noinline int admit_forward(struct __sk_buff *skb, struct packet *p)
{
	struct vnet_forward_key key = {};
	struct vnet_forward *to;
	struct admission a = {.uplink = uplink_ifindex, .flags = VNET_SESSION_F_INBOUND};
	struct making *m = making_of();

	if (!p || !m || p->flags & (PACKET_LATER | PACKET_ERROR | PACKET_REPLY))
		return 0;
	if (p->proto == IPPROTO_TCP) {
		if ((p->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
			return 0;
	} else if (p->proto != IPPROTO_UDP) {
		return 0;
	}
	key.port_be = p->flow.dport_be;
	key.proto = p->proto;
	key.family = p->family;
	to = bpf_map_lookup_elem(&forwards, &key);
	if (!to)
		return 0;
	/* Only what is addressed to the host itself. */
	if (!is_for_host(skb, p))
		return 0;
	__builtin_memset(&m->key, 0, sizeof(m->key));
	m->key.src = to->to;
	m->key.dst = p->flow.src;
	m->key.sport_be = to->port_be;
	m->key.dport_be = p->flow.sport_be;
	m->key.proto = p->proto;
	a.network = to->network;
	a.nat = p->flow.dst;
	a.nat_port_be = p->flow.dport_be;
	return session_create(skb, &m->key, &a);
}

static __always_inline int take_back(struct __sk_buff *skb, struct packet *p, struct vnet_session *s,
				     struct vnet_flow *key)
{
	struct vnet_leg *leg = &s->leg[VNET_IN];
	struct rewrite r = {};
	u32 now = tick_now();
	int fast, err;

	fast = link_header == ETH_HLEN && p->ttl > 1 && !(p->flags & PACKET_OPTIONS) &&
	       (leg->hop.tick == now || !route_in(skb, key, leg, s->network, uplink_ifindex));
	if (fast && too_big(skb, p, leg->hop.mtu))
		fast = 0;
	if (p->flags & PACKET_FIRST)
		fragment_note(p, !fast);
	session_use(s, p, VNET_IN, now, skb->len);
	r.from = p->flow.dst;
	r.to = key->src;
	r.from_port_be = p->flow.dport_be;
	r.to_port_be = key->sport_be;
	if (fast && (decrement_ttl(skb, p) || write_macs(skb, &leg->hop)))
		return DROP(WRITE_FAILED);
	err = translate(skb, p, &r, 1);
	if (err)
		return err;
	if (fast)
		return deliver(skb, leg->hop.ifindex, leg->hop.slot, leg->hop_flags, 1);
	skb->tc_index = VNET_TC_INDEX_ADMITTED;
	return TC_ACT_OK;
}

/* Behind bypass networks nobody else judges: the session is made before the host's rules. */
static __always_inline struct vnet_session *admit_bypassed(struct __sk_buff *skb, struct packet *p,
							   struct vnet_flow **found)
{
	struct vnet_subnet *to = subnet_of(packet_target(p));

	if (!to || !(flags_of_network(to->network) & VNET_NETWORK_F_BYPASS) ||
	    unknown(packet_source(p), to) || !(flags_of_network(to->network) & VNET_NETWORK_F_VISIBLE) ||
	    !admit_visible(skb, p, to->network, 0, uplink_ifindex))
		return NULL;
	return session_inbound(&p->flow, found);
}

static __always_inline int in(struct __sk_buff *skb, struct packet *p)
{
	struct vnet_session *s;
	struct vnet_flow *found;
	struct vnet_flow key;
	int err;

	/* The host's own multicast, looped back to its listeners: it has no link header. */
	if (skb->pkt_type == PACKET_LOOPBACK)
		return TC_ACT_OK;
	err = parse(skb, p, link_header);
	/* What cannot be read is the host's to judge, unless it is aimed at a guest. */
	if (!p->family)
		return TC_ACT_OK;
	if (is_blocked(p->flags & PACKET_ERROR ? &p->outer_src : &p->flow.src))
		return DROP(BLOCKED);
	if (err) {
		struct vnet_subnet *to = subnet_of(packet_target(p));
		int refused = unknown(packet_source(p), to);

		return refused || !to ? refused : err;
	}
	if (p->flags & PACKET_LATER && fragment_follow(p) == 2)
		p->flags |= PACKET_OPTIONS; /* its first one is with the host stack */
	s = session_inbound(&p->flow, &found);
	if (!s) {
		err = exceeds_new_flows(p);
		if (err)
			return err;
		err = admit_forward(skb, p);
		if (err)
			return err;
		s = session_inbound(&p->flow, &found);
	}
	if (!s)
		s = admit_bypassed(skb, p, &found);
	if (s && found) {
		/* An answer's sender is the session's far end; that of an error may be anybody on the way. */
		if (p->flags & PACKET_ERROR && is_guests(&p->outer_src))
			return DROP(SPOOFED_SOURCE);
		key = *found;
		return take_back(skb, p, s, &key);
	}
	return unknown(packet_source(p), subnet_of(packet_target(p)));
}

SEC("tc")
int uplink_ingress(struct __sk_buff *skb)
{
	u32 bytes = skb->len;
	struct packet *p = packet_room();

	skb->tc_index = 0;
	return leave(skb, VNET_HOOK_UPLINK_INGRESS, p ? in(skb, p) : DROP(MALFORMED), uplink_slot, COUNT_RX,
		     bytes);
}

char LICENSE[] SEC("license") = "GPL";
