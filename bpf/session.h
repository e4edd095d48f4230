/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions: life and death. A session is one entry in `sessions` and one in `reverse`; the reverse
 * entry is claimed first (BPF_NOEXIST), so that whoever has it owns the outside port. Expiry is the
 * session's own timer: its callback looks at when the session was last used and re-arms; packets only
 * write the tick. The one exception: a connection that closes is armed anew, once, because waiting for
 * the established timeout would hold its port for two hours.
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

/* A state may change to a shorter timeout while the timer runs: look at least this often. */
#define TIMER_CHECK_MAX 240
#define NSEC_PER_SEC	1000000000ULL

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
static __always_inline void reverse_of(const struct vnet_flow *key, const struct session *s,
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
	struct session *s;
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
static __always_inline u32 session_idle(const struct session *s)
{
	u32 seen = s->leg[VNET_OUT].seen;
	u32 idle;

	if ((int)(s->leg[VNET_IN].seen - seen) > 0)
		seen = s->leg[VNET_IN].seen;
	idle = tick_now() - seen;
	return (int)idle < 0 ? 0 : idle; /* used on another CPU while we looked */
}

static int session_expire(void *map __attribute__((unused)), struct vnet_flow *key, struct session *s)
{
	/* The helper wants a key that is ours to hand on. */
	struct vnet_flow copy = *key;
	u32 timeout = session_timeout(copy.proto, s->state);
	u32 idle = session_idle(s);

	if (idle >= timeout) {
		session_delete(&copy);
		return 0;
	}
	timeout -= idle;
	if (timeout > TIMER_CHECK_MAX)
		timeout = TIMER_CHECK_MAX;
	bpf_timer_start(&s->timer, timeout * NSEC_PER_SEC, 0);
	return 0;
}

static __always_inline int session_arm(struct session *s, u8 proto)
{
	u32 timeout = session_timeout(proto, s->state);

	if (timeout > TIMER_CHECK_MAX)
		timeout = TIMER_CHECK_MAX;
	if (bpf_timer_init(&s->timer, &sessions, CLOCK_MONOTONIC) ||
	    bpf_timer_set_callback(&s->timer, session_expire))
		return -1;
	return bpf_timer_start(&s->timer, timeout * NSEC_PER_SEC, 0);
}

/*
 * The kernel allocates a timer without ever waiting (since 6.18 not even for a lock) and may have none
 * just now. Such a session lives without one, and waits in a queue. Whoever makes a new session looks
 * after two of the queue first, so that it shrinks as long as anybody needs room.
 */
__noinline int tend_untimed(void)
{
	struct vnet_flow key;

	for (int i = 0; i < 2; i++) {
		struct session *s;

		if (bpf_map_pop_elem(&untimed, &key))
			return 0;
		s = bpf_map_lookup_elem(&sessions, &key);
		if (!s || !session_arm(s, key.proto))
			continue;
		if (session_idle(s) >= session_timeout(key.proto, s->state))
			session_delete(&key);
		else
			bpf_map_push_elem(&untimed, &key, 0);
	}
	return 0;
}

static __always_inline struct session *session_outbound(struct vnet_flow *flow)
{
	return bpf_map_lookup_elem(&sessions, flow);
}

/* key: set to the session's own key, which lives in the reverse map. */
static __always_inline struct session *session_inbound(struct vnet_flow *flow, struct vnet_flow **key)
{
	*key = bpf_map_lookup_elem(&reverse, flow);
	return *key ? bpf_map_lookup_elem(&sessions, *key) : NULL;
}

static __noinline int track_tcp(struct session *s, u32 tcp_flags, u32 direction)
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
	if (s->state != before && s->state == VNET_SESSION_CLOSED)
		bpf_timer_start(&s->timer, timeout_tcp_closed * NSEC_PER_SEC, 0);
	return 0;
}

/* Once per packet and direction. Each direction writes its own leg only. */
static __always_inline void session_use(struct session *s, const struct packet *p, u32 direction, u32 now,
					u32 bytes)
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
