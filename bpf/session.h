/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions: life and death. A session is one entry in `sessions` and one in `reverse`; the reverse
 * entry is claimed first (BPF_NOEXIST), so that whoever has it owns the outside port. Packets only write
 * the tick of their session; bpf/expiry.h looks at it now and then.
 */
#ifndef VNET_BPF_SESSION_H
#define VNET_BPF_SESSION_H

#include "bpf/packet.h"

/* Seconds. RFC 5382 REQ-5 (TCP), RFC 4787 REQ-5 (UDP), RFC 5508 REQ-2 (ICMP); see docs/rfc.md. */
const volatile __u32 timeout_tcp_opening = 240;
const volatile __u32 timeout_tcp_established = 7440;
const volatile __u32 timeout_tcp_closing = 240;
const volatile __u32 timeout_tcp_closed = 10;
const volatile __u32 timeout_udp_new = 120;
const volatile __u32 timeout_udp_established = 300;
const volatile __u32 timeout_icmp = 60;
const volatile __u32 timeout_other = 600;

static __always_inline void usage_add(u32 slot, int n)
{
	struct vnet_usage *u = bpf_map_lookup_elem(&usage, &slot);

	if (u)
		__sync_fetch_and_add(&u->sessions, n);
}

static __always_inline u32 session_timeout(u8 proto, u8 state)
{
	switch (proto) {
	case IPPROTO_TCP:
		switch (state) {
		case VNET_SESSION_ESTABLISHED:
			return timeout_tcp_established;
		case VNET_SESSION_CLOSING:
			return timeout_tcp_closing;
		case VNET_SESSION_CLOSED:
			return timeout_tcp_closed;
		default:
			return timeout_tcp_opening;
		}
	case IPPROTO_UDP:
		return state == VNET_SESSION_ESTABLISHED ? timeout_udp_established : timeout_udp_new;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return timeout_icmp;
	default:
		return timeout_other;
	}
}

/* The flow that answers to the session carry. */
static __always_inline void reverse_of(const struct vnet_flow *key, const struct vnet_session *s,
				       struct vnet_flow *rev)
{
	rev->src = key->dst;
	rev->dst = s->nat;
	rev->sport_be = key->dport_be;
	rev->dport_be = s->nat_port_be;
	rev->proto = key->proto;
	__builtin_memset(rev->pad, 0, sizeof(rev->pad));
}

/*
 * Whoever deletes the session entry gives back its share; the reverse entry goes only while it is
 * still this session's (a closed one may have been taken over).
 */
__noinline int session_delete(struct vnet_flow *flow)
{
	u32 zero = 0;
	struct vnet_flow *key = bpf_map_lookup_elem(&deleting_room, &zero);
	struct vnet_flow *answer, *owner;
	struct vnet_session *s;
	u32 network, port;

	if (!flow || !key)
		return 0;
	*key = *flow;
	answer = key + 1;
	s = bpf_map_lookup_elem(&sessions, key);
	if (!s)
		return 0;
	network = s->network;
	port = s->port;
	reverse_of(key, s, answer);
	if (bpf_map_delete_elem(&sessions, key))
		return 0;
	owner = bpf_map_lookup_elem(&reverse, answer);
	if (owner && addr_equal(&owner->src, &key->src) && owner->sport_be == key->sport_be)
		bpf_map_delete_elem(&reverse, answer);
	usage_add(network, -1);
	if (port)
		usage_add(port, -1);
	return 0;
}

/* Ticks since either direction was used. */
static __always_inline u32 session_idle(const struct vnet_session *s)
{
	u32 seen = s->leg[VNET_OUT].seen;
	u32 idle;

	if ((int)(s->leg[VNET_IN].seen - seen) > 0)
		seen = s->leg[VNET_IN].seen;
	idle = tick_now() - seen;
	return (int)idle < 0 ? 0 : idle; /* used on another CPU while we looked */
}

static __always_inline struct vnet_session *session_outbound(struct vnet_flow *flow)
{
	return bpf_map_lookup_elem(&sessions, flow);
}

/* key: set to the session's own key, which lives in the reverse map. */
static __always_inline struct vnet_session *session_inbound(struct vnet_flow *flow, struct vnet_flow **key)
{
	*key = bpf_map_lookup_elem(&reverse, flow);
	return *key ? bpf_map_lookup_elem(&sessions, *key) : NULL;
}

static __noinline int track_tcp(struct vnet_session *s, u32 tcp_flags, u32 direction)
{
	u8 fin = direction == VNET_OUT ? VNET_SESSION_F_FIN_OUT : VNET_SESSION_F_FIN_IN;
	u32 opener;
	u8 before;

	if (!s)
		return 0;
	before = s->state;
	opener = s->flags & VNET_SESSION_F_INBOUND ? VNET_IN : VNET_OUT;
	if (tcp_flags & TCP_RST) {
		s->state = VNET_SESSION_CLOSED;
	} else if (tcp_flags & TCP_SYN) {
		if (tcp_flags & TCP_ACK) {
			if (direction != opener && s->state == VNET_SESSION_NEW)
				s->state = VNET_SESSION_ESTABLISHED;
		} else if (direction == opener && before >= VNET_SESSION_CLOSING) {
			/* The 5-tuple is used again for a new connection. */
			s->flags &= ~(VNET_SESSION_F_FIN_OUT | VNET_SESSION_F_FIN_IN);
			s->state = VNET_SESSION_NEW;
		}
	} else if (tcp_flags & TCP_FIN) {
		s->flags |= fin;
		s->state = (s->flags & VNET_SESSION_F_FIN_OUT) && (s->flags & VNET_SESSION_F_FIN_IN)
				   ? VNET_SESSION_CLOSED
				   : VNET_SESSION_CLOSING;
	} else if (before == VNET_SESSION_NEW && direction != opener) {
		s->state = VNET_SESSION_ESTABLISHED; /* picked up in the middle */
	} else if (before == VNET_SESSION_CLOSED &&
		   !(s->flags & (VNET_SESSION_F_FIN_OUT | VNET_SESSION_F_FIN_IN))) {
		/* Life after a reset: it was forged or lost. Nobody's connection ends by a guess. */
		s->state = VNET_SESSION_ESTABLISHED;
	}
	return 0;
}

/* Once per packet and direction. Each direction writes its own leg only. */
static __always_inline void session_use(struct vnet_session *s, const struct packet *p, u32 direction,
					u32 now, u32 bytes)
{
	struct vnet_leg *leg = &s->leg[direction];

	leg->packets++;
	leg->bytes += bytes;
	if (unlikely(p->flags & PACKET_ERROR))
		return; /* an error neither keeps a session alive nor changes it (RFC 5508 REQ-6) */
	if (unlikely(leg->seen != now))
		leg->seen = now;
	if (p->proto == IPPROTO_TCP) {
		if (unlikely((p->tcp_flags & (TCP_FIN | TCP_SYN | TCP_RST)) ||
			     s->state != VNET_SESSION_ESTABLISHED))
			track_tcp(s, p->tcp_flags, direction);
	} else if (s->state == VNET_SESSION_NEW) {
		u32 opener = s->flags & VNET_SESSION_F_INBOUND ? VNET_IN : VNET_OUT;

		if (direction != opener)
			s->state = VNET_SESSION_ESTABLISHED;
	}
}

#endif
