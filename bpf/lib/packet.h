/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parses a packet into struct packet, once per program. Nothing is read beyond the lengths in the
 * headers, and these may not exceed the packet's.
 *
 * An ICMP error belongs to the session of the packet that it quotes: its flow is the quoted flow
 * reversed, so that every lookup works as for a reply.
 */
#ifndef VNET_BPF_PACKET_H
#define VNET_BPF_PACKET_H

#include "bpf/lib/access.h"
#include "bpf/lib/maps.h"
#include "bpf/lib/protocol.h"
#include "bpf/lib/verdict.h"

#define PACKET_FIRST   1  /* first fragment: has ports */
#define PACKET_LATER   2  /* later fragment: no L4 header, ports come from the fragment map */
#define PACKET_OPTIONS 4  /* IPv4 options or IPv6 extension headers: for the host's stack */
#define PACKET_ERROR   8  /* ICMP error: flow is the quoted one reversed; outer_* are the packet's own */
#define PACKET_REPLY   16 /* ICMP echo reply: never opens a session */

struct packet {
	struct vnet_flow flow;
	struct vnet_addr outer_src; /* only with PACKET_ERROR */
	struct vnet_addr outer_dst;
	u32 fragment_id;
	u32 cursor; /* of readers of options */
	u32 seq;    /* TCP's (of an error: the quoted packet's); host byte order */
	u32 ack;
	u32 data;	    /* bytes of TCP payload; of a GSO packet, of the whole */
	__be32 flowinfo_be; /* IPv6: traffic class and flow label */
	u16 l3;
	u16 l4;
	u16 quoted; /* offsets of the quoted headers, with PACKET_ERROR */
	u16 quoted_l4;
	u16 window;   /* TCP's, not scaled; host byte order */
	u16 l3_bytes; /* length of the IP packet; of a GSO packet, of the whole */
	u8 family;    /* 4, 6; 0: not IP */
	u8 proto;     /* the packet's own L4 protocol; flow.proto differs for an ICMP error */
	u8 fragment_proto;
	u8 ttl;
	u8 tos; /* IPv4 */
	u8 tcp_flags;
	u8 scale; /* of a SYN: window scale + 1; 0: none */
	u8 flags;
};

/*
 * Off the stack, which BPF limits to 512 bytes over all frames. A program runs with bottom halves off,
 * and nested in another one only by a flood (flood.h), so one packet per CPU is enough.
 */
VNET_MAP(packet_scratch, BPF_MAP_TYPE_PERCPU_ARRAY, 1, u32, struct packet, 0);

static __always_inline struct packet *scratch_packet(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&packet_scratch, &zero);
}

/*
 * Reloads: the verifier then takes them for unknown scalars, and explores what follows once instead of
 * once for every possible length.
 */
static __always_inline u32 l4_of(const struct packet *p)
{
	return *(const volatile u16 *)&p->l4;
}
static __always_inline u32 end_of(const struct packet *p)
{
	return p->l3 + *(const volatile u16 *)&p->l3_bytes;
}
static __always_inline u32 cursor_of(const struct packet *p)
{
	return *(const volatile u32 *)&p->cursor;
}
static __always_inline u8 proto_of(const struct packet *p)
{
	return *(const volatile u8 *)&p->proto;
}

static __always_inline void addr_from_v4(struct vnet_addr *to, __be32 from_be)
{
	to->word_be[0] = 0;
	to->word_be[1] = 0;
	to->word_be[2] = bpf_htonl(0xffff);
	to->word_be[3] = from_be;
}

/*
 * ::ffff:a.b.c.d in an IPv6 header: in our maps it would equal that IPv4 address. Linux drops such sources
 * (RFC 4038), and no legitimate packet has such a destination.
 */
static __always_inline int is_mapped_v4(const struct in6_addr *a)
{
	const __be32 *word_be = (const void *)a;

	return !word_be[0] && !word_be[1] && word_be[2] == bpf_htonl(0xffff);
}

static __always_inline void addr_from_v6(struct vnet_addr *to, const struct in6_addr *from)
{
	__builtin_memcpy(to, from, sizeof(*to));
}

static __always_inline void addr_to_v6(struct in6_addr *to, const struct vnet_addr *from)
{
	__builtin_memcpy(to, from, sizeof(*to));
}

static __always_inline int addr_equal(const struct vnet_addr *a, const struct vnet_addr *b)
{
	return !((a->word_be[0] ^ b->word_be[0]) | (a->word_be[1] ^ b->word_be[1]) |
		 (a->word_be[2] ^ b->word_be[2]) | (a->word_be[3] ^ b->word_be[3]));
}

/* ICMP types, of either family, by what they mean to a session. */
enum icmp_kind { ICMP_OTHER, ICMP_REQUEST, ICMP_ANSWER, ICMP_ERROR };

static __always_inline enum icmp_kind icmp_kind(u8 family, u8 type)
{
	if (family == 4) {
		if (type == ICMP_ECHO || type == ICMP_TIMESTAMP)
			return ICMP_REQUEST;
		if (type == ICMP_ECHOREPLY || type == ICMP_TIMESTAMPREPLY)
			return ICMP_ANSWER;
		if (type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETERPROB ||
		    type == ICMP_SOURCE_QUENCH)
			return ICMP_ERROR;
		return ICMP_OTHER;
	}
	if (type == ICMPV6_ECHO_REQUEST)
		return ICMP_REQUEST;
	if (type == ICMPV6_ECHO_REPLY)
		return ICMP_ANSWER;
	if (type >= ICMPV6_DEST_UNREACH && type <= ICMPV6_PARAMPROB)
		return ICMP_ERROR;
	return ICMP_OTHER;
}

static __always_inline int is_icmp(u8 family, u8 proto)
{
	return proto == (family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

/* The ports in the first 8 bytes of a transport header. Returns the kind of ICMP message. */
static __always_inline enum icmp_kind read_ports(const u8 l4[8], u8 family, u8 proto, struct vnet_flow *flow)
{
	const __be16 *half = (const void *)l4;

	flow->proto = proto;
	if (proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP) {
		flow->sport_be = half[0];
		flow->dport_be = half[1];
	} else if (is_icmp(family, proto)) {
		enum icmp_kind kind = icmp_kind(family, l4[0]);

		if (kind == ICMP_REQUEST)
			flow->sport_be = half[2];
		else if (kind == ICMP_ANSWER)
			flow->dport_be = half[2];
		return kind;
	}
	return ICMP_OTHER;
}

/* The packet that an ICMP error quotes: its IP header and at least 8 bytes more (RFC 792, RFC 4443). */
__noinline int parse_quoted(struct pkt_ctx *ctx, struct packet *p)
{
	u32 at;
	u32 inner_l4;
	struct vnet_flow inner = {};
	__be32 quoted_seq_be = 0;
	u8 l4[8];
	u8 proto;
	int later = 0;

	if (!p)
		return DROP(MALFORMED);
	at = p->l4 + 8;
	p->outer_src = p->flow.src;
	p->outer_dst = p->flow.dst;
	if (p->family == 4) {
		struct iphdr ip;

		if (load_bytes(ctx, at, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5)
			return DROP(MALFORMED);
		addr_from_v4(&inner.src, ip.saddr);
		addr_from_v4(&inner.dst, ip.daddr);
		proto = ip.protocol;
		later = bpf_ntohs(ip.frag_off) & IP_OFFSET;
		inner_l4 = at + ip.ihl * 4;
	} else {
		struct ipv6hdr ip;

		if (load_bytes(ctx, at, &ip, sizeof(ip)) || ip.version != 6 || is_mapped_v4(&ip.saddr) ||
		    is_mapped_v4(&ip.daddr))
			return DROP(MALFORMED);
		addr_from_v6(&inner.src, &ip.saddr);
		addr_from_v6(&inner.dst, &ip.daddr);
		proto = ip.nexthdr;
		inner_l4 = at + sizeof(ip);
		if (proto == IPPROTO_FRAGMENT) {
			if (load_bytes(ctx, inner_l4, l4, sizeof(l4)))
				return DROP(MALFORMED);
			proto = l4[0];
			later = (l4[2] << 8 | l4[3]) & 0xfff8;
			inner_l4 += 8;
		}
	}
	if (later || inner_l4 + sizeof(l4) > p->l3 + p->l3_bytes || load_bytes(ctx, inner_l4, l4, sizeof(l4)))
		return DROP(MALFORMED);
	read_ports(l4, p->family, proto, &inner);
	if (proto == IPPROTO_TCP)
		__builtin_memcpy(&quoted_seq_be, l4 + 4, 4);

	p->seq = bpf_ntohl(quoted_seq_be);
	p->flow.src = inner.dst;
	p->flow.dst = inner.src;
	p->flow.sport_be = inner.dport_be;
	p->flow.dport_be = inner.sport_be;
	p->flow.proto = inner.proto;
	p->quoted = at;
	p->quoted_l4 = inner_l4;
	p->flags |= PACKET_ERROR;
	return 0;
}

#define TCP_OPTIONS_MAX	     40 /* bytes */
#define TCP_OPTION_END	     0
#define TCP_OPTION_NOP	     1
#define TCP_OPTION_WINDOW    3
#define TCP_WINDOW_SCALE_MAX 14 /* RFC 7323 */

/* Sets p->scale of a SYN. end: of its options. */
__noinline int read_window_scale(struct pkt_ctx *ctx, struct packet *p, u32 end)
{
	u8 option[3];

	if (!p)
		return 0;
	p->cursor = l4_of(p) + sizeof(struct tcphdr);
	for (int i = 0; i < TCP_OPTIONS_MAX; i++) {
		u32 at = cursor_of(p);

		if (at + sizeof(option) > end || load_bytes(ctx, at, option, sizeof(option)) ||
		    option[0] == TCP_OPTION_END)
			return 0;
		if (option[0] == TCP_OPTION_WINDOW) {
			p->scale = (option[2] > TCP_WINDOW_SCALE_MAX ? TCP_WINDOW_SCALE_MAX : option[2]) + 1;
			return 0;
		}
		if (option[0] != TCP_OPTION_NOP && option[1] < 2)
			return 0;
		p->cursor = at + (option[0] == TCP_OPTION_NOP ? 1 : option[1]);
	}
	return 0;
}

/* What bpf/lib/tcp_window.h needs. l4: the first 16 bytes of the TCP header. */
static __always_inline void parse_tcp(struct pkt_ctx *ctx, struct packet *p, const u8 *l4, u32 end)
{
	u32 data = l4_of(p) + (l4[12] >> 4) * 4;

	p->seq = bpf_ntohl(*(__be32 *)(l4 + 4));
	p->ack = bpf_ntohl(*(__be32 *)(l4 + 8));
	p->tcp_flags = l4[13];
	p->window = bpf_ntohs(*(__be16 *)(l4 + 14));
	if (unlikely(p->tcp_flags & TCP_SYN))
		read_window_scale(ctx, p, data);
	if (unlikely(p->l3_bytes == 0xffff)) /* BIG TCP: as long as the frame */
		end = frame_bytes(ctx);
	p->data = data < end ? end - data : 0;
}

static __always_inline int parse_l4(struct pkt_ctx *ctx, struct packet *p)
{
	u32 end = end_of(p);
	u32 at = l4_of(p);
	u8 l4[16] __attribute__((aligned(4)));
	u8 proto = proto_of(p);

	p->flow.proto = proto;
	if (unlikely(p->flags & PACKET_LATER))
		return 0;
	if (proto == IPPROTO_TCP) {
		if (unlikely(at + sizeof(struct tcphdr) > end || read_bytes(ctx, at, l4, 16)))
			return DROP(MALFORMED);
		parse_tcp(ctx, p, l4, end);
	} else if (proto == IPPROTO_UDP || proto == IPPROTO_SCTP || is_icmp(p->family, proto)) {
		if (unlikely(at + 8 > end || read_bytes(ctx, at, l4, 8)))
			return DROP(MALFORMED);
	} else {
		return 0;
	}
	switch (read_ports(l4, p->family, proto, &p->flow)) {
	case ICMP_ERROR:
		return parse_quoted(ctx, p);
	case ICMP_ANSWER:
		p->flags |= PACKET_REPLY;
		return 0;
	default:
		return 0;
	}
}

static __always_inline int parse_ipv4(struct pkt_ctx *ctx, struct packet *p)
{
	struct iphdr ip;
	u32 there = frame_bytes(ctx) - p->l3;
	u32 bytes, offset;

	if (unlikely(read_bytes(ctx, p->l3, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5))
		return DROP(MALFORMED);
	p->family = 4;
	addr_from_v4(&p->flow.src, ip.saddr);
	addr_from_v4(&p->flow.dst, ip.daddr);
	bytes = bpf_ntohs(ip.tot_len);
	if (unlikely(!bytes && segment_bytes(ctx))) /* BIG TCP: more than the field can hold */
		bytes = there > 0xffff ? 0xffff : there;
	if (unlikely(bytes > there || bytes < ip.ihl * 4))
		return DROP(MALFORMED);
	p->l3_bytes = bytes;
	p->l4 = p->l3 + ip.ihl * 4;
	p->ttl = ip.ttl;
	p->tos = ip.tos;
	if (unlikely(ip.ihl > 5))
		p->flags |= PACKET_OPTIONS;
	offset = bpf_ntohs(ip.frag_off);
	if (unlikely(offset & IP_OFFSET))
		p->flags |= PACKET_LATER;
	else if (unlikely(offset & IP_MF))
		p->flags |= PACKET_FIRST;
	p->fragment_id = ip.id;
	p->fragment_proto = ip.protocol;
	p->proto = ip.protocol;
	return 0;
}

static __always_inline int is_extension(u8 proto)
{
	return proto == IPPROTO_HOPOPTS || proto == IPPROTO_ROUTING || proto == IPPROTO_DSTOPTS ||
	       proto == IPPROTO_FRAGMENT;
}

/* Skips extension headers; the position is in p->l4 and p->proto. */
static __always_inline int skip_extensions(struct pkt_ctx *ctx, struct packet *p)
{
	for (int i = 0; i < 6; i++) {
		u32 at = l4_of(p);
		u8 ext[8];

		if (at + sizeof(ext) > end_of(p) || load_bytes(ctx, at, ext, sizeof(ext)))
			return DROP(MALFORMED);
		if (proto_of(p) == IPPROTO_FRAGMENT) {
			u16 offset = ext[2] << 8 | ext[3];

			if (p->flags & (PACKET_FIRST | PACKET_LATER))
				return DROP(MALFORMED);
			p->fragment_proto = ext[0];
			__builtin_memcpy(&p->fragment_id, ext + 4, 4);
			if (offset & 0xfff8)
				p->flags |= PACKET_LATER;
			else if (offset & 1)
				p->flags |= PACKET_FIRST;
			else /* an atomic fragment (RFC 6946) */
				p->flags |= PACKET_OPTIONS;
			at += 8;
		} else {
			p->flags |= PACKET_OPTIONS;
			at += 8 + ext[1] * 8;
		}
		if (at > end_of(p))
			return DROP(MALFORMED);
		p->l4 = at;
		p->proto = ext[0];
		/* What follows in a later fragment is data, whatever it looks like. */
		if (p->flags & PACKET_LATER || !is_extension(proto_of(p)))
			return 0;
	}
	/* More headers than any legitimate packet has: they are to hide what follows. */
	return DROP(MALFORMED);
}

static __always_inline int parse_ipv6(struct pkt_ctx *ctx, struct packet *p)
{
	struct ipv6hdr ip;
	u32 there = frame_bytes(ctx) - p->l3;
	u32 bytes;

	if (read_bytes(ctx, p->l3, &ip, sizeof(ip)) || ip.version != 6)
		return DROP(MALFORMED);
	p->family = 6;
	if (unlikely(is_mapped_v4(&ip.saddr) || is_mapped_v4(&ip.daddr)))
		return DROP(MALFORMED);
	addr_from_v6(&p->flow.src, &ip.saddr);
	addr_from_v6(&p->flow.dst, &ip.daddr);
	bytes = bpf_ntohs(ip.payload_len) + sizeof(ip);
	if (bytes == sizeof(ip) && segment_bytes(ctx))
		bytes = there > 0xffff ? 0xffff : there;
	if (bytes > there)
		return DROP(MALFORMED);
	p->l3_bytes = bytes;
	p->ttl = ip.hop_limit;
	p->flowinfo_be = *(__be32 *)&ip & bpf_htonl(0x0fffffff);
	p->proto = ip.nexthdr;
	p->l4 = p->l3 + sizeof(ip);
	return unlikely(is_extension(ip.nexthdr)) ? skip_extensions(ctx, p) : 0;
}

/* l3: the offset of the network header of that protocol. */
static __always_inline int parse_at(struct pkt_ctx *ctx, struct packet *p, u32 l3, __be16 protocol)
{
	int ret;

	__builtin_memset(p, 0, sizeof(*p));
	p->l3 = l3;
	if (unlikely(frame_bytes(ctx) < l3))
		return 0;
	if (likely(protocol == bpf_htons(ETH_P_IP)))
		ret = parse_ipv4(ctx, p);
	else if (protocol == bpf_htons(ETH_P_IPV6))
		ret = parse_ipv6(ctx, p);
	else
		return 0;
	return unlikely(ret) ? ret : parse_l4(ctx, p);
}

/*
 * l3: 14, or 0 on an interface without link header. Tagged frames have no family here: the outer tag is in
 * the metadata, an inner one in protocol_of(ctx). A caller that lets them pass must check is_tagged() first
 * (bpf/lib/vlan.h).
 */
static __always_inline int parse(struct pkt_ctx *ctx, struct packet *p, u32 l3)
{
	return parse_at(ctx, p, l3, unlikely(has_tag(ctx)) ? 0 : protocol_of(ctx));
}

static __always_inline int is_link_local6(const struct vnet_addr *addr)
{
	return addr->word_be[0] == bpf_htonl(0xfe800000) && !addr->word_be[1];
}

/* 0.0.0.0 or ::, all words compared. */
static __always_inline int is_unspecified(const struct vnet_addr *a)
{
	return !(a->word_be[0] | a->word_be[1] | a->word_be[3]) &&
	       (!a->word_be[2] || a->word_be[2] == bpf_htonl(0xffff));
}

/* Both are aligned to 2. */
static __always_inline int mac_equal(const volatile void *mac, const volatile void *other)
{
	const volatile u16 *a = mac, *b = other;

	return !((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]));
}

/* 01:80:c2:00:00:0x: link protocols between bridges (802.1D), the host's and the switch's. */
static __always_inline int is_link_protocol(const u8 *mac)
{
	return mac[0] == 0x01 && mac[1] == 0x80 && mac[2] == 0xc2 && !mac[3] && !mac[4] && mac[5] < 0x10;
}

/* Destinations that no host forwards: groups, IPv6 link-local. Linux does forward IPv4's 169.254/16. */
static __always_inline int stays_on_link(const struct packet *p)
{
	const struct vnet_addr *dst = p->flags & PACKET_ERROR ? &p->outer_dst : &p->flow.dst;
	u32 first = bpf_ntohl(dst->word_be[0]);
	u32 v4 = bpf_ntohl(dst->word_be[3]);

	if (p->family == 4)
		return v4 >> 28 == 0xe || v4 == 0xffffffff;
	return first >> 24 == 0xff || (first & 0xffc00000) == 0xfe800000;
}

static __always_inline int is_group_or_local(const struct packet *p)
{
	const struct vnet_addr *dst = p->flags & PACKET_ERROR ? &p->outer_dst : &p->flow.dst;

	return stays_on_link(p) || (p->family == 4 && bpf_ntohl(dst->word_be[3]) >> 16 == 0xa9fe);
}

#endif
