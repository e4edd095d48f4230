/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packet that the fence (bpf/fence.bpf.c) is about to drop on this CPU: the kernel frees it next, as a
 * drop by netfilter. From this bpf/lost.bpf.c knows that it has been counted already.
 */
#ifndef VNET_BPF_FENCED_H
#define VNET_BPF_FENCED_H

#include "bpf/lib/maps.h"

VNET_MAP(fenced, BPF_MAP_TYPE_PERCPU_ARRAY, 1, u32, u64, 0);

static __always_inline void note_fenced(const void *skb)
{
	u32 zero = 0;
	u64 *noted = bpf_map_lookup_elem(&fenced, &zero);

	if (noted)
		*noted = (u64)skb;
}

/* Once only: the address will be reused by other packets. */
static __always_inline int is_fenced(const void *skb)
{
	u32 zero = 0;
	u64 *noted = bpf_map_lookup_elem(&fenced, &zero);

	if (!noted || *noted != (u64)skb)
		return 0;
	*noted = 0;
	return 1;
}

#endif
