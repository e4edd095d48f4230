/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drops as they happen, for whoever runs `vnet-bpf monitor`. While nobody does, a drop costs one load
 * more. A reader must renew its claim every few seconds, so that one that was killed does not leave this
 * on; it brings its own ring, so that several can watch, each with filters and a rate of its own.
 *
 * Under a flood the common case is "not shown": it reads shared lines only, writes a per-CPU counter, and
 * asks no clock, because it is the reader that grants so many events as time goes by.
 */
#ifndef VNET_BPF_MONITOR_H
#define VNET_BPF_MONITOR_H

#include "bpf/lib/context.h"
#include "bpf/lib/maps.h"
#include "maps/hooks.h"

/* Defined where a network's programs are (bpf/lib/network.h); 0 in the others. */
const volatile __u16 network_slot;

_Static_assert(VNET_DROP_MAX <= 64, "a monitor's filter of reasons is a mask of 64 bits");

static __always_inline struct vnet_monitors *monitors_of(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&monitors, &zero);
}

/* <portForward>: the network that a packet to the host's own address is for; 0: none. */
static __noinline u32 network_forwarded_to(struct pkt_ctx *ctx)
{
	struct vnet_forward_key key = {};
	struct vnet_forward *to;
	u32 at = 40;
	u8 length;

	if (protocol_of(ctx) == bpf_htons(ETH_P_IP)) {
		if (load_header(ctx, 0, &length, 1) || load_header(ctx, 9, &key.proto, 1))
			return 0;
		at = (length & 0xf) * 4;
		key.family = 4;
	} else {
		if (load_header(ctx, 6, &key.proto, 1))
			return 0;
		key.family = 6;
	}
	if (load_header(ctx, at + 2, &key.port_be, 2))
		return 0;
	to = bpf_map_lookup_elem(&forwards, &key);
	return to ? to->network : 0;
}

/* The network whose guest a packet at an uplink comes from or goes to; 0: none. */
static __noinline u32 network_at_uplink(struct pkt_ctx *ctx, u32 ingress)
{
	struct vnet_subnet_key where = {.prefixlen = 128};
	struct vnet_subnet *subnet;

	for (int i = 0; i < 2; i++) {
		u32 destination = i ? !ingress : ingress;
		u32 at;

		if (protocol_of(ctx) == bpf_htons(ETH_P_IP)) {
			where.addr.word_be[2] = bpf_htonl(0xffff);
			at = destination ? 16 : 12;
			if (load_header(ctx, at, &where.addr.word_be[3], 4))
				return 0;
		} else if (protocol_of(ctx) == bpf_htons(ETH_P_IPV6)) {
			at = destination ? 24 : 8;
			if (load_header(ctx, at, &where.addr, 16))
				return 0;
		} else {
			return 0;
		}
		subnet = bpf_map_lookup_elem(&subnets, &where);
		if (subnet)
			return subnet->network;
	}
	return ingress ? network_forwarded_to(ctx) : 0;
}

/* slot: what the drop was counted for. */
static __always_inline u32 network_of(struct pkt_ctx *ctx, u32 hook, u32 slot)
{
	u32 ifindex = interface_of(ctx);
	struct vnet_port *port;

	switch (hook) {
	case VNET_HOOK_PORT_INGRESS:
	case VNET_HOOK_PORT_EGRESS:
		port = bpf_map_lookup_elem(&ports, &ifindex);
		return port ? port->network : slot;
	case VNET_HOOK_GATEWAY_INGRESS:
	case VNET_HOOK_GATEWAY_EGRESS:
		return slot;
	case VNET_HOOK_MEMBER_INGRESS:
	case VNET_HOOK_MEMBER_EGRESS:
		return network_slot;
	case VNET_HOOK_UPLINK_XDP:
	case VNET_HOOK_UPLINK_INGRESS:
	case VNET_HOOK_UPLINK_EGRESS:
		return network_at_uplink(ctx, hook != VNET_HOOK_UPLINK_EGRESS);
	case VNET_HOOK_PARENT_INGRESS:
	case VNET_HOOK_PARENT_EGRESS:
		ifindex = guest_noted(ctx);
		port = bpf_map_lookup_elem(&ports, &ifindex);
		return port ? port->network : 0;
	default:
		return 0;
	}
}

/* Behind the port's own hooks a guest's packet carries its port's slot. */
static __always_inline u32 port_of(struct pkt_ctx *ctx, u32 hook, u32 slot)
{
	u32 ifindex = interface_of(ctx);

	switch (hook) {
	case VNET_HOOK_PORT_INGRESS:
	case VNET_HOOK_PORT_EGRESS:
		return bpf_map_lookup_elem(&ports, &ifindex) ? slot : 0;
	case VNET_HOOK_PARENT_INGRESS:
	case VNET_HOOK_PARENT_EGRESS:
		ifindex = guest_noted(ctx);
		return bpf_map_lookup_elem(&ports, &ifindex) ? slot : 0;
	case VNET_HOOK_UPLINK_XDP:
	case VNET_HOOK_UPLINK_INGRESS:
	case VNET_HOOK_MEMBER_INGRESS:
		return 0;
	default:
		return slot_before(ctx) < VNET_SLOTS ? slot_before(ctx) : 0;
	}
}

#ifdef VNET_LOST
#define EVENT_BYTES sizeof(struct vnet_loss)

static __always_inline void tell_cause(struct pkt_ctx *ctx, struct vnet_event *e)
{
	if (ctx)
		((struct vnet_loss *)e)->cause = ctx->cause;
}
#else
#define EVENT_BYTES sizeof(struct vnet_event)

static __always_inline void tell_cause(struct pkt_ctx *ctx __attribute__((unused)),
				       struct vnet_event *e __attribute__((unused)))
{
}
#endif

static __noinline int monitor_show(struct pkt_ctx *ctx, u32 at, struct vnet_event_head *head)
{
	void *ring = bpf_map_lookup_elem(&monitor_rings, &at);
	struct vnet_event *e;
	u32 there = frame_bytes(ctx);

	if (!ring || !head)
		return -1;
	e = bpf_ringbuf_reserve(ring, EVENT_BYTES, 0);
	if (!e)
		return -1;
	e->head = *head;
	tell_cause(ctx, e);
	e->head.time = bpf_ktime_get_ns();
	if (there > sizeof(e->bytes))
		there = sizeof(e->bytes);
	/* 1 to 256 in arithmetic that every verifier follows; 0 becomes 256, which is not there. */
	asm volatile("" : "+r"(there));
	there = ((there - 1) & (sizeof(e->bytes) - 1)) + 1;
	if (load_bytes(ctx, 0, e->bytes, there))
		there = 0;
	e->head.captured = there;
	bpf_ringbuf_submit(e, 0);
	return 0;
}

/* Whose packet it is: looked up for a filter, or for an event that is shown, and for nothing else. */
static __noinline int monitor_identify(struct pkt_ctx *ctx, struct vnet_event_head *head)
{
	if (!head)
		return 0;
	head->network = network_of(ctx, head->hook, head->slot);
	head->port = port_of(ctx, head->hook, head->slot);
	return 0;
}

static __noinline int monitor_describe(struct pkt_ctx *ctx, struct vnet_event_head *head, u32 bytes)
{
	if (!head)
		return 0;
	head->ifindex = interface_of(ctx);
	head->length = bytes;
	head->protocol_be = protocol_of(ctx);
#if !defined(VNET_XDP) && !defined(VNET_LOST)
	if (has_tag(ctx)) {
		head->vlan_proto_be = ctx->vlan_proto;
		head->vlan_tci = ctx->vlan_tci;
	}
#endif
	return 0;
}

/* The last reader has gone without a word? */
static __noinline int monitor_expire(struct vnet_monitors *all)
{
	u64 until;

	if (!all)
		return 0;
	until = all->until;
	if (coarse_now() >= until)
		__sync_val_compare_and_swap(&all->until, until, 0);
	return 0;
}

/* So often the clock is looked at while nothing may be shown. */
#define MONITOR_LOST_MASK 0xff

struct monitored {
	struct vnet_event_head head;
	u32 bytes;
	u32 identified;
};

/*
 * What one reader gets of a drop; 1: it may have gone. Global, so that it is verified once, and not again for
 * every way through the readers before it.
 */
__noinline int monitor_reader(struct pkt_ctx *ctx, u32 at, struct monitored *drop)
{
	struct vnet_monitors *all = monitors_of();
	struct vnet_monitor *m;
	u64 *lost;

	if (!all || !drop || at >= VNET_MONITORS_MAX)
		return 0;
	m = &all->each[at];
	if (!m->until || (m->reasons && !(m->reasons >> (drop->head.reason & 63) & 1)))
		return 0;
	if (m->network || m->port) {
		if (!drop->identified)
			monitor_identify(ctx, &drop->head);
		drop->identified = 1;
		if ((m->network && m->network != drop->head.network) ||
		    (m->port && m->port != drop->head.port))
			return 0;
	}
	lost = bpf_map_lookup_elem(&monitor_lost, &at);
	if (!lost)
		return 0;
	if (m->tokens <= 0)
		return !(++*lost & MONITOR_LOST_MASK);
	if (coarse_now() >= m->until)
		return 1;
	/* Races lend a few more: harmless. */
	__sync_fetch_and_add(&m->tokens, -1);
	if (!drop->identified)
		monitor_identify(ctx, &drop->head);
	drop->identified = 1;
	monitor_describe(ctx, &drop->head, drop->bytes);
	if (monitor_show(ctx, at, &drop->head))
		++*lost;
	return 0;
}

__noinline int monitor_drop(struct pkt_ctx *ctx, u32 hook, u32 slot, u32 reason, u32 bytes)
{
	struct monitored drop = {.head = {.hook = hook, .slot = slot, .reason = reason}, .bytes = bytes};
	int expire = 0;

	for (u32 at = 0; at < VNET_MONITORS_MAX; at++)
		expire |= monitor_reader(ctx, at, &drop);
	if (expire)
		monitor_expire(monitors_of());
	return 0;
}

/* The packet as it stands, which is as it came unless a rewrite has failed half-way. */
static __always_inline void monitor(struct pkt_ctx *ctx, u32 hook, u32 slot, u32 reason, u32 bytes)
{
	struct vnet_monitors *all = monitors_of();

	if (all && all->until)
		monitor_drop(ctx, hook, slot, reason, bytes);
}

#endif
