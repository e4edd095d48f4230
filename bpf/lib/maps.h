/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The maps that all programs share; the loader pins them by name and hands them to every object.
 * Sessions are plain hashes: an LRU would evict one half of a pair. NO_PREALLOC, because a table for
 * a million sessions is normally almost empty.
 */
#ifndef VNET_BPF_MAPS_H
#define VNET_BPF_MAPS_H

#include "bpf/lib/clock.h"
#include "maps/abi.h"
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

VNET_MAP(sessions, BPF_MAP_TYPE_HASH, VNET_SESSIONS_MAX, struct vnet_flow, struct vnet_session,
	 BPF_F_NO_PREALLOC);
VNET_MAP(reverse, BPF_MAP_TYPE_HASH, VNET_SESSIONS_MAX, struct vnet_flow, struct vnet_flow,
	 BPF_F_NO_PREALLOC);
VNET_MAP(fragments, BPF_MAP_TYPE_LRU_HASH, VNET_FRAGMENTS_MAX, struct vnet_fragment_key, struct vnet_fragment,
	 0);
VNET_MAP(held, BPF_MAP_TYPE_LRU_HASH, VNET_HELD_MAX, struct vnet_held_key, struct vnet_held, 0);
VNET_MAP(ports, BPF_MAP_TYPE_HASH, VNET_PORTS_MAX, u32, struct vnet_port, BPF_F_NO_PREALLOC);
VNET_MAP(fdb, BPF_MAP_TYPE_HASH, VNET_FDB_MAX, struct vnet_fdb_key, struct vnet_fdb_entry, BPF_F_NO_PREALLOC);
/* Bridged networks: the ways past the bridge, and where each MAC was seen last. */
VNET_MAP(shortcuts, BPF_MAP_TYPE_LRU_HASH, VNET_SHORTCUTS_MAX, struct vnet_shortcut_key, struct vnet_shortcut,
	 0);
VNET_MAP(stations, BPF_MAP_TYPE_LRU_HASH, VNET_SHORTCUTS_MAX, struct vnet_fdb_key, u32, 0);
VNET_MAP(networks, BPF_MAP_TYPE_ARRAY, VNET_SLOTS, u32, struct vnet_network, 0);
VNET_MAP(devices, BPF_MAP_TYPE_HASH, VNET_DEVICES_MAX, u32, struct vnet_device, BPF_F_NO_PREALLOC);
VNET_MAP(subnets, BPF_MAP_TYPE_LPM_TRIE, VNET_SUBNETS_MAX, struct vnet_subnet_key, struct vnet_subnet,
	 BPF_F_NO_PREALLOC);
VNET_MAP(forwards, BPF_MAP_TYPE_HASH, 1024, struct vnet_forward_key, struct vnet_forward, BPF_F_NO_PREALLOC);
VNET_MAP(traffic, BPF_MAP_TYPE_PERCPU_ARRAY, VNET_SLOTS, u32, struct vnet_traffic, 0);
VNET_MAP(drops, BPF_MAP_TYPE_PERCPU_HASH, 1 << 16, struct vnet_drop_key, u64, BPF_F_NO_PREALLOC);
VNET_MAP(usage, BPF_MAP_TYPE_ARRAY, VNET_SLOTS, u32, struct vnet_usage, 0);
VNET_MAP(half_open, BPF_MAP_TYPE_HASH, VNET_HALF_OPEN_MAX, struct vnet_half_open_key, struct vnet_flow,
	 BPF_F_NO_PREALLOC);
VNET_MAP(mappings, BPF_MAP_TYPE_LRU_HASH, VNET_MAPPINGS_MAX, struct vnet_mapping_key, struct vnet_mapping, 0);
/*
 * The flow of the packet that was last handed to the stack on this CPU. Forwarded at once, it comes to the
 * next hook as it was, or changed by the host's NAT; where another has come between, nothing is known of it.
 */
VNET_MAP(handed_up, BPF_MAP_TYPE_PERCPU_ARRAY, 1, u32, struct vnet_flow, 0);
VNET_MAP(probes, BPF_MAP_TYPE_PERCPU_ARRAY, VNET_PROBE_MAX + 1, u32, u64, 0);
VNET_MAP(settings, BPF_MAP_TYPE_ARRAY, 1, u32, struct vnet_settings, 0);

/* Ports that the uplinks' XDP programs may deliver to, by ifindex (bpf/lib/forward.h). The loader knows which
 * can. */
VNET_MAP(targets, BPF_MAP_TYPE_DEVMAP_HASH, VNET_PORTS_MAX, u32, u32, 0);

/*
 * Where guests' packets may leave, and the gateways: see struct vnet_device. A devmap, because the kernel
 * deletes an entry of it when the device goes or moves to another network namespace; nothing is redirected by
 * it.
 */
VNET_MAP(ways, BPF_MAP_TYPE_DEVMAP_HASH, VNET_DEVICES_MAX, u32, u32, 0);

/* When to look at which session; the counters are of a tick's entries on this CPU. */
VNET_MAP(wheel, BPF_MAP_TYPE_HASH, VNET_WHEEL_MAX, struct vnet_bunch_key, struct vnet_bunch,
	 BPF_F_NO_PREALLOC);
VNET_MAP(wheel_counts, BPF_MAP_TYPE_PERCPU_ARRAY, VNET_WHEEL_TICKS, u32, u64, 0);
VNET_MAP(wheel_clock, BPF_MAP_TYPE_ARRAY, 1, u32, struct clock, 0);

VNET_MAP(blocked, BPF_MAP_TYPE_LPM_TRIE, VNET_BLOCKED_MAX, struct vnet_subnet_key, u32, BPF_F_NO_PREALLOC);
VNET_MAP(newcomers, BPF_MAP_TYPE_LRU_HASH, VNET_NEWCOMERS_MAX, struct vnet_newcomer_key, u64, 0);

VNET_MAP(members, BPF_MAP_TYPE_HASH, VNET_PORTS_MAX, struct vnet_member_key, u32, BPF_F_NO_PREALLOC);

/* Who watches drops (bpf/lib/monitor.h): written by the readers through mmap(), and the rings that they
 * bring. */
VNET_MAP(monitors, BPF_MAP_TYPE_ARRAY, 1, u32, struct vnet_monitors, BPF_F_MMAPABLE);
VNET_MAP(monitor_lost, BPF_MAP_TYPE_PERCPU_ARRAY, VNET_MONITORS_MAX, u32, u64, 0);
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, VNET_MONITORS_MAX);
	__type(key, u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_RINGBUF);
			__uint(max_entries, VNET_MONITOR_RING);
		});
} monitor_rings SEC(".maps");

/*
 * Not shared state: room for what a new session is made of. The BPF stack is too small for it, and kernels
 * below 6.2 take a function argument's memory as a map key from nowhere but a map or the stack.
 */
struct making {
	u32 round;	     /* of port choices on this CPU; see first_try() */
	struct vnet_hop hop; /* outwards, where the admission has seen it: struct admission says so */
	u32 pad;
	struct vnet_flow key;
	struct vnet_flow answer;
	struct vnet_session session;
	struct bpf_redir_neigh next; /* of a session's packet: its next hop, whose MAC is not known */
};
/* The same for one that is deleted: its key and its answers' flow. */
VNET_MAP(deleting_room, BPF_MAP_TYPE_PERCPU_ARRAY, 1, u32, struct vnet_flow[2], 0);
VNET_MAP(bunch_room, BPF_MAP_TYPE_PERCPU_ARRAY, 1, u32, struct vnet_bunch, 0);
VNET_MAP(making_room, BPF_MAP_TYPE_PERCPU_ARRAY, 1, u32, struct making, 0);

static __always_inline struct making *making_of(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&making_room, &zero);
}

#endif
