/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP sequence tracking, as far as it tells a forged end of a connection from a real one: RST (RFC 5961),
 * FIN, and ICMP errors (RFC 5927). Only such errors are dropped by it: any other packet that does not fit is
 * left to the two ends, and changes nothing here.
 *
 * Only inbound packets are checked. The guest's own numbers are taken as they are: it can harm nothing but
 * its own sessions, and a state that is always updated cannot get stuck. SACK is not needed: its blocks are
 * below the acknowledgement's window.
 */
#ifndef VNET_BPF_TCP_WINDOW_H
#define VNET_BPF_TCP_WINDOW_H

#include "bpf/lib/packet.h"

/* Data sent with or right behind a SYN/ACK (RFC 7413) may be acknowledged with it. */
#define ACK_WINDOW 0x10000
/* How far a packet may lag behind the latest one and still be used. */
#define LAG_MAX 0x20000
/* The maximum, assumed for a connection that is picked up midway. */
#define SCALE_MAX 14

static __always_inline int is_before(u32 a, u32 b)
{
	return (int)(a - b) < 0;
}

static __always_inline int is_after(u32 a, u32 b)
{
	return (int)(a - b) > 0;
}

static __always_inline u32 end_of_segment(const struct packet *p)
{
	return p->seq + p->data + !!(p->tcp_flags & (TCP_SYN | TCP_FIN));
}

static __always_inline u32 opening_direction(const struct vnet_session *s)
{
	return s->flags & VNET_SESSION_F_INBOUND ? VNET_IN : VNET_OUT;
}

/* Once per packet. 0: it does not fit, and is not used. */
static __always_inline int tcp_follow(struct vnet_session *s, const struct packet *p, u32 direction)
{
	struct vnet_leg *mine = &s->leg[direction], *peer = &s->leg[!direction];
	u32 end = end_of_segment(p);
	u32 scale, limit;

	if (direction == VNET_IN) {
		if (peer->limit && unlikely(is_after(p->seq, peer->limit)))
			return 0;
		if (unlikely(is_before(end, (mine->end ?: peer->ack ?: end) - LAG_MAX)))
			return 0;
		if (peer->end && unlikely(is_after(p->ack, peer->end)))
			return 0;
	}
	if (is_after(end, mine->end) || unlikely(!mine->end))
		mine->end = end;
	if (unlikely(!(p->tcp_flags & TCP_ACK)))
		return 1;
	if (is_after(p->ack, mine->ack) || unlikely(!mine->ack))
		mine->ack = p->ack;
	scale = s->scale[direction] ? s->scale[direction] - 1 : SCALE_MAX;
	limit = p->ack + ((u32)p->window << (scale & 15));
	if (is_after(limit, mine->limit) || unlikely(!mine->limit))
		mine->limit = limit;
	return 1;
}

/*
 * An end accepts only a RST with exactly the sequence number that it expects next, which lies between what it
 * has acknowledged and what has been sent to it. A RST in reply to a SYN acknowledges that.
 */
static __always_inline int is_expected_reset(const struct vnet_session *s, const struct packet *p,
					     u32 direction)
{
	const struct vnet_leg *mine = &s->leg[direction], *peer = &s->leg[!direction];

	if (peer->ack)
		return p->seq == peer->ack ||
		       (mine->end && !is_before(p->seq, peer->ack) && !is_after(p->seq, mine->end));
	if (p->tcp_flags & TCP_ACK && peer->end)
		return p->ack == peer->end;
	if (mine->end)
		return p->seq == mine->end;
	return direction == VNET_OUT;
}

/* A FIN that the peer accepts, now or once the data before it has arrived. */
static __always_inline int is_in_window(const struct vnet_session *s, const struct packet *p, u32 direction)
{
	const struct vnet_leg *peer = &s->leg[!direction];

	return !(peer->limit && is_after(p->seq, peer->limit)) &&
	       !(peer->ack && is_before(end_of_segment(p), peer->ack));
}

/* The peer has acknowledged all that was sent, the FIN included. */
static __always_inline int is_acknowledged(const struct vnet_session *s, u32 direction)
{
	return s->leg[!direction].ack == s->leg[direction].end;
}

static __always_inline void session_reset(struct vnet_session *s)
{
	s->flags &= ~(VNET_SESSION_F_FIN_OUT | VNET_SESSION_F_FIN_IN | VNET_SESSION_F_ANSWERED);
	s->state = VNET_SESSION_NEW;
	for (u32 i = 0; i < VNET_DIRECTIONS; i++) {
		s->scale[i] = 0;
		s->leg[i].end = 0;
		s->leg[i].ack = 0;
		s->leg[i].limit = 0;
	}
}

/* The first SYN of a connection, its retransmission, or a new connection that reuses the 5-tuple. */
static __always_inline void track_first_syn(struct vnet_session *s, const struct packet *p, u32 direction)
{
	struct vnet_leg *mine = &s->leg[direction];

	switch (s->state) {
	case VNET_SESSION_NEW:
		if (mine->end == end_of_segment(p))
			return;
		break;
	case VNET_SESSION_ESTABLISHED:
		return;
	case VNET_SESSION_CLOSING: /* a peer that has lost its state gets a challenge ACK, and resets it */
		if (direction == VNET_IN)
			return;
	}
	session_reset(s);
	mine->end = end_of_segment(p);
	s->scale[direction] = p->scale ?: 1;
}

static __always_inline void track_syn_ack(struct vnet_session *s, const struct packet *p, u32 direction)
{
	struct vnet_leg *mine = &s->leg[direction], *peer = &s->leg[!direction];

	/* The guest accepts a new connection, although the end of the last one was not seen. */
	if (s->state >= VNET_SESSION_CLOSING && direction == VNET_OUT)
		session_reset(s);
	if (s->state != VNET_SESSION_NEW || (peer->end && peer->end - p->ack >= ACK_WINDOW))
		return;
	mine->end = end_of_segment(p);
	mine->ack = p->ack;
	mine->limit = p->ack + p->window;
	s->scale[direction] = p->scale ?: 1;
	if (!p->scale) /* both ends scale, or neither */
		s->scale[!direction] = 1;
	s->flags |= VNET_SESSION_F_ANSWERED;
}

static __always_inline void track_syn(struct vnet_session *s, const struct packet *p, u32 direction)
{
	if (p->tcp_flags & TCP_ACK) {
		if (direction != opening_direction(s))
			track_syn_ack(s, p, direction);
	} else if (direction == opening_direction(s)) {
		track_first_syn(s, p, direction);
	}
}

/* An ICMP error about data that the guest has in flight, as the guest's own stack checks, too. */
static __always_inline int quotes_data_in_flight(const struct vnet_session *s, const struct packet *p)
{
	u32 end = s->leg[VNET_OUT].end, ack = s->leg[VNET_IN].ack;

	if (p->flow.proto != IPPROTO_TCP || !end)
		return 1;
	return !is_after(p->seq, end) && !is_before(p->seq, ack ?: end - ACK_WINDOW);
}

#endif
