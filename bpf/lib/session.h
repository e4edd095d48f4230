/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions: lookup, tracking and deletion. A session is one entry in `sessions` and one in `rev_nat`; the
 * reverse entry is claimed first (BPF_NOEXIST): it owns the outside port. Packets only write the tick of
 * their session, which bpf/lib/expiry.h checks now and then.
 */
#ifndef VNET_BPF_SESSION_H
#define VNET_BPF_SESSION_H

#include "bpf/lib/tcp_window.h"

/*
 * Seconds. RFC 5382 REQ-5 (TCP), RFC 4787 REQ-5 (UDP), RFC 5508 REQ-2 (ICMP); see docs/rfc.md. An idle
 * connection is kept as long as conntrack keeps it, and while its network's quota is more than half used, as
 * long as the RFC requires. <vnet:timeouts> overrides four of them for a network.
 */
const volatile __u32 timeout_tcp_opening = VNET_TCP_TRANSITORY_SECONDS;
const volatile __u32 timeout_tcp_established = 432000;
const volatile __u32 timeout_tcp_established_pressed = 7440;
const volatile __u32 timeout_tcp_closing = VNET_TCP_TRANSITORY_SECONDS;
const volatile __u32 timeout_tcp_closed = VNET_TCP_CLOSED_SECONDS;
const volatile __u32 timeout_udp_new = VNET_UDP_NEW_SECONDS;
const volatile __u32 timeout_udp_established = 300;
const volatile __u32 timeout_icmp = 60;
const volatile __u32 timeout_other = 600;

/* Sessions opened from outside have a quota of their own: they cannot use up the guests'. */
static __always_inline u32 *sessions_of(struct vnet_quota_usage *u, u32 session_flags)
{
	return session_flags & VNET_SESSION_F_INBOUND ? &u->inbound : &u->sessions;
}

static __always_inline void usage_add(u32 slot, u32 session_flags, int n)
{
	struct vnet_quota_usage *u = bpf_map_lookup_elem(&quota_usage, &slot);

	if (u)
		__sync_fetch_and_add(sessions_of(u, session_flags), n);
}

static __always_inline u32 chosen_timeout(const struct vnet_network *net, enum vnet_timeout which,
					  u32 otherwise)
{
	return net && net->timeouts[which] ? net->timeouts[which] : otherwise;
}

/* net: the session's; NULL: it is gone. */
static __always_inline u32 session_timeout(const struct vnet_network *net, u8 proto, u8 state)
{
	u32 udp;

	switch (proto) {
	case IPPROTO_TCP:
		switch (state) {
		case VNET_SESSION_ESTABLISHED:
			return chosen_timeout(net, VNET_TIMEOUT_TCP, timeout_tcp_established);
		case VNET_SESSION_CLOSING:
			return timeout_tcp_closing;
		case VNET_SESSION_CLOSED:
			return timeout_tcp_closed;
		default:
			return timeout_tcp_opening;
		}
	case IPPROTO_UDP:
		udp = chosen_timeout(net, VNET_TIMEOUT_UDP, timeout_udp_established);
		return state == VNET_SESSION_ESTABLISHED || udp < timeout_udp_new ? udp : timeout_udp_new;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return chosen_timeout(net, VNET_TIMEOUT_ICMP, timeout_icmp);
	default:
		return chosen_timeout(net, VNET_TIMEOUT_OTHER, timeout_other);
	}
}

/* The flow of the session's replies, as they come in from outside. */
static __always_inline void reply_flow(const struct vnet_flow *key, const struct vnet_session *s,
				       struct vnet_flow *rev)
{
	rev->src = key->dst;
	rev->dst = s->nat;
	rev->sport_be = key->dport_be;
	rev->dport_be = s->nat_port_be;
	rev->proto = key->proto;
	rev->kind = key->kind;
	__builtin_memset(rev->pad, 0, sizeof(rev->pad));
}

/* The same as the guest gets them. */
static __always_inline void inside_reply_flow(const struct vnet_flow *key, struct vnet_flow *to)
{
	to->src = key->dst;
	to->dst = key->src;
	to->sport_be = key->dport_be;
	to->dport_be = key->sport_be;
	to->proto = key->proto;
}

/*
 * The CPU that deletes the session entry releases its quota; the reverse entry is deleted only if it is
 * still this session's (a closed one's may have been taken over).
 */
static __always_inline int session_delete_in(struct vnet_flow *key, struct vnet_flow *answer)
{
	struct vnet_session *s = bpf_map_lookup_elem(&sessions, key);
	struct vnet_flow *owner;
	u32 network, port, flags, mapped;

	if (!s)
		return 0;
	mapped = s->mapped;
	network = s->network;
	port = s->port;
	flags = s->flags;
	reply_flow(key, s, answer);
	if (bpf_map_delete_elem(&sessions, key))
		return 0;
	owner = bpf_map_lookup_elem(&rev_nat, answer);
	if (owner && addr_equal(&owner->src, &key->src) && owner->sport_be == key->sport_be)
		bpf_map_delete_elem(&rev_nat, answer);
	if (unlikely(mapped & VNET_MAPPED_FTP))
		bpf_map_delete_elem(&seq_shifts, key);
	usage_add(network, flags, -1);
	if (port)
		usage_add(port, flags, -1);
	return 0;
}

__noinline int session_delete(struct vnet_flow *flow)
{
	u32 zero = 0;
	struct vnet_flow *key = bpf_map_lookup_elem(&delete_scratch_map, &zero);

	if (!flow || !key)
		return 0;
	*key = *flow;
	return session_delete_in(key, key + 1);
}

/* Ticks since either direction was used. */
static __always_inline u32 session_idle(const struct vnet_session *s)
{
	u32 seen = s->leg[VNET_OUT].seen;
	u32 idle;

	if ((int)(s->leg[VNET_IN].seen - seen) > 0)
		seen = s->leg[VNET_IN].seen;
	idle = tick_now() - seen;
	return (int)idle < 0 ? 0 : idle; /* used on another CPU meanwhile */
}

static __always_inline struct vnet_session *session_outbound(struct vnet_flow *flow)
{
	return bpf_map_lookup_elem(&sessions, flow);
}

/* key: set to the session's own key, which lives in the reverse map. */
static __always_inline struct vnet_session *session_inbound(struct vnet_flow *flow, struct vnet_flow **key)
{
	*key = bpf_map_lookup_elem(&rev_nat, flow);
	return *key ? bpf_map_lookup_elem(&sessions, *key) : NULL;
}

/*
 * Only who receives the replies knows what to acknowledge: a SYN with a forged source never establishes a
 * connection. One that is picked up midway (a guest's, older than our table) has no SYN/ACK, and needs only a
 * reply.
 */
static __always_inline int establishes(const struct vnet_session *s, const struct packet *p, u32 direction)
{
	if (s->flags & VNET_SESSION_F_ANSWERED)
		return direction == opening_direction(s) && p->tcp_flags & TCP_ACK &&
		       p->ack - s->leg[!direction].end < ACK_WINDOW;
	return !(s->flags & VNET_SESSION_F_INBOUND) && direction != VNET_OUT;
}

/* Both ends have sent a FIN, and both FINs are acknowledged. */
static __always_inline int is_closed(const struct vnet_session *s)
{
	return s->flags & VNET_SESSION_F_FIN_OUT && s->flags & VNET_SESSION_F_FIN_IN &&
	       is_acknowledged(s, VNET_OUT) && is_acknowledged(s, VNET_IN);
}

static __noinline int track_tcp(struct vnet_session *s, const struct packet *p, u32 direction)
{
	if (!s || !p)
		return 0;
	direction = direction == VNET_IN; /* for the verifier */
	if (p->tcp_flags & TCP_RST) {
		if (is_expected_reset(s, p, direction))
			s->state = VNET_SESSION_CLOSED;
		return 0;
	}
	if (p->tcp_flags & TCP_SYN) {
		track_syn(s, p, direction);
		return 0;
	}
	if (s->state == VNET_SESSION_NEW) {
		if (establishes(s, p, direction))
			s->state = VNET_SESSION_ESTABLISHED;
		else if (s->flags & (VNET_SESSION_F_INBOUND | VNET_SESSION_F_ANSWERED))
			return 0;
	}
	if ((p->tcp_flags & TCP_FIN && !is_in_window(s, p, direction)) || !tcp_follow(s, p, direction))
		return 0;
	if (p->tcp_flags & TCP_FIN) {
		s->flags |= direction == VNET_OUT ? VNET_SESSION_F_FIN_OUT : VNET_SESSION_F_FIN_IN;
		s->state = VNET_SESSION_CLOSING;
	} else if (s->state == VNET_SESSION_CLOSED &&
		   !(s->flags & (VNET_SESSION_F_FIN_OUT | VNET_SESSION_F_FIN_IN))) {
		/* Traffic after a RST, which was lost or not accepted. */
		s->state = VNET_SESSION_ESTABLISHED;
	}
	if (is_closed(s))
		s->state = VNET_SESSION_CLOSED;
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
	if (unlikely(p->flags & PACKET_LATER))
		return; /* it has no transport header */
	if (p->proto == IPPROTO_TCP) {
		if (unlikely((p->tcp_flags & (TCP_FIN | TCP_SYN | TCP_RST)) ||
			     s->state != VNET_SESSION_ESTABLISHED))
			track_tcp(s, p, direction);
		else
			tcp_follow(s, p, direction);
	} else if (unlikely(s->state == VNET_SESSION_NEW)) {
		/* If opened from outside, a reply alone proves nothing: the source may be forged. */
		if (direction != opening_direction(s))
			s->flags |= VNET_SESSION_F_ANSWERED;
		if (s->flags & VNET_SESSION_F_ANSWERED && direction == VNET_IN)
			s->state = VNET_SESSION_ESTABLISHED;
	}
}

#endif
