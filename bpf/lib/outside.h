/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What may come in from outside, as far as it does not depend on a session: shared by an uplink's XDP program
 * and its tc program, which sees what XDP does not (no driver support, XDP off).
 */
#ifndef VNET_BPF_OUTSIDE_H
#define VNET_BPF_OUTSIDE_H

#include "bpf/lib/begin.h"
#include "bpf/lib/mapped.h"
#include "bpf/lib/whose.h"

const volatile __u16 uplink_slot;
const volatile __u32 uplink_ifindex;
/* Some network has a limit, and no program before this one applies it. */
const volatile __u32 limits_new_flows;

/* `vnet-bpf block`: everything from that source. Costs one load while the list is empty. */
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

/* A packet without a session: may it come in? to: the destination's subnet. */
static __always_inline int check_unsolicited(const struct vnet_addr *source, struct vnet_subnet *to)
{
	struct vnet_network *net = NULL;
	u32 slot;

	if (to) {
		slot = to->network;
		net = bpf_map_lookup_elem(&networks, &slot);
		if (!net || !(net->flags & VNET_NETWORK_F_VISIBLE))
			return DROP(NOT_VISIBLE);
	}
	if (is_guest_address(source))
		return DROP(SPOOFED_SOURCE);
	if (net && net->uplink_ifindex && net->uplink_ifindex != uplink_ifindex)
		return DROP(NO_UPLINK);
	return TC_ACT_OK;
}

/* The network whose guest would get it; 0: none, it is for the host itself. */
static __always_inline u32 network_of_target(const struct packet *p)
{
	struct vnet_subnet *to = subnet_of(packet_target(p));
	struct vnet_port_forward *forward;

	if (to)
		return to->network;
	forward = port_forward_of(p);
	return forward ? forward->network : network_of_mapping(p);
}

/*
 * <xdp newFlows>: a rate per second, with a burst of one second's flows. The generic cell rate algorithm: per
 * source, the time up to which its rate is used. Races let a few more pass, which is harmless.
 */
__noinline int exceeds_new_flows(struct packet *p)
{
	struct vnet_rate_key key = {};
	struct vnet_network *net;
	u64 now, share, used, *known;
	u32 slot;

	if (!limits_new_flows || !p || !opens_connection(p, OPEN_BY_SYN))
		return 0;
	slot = network_of_target(p);
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
