/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where to: the host's own routing table and neighbours answer, and a session keeps the answer for one
 * tick. Nothing is guessed: without a route and a neighbour the packet takes the host stack, which
 * resolves, or refuses with the right ICMP error.
 */
#ifndef VNET_BPF_ROUTE_H
#define VNET_BPF_ROUTE_H

#include "bpf/session.h"

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

static __always_inline int is_v4(const struct vnet_addr *a)
{
	return !a->word_be[0] && !a->word_be[1] && a->word_be[2] == bpf_htonl(0xffff);
}

/* What a routing result means to us; NULL: the interface is none of ours. */
static __always_inline struct vnet_device *device_of(u32 ifindex)
{
	return bpf_map_lookup_elem(&devices, &ifindex);
}

/*
 * The address that the host itself would use towards dst through the uplink. Kernels from 6.7 on tell;
 * below, the loader's note of the uplink's address has to do. 0, or the reason.
 */
__noinline int route_source(struct pkt_ctx *ctx, struct vnet_addr *dst, u32 uplink, struct vnet_addr *to)
{
	struct bpf_fib_lookup q;
	struct vnet_addr none = {};
	struct making *m = making_of();
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
	/* IPv6 takes the wanted interface as a hint: the answer may be about another one. */
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
 * The next hop of a session's outgoing direction, from the gateway's point of view (so that `ip rule
 * iif` holds). nat: the address it is masqueraded to, NULL where that is fixed. 0: leg->hop is good;
 * 1: the way is right, but the next hop's MAC is not known; negative: the stack must do it.
 */
__noinline int route_out(struct pkt_ctx *ctx, struct vnet_flow *key, struct vnet_leg *leg,
			 struct vnet_addr *nat, u32 gateway)
{
	struct bpf_fib_lookup q;
	struct vnet_addr source;
	long rc;

	if (!key || !leg)
		return -1;
	route_query(&q, &key->src, &key->dst, is_v4(&key->dst), key->proto, gateway);
	rc = bpf_fib_lookup(ctx, &q, sizeof(q), 0);
	if (rc != BPF_FIB_LKUP_RET_SUCCESS && rc != BPF_FIB_LKUP_RET_NO_NEIGH)
		return -1;
	/* Another uplink: the stack decides, and its egress hook makes a new binding there. */
	if (q.ifindex != leg->hop.ifindex)
		return -1;
	if (nat && (route_source(ctx, &key->dst, q.ifindex, &source) || !addr_equal(&source, nat)))
		return -1;
	if (rc == BPF_FIB_LKUP_RET_NO_NEIGH)
		return 1;
	__builtin_memcpy(leg->hop.dmac, q.dmac, 6);
	__builtin_memcpy(leg->hop.smac, q.smac, 6);
	leg->hop.mtu = q.mtu_result;
	leg->hop.tick = tick_now();
	return 0;
}

/* The same towards the guest: route and neighbour through the gateway, then the port of that MAC. */
__noinline int route_in(struct pkt_ctx *ctx, struct vnet_flow *key, struct vnet_leg *leg, u32 network,
			u32 uplink)
{
	struct bpf_fib_lookup q;
	struct vnet_fdb_key where = {};
	struct vnet_fdb_entry *port;
	struct vnet_network *net;

	if (!key || !leg)
		return -1;
	net = bpf_map_lookup_elem(&networks, &network);
	if (!net)
		return -1;
	route_query(&q, &key->dst, &key->src, is_v4(&key->src), key->proto, uplink);
	if (bpf_fib_lookup(ctx, &q, sizeof(q), 0) != BPF_FIB_LKUP_RET_SUCCESS ||
	    q.ifindex != net->gateway_ifindex)
		return -1;
	where.network = network;
	__builtin_memcpy(where.mac, q.dmac, 6);
	port = bpf_map_lookup_elem(&fdb, &where);
	if (!port)
		return -1;
	__builtin_memcpy(leg->hop.dmac, q.dmac, 6);
	__builtin_memcpy(leg->hop.smac, q.smac, 6);
	leg->hop.ifindex = port->ifindex;
	leg->hop.slot = port->slot;
	leg->hop.mtu = q.mtu_result;
	leg->hop_flags = port->flags;
	leg->hop.tick = tick_now();
	return 0;
}

/*
 * Larger than the next hop takes? A GSO packet is looked at as the segments it becomes. The stack
 * fragments, or answers with the ICMP error.
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

static __always_inline int write_macs(struct pkt_ctx *ctx, const struct vnet_hop *hop)
{
	/* Side by side in the hop as in the frame. */
	return write_bytes(ctx, 0, hop->dmac, 12);
}

#endif
