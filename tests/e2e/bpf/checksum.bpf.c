// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a receiver is told of a packet's checksum. skb->csum, where a device or a tunnel has filled it in
 * (CHECKSUM_COMPLETE), is the sum over the packet from its network header on: whoever rewrites the packet
 * must have kept it.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>

#include <bpf/bpf_helpers.h>

#define LONGEST 1500

__u64 unsummed, right, wrong;

static __always_inline __u32 fold(__u64 sum)
{
	for (int i = 0; i < 4; i++)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum % 0xffff; /* 0 and ffff are the same */
}

SEC("tc")
int checksum(struct __sk_buff *skb)
{
	__s64 told = bpf_csum_update(skb, 0);
	__u64 sum = 0;
	__u8 to = 1;

	if (bpf_skb_load_bytes(skb, 0, &to, 1) || to & 1)
		return -1;
	if (told < 0 || skb->len > ETH_HLEN + LONGEST) {
		__sync_fetch_and_add(&unsummed, 1);
		return -1;
	}
	for (__u32 at = ETH_HLEN; at < ETH_HLEN + LONGEST && at < skb->len; at += 2) {
		__u16 word = 0;

		if (bpf_skb_load_bytes(skb, at, &word, at + 1 < skb->len ? 2 : 1))
			break;
		sum += word;
	}
	__sync_fetch_and_add(fold(sum) == fold((__u32)told) ? &right : &wrong, 1);
	return -1;
}

char LICENSE[] SEC("license") = "GPL";
