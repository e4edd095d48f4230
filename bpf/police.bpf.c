// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * <bandwidth><outbound> of a guest's interface. Runs before the port's own program, only at ports with a
 * limit: libvirt's policer is a tc filter behind that, which redirected packets never reach.
 *
 * A token bucket of `burst` bytes, kept as the time at which it will be full again: what exceeds it is
 * dropped, so that TCP slows down.
 */
#include "bpf/lib/account.h"

const volatile __u16 port_slot;
const volatile __u64 ns_per_kib = 1; /* at the rate */
const volatile __u64 burst_ns;	     /* time to fill the whole bucket */

struct bucket {
	struct bpf_spin_lock lock;
	u64 full_at;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, u32);
	__type(value, struct bucket);
	__uint(max_entries, 1);
} buckets SEC(".maps");

SEC("tc")
int port_police(struct __sk_buff *skb)
{
	u64 now = bpf_ktime_get_ns(), cost = skb->len * ns_per_kib >> 10;
	struct bucket *b;
	u32 zero = 0, fits;

	b = bpf_map_lookup_elem(&buckets, &zero);
	if (!b)
		return PASS;
	bpf_spin_lock(&b->lock);
	if (b->full_at < now)
		b->full_at = now;
	fits = b->full_at + cost <= now + burst_ns;
	if (fits)
		b->full_at += cost;
	bpf_spin_unlock(&b->lock);
	return leave(skb, fits ? TC_ACT_OK : DROP(BANDWIDTH),
		     (struct account){.hook = VNET_HOOK_PORT_INGRESS, .slot = port_slot, .bytes = skb->len});
}

char LICENSE[] SEC("license") = "GPL";
