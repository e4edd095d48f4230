/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Held fragments: later ones that arrive before their first, so that it is not known whether they are for a
 * guest. The host gets them as usual, and a copy is held: if the first turns out to belong to a session, the
 * copies re-enter behind it. VNET_HELD_MAX is the limit for all senders together.
 */
#ifndef VNET_BPF_HELD_H
#define VNET_BPF_HELD_H

#include "bpf/lib/fragment.h"
#include "bpf/lib/redirect.h"

VNET_MAP(frag_scratch_map, BPF_MAP_TYPE_PERCPU_ARRAY, 1, u32, struct vnet_frag_queue, 0);

/* Bounds it to 1 to VNET_HELD_BYTES in a way that every verifier follows. */
static __always_inline u32 held_bytes(u32 bytes)
{
	asm volatile("" : "+r"(bytes));
	return ((bytes - 1) & (VNET_HELD_BYTES - 1)) + 1;
}

static __always_inline int copy_frame(struct __sk_buff *skb, struct vnet_frag_queue *to)
{
	u32 bytes = skb->len;

	if (!bytes || bytes > VNET_HELD_BYTES)
		return -1;
	to->bytes = bytes;
	return bpf_skb_load_bytes(skb, 0, to->frame, held_bytes(bytes));
}

static __always_inline int put_frame(struct __sk_buff *skb, struct vnet_frag_queue *from)
{
	return bpf_skb_change_tail(skb, from->bytes, 0) ||
	       bpf_skb_store_bytes(skb, 0, from->frame, held_bytes(from->bytes), BPF_F_RECOMPUTE_CSUM);
}

static __always_inline struct vnet_frag_queue *frag_scratch(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&frag_scratch_map, &zero);
}

__noinline int hold_fragment(struct __sk_buff *skb, struct packet *p)
{
	struct vnet_frag_queue *copy = frag_scratch(), *other;
	struct vnet_frag_queue_key key = {};

	if (!p || !copy || copy_frame(skb, copy))
		return 0;
	copy->tick = tick_now();
	fragment_key(p, &key.packet);
	for (u32 i = 0; i < VNET_HELD_OF_ONE; i++) {
		key.place = i;
		other = bpf_map_lookup_elem(&frag_queue, &key);
		if (!other || copy->tick - other->tick > FRAGMENT_TICKS)
			return bpf_map_update_elem(&frag_queue, &key, copy, BPF_ANY);
	}
	return 0;
}

/* The first has arrived, and is noted. Nonzero: its frame could not be restored. */
__noinline int release_held_fragments(struct __sk_buff *skb, struct packet *p)
{
	struct vnet_frag_queue *first = frag_scratch(), *later;
	struct vnet_frag_queue_key key = {};
	u32 now = tick_now();

	if (!p || !first)
		return 0;
	fragment_key(p, &key.packet);
	if (!bpf_map_lookup_elem(&frag_queue, &key) || copy_frame(skb, first))
		return 0;
	for (u32 i = 0; i < VNET_HELD_OF_ONE; i++) {
		key.place = i;
		later = bpf_map_lookup_elem(&frag_queue, &key);
		if (!later)
			break;
		if (now - later->tick <= FRAGMENT_TICKS && !put_frame(skb, later))
			send_clone(skb, skb->ifindex, BPF_F_INGRESS);
		bpf_map_delete_elem(&frag_queue, &key);
	}
	return put_frame(skb, first);
}

#endif
