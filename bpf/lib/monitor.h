/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events of drops, for `vnet-bpf monitor`. Without a reader a drop costs one load more. A reader must
 * renew its claim every few seconds, so that a killed one does not leave this on; it brings its own ring,
 * so that several can watch, each with filters and a rate of its own.
 *
 * Under a flood the common case is "not shown": it only reads shared cache lines, writes a per-CPU
 * counter, and reads no clock, because the reader itself refills its tokens.
 */
#ifndef VNET_BPF_MONITOR_H
#define VNET_BPF_MONITOR_H

#include "bpf/lib/whose.h"
#ifdef VNET_XDP
#include "bpf/lib/ends.h"
#endif
#include "maps/hooks.h"

/* Set in an uplink's programs (outside.h); 0 in the others. */
const volatile __u16 uplink_slot;

_Static_assert(VNET_DROP_MAX <= 64, "a monitor's filter of reasons is a mask of 64 bits");

static __always_inline struct vnet_readers *all_readers(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&readers, &zero);
}

/* Is there a reader? */
static __always_inline int has_reader(void)
{
	struct vnet_readers *all = all_readers();

	return all && all->until;
}

#ifdef VNET_LOST
#define EVENT_BYTES sizeof(struct vnet_loss)

static __always_inline void set_cause(struct pkt_ctx *ctx, struct vnet_event *e)
{
	if (ctx)
		((struct vnet_loss *)e)->cause = ctx->cause;
}
#else
#define EVENT_BYTES sizeof(struct vnet_event)

static __always_inline void set_cause(struct pkt_ctx *ctx __attribute__((unused)),
				      struct vnet_event *e __attribute__((unused)))
{
}
#endif

static __noinline int monitor_show(struct pkt_ctx *ctx, u32 at, struct vnet_event_head *head)
{
	void *ring = bpf_map_lookup_elem(&reader_rings, &at);
	struct vnet_event *e;
	u32 there = frame_bytes(ctx);

	if (!ring || !head)
		return -1;
	e = bpf_ringbuf_reserve(ring, EVENT_BYTES, 0);
	if (!e)
		return -1;
	e->head = *head;
	set_cause(ctx, e);
	e->head.time = bpf_ktime_get_ns();
	if (there > sizeof(e->bytes))
		there = sizeof(e->bytes);
	/* Bounds it to 1 to 256 in a way that every verifier follows; 0 becomes 256, and the load fails. */
	asm volatile("" : "+r"(there));
	there = ((there - 1) & (sizeof(e->bytes) - 1)) + 1;
	if (load_bytes(ctx, 0, e->bytes, there))
		there = 0;
	e->head.captured = there;
	bpf_ringbuf_submit(e, 0);
	return 0;
}

/*
 * Finds the packet's network and port, if its exit does not know them: only for a filter, or for an event
 * that is shown. A port's exit knows them, but for the policer's; an uplink's would need a lookup, for which
 * tc has parsed the packet.
 */
static __noinline int monitor_identify(struct pkt_ctx *ctx, struct vnet_event_head *head)
{
	u32 ifindex = interface_of(ctx);
	struct vnet_port *port;

	if (!head || head->network)
		return 0;
	if (uplink_slot) {
		struct packet *p = scratch_packet();

#ifdef VNET_XDP
		if (p) /* most are dropped before they are parsed */
			read_ends_and_port(ctx, p);
#endif
		head->network = p ? network_at_uplink(p, head->hook != VNET_HOOK_UPLINK_EGRESS) : 0;
		return 0;
	}
	port = bpf_map_lookup_elem(&ports, &ifindex);
	if (port) {
		head->network = port->network;
		head->port = port->slot;
	}
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

/* Has the last reader died without releasing its place? */
static __noinline int monitor_expire(struct vnet_readers *all)
{
	u64 until;

	if (!all)
		return 0;
	until = all->until;
	if (coarse_now() >= until)
		__sync_val_compare_and_swap(&all->until, until, 0);
	return 0;
}

/* Without tokens the clock is read once in 256 events. */
#define MONITOR_LOST_MASK 0xff

struct monitored {
	struct vnet_event_head head;
	u32 bytes;
	u32 identified;
};

/*
 * Shows a drop to one reader; 1: it may have gone. A global function, so that it is verified once, and not
 * for every path through the readers before it.
 */
__noinline int monitor_reader(struct pkt_ctx *ctx, u32 at, struct monitored *drop)
{
	struct vnet_readers *all = all_readers();
	struct vnet_reader *m;
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
	lost = bpf_map_lookup_elem(&reader_overruns, &at);
	if (!lost)
		return 0;
	if (m->tokens <= 0)
		return !(++*lost & MONITOR_LOST_MASK);
	if (coarse_now() >= m->until)
		return 1;
	/* Races let a few more pass: harmless. */
	__sync_fetch_and_add(&m->tokens, -1);
	if (!drop->identified)
		monitor_identify(ctx, &drop->head);
	drop->identified = 1;
	monitor_describe(ctx, &drop->head, drop->bytes);
	if (monitor_show(ctx, at, &drop->head))
		++*lost;
	return 0;
}

/*
 * The slots of a drop in one word: a BPF function takes five arguments, and a structure would take stack in
 * every program.
 */
static __always_inline u64 drop_slots(u32 slot, u32 network, u32 port)
{
	return slot | network << 16 | (u64)port << 32;
}

/*
 * slots: as drop_slots(); network 0: not known. The packet is shown as it is now, which is as it came unless
 * a rewrite has failed half-way.
 */
__noinline int monitor_drop(struct pkt_ctx *ctx, u32 hook, u64 slots, u32 reason, u32 bytes)
{
	struct monitored drop = {.head = {.hook = hook, .reason = reason}, .bytes = bytes};
	int expire = 0;

	drop.head.slot = slots;
	drop.head.network = slots >> 16;
	drop.head.port = slots >> 32;
	drop.identified = drop.head.network != 0;
	for (u32 at = 0; at < VNET_MONITORS_MAX; at++)
		expire |= monitor_reader(ctx, at, &drop);
	if (expire)
		monitor_expire(all_readers());
	return 0;
}

#endif
