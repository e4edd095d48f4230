/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Session expiry: a timer wheel. Every session has one entry, for the tick at which it is next checked. One
 * timer for the whole host walks the ticks that have passed, and deletes a session or re-enters it for its
 * next possible expiry. A timer per session costs more: an allocation that the kernel may refuse in a burst,
 * and many that expire together run in one go, while the CPU's interrupts wait; this one takes a batch, and
 * lets packets pass before the next.
 */
#ifndef VNET_BPF_EXPIRY_H
#define VNET_BPF_EXPIRY_H

#include "bpf/lib/session.h"

/* The programs' build: after an upgrade the timer is set up with the new callback. Never 0. */
const volatile __u32 clock_version = 1;

/* Sessions checked per run of the timer, for which packets wait. */
#define EXPIRY_BATCH 512

/*
 * The longest wait: a connection may close at any time, and its timeout is then much shorter; and a mapping
 * learns of the packets of its sessions only when they are checked.
 */
#define LOOK_TICKS 30

static __always_inline struct vnet_wheel_batch_key batch_key_of(const struct vnet_due *due)
{
	return (struct vnet_wheel_batch_key){
		.tick = due->tick, .cpu = due->cpu, .number = due->place / VNET_WHEEL_BATCH};
}

/*
 * Adds an entry for the flow, `wait` ticks from now (1 to VNET_WHEEL_TICKS - 1). Negative: no memory, or this
 * CPU was delayed until the tick had passed. Entries are never removed: one that its session does not refer
 * to is ignored.
 */
static __always_inline int wheel_put(struct vnet_flow *flow, struct vnet_due *due, u32 wait)
{
	u32 tick = tick_now() + wait;
	u32 slot = tick % VNET_WHEEL_TICKS;
	u64 *count = bpf_map_lookup_elem(&timer_wheel_fill, &slot);
	struct vnet_wheel_batch_key key;
	struct vnet_wheel_batch *batch = NULL;
	u32 zero = 0;
	u32 place;

	if (!count)
		return -1;
	place = (*count)++;
	due->tick = tick;
	due->cpu = bpf_get_smp_processor_id();
	due->place = place;
	key = batch_key_of(due);
	place %= VNET_WHEEL_BATCH;
	/* Most entries need no insertion, which costs more than all the rest. */
	if (place)
		batch = bpf_map_lookup_elem(&timer_wheel, &key);
	if (batch) {
		batch->flow[place] = *flow;
	} else {
		batch = bpf_map_lookup_elem(&wheel_scratch_map, &zero);
		if (!batch)
			return -1;
		batch->flow[place] = *flow;
		if (bpf_map_update_elem(&timer_wheel, &key, batch, BPF_ANY))
			return -1;
	}
	return (int)(tick_now() - tick) >= 0 ? -1 : 0;
}

/* The wheel is no longer than that: longer timeouts are checked in between. */
static __always_inline u32 within_wheel(u32 ticks)
{
	return ticks < VNET_WHEEL_TICKS - 1 ? ticks : VNET_WHEEL_TICKS - 1;
}

/* Ticks. */
static __always_inline u32 first_check_ticks(const struct vnet_network *net, u8 proto)
{
	/* Most connections are over by then. */
	return within_wheel(ticks_of(proto == IPPROTO_TCP ? timeout_tcp_closed
							  : session_timeout(net, proto, VNET_SESSION_NEW)));
}

/* Is the quota that the session counts against half used? */
static __always_inline int is_quota_half_used(const struct vnet_network *net, const struct vnet_session *s)
{
	u32 slot = s->network;
	struct vnet_quota_usage *u = bpf_map_lookup_elem(&quota_usage, &slot);

	return u && *sessions_of(u, s->flags) > net->max_sessions / 2;
}

/* Seconds. As session_timeout(). */
static __always_inline u32 timeout_of(const struct vnet_session *s, const struct vnet_flow *flow)
{
	u32 slot = s->network;
	struct vnet_network *net = bpf_map_lookup_elem(&networks, &slot);
	u8 state = flow->kind == VNET_FLOW_PACKETS ? s->state
		   : flow->proto == IPPROTO_UDP	   ? VNET_SESSION_ESTABLISHED
						   : VNET_SESSION_NEW;
	u32 timeout = session_timeout(net, flow->proto, state);

	if (flow->proto == IPPROTO_TCP && s->state == VNET_SESSION_ESTABLISHED &&
	    timeout > timeout_tcp_established_pressed && net && is_quota_half_used(net, s))
		return timeout_tcp_established_pressed;
	/* It learns of its sessions' packets when these are checked. */
	return flow->kind == VNET_FLOW_PACKETS ? timeout : timeout + 2 * LOOK_TICKS;
}

static __always_inline void renew(const struct vnet_flow *flow, const struct vnet_session *s, u8 kind)
{
	u32 zero = 0;
	struct vnet_flow *key = bpf_map_lookup_elem(&delete_scratch_map, &zero);
	struct vnet_session *of;
	u32 seen = s->leg[VNET_OUT].seen;

	if (!key)
		return;
	*key = *flow;
	key->dport_be = 0;
	key->kind = kind;
	if (kind == VNET_FLOW_MAPPING)
		key->dst = s->nat;
	of = bpf_map_lookup_elem(&sessions, key);
	if (of && (int)(seen - of->leg[VNET_OUT].seen) > 0)
		of->leg[VNET_OUT].seen = seen;
}

/* Only outbound packets refresh a mapping (RFC 4787 REQ-6): otherwise the outside could keep it open. */
__noinline int renew_mapping(struct vnet_flow *flow)
{
	u32 zero = 0;
	struct vnet_flow *key = bpf_map_lookup_elem(&delete_scratch_map, &zero);
	struct vnet_session *s;

	if (!key || !flow)
		return 0;
	*key = *flow; /* before 6.4 an argument's memory is no key */
	s = bpf_map_lookup_elem(&sessions, key);
	if (!s || !s->leg[VNET_OUT].packets)
		return 0;
	if (s->mapped & VNET_MAPPED_PORT)
		renew(flow, s, VNET_FLOW_MAPPING);
	if (s->mapped & VNET_MAPPED_PEER)
		renew(flow, s, VNET_FLOW_PEER);
	return 0;
}

/* 0: done with the entry. */
static __always_inline int expire_or_wait(struct vnet_flow *flow, struct vnet_due *at)
{
	struct vnet_session *s = bpf_map_lookup_elem(&sessions, flow);
	struct vnet_due next = {};
	u32 timeout, idle, wait;

	if (!s || s->due.tick != at->tick || s->due.cpu != at->cpu || s->due.place != at->place)
		return 0;
	timeout = ticks_of(timeout_of(s, flow));
	idle = session_idle(s);
	if (s->mapped)
		renew_mapping(flow);
	if (idle > timeout) {
		session_delete(flow);
		return 0;
	}
	wait = within_wheel(timeout - idle ?: 1);
	if ((flow->proto == IPPROTO_TCP || s->mapped) && wait > LOOK_TICKS)
		wait = LOOK_TICKS;
	if (wheel_put(flow, &next, wait))
		return -1;
	s->due = next;
	return 0;
}

static __always_inline void delete_batch(const struct vnet_due *at)
{
	struct vnet_wheel_batch_key key = batch_key_of(at);

	bpf_map_delete_elem(&timer_wheel, &key);
}

/* The hand stays in its map: on the stack, the verifier would explore every value of it. */
struct turn {
	struct clock *clock;
	u32 now;
	u32 done;
};

static long wheel_step(u32 i __attribute__((unused)), struct turn *t)
{
	struct vnet_due *at = &t->clock->hand;
	u32 slot = at->tick % VNET_WHEEL_TICKS;
	struct vnet_wheel_batch_key key;
	struct vnet_wheel_batch *batch;
	u64 *count;

	/* Entries may still be added to this tick. */
	if ((int)(t->now - at->tick) <= 0) {
		t->done = 1;
		return 1;
	}
	count = bpf_map_lookup_percpu_elem(&timer_wheel_fill, &slot, at->cpu);
	if (!count) { /* that was the last CPU */
		at->tick++;
		at->cpu = 0;
		return 0;
	}
	if (at->place >= *count) {
		if (at->place % VNET_WHEEL_BATCH) /* a partial batch */
			delete_batch(at);
		*count = 0;
		at->cpu++;
		at->place = 0;
		return 0;
	}
	key = batch_key_of(at);
	batch = bpf_map_lookup_elem(&timer_wheel, &key);
	if (batch && expire_or_wait(&batch->flow[at->place % VNET_WHEEL_BATCH], at))
		return 1; /* retried by the next run */
	if (at->place % VNET_WHEEL_BATCH == VNET_WHEEL_BATCH - 1)
		delete_batch(at);
	at->place++;
	return 0;
}

static int wheel_turn(void *map __attribute__((unused)), u32 *key __attribute__((unused)), struct clock *c)
{
	struct turn t = {.clock = c, .now = tick_now()};

	bpf_loop(EXPIRY_BATCH, wheel_step, &t, 0);
	bpf_timer_start(&c->timer, t.done ? NSEC_PER_SEC : NSEC_PER_MSEC, 0);
	return 0;
}

/*
 * For each new session: the first one on the host, or since an upgrade, starts the timer. The timer holds a
 * reference to its callback's program, should the network be stopped.
 */
static __always_inline void expiry_start(void)
{
	u32 zero = 0;
	struct clock *c = bpf_map_lookup_elem(&timer_wheel_clock, &zero);

	if (!c || likely(c->version == clock_version))
		return;
	if (!c->hand.tick)
		c->hand.tick = tick_now();
	bpf_timer_init(&c->timer, &timer_wheel_clock, CLOCK_MONOTONIC); /* -EBUSY: already done */
	/* Without memory for it now, the next session tries again. */
	if (bpf_timer_set_callback(&c->timer, wheel_turn) || bpf_timer_start(&c->timer, NSEC_PER_SEC, 0))
		return;
	c->version = clock_version;
}

#endif
