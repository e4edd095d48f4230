/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XDP mode forward: redirects a small packet of a known session to its guest, before an skb is allocated. It
 * does what the uplink's tc program would have done, with the same session, hop and counters, or nothing at
 * all: not a byte is written before the last check, and all other packets are left to tc.
 *
 * Only where nothing is lost by it: TCP data is left to GRO, and FIN and RST must not overtake it. The
 * checksum is updated here, so it must be complete. A network card's always is; another interface's packets
 * may come from a stack of this machine with only the pseudo header's sum (CHECKSUM_PARTIAL), which XDP
 * cannot see: a packet with an invalid checksum is left to tc, which can.
 */
#ifndef VNET_BPF_XDP_REDIRECT_H
#define VNET_BPF_XDP_REDIRECT_H

#include "bpf/lib/inbound.h"
#include "bpf/lib/outside.h"
#include "bpf/lib/redirect.h"
#include "bpf/lib/rewrite.h"
#include "bpf/lib/route.h"

/* Bytes of the IP packet. GRO gains nothing with packets this small, and the skb costs more than its data. */
#define FORWARD_MAX 256

const volatile __u32 forwards_small;
const volatile __u32 distrusts_checksums;
const volatile __u8 uplink_mac[6];

static __always_inline int is_small_frame(struct xdp_md *ctx)
{
	return frame_bytes(ctx) <= ETH_HLEN + FORWARD_MAX;
}

/* Not what the card receives for others: a guest of direct attachment, a group. */
static __always_inline int is_to_uplink_mac(struct xdp_md *ctx)
{
	struct ethhdr *eth = linear(ctx, 0, sizeof(*eth));
	u8 different = 0;

	if (!eth)
		return 0;
	for (int i = 0; i < 6; i++)
		different |= eth->h_dest[i] ^ uplink_mac[i];
	return !different;
}

/* A pure ACK, or a SYN/ACK: nothing that GRO merges, nothing that must not overtake data. */
static __always_inline int is_tcp_without_data(struct xdp_md *ctx, const struct packet *p)
{
	u8 *doff = linear(ctx, l4_of(p) + 12, 1);

	return doff && !(p->tcp_flags & (TCP_FIN | TCP_RST)) &&
	       p->l4 + (*doff >> 4) * 4 == p->l3 + p->l3_bytes;
}

static __always_inline int is_redirectable(struct xdp_md *ctx, const struct packet *p)
{
	if (p->flags & ~PACKET_REPLY || p->ttl <= 1 || p->l3_bytes > FORWARD_MAX || !is_small_frame(ctx) ||
	    !is_to_uplink_mac(ctx))
		return 0;
	if (p->proto == IPPROTO_TCP)
		return is_tcp_without_data(ctx, p);
	return p->proto == IPPROTO_UDP || is_icmp(p->family, p->proto);
}

/* Scratch memory for a packet's L4 part: the verifier wants a constant size for bpf_csum_diff(). */
struct sum_room {
	__be32 word_be[FORWARD_MAX / 4];
};
VNET_MAP(sum_rooms, BPF_MAP_TYPE_PERCPU_ARRAY, 1, u32, struct sum_room, 0);

/* A valid checksum is complete, wherever it comes from. A UDP checksum of 0 (IPv4) is good, too. */
__noinline int checksum_is_valid(struct xdp_md *ctx, struct packet *p)
{
	u32 zero = 0, bytes;
	struct sum_room *room = bpf_map_lookup_elem(&sum_rooms, &zero);
	u64 pseudo = 0;
	__be16 *check;

	if (!p || !room)
		return 0;
	check = linear(ctx, l4_of(p) + 6, 2);
	if (!check)
		return 0;
	if (p->proto == IPPROTO_UDP && p->family == 4 && !*check)
		return 1;
	bytes = p->l3 + p->l3_bytes - p->l4;
	__builtin_memset(room, 0, sizeof(*room));
	/* Bounds it to 1 to 256 in a way that every verifier follows. */
	asm volatile("" : "+r"(bytes));
	bytes = ((bytes - 1) & (FORWARD_MAX - 1)) + 1;
	if (load_bytes(ctx, l4_of(p), room, bytes))
		return 0;
	/* The ffff in front of an IPv4 address does not change the sum. */
	if (p->proto != IPPROTO_ICMP) {
		for (int i = 0; i < 4; i++)
			pseudo += (u64)p->flow.src.word_be[i] + p->flow.dst.word_be[i];
		pseudo += bpf_htonl(bytes);
		pseudo += bpf_htonl(p->proto);
	}
	pseudo = checksum_fold(pseudo);
	return checksum_fold(bpf_csum_diff(NULL, 0, room->word_be, sizeof(*room), pseudo) & 0xffffffff) ==
	       0xffff;
}

/* All that is to be written lies in the linear part, and so does what is before it. */
static __always_inline int is_writable(struct xdp_md *ctx, const struct packet *p)
{
	if (!linear(ctx, l4_of(p), 8))
		return 0;
	return linear(ctx, l4_of(p) + checksum_offset(p->proto), 2) != NULL;
}

/* After is_writable() no pointer below is NULL: the checks are for the verifier. */
static __always_inline void write_link(struct xdp_md *ctx, const struct vnet_hop *hop)
{
	void *macs = linear(ctx, 0, 12);

	if (macs)
		copy_aligned(macs, hop->dmac, 12); /* adjacent in the hop as in the frame */
}

static __always_inline void write_ipv4(struct xdp_md *ctx, const struct rewrite *r)
{
	struct iphdr *ip = linear(ctx, ETH_HLEN, sizeof(*ip));

	if (!ip)
		return;
	set_addr_v4(ip, r);
	set_ttl_v4(ip, ip->ttl, ip->ttl - 1);
}

static __always_inline void write_ipv6(struct xdp_md *ctx, const struct rewrite *r)
{
	struct ipv6hdr *ip = linear(ctx, ETH_HLEN, sizeof(*ip));

	if (!ip)
		return;
	set_addr_v6(ip, r);
	ip->hop_limit--;
}

static __always_inline void write_l4(struct xdp_md *ctx, const struct packet *p, struct rewrite *r)
{
	__be16 *check = linear(ctx, l4_of(p) + checksum_offset(p->proto), 2), *port;

	if (!check || changes_nothing(r))
		return;
	*check = transport_checksum_replace(*check, p->proto, addr_diff(&r->from, &r->to), r);
	if (!changes_port(r))
		return;
	port = linear(ctx, l4_of(p) + port_offset(p->proto, r->source), 2);
	if (port)
		*port = r->to_port_be;
}

/* The port's policy is checked here: its own programs do not see the packet. */
static __always_inline int port_accepts(struct xdp_md *ctx, u32 ifindex, struct packet *p)
{
	struct vnet_port *port = bpf_map_lookup_elem(&ports, &ifindex);

	return port && !(port->flags & (VNET_PORT_F_DOWN | VNET_PORT_F_VLAN | VNET_PORT_F_LIMIT_IN)) &&
	       !(port->flags & VNET_PORT_F_INBOUND && check_inbound(ctx, port, p));
}

/* s, found: the session that p is a reply of, and its key. XDP_PASS: left to tc. */
__noinline int xdp_redirect(struct xdp_md *ctx, struct packet *p, struct vnet_session *s,
			    struct vnet_flow *found)
{
	u32 now = tick_now(), bytes = frame_bytes(ctx);
	struct rewrite r = {};
	struct vnet_leg *leg;
	u32 ifindex;

	if (!p || !s || !found || !is_redirectable(ctx, p) ||
	    (distrusts_checksums && !checksum_is_valid(ctx, p)))
		return XDP_PASS;
	r.from = p->flow.dst;
	r.to = found->src;
	r.from_port_be = p->flow.dport_be;
	r.to_port_be = found->sport_be;
	/* From here on p, which is XDP's own, is as its guest gets it. */
	p->flow.dst = r.to;
	p->flow.dport_be = r.to_port_be;
	leg = &s->leg[VNET_IN];
	if (leg->hop.tick != now && route_in(ctx, &p->flow, s, uplink_ifindex))
		return XDP_PASS;
	if (too_big(ctx, p, leg->hop.mtu))
		return XDP_PASS;
	ifindex = leg->hop.ifindex;
	if (!port_accepts(ctx, ifindex, p) || !is_writable(ctx, p) || !redirect_to_target(ifindex))
		return XDP_PASS;
	session_use(s, p, VNET_IN, now, bytes);
	write_link(ctx, &leg->hop);
	if (p->family == 4)
		write_ipv4(ctx, &r);
	else
		write_ipv6(ctx, &r);
	write_l4(ctx, p, &r);
	return verdict_delivered(XDP_REDIRECT, leg->hop.slot);
}

#endif
