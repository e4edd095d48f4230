/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rewriting addresses and ports. Checksums go through the helpers, because only they know whether the
 * checksum field holds a whole checksum or just the pseudo header's (CHECKSUM_PARTIAL):
 *  - an address is in the pseudo header: BPF_F_PSEUDO_HDR; a port is not: without.
 *  - a UDP checksum of 0 means none and stays so: BPF_F_MARK_MANGLED_0.
 *  - an IPv6 header has no checksum that would balance skb->csum (CHECKSUM_COMPLETE): bpf_csum_update() when
 *    writing into it (-ENOTSUPP: skb->csum is not in use), which BPF_F_PSEUDO_HDR then takes back.
 */
#ifndef VNET_BPF_TRANSLATE_H
#define VNET_BPF_TRANSLATE_H

#include "bpf/lib/checksum.h"
#include "bpf/lib/packet.h"
#include "bpf/lib/sctp.h"

/* Which end of the flow is rewritten, and to what. */
struct rewrite {
	struct vnet_addr from;
	struct vnet_addr to;
	__be16 from_port_be;
	__be16 to_port_be;
	u8 source;
	u8 pad[3];
};

static __always_inline int rewrite_addr_v4(struct __sk_buff *skb, u32 l3, const struct rewrite *r)
{
	struct iphdr *ip = linear(skb, l3, sizeof(*ip));
	__be32 from = r->from.word_be[3];
	__be32 to = r->to.word_be[3];

	if (unlikely(!ip))
		return bpf_l3_csum_replace(skb, l3 + 10, from, to, 4) ||
		       bpf_skb_store_bytes(skb, l3 + (r->source ? 12 : 16), &to, 4, 0);
	ip->check = checksum_after(ip->check, from, to);
	if (r->source)
		ip->saddr = to;
	else
		ip->daddr = to;
	return 0;
}

static __always_inline int rewrite_addr_v6(struct __sk_buff *skb, u32 l3, struct rewrite *r)
{
	struct ipv6hdr *ip = linear(skb, l3, sizeof(*ip));

	if (unlikely(!ip))
		return bpf_skb_store_bytes(skb, l3 + (r->source ? 8 : 24), &r->to, 16, BPF_F_RECOMPUTE_CSUM);
	if (r->source)
		addr_to_v6(&ip->saddr, &r->to);
	else
		addr_to_v6(&ip->daddr, &r->to);
	bpf_csum_update(skb, addr_diff(&r->from, &r->to));
	return 0;
}

/* An address in an IP header at l3; the header's own checksum follows. */
__noinline int rewrite_addr(struct __sk_buff *skb, u32 l3, u32 v4, struct rewrite *r)
{
	if (!r)
		return -1;
	return v4 ? rewrite_addr_v4(skb, l3, r) : rewrite_addr_v6(skb, l3, r);
}

static __always_inline int translate_plain(struct __sk_buff *skb, struct packet *p, struct rewrite *r)
{
	u32 csum = p->flags & PACKET_LATER ? 0 : checksum_offset(p->proto);
	u32 at = l4_of(p);
	u64 udp = p->proto == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;

	if (csum && p->proto != IPPROTO_ICMP &&
	    bpf_l4_csum_replace(skb, at + csum, 0, addr_diff(&r->from, &r->to), BPF_F_PSEUDO_HDR | udp))
		return -1;
	if (csum && r->from_port_be != r->to_port_be) {
		if (bpf_l4_csum_replace(skb, at + csum, r->from_port_be, r->to_port_be, 2 | udp) ||
		    write_bytes(skb, at + port_offset(p->proto, r->source), &r->to_port_be, 2))
			return -1;
	}
	if (unlikely(p->proto == IPPROTO_SCTP) && r->from_port_be != r->to_port_be &&
	    !(p->flags & PACKET_LATER) &&
	    rewrite_sctp_port(skb, p, port_offset(p->proto, r->source),
			      (u32)r->from_port_be << 16 | r->to_port_be))
		return -1;
	return p->family == 4 ? rewrite_addr_v4(skb, p->l3, r) : rewrite_addr_v6(skb, p->l3, r);
}

/*
 * An ICMP error: the quoted header shows the same end from the other side (what answers are sent to was
 * the source of what is quoted), and the outer header's address changes where `outer` says so. The
 * checksum over the quoted bytes is brought up to date by their difference.
 */
__noinline int translate_error(struct __sk_buff *skb, struct packet *p, struct rewrite *r, u32 outer)
{
	struct rewrite inner;
	u32 csum_at, diff, l4_csum;
	__be16 before, after;
	u32 v4;

	if (!p || !r)
		return -1;
	v4 = p->family == 4;
	csum_at = p->l4 + 2;
	inner = *r;
	inner.source = !r->source;
	diff = addr_diff(&inner.from, &inner.to);

	/* The quoted UDP checksum, where there is one. TCP's lies beyond the guaranteed 8 bytes. */
	l4_csum = p->flow.proto == IPPROTO_UDP ? p->quoted_l4 + 6
		  : p->flow.proto == IPPROTO_TCP && p->quoted_l4 + 18 <= p->l3 + p->l3_bytes
			  ? p->quoted_l4 + 16
			  : 0;
	if (l4_csum && !bpf_skb_load_bytes(skb, l4_csum, &before, 2) &&
	    (before || p->flow.proto != IPPROTO_UDP)) {
		u64 udp = p->flow.proto == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
		__be32 words[2] = {};
		u32 quoted_diff = diff;

		if (inner.from_port_be != inner.to_port_be) {
			words[0] = inner.from_port_be;
			words[1] = inner.to_port_be;
			quoted_diff = bpf_csum_diff(&words[0], 4, &words[1], 4, diff);
		}
		/* Always a whole checksum, whatever state the carrying packet's is in. */
		quoted_diff = (quoted_diff >> 16) + (quoted_diff & 0xffff);
		quoted_diff += quoted_diff >> 16;
		{
			u32 sum = (u16)~before;

			sum += (u16)quoted_diff;
			sum = (sum >> 16) + (sum & 0xffff);
			sum += sum >> 16;
			after = ~sum;
		}
		if (udp && !after)
			after = 0xffff;
		if (bpf_skb_store_bytes(skb, l4_csum, &after, 2, 0) ||
		    bpf_l4_csum_replace(skb, csum_at, before, after, 2))
			return -1;
	}
	if (inner.from_port_be != inner.to_port_be) {
		if (bpf_skb_store_bytes(skb, p->quoted_l4 + port_offset(p->flow.proto, inner.source),
					&inner.to_port_be, 2, 0) ||
		    bpf_l4_csum_replace(skb, csum_at, inner.from_port_be, inner.to_port_be, 2))
			return -1;
	}
	/* A quoted echo carries its own checksum: over its id, and in IPv6 over the addresses. */
	if (is_icmp(p->family, p->flow.proto) && (!v4 || inner.from_port_be != inner.to_port_be)) {
		u32 at = p->quoted_l4 + 2;
		u32 sum;

		if (bpf_skb_load_bytes(skb, at, &before, 2))
			return -1;
		sum = (u16)~before + (u16)~inner.from_port_be + inner.to_port_be;
		if (!v4) {
			u32 d = (diff >> 16) + (diff & 0xffff);

			d += d >> 16;
			sum += (u16)d;
		}
		sum = (sum >> 16) + (sum & 0xffff);
		sum += sum >> 16;
		after = ~sum;
		if (bpf_skb_store_bytes(skb, at, &after, 2, 0) ||
		    bpf_l4_csum_replace(skb, csum_at, before, after, 2))
			return -1;
	}
	if (v4) {
		/* The quoted header's checksum balances its address: the ICMP checksum does not change. */
		if (rewrite_addr(skb, p->quoted, 1, &inner))
			return -1;
	} else {
		if (bpf_skb_store_bytes(skb, p->quoted + (inner.source ? 8 : 24), &inner.to, 16, 0) ||
		    bpf_l4_csum_replace(skb, csum_at, 0, diff, 0))
			return -1;
	}
	if (!outer)
		return 0;
	inner = *r;
	inner.from = r->source ? p->outer_src : p->outer_dst;
	if (!v4 && bpf_l4_csum_replace(skb, csum_at, 0, addr_diff(&inner.from, &inner.to), BPF_F_PSEUDO_HDR))
		return -1;
	return rewrite_addr(skb, p->l3, v4, &inner);
}

static __always_inline int translate(struct __sk_buff *skb, struct packet *p, struct rewrite *r, u32 outer)
{
	if (unlikely(p->flags & PACKET_ERROR))
		return translate_error(skb, p, r, outer) ? DROP(WRITE_FAILED) : 0;
	if (addr_equal(&r->from, &r->to) && r->from_port_be == r->to_port_be)
		return 0;
	return translate_plain(skb, p, r) ? DROP(WRITE_FAILED) : 0;
}

/* One router more on the way. */
static __always_inline int decrement_ttl(struct __sk_buff *skb, struct packet *p)
{
	u8 ttl = p->ttl - 1;

	if (p->family == 4) {
		struct iphdr *ip = linear(skb, p->l3, sizeof(*ip));

		if (likely(ip)) {
			ip->check = checksum_after(ip->check, bpf_htons((u16)p->ttl << 8),
						   bpf_htons((u16)ttl << 8));
			ip->ttl = ttl;
			return 0;
		}
		if (bpf_l3_csum_replace(skb, p->l3 + 10, bpf_htons((u16)p->ttl << 8),
					bpf_htons((u16)ttl << 8), 2))
			return -1;
		return bpf_skb_store_bytes(skb, p->l3 + 8, &ttl, 1, 0);
	} else {
		struct ipv6hdr *ip = linear(skb, p->l3, sizeof(*ip));

		if (unlikely(!ip))
			return bpf_skb_store_bytes(skb, p->l3 + 7, &ttl, 1, BPF_F_RECOMPUTE_CSUM);
		ip->hop_limit = ttl;
		bpf_csum_update(skb, (u32)(u16)~bpf_htons(p->ttl) + bpf_htons(ttl));
		return 0;
	}
}

#endif
