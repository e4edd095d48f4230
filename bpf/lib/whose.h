/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network whose guest a packet at an uplink comes from, goes to, or would be forwarded to. */
#ifndef VNET_BPF_WHOSE_H
#define VNET_BPF_WHOSE_H

#include "bpf/lib/port_forward.h"
#include "bpf/lib/mapped.h"

/* 0: none. ingress: it comes from outside. */
static __always_inline u32 network_at_uplink(const struct packet *p, int ingress)
{
	const struct vnet_addr *from = packet_source(p), *to = packet_target(p);
	struct vnet_subnet *subnet;
	struct vnet_port_forward *forward;

	if (!p->family)
		return 0;
	subnet = subnet_of(ingress ? to : from);
	if (!subnet)
		subnet = subnet_of(ingress ? from : to);
	if (subnet)
		return subnet->network;
	if (!ingress)
		return 0;
	forward = port_forward_of(p);
	return forward ? forward->network : network_of_mapping(p);
}

#endif
