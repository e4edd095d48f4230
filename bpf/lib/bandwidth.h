/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * <bandwidth> as token buckets. There is no queue for what a guest sends, and bpf_redirect_peer() bypasses
 * the queue of the interface, so a packet that exceeds the limit is dropped, and TCP slows down. The depth is
 * `burst`: at short round trip times TCP loses whole windows, and what accumulates during its retransmission
 * timeout (200 ms) must fit.
 *
 * A port's own limit is checked where its guest sends (port_ingress) and where it receives (deliver(),
 * port_egress), for every peer. A network's limit is for the traffic of its guests with all others. They
 * share it: each active port has a bucket of its own, which fills at an equal part of the rate. A packet that
 * fits there is taken from the network's bucket unconditionally; another one only if the network's bucket has
 * room, because other ports use less than their part.
 */
#ifndef VNET_BPF_BANDWIDTH_H
#define VNET_BPF_BANDWIDTH_H

#include "bpf/lib/account.h"
#include "bpf/lib/packet.h"
#include "bpf/lib/redirect.h"

#define MIB_SHIFT 20

/* The headers that each segment of a GSO packet will have. */
static __always_inline u32 segment_headers(struct __sk_buff *skb)
{
	u8 version, proto, doff;
	u32 l4;

	if (read_bytes(skb, ETH_HLEN, &version, 1))
		return ETH_HLEN;
	l4 = version >> 4 == 4 ? ETH_HLEN + (version & 0xf) * 4 : ETH_HLEN + sizeof(struct ipv6hdr);
	if (read_bytes(skb, version >> 4 == 4 ? ETH_HLEN + 9 : ETH_HLEN + 6, &proto, 1))
		return l4;
	if (proto != IPPROTO_TCP)
		return l4 + sizeof(struct udphdr);
	return read_bytes(skb, l4 + 12, &doff, 1) ? l4 : l4 + (doff >> 4) * 4;
}

/* Bytes of its frames on the wire. */
__noinline u32 wire_bytes(struct __sk_buff *skb)
{
	u32 bytes = skb->len, size = skb->gso_size, headers;

	if (!size)
		return bytes;
	headers = segment_headers(skb);
	return bytes <= headers ? bytes : bytes + (bytes - headers - 1) / size * headers;
}

static __always_inline u64 cost_of(const struct vnet_bucket *b, u32 bytes)
{
	return bytes * b->ns_per_mib >> MIB_SHIFT;
}

/* A full bucket takes any packet, even a larger one. */
static __always_inline int has_room(u64 full_at, u64 cost, u64 depth, u64 now)
{
	return full_at <= now || full_at + cost <= now + depth;
}

static __always_inline void take(u64 *full_at, u64 cost, u64 now)
{
	*full_at = (*full_at > now ? *full_at : now) + cost;
}

static __always_inline int take_both(struct limit *l, u32 bytes, u64 now)
{
	u64 average = cost_of(&l->average, bytes), peak = cost_of(&l->peak, bytes);

	if (!has_room(l->average.full_at, average, l->average.depth_ns, now) ||
	    !has_room(l->peak.full_at, peak, l->peak.depth_ns, now))
		return 0;
	take(&l->average.full_at, average, now);
	take(&l->peak.full_at, peak, now);
	return 1;
}

/* Ports that share the limit, this one included. */
static __always_inline u32 count_active(struct limit *whole, struct limit *port, u32 tick)
{
	if (whole->tick != tick) {
		whole->was_active = whole->tick + 1 == tick ? whole->active : 0;
		whole->active = 0;
		whole->tick = tick;
	}
	if (port->tick != tick) {
		port->tick = tick;
		whole->active++;
	}
	return whole->active > whole->was_active ? whole->active : whole->was_active;
}

static __always_inline int take_share(struct limit *whole, struct limit *port, u32 bytes, u64 now)
{
	u64 average = cost_of(&whole->average, bytes), peak = cost_of(&whole->peak, bytes);
	u64 part = average * count_active(whole, port, now >> VNET_TICK_SHIFT);
	u64 depth = whole->average.depth_ns;

	if (has_room(port->share_full_at, part, depth, now))
		take(&port->share_full_at, part, now);
	else if (!has_room(whole->average.full_at, average, depth, now) ||
		 !has_room(whole->peak.full_at, peak, whole->peak.depth_ns, now))
		return 0;
	take(&whole->average.full_at, average, now);
	take(&whole->peak.full_at, peak, now);
	return 1;
}

static __always_inline struct limit *limit_of(u32 slot, u32 direction)
{
	struct vnet_limit_key key = {.slot = slot, .direction = direction};

	return bpf_map_lookup_elem(&limits, &key);
}

/* A port's own limit. A rehearsal is about packets below it. */
__noinline int is_over_limit(u32 slot, u32 direction, u32 bytes)
{
	struct limit *l = limit_of(slot, direction);
	u64 now = bpf_ktime_get_ns();
	int fits;

	if (rehearsal || !l)
		return 0;
	bpf_spin_lock(&l->lock);
	fits = take_both(l, bytes, now);
	bpf_spin_unlock(&l->lock);
	return !fits;
}

/* Its network's limit. peer: slot of the port at the other end; traffic within the network is not limited. */
__noinline int is_over_share(u32 slot, u32 direction, u32 bytes, u32 peer)
{
	struct limit *port = limit_of(slot, direction), *other, *whole;
	u64 now = bpf_ktime_get_ns();
	int fits;

	if (rehearsal || !port || !port->network)
		return 0;
	other = peer ? limit_of(peer, direction) : NULL;
	if (other && other->network == port->network)
		return 0;
	whole = limit_of(port->network, direction);
	if (!whole)
		return 0;
	bpf_spin_lock(&whole->lock);
	fits = take_share(whole, port, bytes, now);
	bpf_spin_unlock(&whole->lock);
	return !fits;
}

/* Of a port with VNET_PORT_F_LIMIT_IN. */
__noinline int is_over_limit_in(struct __sk_buff *skb, u32 slot)
{
	u32 bytes = wire_bytes(skb);

	return is_over_limit(slot, VNET_IN, bytes) || is_over_share(slot, VNET_IN, bytes, input_slot(skb));
}

/* For deliver(): the drop is counted for the receiving port. */
__noinline int drop_over_limit(struct __sk_buff *skb, u32 ifindex)
{
	struct vnet_port *port = bpf_map_lookup_elem(&ports, &ifindex);
	struct account a = {.hook = VNET_HOOK_PORT_EGRESS, .bytes = skb->len};

	if (!port || !is_over_limit_in(skb, port->slot))
		return 0;
	a.slot = port->slot;
	a.port = port->slot;
	a.network = port->network;
	account_drop(skb, &a, VNET_DROP_BANDWIDTH);
	return 1;
}

#endif
