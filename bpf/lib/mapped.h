/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Endpoint-independent mappings by their outside port (RFC 4787). */
#ifndef VNET_BPF_MAPPED_H
#define VNET_BPF_MAPPED_H

#include "bpf/lib/packet.h"

/* Cheap as long as there has never been one. */
static __always_inline int has_mappings(void)
{
	u32 zero = 0;
	u32 *any = bpf_map_lookup_elem(&any_mappings, &zero);

	return any && *any;
}

/* The key of the mapping that has the port; NULL: none. room: of session_scratch(), or on the stack. */
static __always_inline struct vnet_flow *mapping_at(struct vnet_flow *room, const struct vnet_addr *nat,
						    __be16 port_be)
{
	__builtin_memset(room, 0, sizeof(*room));
	room->src = *nat;
	room->dst = *nat;
	room->dport_be = port_be;
	room->proto = IPPROTO_UDP;
	room->kind = VNET_FLOW_MAPPING;
	return bpf_map_lookup_elem(&rev_nat, room);
}

/* The network of the mapping that p is for; 0: none. */
static __always_inline u32 network_of_mapping(const struct packet *p)
{
	struct session_scratch *m = session_scratch();
	struct vnet_session *s = NULL;
	struct vnet_flow *owner;

	if (!m || p->proto != IPPROTO_UDP || p->flags & (PACKET_LATER | PACKET_ERROR) || !has_mappings())
		return 0;
	owner = mapping_at(&m->probe, &p->flow.dst, p->flow.dport_be);
	if (owner)
		s = bpf_map_lookup_elem(&sessions, owner);
	return s ? s->network : 0;
}

#endif
