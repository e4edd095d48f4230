// SPDX-License-Identifier: GPL-2.0-or-later
/* Somebody else's XDP program: counts, and lets everything pass. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

__u64 seen;

SEC("xdp")
int stranger(struct xdp_md *ctx __attribute__((unused)))
{
	__sync_fetch_and_add(&seen, 1);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
