/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the host's NAT makes of a flow. A packet that is handed to the stack is noted, and what is forwarded
 * at once comes to the next hook before another packet on this CPU: as it was, or changed. Where it had to
 * wait (for a neighbour, for its other fragments) another has come between; then nothing is known, and
 * nothing is taken for granted.
 */
#ifndef VNET_BPF_HANDED_H
#define VNET_BPF_HANDED_H

#include "bpf/lib/packet.h"

static __always_inline struct vnet_flow *last_handed_up(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&to_stack, &zero);
}

static __always_inline void hand_up(const struct packet *p)
{
	struct vnet_flow *last = last_handed_up();

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

/* Nothing has been translated since. */
static __always_inline int is_as_handed_up(const struct packet *p)
{
	struct vnet_flow *last = last_handed_up();

	return last && is_same_flow(last, &p->flow);
}

/* It was sent to somewhere else: the host's own NAT has turned it. */
static __always_inline int was_turned(const struct packet *p)
{
	struct vnet_flow *last = last_handed_up();

	return last && has_same_source(last, &p->flow) && !addr_equal(&last->dst, &p->flow.dst);
}

#endif
