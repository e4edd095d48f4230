/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which network an address belongs to. */
#ifndef VNET_BPF_SUBNET_H
#define VNET_BPF_SUBNET_H

#include "bpf/lib/packet.h"

static __always_inline struct vnet_subnet *subnet_of(const struct vnet_addr *addr)
{
	struct vnet_subnet_key where = {.prefixlen = 128};

	where.addr = *addr;
	return bpf_map_lookup_elem(&subnets, &where);
}

static __always_inline u32 flags_of_network(u32 slot)
{
	struct vnet_network *net = bpf_map_lookup_elem(&networks, &slot);

	return net ? net->flags : 0;
}

static __always_inline int is_hidden(u32 network)
{
	return !(flags_of_network(network) & VNET_NETWORK_F_VISIBLE);
}

/* A guest's address, which others may not use; with an open network the host's firewall decides that. */
static __always_inline int is_guest_address(const struct vnet_addr *source)
{
	struct vnet_subnet *claimed = subnet_of(source);

	return claimed && !(flags_of_network(claimed->network) & VNET_NETWORK_F_OPEN);
}

/* Source and destination in the packet's own header. */
static __always_inline const struct vnet_addr *packet_source(const struct packet *p)
{
	return p->flags & PACKET_ERROR ? &p->outer_src : &p->flow.src;
}

static __always_inline const struct vnet_addr *packet_target(const struct packet *p)
{
	return p->flags & PACKET_ERROR ? &p->outer_dst : &p->flow.dst;
}

#endif
