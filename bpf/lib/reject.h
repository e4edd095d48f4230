/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rejects a guest's packet: ICMP port unreachable (3/3, ICMPv6 1/4) from the gateway's address, as
 * libvirt's `reject`. Never for ICMP errors, later fragments and group addresses (RFC 1122 3.2.2), and
 * rate-limited per port.
 */
#ifndef VNET_BPF_REJECT_H
#define VNET_BPF_REJECT_H

#include "bpf/lib/checksum.h"
#include "bpf/lib/mark.h"
#include "bpf/lib/offload.h"
#include "bpf/lib/packet.h"
#include "bpf/lib/redirect.h"

#define REJECT_BURST	20
#define REJECT_PER_TICK 10

const volatile struct vnet_addr gateway_addr4;
const volatile struct vnet_addr gateway_addr6;

__noinline int reject_allowed(u32 slot)
{
	struct vnet_quota_usage *u = bpf_map_lookup_elem(&quota_usage, &slot);
	u32 now = tick_now();

	if (!u)
		return 0;
	if (u->reject_tick != now) {
		u32 tokens = u->reject_tokens + REJECT_PER_TICK;

		/* Races add a few tokens: harmless. */
		if (!u->reject_tick || now - u->reject_tick > 1)
			tokens = REJECT_BURST;
		u->reject_tokens = tokens > REJECT_BURST ? REJECT_BURST : tokens;
		u->reject_tick = now;
	}
	if (!u->reject_tokens)
		return 0;
	u->reject_tokens--;
	return 1;
}

/* gap: aligns what follows the Ethernet header, as the verifier requires on the stack. */
struct reject4 {
	u8 gap[2];
	struct ethhdr eth;
	struct iphdr ip;
	struct icmp_header icmp;
	u8 quote[28];
} __attribute__((packed, aligned(8)));

struct reject6 {
	u8 gap[2];
	struct ethhdr eth;
	struct ipv6hdr ip;
	struct icmp_header icmp;
	u8 quote[48];
} __attribute__((packed, aligned(8)));

__noinline int reject_ipv4(struct __sk_buff *skb)
{
	struct reject4 e = {};
	struct iphdr *quoted = (void *)e.quote;
	u8 mac[6];

	if (!gateway_addr4.word_be[3] || bpf_skb_load_bytes(skb, 0, &e.eth, sizeof(e.eth)) ||
	    bpf_skb_load_bytes(skb, ETH_HLEN, e.quote, sizeof(e.quote)))
		return -1;
	if (bpf_skb_change_tail(skb, ETH_HLEN + OFFLOAD_CUT + 64, 0) || leave_checksum_offload(skb) ||
	    bpf_skb_change_tail(skb, sizeof(e) - sizeof(e.gap), 0))
		return -1;
	__builtin_memcpy(mac, e.eth.h_source, 6);
	__builtin_memcpy(e.eth.h_source, e.eth.h_dest, 6);
	__builtin_memcpy(e.eth.h_dest, mac, 6);
	e.ip.version = 4;
	e.ip.ihl = 5;
	e.ip.tos = 0xc0;
	e.ip.tot_len = bpf_htons(sizeof(e.ip) + sizeof(e.icmp) + sizeof(e.quote));
	e.ip.ttl = 64;
	e.ip.protocol = IPPROTO_ICMP;
	e.ip.saddr = gateway_addr4.word_be[3];
	e.ip.daddr = quoted->saddr;
	e.ip.check = ~checksum_fold(bpf_csum_diff(NULL, 0, (void *)&e.ip, sizeof(e.ip), 0));
	e.icmp.type = ICMP_DEST_UNREACH;
	e.icmp.code = ICMP_PORT_UNREACH;
	e.icmp.checksum =
		~checksum_fold(bpf_csum_diff(NULL, 0, (void *)&e.icmp, sizeof(e.icmp) + sizeof(e.quote), 0));
	return bpf_skb_store_bytes(skb, 0, &e.eth, sizeof(e) - sizeof(e.gap), 0);
}

__noinline int reject_ipv6(struct __sk_buff *skb)
{
	struct reject6 e = {};
	struct ipv6hdr *quoted = (void *)e.quote;
	__be32 pseudo[2] = {bpf_htonl(sizeof(e.icmp) + sizeof(e.quote)), bpf_htonl(IPPROTO_ICMPV6)};
	u32 sum;
	u8 mac[6];

	if (!(gateway_addr6.word_be[0] | gateway_addr6.word_be[3]) ||
	    bpf_skb_load_bytes(skb, 0, &e.eth, sizeof(e.eth)) ||
	    bpf_skb_load_bytes(skb, ETH_HLEN, e.quote, sizeof(e.quote)))
		return -1;
	if (bpf_skb_change_tail(skb, ETH_HLEN + OFFLOAD_CUT + 64, 0) || leave_checksum_offload(skb) ||
	    bpf_skb_change_tail(skb, sizeof(e) - sizeof(e.gap), 0))
		return -1;
	__builtin_memcpy(mac, e.eth.h_source, 6);
	__builtin_memcpy(e.eth.h_source, e.eth.h_dest, 6);
	__builtin_memcpy(e.eth.h_dest, mac, 6);
	e.ip.version = 6;
	e.ip.payload_len = bpf_htons(sizeof(e.icmp) + sizeof(e.quote));
	e.ip.nexthdr = IPPROTO_ICMPV6;
	e.ip.hop_limit = 64;
	for (int i = 0; i < 4; i++)
		e.ip.saddr.in6_u.u6_addr32[i] = gateway_addr6.word_be[i];
	__builtin_memcpy(&e.ip.daddr, &quoted->saddr, 16);
	e.icmp.type = ICMPV6_DEST_UNREACH;
	e.icmp.code = ICMPV6_PORT_UNREACH;
	sum = bpf_csum_diff(NULL, 0, (void *)&e.ip.saddr, 32, 0);
	sum = bpf_csum_diff(NULL, 0, pseudo, sizeof(pseudo), sum);
	e.icmp.checksum = ~checksum_fold(
		bpf_csum_diff(NULL, 0, (void *)&e.icmp, sizeof(e.icmp) + sizeof(e.quote), sum));
	return bpf_skb_store_bytes(skb, 0, &e.eth, sizeof(e) - sizeof(e.gap), 0);
}

/*
 * Turns a packet that has been dropped and counted into the ICMP error, which goes out of the gateway to the
 * guest. TC_ACT_SHOT: no error is sent.
 */
__noinline int reject(struct __sk_buff *skb, struct packet *p, u32 gateway, u32 network)
{
	if (!p || p->flags & (PACKET_ERROR | PACKET_LATER | PACKET_OPTIONS) || is_group_or_local(p) ||
	    p->l3 != ETH_HLEN || !reject_allowed(skb->tc_index ? skb->tc_index : network))
		return TC_ACT_SHOT;
	if (p->family == 4 ? reject_ipv4(skb) : reject_ipv6(skb))
		return TC_ACT_SHOT;
	return redirect_out(gateway);
}

#endif
