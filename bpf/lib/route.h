/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Next hops: from the host's own routing and neighbour tables, cached in a session for one tick. Nothing
 * is guessed: without a route the packet takes the host's stack, which answers with the right ICMP error;
 * without a neighbour entry the kernel resolves it (deliver.h).
 */
#ifndef VNET_BPF_ROUTE_H
#define VNET_BPF_ROUTE_H

#include "bpf/lib/session.h"
#include "bpf/lib/subnet.h"

static __always_inline int is_v4(const struct vnet_addr *a)
{
	return !a->word_be[0] && !a->word_be[1] && a->word_be[2] == bpf_htonl(0xffff);
}

static __always_inline void route_query(struct bpf_fib_lookup *q, const struct vnet_addr *src,
					const struct vnet_addr *dst, u8 v4, u8 proto, u32 ifindex)
{
	__builtin_memset(q, 0, sizeof(*q));
	q->family = v4 ? AF_INET : AF_INET6;
	q->l4_protocol = proto;
	q->tot_len = 1; /* asks for the route's MTU */
	q->ifindex = ifindex;
	if (v4) {
		q->ipv4_src = src->word_be[3];
		q->ipv4_dst = dst->word_be[3];
	} else {
		__builtin_memcpy(q->ipv6_src, src, 16);
		__builtin_memcpy(q->ipv6_dst, dst, 16);
	}
}

/* For multipath routes and `ip rule`, which know ports: an ICMP flow has an identifier in their place. */
static __always_inline void route_query_ports(struct bpf_fib_lookup *q, __be16 sport_be, __be16 dport_be)
{
	if (q->l4_protocol != IPPROTO_TCP && q->l4_protocol != IPPROTO_UDP && q->l4_protocol != IPPROTO_SCTP)
		return;
	q->sport = sport_be;
	q->dport = dport_be;
}

static __always_inline void route_query_class(struct bpf_fib_lookup *q, const struct packet *p)
{
	if (p->family == 4)
		q->tos = p->tos;
	else
		q->flowinfo = p->flowinfo_be;
}

/* The query for a packet that comes in by `ifindex`. */
static __always_inline void route_query_packet(struct bpf_fib_lookup *q, const struct packet *p, u32 ifindex)
{
	route_query(q, packet_source(p), packet_target(p), p->family == 4, p->proto, ifindex);
	if (!(p->flags & (PACKET_ERROR | PACKET_LATER)))
		route_query_ports(q, p->flow.sport_be, p->flow.dport_be);
	route_query_class(q, p);
}

/* What the interface of a routing result is to us; NULL: none of ours (any more). */
static __always_inline struct vnet_device *device_of(u32 ifindex)
{
	return bpf_map_lookup_elem(&trusted_devices, &ifindex) ? bpf_map_lookup_elem(&devices, &ifindex)
							       : NULL;
}

/*
 * The source address that the host itself would use to dst through the uplink. Kernels from 6.7 on return
 * it; below, the loader's note of the uplink's address is used. 0, or the reason of a drop.
 */
__noinline int route_source(struct pkt_ctx *ctx, struct vnet_addr *dst, u32 uplink, struct vnet_addr *to)
{
	struct bpf_fib_lookup q;
	struct vnet_addr none = {};
	struct session_scratch *m = session_scratch();
	struct vnet_device *device;
	long rc;
	int v4;

	if (!dst || !to || !m)
		return DROP(NO_ADDRESS);
	v4 = is_v4(dst);
	if (v4)
		addr_from_v4(&none, 0);
	route_query(&q, &none, dst, v4, 0, uplink);
	rc = bpf_fib_lookup(ctx, &q, sizeof(q), FIB_LOOKUP_OUTPUT | FIB_LOOKUP_SKIP_NEIGH | FIB_LOOKUP_SRC);
	/* For IPv6 the interface is only a hint: the result may be about another one. */
	m->hop.mtu = 0; /* not known */
	if (!rc && q.ifindex == uplink) {
		m->hop.mtu = q.mtu_result;
		if (v4)
			addr_from_v4(to, q.ipv4_src);
		else
			__builtin_memcpy(to, q.ipv6_src, 16);
	} else {
		device = device_of(uplink);
		if (!device)
			return DROP(NO_ADDRESS);
		*to = v4 ? device->addr4 : device->addr6;
	}
	if (v4 ? !to->word_be[3] : !(to->word_be[0] | to->word_be[1] | to->word_be[2] | to->word_be[3]))
		return DROP(NO_ADDRESS);
	return 0;
}

/*
 * With the gateway as the input device, so that `ip rule iif` applies. mark: set by the host's rules, which
 * may route by it. Kernels below 6.10 do not accept one (-EINVAL).
 */
static __always_inline long route_from_gateway(struct pkt_ctx *ctx, struct bpf_fib_lookup *q,
					       const struct packet *p, u32 gateway, u32 mark)
{
	route_query(q, &p->flow.src, &p->flow.dst, p->family == 4, p->flow.proto, gateway);
	route_query_ports(q, p->flow.sport_be, p->flow.dport_be);
	route_query_class(q, p);
	if (likely(!mark))
		return bpf_fib_lookup(ctx, q, sizeof(*q), 0);
	__builtin_memcpy(q->smac, &mark, sizeof(mark)); /* a union */
	return bpf_fib_lookup(ctx, q, sizeof(*q), FIB_LOOKUP_MARK);
}

/*
 * After BPF_FIB_LKUP_RET_NO_NEIGH, for redirect_to_neighbour(): otherwise the kernel would look up the route
 * again, without the input device, the mark and the ports that led to this next hop. 1: noted.
 */
static __always_inline int note_next_hop(const struct bpf_fib_lookup *q)
{
	struct session_scratch *m = session_scratch();

	if (!m)
		return -1;
	m->next.nh_family = q->family; /* an IPv4 route may have an IPv6 gateway */
	__builtin_memcpy(m->next.ipv6_nh, q->ipv6_dst, sizeof(m->next.ipv6_nh));
	return 1;
}

/*
 * The next hop of a session's outbound direction; p: a packet of it. 0: leg->hop is valid; 1: the route is
 * valid, but the next hop's MAC is not known; negative: the packet takes the stack.
 */
__noinline int route_out(struct pkt_ctx *ctx, struct packet *p, struct vnet_session *s, u32 gateway)
{
	struct bpf_fib_lookup q;
	struct vnet_addr source;
	struct vnet_leg *leg;
	long rc;

	if (!p || !s)
		return -1;
	leg = &s->leg[VNET_OUT];
	rc = route_from_gateway(ctx, &q, p, gateway, s->mark);
	if (rc != BPF_FIB_LKUP_RET_SUCCESS && rc != BPF_FIB_LKUP_RET_NO_NEIGH)
		return -1;
	/* Another uplink: the packet takes the stack, and the egress hook there makes a new binding. */
	if (q.ifindex != leg->hop.ifindex)
		return -1;
	if (s->flags & VNET_SESSION_F_MASQUERADE &&
	    (route_source(ctx, &p->flow.dst, q.ifindex, &source) || !addr_equal(&source, &s->nat)))
		return -1;
	if (rc == BPF_FIB_LKUP_RET_NO_NEIGH)
		return note_next_hop(&q);
	__builtin_memcpy(leg->hop.dmac, q.dmac, 6);
	__builtin_memcpy(leg->hop.smac, q.smac, 6);
	leg->hop.mtu = q.mtu_result;
	leg->hop.tick = tick_now();
	return 0;
}

/*
 * The same inbound (to: the flow as the guest gets it): route and neighbour through the gateway, then the
 * port of that MAC. If that is not known (a guest may have more MACs than are learned), the hop is the
 * gateway itself, whose egress program floods.
 */
__noinline int route_in(struct pkt_ctx *ctx, struct vnet_flow *to, struct vnet_session *s, u32 uplink)
{
	struct vnet_leg *leg;
	u32 network;
	struct bpf_fib_lookup q;
	struct vnet_fdb_key where = {};
	struct vnet_fdb_entry *port;
	struct vnet_network *net;
	long rc;

	if (!to || !s)
		return -1;
	leg = &s->leg[VNET_IN];
	network = s->network;
	net = bpf_map_lookup_elem(&networks, &network);
	if (!net)
		return -1;
	route_query(&q, &to->src, &to->dst, is_v4(&to->dst), to->proto, uplink);
	route_query_ports(&q, to->sport_be, to->dport_be);
	rc = bpf_fib_lookup(ctx, &q, sizeof(q), 0);
	if ((rc != BPF_FIB_LKUP_RET_SUCCESS && rc != BPF_FIB_LKUP_RET_NO_NEIGH) ||
	    q.ifindex != net->gateway_ifindex)
		return -1;
	leg->hop.ifindex = q.ifindex;
	leg->hop.slot = 0;
	s->hop_flags = 0;
	if (rc == BPF_FIB_LKUP_RET_NO_NEIGH)
		return note_next_hop(&q);
	where.network = network;
	__builtin_memcpy(where.mac, q.dmac, 6);
	port = bpf_map_lookup_elem(&fdb, &where);
	if (port) {
		leg->hop.ifindex = port->ifindex;
		leg->hop.slot = port->slot;
		s->hop_flags = port->flags;
	}
	__builtin_memcpy(leg->hop.dmac, q.dmac, 6);
	__builtin_memcpy(leg->hop.smac, q.smac, 6);
	leg->hop.mtu = q.mtu_result;
	leg->hop.tick = tick_now();
	return 0;
}

/*
 * Larger than the next hop's MTU? Of a GSO packet the segments count. The stack then fragments, or
 * answers with the ICMP error.
 */
static __always_inline int too_big(struct pkt_ctx *ctx, const struct packet *p, u32 mtu)
{
	u32 bytes = p->l3_bytes;

	if (unlikely(segment_bytes(ctx))) {
		bytes = (p->l4 - p->l3) + segment_bytes(ctx);
		if (p->proto == IPPROTO_TCP) {
			u8 doff = 0;

			if (read_bytes(ctx, l4_of(p) + 12, &doff, 1))
				return 1;
			bytes += (doff >> 4) * 4;
		} else {
			bytes += 8;
		}
	}
	return mtu && bytes > mtu;
}

/*
 * The same for a next hop that is not resolved, by the device's MTU. Given the IP packet's length, the kernel
 * does not count link headers, in which the two devices may differ; GSO segments it measures itself.
 */
static __always_inline int too_big_for(struct pkt_ctx *ctx, const struct packet *p, u32 ifindex)
{
	u32 bytes = segment_bytes(ctx) ? 0 : p->l3_bytes;

	return bpf_check_mtu(ctx, ifindex, &bytes, 0, bytes ? 0 : BPF_MTU_CHK_SEGS) != 0;
}

static __always_inline int write_macs(struct pkt_ctx *ctx, const struct vnet_hop *hop)
{
	/* Adjacent in the hop as in the frame. */
	return write_bytes(ctx, 0, hop->dmac, 12);
}

#endif
