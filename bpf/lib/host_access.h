/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * <vnet:host access>: what a network's guests may send to the host itself. Replies to the host are
 * always allowed: the host's own sockets tell, no table is needed.
 */
#ifndef VNET_BPF_HOST_ACCESS_H
#define VNET_BPF_HOST_ACCESS_H

#include "bpf/lib/port_forward.h"
#include "bpf/lib/network.h"
#include "bpf/lib/socket.h"

/* Is this a reply to a host socket that is connected to the guest? */
__noinline int is_reply_to_host(struct __sk_buff *skb, struct packet *p)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;
	int asked;
	u32 size;

	if (!p)
		return 0;
	size = socket_tuple(&p->flow, &tuple);
	/* Two branches: the verifier allows one type of socket per instruction. */
	if (p->proto == IPPROTO_TCP) {
		sk = bpf_skc_lookup_tcp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
		if (!sk)
			return 0;
		asked = sk->state != BPF_TCP_LISTEN;
	} else {
		sk = bpf_sk_lookup_udp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
		if (!sk)
			return 0;
		asked = sk->dst_port != 0; /* connected */
	}
	bpf_sk_release(sk);
	return asked;
}

/* The services that the network itself offers. */
static __always_inline int is_host_service(const struct packet *p, u8 icmp_type)
{
	if (p->proto == IPPROTO_UDP || p->proto == IPPROTO_TCP)
		return is_network_service(p->proto, bpf_ntohs(p->flow.dport_be));
	return icmp_type == (p->family == 4 ? ICMP_ECHO : ICMPV6_ECHO_REQUEST);
}

/* 0, or the reason why it may not reach the host. */
__noinline int check_host_access(struct __sk_buff *skb, struct packet *p)
{
	u8 icmp_type = 0;

	if (!p || !(network_flags & (VNET_NETWORK_F_HOST_SERVICES | VNET_NETWORK_F_HOST_CLOSED)))
		return 0;
	/* Without its first, which is checked, the stack cannot reassemble a later fragment. */
	if (p->flags & (PACKET_ERROR | PACKET_REPLY | PACKET_LATER))
		return 0;
	if (is_icmp(p->family, p->proto)) {
		if (bpf_skb_load_bytes(skb, p->l4, &icmp_type, 1))
			return DROP(MALFORMED);
		/* The link needs neighbour discovery and listener reports (RFC 4861, RFC 2710, RFC 3810). */
		if (p->family == 6 && icmp_type != ICMPV6_ECHO_REQUEST)
			return 0;
	} else if (p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP) {
		if (is_reply_to_host(skb, p))
			return 0;
	} else if (p->family == 4 && p->proto == IPPROTO_IGMP) {
		return 0;
	}
	if (network_flags & VNET_NETWORK_F_HOST_SERVICES && is_host_service(p, icmp_type))
		return 0;
	return DROP(HOST_CLOSED);
}

#endif
