/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rewrites addresses and ports at tc. Checksums go through the helpers, because only they know whether the
 * field holds a complete checksum or only the pseudo header's (CHECKSUM_PARTIAL):
 *  - an address is in the pseudo header: BPF_F_PSEUDO_HDR; a port is not: without.
 *  - a UDP checksum of 0 means none and stays so: BPF_F_MARK_MANGLED_0.
 *  - an IPv6 header has no checksum that would balance skb->csum (CHECKSUM_COMPLETE): bpf_csum_update() when
 *    writing into it (-ENOTSUPP: skb->csum is not in use), which BPF_F_PSEUDO_HDR then cancels.
 */
#ifndef VNET_BPF_TRANSLATE_H
#define VNET_BPF_TRANSLATE_H

#include "bpf/lib/rewrite.h"
#include "bpf/lib/sctp.h"

static __always_inline int rewrite_addr_v4(struct __sk_buff *skb, u32 l3, const struct rewrite *r)
{
	struct iphdr *ip = linear(skb, l3, sizeof(*ip));
	__be32 from = r->from.word_be[3];
	__be32 to = r->to.word_be[3];

	if (unlikely(!ip))
		return bpf_l3_csum_replace(skb, l3 + 10, from, to, 4) ||
		       bpf_skb_store_bytes(skb, l3 + (r->source ? 12 : 16), &to, 4, 0);
	set_addr_v4(ip, r);
	return 0;
}

static __always_inline int rewrite_addr_v6(struct __sk_buff *skb, u32 l3, struct rewrite *r)
{
	struct ipv6hdr *ip = linear(skb, l3, sizeof(*ip));

	if (unlikely(!ip))
		return bpf_skb_store_bytes(skb, l3 + (r->source ? 8 : 24), &r->to, 16, BPF_F_RECOMPUTE_CSUM);
	set_addr_v6(ip, r);
	bpf_csum_update(skb, addr_diff(&r->from, &r->to));
	return 0;
}

/* An address in the IP header at l3; updates the header's own checksum. */
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
	if (csum && changes_port(r)) {
		if (bpf_l4_csum_replace(skb, at + csum, r->from_port_be, r->to_port_be, 2 | udp) ||
		    write_bytes(skb, at + port_offset(p->proto, r->source), &r->to_port_be, 2))
			return -1;
	}
	if (unlikely(p->proto == IPPROTO_SCTP) && changes_port(r) && !(p->flags & PACKET_LATER) &&
	    rewrite_sctp_port(skb, p, port_offset(p->proto, r->source),
			      (u32)r->from_port_be << 16 | r->to_port_be))
		return -1;
	return p->family == 4 ? rewrite_addr_v4(skb, p->l3, r) : rewrite_addr_v6(skb, p->l3, r);
}

/*
 * An ICMP error: the quoted header has the same end on the other side (the destination of the replies is
 * the source of the quoted packet), and with `outer` the outer header's address is rewritten, too. The
 * ICMP checksum is updated by the difference of the quoted bytes.
 */
__noinline int translate_error(struct __sk_buff *skb, struct packet *p, struct rewrite *r, u32 outer)
{
	struct rewrite inner;
	u32 csum_at, check_at, diff;
	__be16 before, after;
	u32 v4;

	if (!p || !r)
		return -1;
	v4 = p->family == 4;
	csum_at = p->l4 + 2;
	inner = *r;
	inner.source = !r->source;
	diff = addr_diff(&inner.from, &inner.to);

	/* The quoted checksum is complete, whatever the error's own is; TCP's may be cut off. */
	check_at = checksum_offset(p->flow.proto);
	if (check_at && p->quoted_l4 + check_at + 2 <= p->l3 + p->l3_bytes) {
		check_at += p->quoted_l4;
		if (bpf_skb_load_bytes(skb, check_at, &before, 2))
			return -1;
		after = transport_checksum_replace(before, p->flow.proto, diff, &inner);
		if (after != before && (bpf_skb_store_bytes(skb, check_at, &after, 2, 0) ||
					bpf_l4_csum_replace(skb, csum_at, before, after, 2)))
			return -1;
	}
	if (changes_port(&inner)) {
		if (bpf_skb_store_bytes(skb, p->quoted_l4 + port_offset(p->flow.proto, inner.source),
					&inner.to_port_be, 2, 0) ||
		    bpf_l4_csum_replace(skb, csum_at, inner.from_port_be, inner.to_port_be, 2))
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
	if (changes_nothing(r))
		return 0;
	return translate_plain(skb, p, r) ? DROP(WRITE_FAILED) : 0;
}

/* As every router does. */
static __always_inline int decrement_ttl(struct __sk_buff *skb, struct packet *p)
{
	u8 ttl = p->ttl - 1;

	if (p->family == 4) {
		struct iphdr *ip = linear(skb, p->l3, sizeof(*ip));

		if (likely(ip)) {
			set_ttl_v4(ip, p->ttl, ttl);
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
