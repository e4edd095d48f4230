// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the benchmark's traffic tool runs in the kernel: a source of UDP frames, a sink that counts
 * them, and the program that does nothing but redirect, which is what a datapath can reach at best.
 */
#include "bpf/lib/kernel.h"

/* Ethernet, IP and UDP headers, and what fills up; ports and UDP checksum are the flow's. */
const volatile __u64 frame[8];
const volatile __u32 frame_bytes = 60; /* 62: IPv6 */
const volatile __u32 udp_at = 34;
const volatile __u32 frame_sum; /* of the UDP checksum, without both ports */
const volatile __u32 flows = 1; /* wanted; flow n has the n-th pair of ports */
const volatile __u32 first_sport;
const volatile __u32 sports = 1;
const volatile __u32 first_dport;
const volatile __u32 answers; /* the same flows, from their far end */
__u32 next_flow;	      /* one CPU sends */

const volatile __u32 sink_first;
const volatile __u32 sink_last;
__u64 received;

const volatile __u32 redirect_to;
const volatile __u32 redirect_peer;

/* Pages come back as the path left them: the whole frame is written each time. */
SEC("xdp")
int source(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data;
	struct udphdr *udp = (void *)(data + udp_at);
	__u32 flow = next_flow;
	__u32 sport, dport, sum;

	if (data + frame_bytes > (__u8 *)(long)ctx->data_end)
		return XDP_ABORTED;
	next_flow = flow + 1 < flows ? flow + 1 : 0;
	for (int i = 0; i < 7; i++)
		((__u64 *)data)[i] = frame[i];
	*(__u32 *)(data + 56) = frame[7];
	if (frame_bytes > 60)
		*(__u16 *)(data + 60) = frame[7] >> 32;
	sport = first_sport + flow % sports;
	dport = first_dport + flow / sports;
	sum = frame_sum + sport + dport;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	udp->source = bpf_htons(answers ? dport : sport);
	udp->dest = bpf_htons(answers ? sport : dport);
	udp->check = bpf_htons(~sum);
	return XDP_TX;
}

SEC("tc")
int sink(struct __sk_buff *skb)
{
	__be16 port_be;
	__u32 port;

	if (skb->protocol != bpf_htons(frame_bytes > 60 ? ETH_P_IPV6 : ETH_P_IP) ||
	    bpf_skb_load_bytes(skb, udp_at + (answers ? 0 : 2), &port_be, 2))
		return TC_ACT_UNSPEC;
	port = bpf_ntohs(port_be);
	if (port < sink_first || port > sink_last)
		return TC_ACT_UNSPEC;
	__sync_fetch_and_add(&received, 1);
	return TC_ACT_SHOT;
}

SEC("tc")
int redirect(struct __sk_buff *skb __attribute__((unused)))
{
	return redirect_peer ? bpf_redirect_peer(redirect_to, 0) : bpf_redirect(redirect_to, 0);
}

char LICENSE[] SEC("license") = "GPL";
