// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Deletes a session for the loader, by BPF_PROG_TEST_RUN; it is never attached. The quota usage of its
 * network and port is updated atomically by all CPUs, which user space cannot do. The packet is the session's
 * key behind a link header.
 */
#include "bpf/lib/session.h"

SEC("tc")
int end_session(struct __sk_buff *skb)
{
	/* Not delete_scratch_map: a softirq may interrupt a test run. */
	struct vnet_flow key, answer;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &key, sizeof(key)))
		return TC_ACT_SHOT;
	return session_delete_in(&key, &answer);
}

char LICENSE[] SEC("license") = "GPL";
