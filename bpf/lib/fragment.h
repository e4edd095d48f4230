/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fragments. Only the first has ports; later ones follow it through a short-lived map, including its
 * path: with conntrack loaded the host's stack reassembles, and a datagram split between slow and fast
 * path would never be complete.
 */
#ifndef VNET_BPF_FRAGMENT_H
#define VNET_BPF_FRAGMENT_H

#include "bpf/lib/packet.h"

#define FRAGMENT_TICKS 30 /* RFC 1122 3.3.2, RFC 8200 4.5: reassembly gives up after at most 60 s */

static __always_inline void fragment_key(const struct packet *p, struct vnet_fragment_key *key)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->src = p->flow.src;
	key->dst = p->flow.dst;
	key->id = p->fragment_id;
	key->proto = p->fragment_proto;
}

__noinline int fragment_note(struct packet *p, u32 via_stack)
{
	struct vnet_fragment_key key;
	struct vnet_fragment value = {};

	if (!p)
		return 0;
	fragment_key(p, &key);
	value.sport_be = p->flow.sport_be;
	value.dport_be = p->flow.dport_be;
	value.proto = p->flow.proto;
	value.via_stack = via_stack;
	value.tick = tick_now();
	return bpf_map_update_elem(&frag_track, &key, &value, BPF_ANY);
}

/* A later fragment that overtakes its first takes the stack, which may queue it: so must the first. */
__noinline int fragment_note_early(struct packet *p)
{
	struct vnet_fragment_key key;
	struct vnet_fragment value = {.via_stack = 1, .early = 1};

	if (!p)
		return 0;
	fragment_key(p, &key);
	value.tick = tick_now();
	return bpf_map_update_elem(&frag_track, &key, &value, BPF_ANY);
}

__noinline int fragment_was_overtaken(struct packet *p)
{
	struct vnet_fragment_key key;
	struct vnet_fragment *known;

	if (!p)
		return 0;
	fragment_key(p, &key);
	known = bpf_map_lookup_elem(&frag_track, &key);
	return known && known->early && tick_now() - known->tick <= FRAGMENT_TICKS;
}

/* Fills in ports and protocol of a later fragment. 1: it takes the fast path; 2: the stack; 0: not known. */
__noinline int fragment_follow(struct packet *p)
{
	struct vnet_fragment_key key;
	struct vnet_fragment *first;

	if (!p)
		return 0;
	fragment_key(p, &key);
	first = bpf_map_lookup_elem(&frag_track, &key);
	if (!first || first->early || tick_now() - first->tick > FRAGMENT_TICKS)
		return 0;
	p->flow.sport_be = first->sport_be;
	p->flow.dport_be = first->dport_be;
	p->flow.proto = first->proto;
	p->proto = first->proto;
	return first->via_stack ? 2 : 1;
}

#endif
