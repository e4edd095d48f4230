/* SPDX-License-Identifier: GPL-2.0-or-later */
/* May this packet open a connection? */
#ifndef VNET_BPF_BEGIN_H
#define VNET_BPF_BEGIN_H

#include "bpf/lib/packet.h"

/* How a TCP connection may begin. */
enum opening {
	OPEN_BY_SYN,
	OPEN_MIDSTREAM, /* it may be older than our tables: the far end accepts it, or resets it */
};

/* RST and SYN/ACK open nothing, nor do replies, errors and later fragments. */
static __always_inline int opens_connection(const struct packet *p, enum opening how)
{
	u8 tcp_flags = p->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST);

	if (p->flags & (PACKET_LATER | PACKET_ERROR | PACKET_REPLY))
		return 0;
	if (p->proto != IPPROTO_TCP)
		return 1;
	if (how == OPEN_BY_SYN)
		return tcp_flags == TCP_SYN;
	return !(tcp_flags & TCP_RST) && tcp_flags != (TCP_SYN | TCP_ACK);
}

/* And create a session? ICMP sessions are keyed by the identifier of requests, which others lack: 0. */
static __always_inline int opens_session(const struct packet *p, enum opening how)
{
	return opens_connection(p, how) && (!is_icmp(p->family, p->proto) || p->flow.sport_be);
}

#endif
