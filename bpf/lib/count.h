/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts drops by slot and reason. Separate from account.h, because the fence has no packet context, which
 * the rest of that needs.
 */
#ifndef VNET_BPF_COUNT_H
#define VNET_BPF_COUNT_H

#include "bpf/lib/maps.h"

__noinline int count_drop(u32 slot, u32 reason)
{
	struct vnet_drop_key key = {.slot = slot, .reason = reason};
	u64 *n = bpf_map_lookup_elem(&drops, &key);
	u64 one = 1;

	if (n)
		(*n)++;
	else if (bpf_map_update_elem(&drops, &key, &one, BPF_NOEXIST)) {
		/* Another CPU has created the entry meanwhile. */
		n = bpf_map_lookup_elem(&drops, &key);
		if (n)
			(*n)++;
	}
	return 0;
}

#endif
