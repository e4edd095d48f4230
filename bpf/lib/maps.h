/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The maps that all programs share (maps/map_list.h); the loader pins them by name and passes them to every
 * object.
 */
#ifndef VNET_BPF_MAPS_H
#define VNET_BPF_MAPS_H

#include "bpf/lib/clock.h"
#include "maps/abi.h"
#include "maps/map_list.h"
#include "maps/reasons.h"

/* struct vnet_clock, with the timer's type that the verifier requires. */
struct clock {
	struct bpf_timer timer;
	struct vnet_due hand;
	u32 version;
};
VNET_SIZE(struct clock, sizeof(struct vnet_clock));
_Static_assert(__builtin_offsetof(struct clock, hand) == __builtin_offsetof(struct vnet_clock, hand),
	       "clock");

/* The same with the lock. */
struct limit {
	struct bpf_spin_lock lock;
	u16 network;
	u16 pad;
	struct vnet_bucket average;
	struct vnet_bucket peak;
	u64 share_full_at;
	u32 tick;
	u16 active;
	u16 was_active;
};
VNET_SIZE(struct limit, sizeof(struct vnet_limit));
_Static_assert(__builtin_offsetof(struct limit, average) == __builtin_offsetof(struct vnet_limit, average),
	       "limit");

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
#define VNET_LIMIT	 struct limit
VNET_MAPS(VNET_SHARED_MAP, VNET_BY_HAND)

/* The ring buffers of the readers of drops, which create them. */
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
/* Flows that the guest of a port has opened, where only their replies are let in. */
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
 * Not shared state: scratch memory for a new session. The BPF stack is too small for it, and below 6.2 a map
 * key must come from a map or the stack, not from a global function's argument.
 */
struct session_scratch {
	u32 round;	     /* of port allocations on this CPU; see probe_start() */
	struct vnet_hop hop; /* outbound, with admission.hop_known */
	u32 pad;
	/* A guest's port: see bpf/lib/mapping.h and mapped_in.h. */
	struct vnet_flow wanted;
	u16 wanted_network;
	u16 wanted_port;
	u32 wanted_flags;
	struct vnet_flow probe;
	struct vnet_flow unturned; /* of a hairpin's packet */
	struct vnet_port_forward_key forward;
	struct vnet_flow key;
	struct vnet_flow answer;
	struct vnet_session session;
	struct bpf_redir_neigh next; /* a next hop whose MAC is not known; see note_next_hop() */
};
/* The same for a deletion: the session's key and the flow of its replies. */
VNET_MAP(delete_scratch_map, BPF_MAP_TYPE_PERCPU_ARRAY, 1, u32, struct vnet_flow[2], 0);
VNET_MAP(wheel_scratch_map, BPF_MAP_TYPE_PERCPU_ARRAY, 1, u32, struct vnet_wheel_batch, 0);
VNET_MAP(session_scratch_map, BPF_MAP_TYPE_PERCPU_ARRAY, 1, u32, struct session_scratch, 0);

static __always_inline struct session_scratch *session_scratch(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&session_scratch_map, &zero);
}

#endif
