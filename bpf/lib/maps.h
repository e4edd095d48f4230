/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The maps that all programs share (maps/map_list.h); the loader pins them by name and hands them to every
 * object.
 */
#ifndef VNET_BPF_MAPS_H
#define VNET_BPF_MAPS_H

#include "bpf/lib/clock.h"
#include "maps/abi.h"
#include "maps/map_list.h"
#include "maps/reasons.h"

/* The contract's clock with the timer as the verifier must see it. */
struct clock {
	struct bpf_timer timer;
	struct vnet_due hand;
	u32 version;
};
VNET_SIZE(struct clock, sizeof(struct vnet_clock));
_Static_assert(__builtin_offsetof(struct clock, hand) == __builtin_offsetof(struct vnet_clock, hand),
	       "clock");

#define VNET_MAP(name, kind, entries, key_type, value_type, map_flag)                                        \
	struct {                                                                                             \
		__uint(type, kind);                                                                          \
		__uint(max_entries, entries);                                                                \
		__uint(map_flags, map_flag);                                                                 \
		__type(key, key_type);                                                                       \
		__type(value, value_type);                                                                   \
	} name SEC(".maps")

#define VNET_SHARED_MAP(handle, name, kind, entries, key, value, flags, copied)                              \
	VNET_MAP(name, BPF_MAP_TYPE_##kind, entries, key, value, flags);
#define VNET_BY_HAND(name, value, copied)
#define VNET_WHEEL_CLOCK struct clock
VNET_MAPS(VNET_SHARED_MAP, VNET_BY_HAND)

/* The rings that the readers of drops bring. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, VNET_MONITORS_MAX);
	__type(key, u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_RINGBUF);
			__uint(max_entries, VNET_MONITOR_RING);
		});
} reader_rings SEC(".maps");
/* Flows that the guest of a port has begun, where only their answers are let in. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, VNET_PORTS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_LRU_HASH);
			__uint(max_entries, VNET_STARTED_MAX);
			__type(key, struct vnet_flow);
			__type(value, u32);
		});
} outgoing_flows SEC(".maps");

/*
 * Not shared state: room for what a new session is made of. The BPF stack is too small for it, and kernels
 * below 6.2 take a function argument's memory as a map key from nowhere but a map or the stack.
 */
struct session_scratch {
	u32 round;	     /* of port choices on this CPU; see first_try() */
	struct vnet_hop hop; /* outwards, where the admission has seen it: struct admission says so */
	u32 pad;
	struct vnet_flow key;
	struct vnet_flow answer;
	struct vnet_session session;
	struct bpf_redir_neigh next; /* of a session's packet: its next hop, whose MAC is not known */
};
/* The same for one that is deleted: its key and its answers' flow. */
VNET_MAP(delete_scratch_map, BPF_MAP_TYPE_PERCPU_ARRAY, 1, u32, struct vnet_flow[2], 0);
VNET_MAP(wheel_scratch_map, BPF_MAP_TYPE_PERCPU_ARRAY, 1, u32, struct vnet_wheel_batch, 0);
VNET_MAP(session_scratch_map, BPF_MAP_TYPE_PERCPU_ARRAY, 1, u32, struct session_scratch, 0);

static __always_inline struct session_scratch *session_scratch(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&session_scratch_map, &zero);
}

#endif
