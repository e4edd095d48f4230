/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose guest a packet at an uplink comes from, goes to, or would be forwarded to. */
#ifndef VNET_BPF_WHOSE_H
#define VNET_BPF_WHOSE_H

#include "bpf/lib/subnet.h"

/* <portForward> of what is sent to the host itself; NULL: there is none. */
static __always_inline struct vnet_forward *forward_of(const struct packet *p)
{
	struct vnet_forward_key key = {.port_be = p->flow.dport_be, .proto = p->proto, .family = p->family};

	if (p->proto != IPPROTO_TCP && p->proto != IPPROTO_UDP)
		return NULL;
	return bpf_map_lookup_elem(&forwards, &key);
}

/* 0: nobody's. ingress: it comes from outside. */
static __always_inline u32 network_at_uplink(const struct packet *p, int ingress)
{
	const struct vnet_addr *from = packet_source(p), *to = packet_target(p);
	struct vnet_subnet *subnet;
	struct vnet_forward *forward;

	if (!p->family)
		return 0;
	subnet = subnet_of(ingress ? to : from);
	if (!subnet)
		subnet = subnet_of(ingress ? from : to);
	if (subnet)
		return subnet->network;
	forward = ingress ? forward_of(p) : NULL;
	return forward ? forward->network : 0;
}

#endif
