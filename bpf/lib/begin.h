/* SPDX-License-Identifier: GPL-2.0-or-later */
/* May this packet begin a connection? */
#ifndef VNET_BPF_BEGIN_H
#define VNET_BPF_BEGIN_H

#include "bpf/lib/packet.h"

/* How one of TCP's may begin. */
enum beginning {
	BY_SYN,
	MIDWAY, /* it may be older than our tables: its far end knows it, or resets it, which is an answer */
};

/* A refusal and an answer begin nothing, nor does a part of something else: an error, a later fragment. */
static __always_inline int begins(const struct packet *p, enum beginning how)
{
	u8 tcp_flags = p->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST);

	if (p->flags & (PACKET_LATER | PACKET_ERROR | PACKET_REPLY))
		return 0;
	if (p->proto != IPPROTO_TCP)
		return 1;
	if (how == BY_SYN)
		return tcp_flags == TCP_SYN;
	return !(tcp_flags & TCP_RST) && tcp_flags != (TCP_SYN | TCP_ACK);
}

/* And make a session? ICMP's are told apart by the id of a request; all other messages have 0 in its place.
 */
static __always_inline int begins_session(const struct packet *p, enum beginning how)
{
	return begins(p, how) && (!is_icmp(p->family, p->proto) || p->flow.sport_be);
}

#endif
