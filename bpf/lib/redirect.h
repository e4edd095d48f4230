/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Redirects past the host's stack. Nothing else calls the kernel's helpers for them, so that `explain`, which
 * runs copies of the programs, learns the target: a test run returns that a packet was redirected, and not
 * where to.
 */
#ifndef VNET_BPF_REDIRECT_H
#define VNET_BPF_REDIRECT_H

#include "bpf/lib/maps.h"

/* Set in the copies that `explain` runs. Constant, so that the verifier removes what is for copies only. */
const volatile __u8 rehearsal;

/* One per object: `explain` clears it before a run, and reads it afterwards. */
VNET_MAP(rehearsed, BPF_MAP_TYPE_ARRAY, 1, u32, struct vnet_rehearsed, 0);

static __always_inline void note_redirect(u32 ifindex, enum vnet_way way)
{
	u32 zero = 0;
	struct vnet_rehearsed *noted;

	if (likely(!rehearsal))
		return;
	noted = bpf_map_lookup_elem(&rehearsed, &zero);
	if (noted) {
		noted->ifindex = ifindex;
		noted->way = way;
	}
}

#ifdef VNET_XDP
/* 1: redirected. */
static __always_inline int redirect_to_target(u32 ifindex)
{
	if (bpf_redirect_map(&xdp_targets, ifindex, XDP_PASS) != XDP_REDIRECT)
		return 0;
	note_redirect(ifindex, VNET_WAY_OUT);
	return 1;
}
#else
static __always_inline int redirect_out(u32 ifindex)
{
	note_redirect(ifindex, VNET_WAY_OUT);
	return bpf_redirect(ifindex, 0);
}

/* As if received there. */
static __always_inline int redirect_in(u32 ifindex)
{
	note_redirect(ifindex, VNET_WAY_IN);
	return bpf_redirect(ifindex, BPF_F_INGRESS);
}

/* To the peer of a veth, in another namespace. At tc ingress only. */
static __always_inline int redirect_peer(u32 ifindex)
{
	note_redirect(ifindex, VNET_WAY_PEER);
	return bpf_redirect_peer(ifindex, 0);
}

/* The kernel resolves the next hop's MAC, and queues the packet meanwhile. */
static __always_inline int redirect_neigh(u32 ifindex, struct bpf_redir_neigh *next)
{
	note_redirect(ifindex, VNET_WAY_NEIGHBOUR);
	return bpf_redirect_neigh(ifindex, next, sizeof(*next), 0);
}

/* A clone is sent at once, even in a test run: a simulation sends none. */
static __always_inline void send_clone(struct __sk_buff *skb, u32 ifindex, u64 flags)
{
	if (likely(!rehearsal))
		bpf_clone_redirect(skb, ifindex, flags);
}
#endif

#endif
