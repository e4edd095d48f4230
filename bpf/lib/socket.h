/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's own sockets. */
#ifndef VNET_BPF_SOCKET_H
#define VNET_BPF_SOCKET_H

#include "bpf/lib/route.h"

/* The flow as a tuple for socket lookups. Returns its size, by which the helpers tell the family. */
static __always_inline u32 socket_tuple(const struct vnet_flow *flow, struct bpf_sock_tuple *tuple)
{
	if (is_v4(&flow->src)) {
		tuple->ipv4.saddr = flow->src.word_be[3];
		tuple->ipv4.daddr = flow->dst.word_be[3];
		tuple->ipv4.sport = flow->sport_be;
		tuple->ipv4.dport = flow->dport_be;
		return sizeof(tuple->ipv4);
	}
	__builtin_memcpy(tuple->ipv6.saddr, &flow->src, 16);
	__builtin_memcpy(tuple->ipv6.daddr, &flow->dst, 16);
	tuple->ipv6.sport = flow->sport_be;
	tuple->ipv6.dport = flow->dport_be;
	return sizeof(tuple->ipv6);
}

#endif
