/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does the host's NAT translate a flow? The flow of a packet that is handed to the stack is noted. If the
 * stack forwards it at once, it reaches the next hook before any other packet on this CPU, unchanged or
 * translated. If it had to wait (for a neighbour, for reassembly), another has come in between; then nothing
 * is known, and nothing is assumed.
 */
#ifndef VNET_BPF_TO_STACK_H
#define VNET_BPF_TO_STACK_H

#include "bpf/lib/packet.h"

static __always_inline struct vnet_flow *to_stack_flow(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&to_stack, &zero);
}

static __always_inline void note_to_stack(const struct packet *p)
{
	struct vnet_flow *last = to_stack_flow();

	if (last)
		*last = p->flow;
}

static __always_inline int has_same_source(const struct vnet_flow *a, const struct vnet_flow *b)
{
	return addr_equal(&a->src, &b->src) && a->sport_be == b->sport_be && a->proto == b->proto;
}

static __always_inline int is_same_flow(const struct vnet_flow *a, const struct vnet_flow *b)
{
	return has_same_source(a, b) && addr_equal(&a->dst, &b->dst) && a->dport_be == b->dport_be;
}

/* Not translated since. */
static __always_inline int is_untranslated(const struct packet *p)
{
	struct vnet_flow *last = to_stack_flow();

	return last && is_same_flow(last, &p->flow);
}

/* The destination differs from what the guest sent: the host's DNAT rewrote it. */
static __always_inline int is_dnatted(const struct packet *p)
{
	struct vnet_flow *last = to_stack_flow();

	return last && has_same_source(last, &p->flow) && !addr_equal(&last->dst, &p->flow.dst);
}

#endif
