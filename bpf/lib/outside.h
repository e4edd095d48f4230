/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What may come in from outside, as far as it can be said without a session: the one truth of an uplink's
 * XDP program and of its tc program, which sees what XDP does not (no driver for it, switched off).
 */
#ifndef VNET_BPF_OUTSIDE_H
#define VNET_BPF_OUTSIDE_H

#include "bpf/lib/begin.h"
#include "bpf/lib/whose.h"

const volatile __u16 uplink_slot;
const volatile __u32 uplink_ifindex;
/* Whether any network here has a limit, and nobody has counted by it before this program. */
const volatile __u32 limits_new_flows;

/* `vnet-bpf block`: whoever sends it, and whatever it is. While the list is empty one load is all. */
__noinline int is_blocked(struct vnet_addr *source)
{
	struct vnet_subnet_key where = {.prefixlen = 128};
	u32 zero = 0;
	struct vnet_settings *s = bpf_map_lookup_elem(&settings, &zero);

	if (likely(!s || !s->blocks) || !source)
		return 0;
	where.addr = *source;
	return bpf_map_lookup_elem(&blocked, &where) != NULL;
}

/* No session answers for it: may it come in? to: its target's subnet. */
static __always_inline int unknown(const struct vnet_addr *source, struct vnet_subnet *to)
{
	struct vnet_network *net = NULL;
	u32 slot;

	if (to) {
		slot = to->network;
		net = bpf_map_lookup_elem(&networks, &slot);
		if (!net || !(net->flags & VNET_NETWORK_F_VISIBLE))
			return DROP(NOT_VISIBLE);
	}
	if (is_guests(source))
		return DROP(SPOOFED_SOURCE);
	if (net && net->uplink_ifindex && net->uplink_ifindex != uplink_ifindex)
		return DROP(NO_UPLINK);
	return TC_ACT_OK;
}

/* The network whose guest would get it; 0: none, it is the host's own. */
static __always_inline u32 network_behind(const struct packet *p)
{
	struct vnet_subnet *to = subnet_of(packet_target(p));
	struct vnet_port_forward *forward;

	if (to)
		return to->network;
	forward = forward_of(p);
	return forward ? forward->network : 0;
}

/*
 * <xdp newFlows>: so many a second, and those of one second at once. One number a source tells the time up to
 * which its share is used (the generic cell rate algorithm); races lend a few more, which is harmless.
 */
__noinline int exceeds_new_flows(struct packet *p)
{
	struct vnet_rate_key key = {};
	struct vnet_network *net;
	u64 now, share, used, *known;
	u32 slot;

	if (!limits_new_flows || !p || !begins(p, BY_SYN))
		return 0;
	slot = network_behind(p);
	net = slot ? bpf_map_lookup_elem(&networks, &slot) : NULL;
	if (!net || !net->new_flows)
		return 0;
	key.source = p->flow.src;
	if (p->family == 6)
		key.source.word_be[2] = key.source.word_be[3] = 0;
	key.network = slot;
	now = bpf_ktime_get_coarse_ns();
	known = bpf_map_lookup_elem(&new_flow_rates, &key);
	used = known && *known > now ? *known : now;
	share = NSEC_PER_SEC / net->new_flows;
	if (used - now > NSEC_PER_SEC - share)
		return DROP(NEW_FLOWS);
	used += share;
	if (known)
		*known = used;
	else
		bpf_map_update_elem(&new_flow_rates, &key, &used, BPF_ANY);
	return 0;
}

#endif
