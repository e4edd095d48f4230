// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ends a session for the loader, which runs this and attaches it nowhere: what its network and its port use
 * is counted by all CPUs, and cannot be written from outside. The packet is the session's key, behind a link
 * header.
 */
#include "bpf/lib/session.h"

SEC("tc")
int end_session(struct __sk_buff *skb)
{
	/* Not delete_scratch_map: a packet's program may run in between. */
	struct vnet_flow key, answer;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &key, sizeof(key)))
		return TC_ACT_SHOT;
	return session_delete_in(&key, &answer);
}

char LICENSE[] SEC("license") = "GPL";
