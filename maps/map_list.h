/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The maps that programs and loader share, a row each: bpf/lib/maps.h declares them,
 * loader/bpf/shared_maps.h has a handle for each, by the name it is pinned under; `explain` copies them.
 *
 * MAP(handle, name, type, entries, key, value, flags, copied). handle: SHARED or PER_CPU. copied, by
 * `explain`: LARGE: only the entries that the question concerns, WHOLE: all.
 * OUTER(name, value, copied): a map of maps, keyed by u32, declared by hand in bpf/lib/maps.h; the loader
 * writes file descriptors.
 *
 * Sessions are plain hashes: an LRU would evict one half of a pair. NO_PREALLOC, because a table for a
 * million sessions is normally almost empty. `sessions` is the first: without its pin the set is incomplete.
 * `trusted_devices` and `xdp_targets` are devmaps because the kernel deletes an entry when its device goes or
 * moves to another network namespace; nothing is redirected by `trusted_devices`. `to_stack` is the flow of
 * the packet last handed to the stack on this CPU: if it is forwarded at once, the next hook sees it
 * unchanged, or changed by the host's NAT; if another packet has come in between, nothing is known of it.
 */
#ifndef VNET_MAP_LIST_H
#define VNET_MAP_LIST_H

/* clang-format off */
#define VNET_MAPS(MAP, OUTER) \
  MAP(SHARED, sessions, HASH, VNET_SESSIONS_MAX, struct vnet_flow, struct vnet_session, BPF_F_NO_PREALLOC, LARGE) \
  MAP(SHARED, rev_nat, HASH, VNET_SESSIONS_MAX, struct vnet_flow, struct vnet_flow, BPF_F_NO_PREALLOC, LARGE) \
  MAP(SHARED, frag_track, LRU_HASH, VNET_FRAGMENTS_MAX, struct vnet_fragment_key, struct vnet_fragment, 0, LARGE) \
  MAP(SHARED, ports, HASH, VNET_PORTS_MAX, __u32, struct vnet_port, BPF_F_NO_PREALLOC, WHOLE) \
  MAP(SHARED, fdb, HASH, VNET_FDB_MAX, struct vnet_fdb_key, struct vnet_fdb_entry, BPF_F_NO_PREALLOC, WHOLE) \
  MAP(SHARED, networks, ARRAY, VNET_SLOTS, __u32, struct vnet_network, 0, WHOLE) \
  MAP(SHARED, devices, HASH, VNET_DEVICES_MAX, __u32, struct vnet_device, BPF_F_NO_PREALLOC, WHOLE) \
  MAP(SHARED, subnets, LPM_TRIE, VNET_SUBNETS_MAX, struct vnet_subnet_key, struct vnet_subnet, BPF_F_NO_PREALLOC, WHOLE) \
  MAP(SHARED, port_forwards, HASH, VNET_FORWARDS_MAX, struct vnet_port_forward_key, struct vnet_port_forward, BPF_F_NO_PREALLOC, WHOLE) \
  MAP(SHARED, forward_sources, LPM_TRIE, VNET_FORWARDS_MAX, struct vnet_forward_source, __u32, BPF_F_NO_PREALLOC, WHOLE) \
  MAP(SHARED, host_addresses, HASH, VNET_HOST_ADDRESSES_MAX, struct vnet_addr, __u32, BPF_F_NO_PREALLOC, WHOLE) \
  MAP(SHARED, host_peers, LRU_HASH, VNET_HOST_PEERS_MAX, struct vnet_host_peer_key, struct vnet_host_peer, 0, LARGE) \
  MAP(PER_CPU, traffic, PERCPU_ARRAY, VNET_SLOTS, __u32, struct vnet_traffic, 0, WHOLE) \
  MAP(PER_CPU, drops, PERCPU_HASH, 1 << 16, struct vnet_drop_key, __u64, BPF_F_NO_PREALLOC, WHOLE) \
  MAP(SHARED, quota_usage, ARRAY, VNET_SLOTS, __u32, struct vnet_quota_usage, 0, WHOLE) \
  MAP(PER_CPU, port_alloc_tries, PERCPU_ARRAY, VNET_PROBE_MAX + 1, __u32, __u64, 0, WHOLE) \
  MAP(SHARED, settings, ARRAY, 1, __u32, struct vnet_settings, 0, WHOLE) \
  MAP(SHARED, timer_wheel, HASH, VNET_WHEEL_MAX, struct vnet_wheel_batch_key, struct vnet_wheel_batch, BPF_F_NO_PREALLOC, LARGE) \
  MAP(PER_CPU, timer_wheel_fill, PERCPU_ARRAY, VNET_WHEEL_TICKS, __u32, __u64, 0, WHOLE) \
  MAP(SHARED, timer_wheel_clock, ARRAY, 1, __u32, VNET_WHEEL_CLOCK, 0, WHOLE) \
  MAP(SHARED, readers, ARRAY, 1, __u32, struct vnet_readers, BPF_F_MMAPABLE, WHOLE) \
  MAP(PER_CPU, reader_overruns, PERCPU_ARRAY, VNET_MONITORS_MAX, __u32, __u64, 0, WHOLE) \
  OUTER(reader_rings, int, WHOLE) \
  MAP(SHARED, addresses, HASH, VNET_ADDRESSES_MAX, struct vnet_address_key, struct vnet_address, BPF_F_NO_PREALLOC, WHOLE) \
  MAP(SHARED, claims, HASH, VNET_ADDRESSES_MAX, struct vnet_claim_key, struct vnet_addr, BPF_F_NO_PREALLOC, WHOLE) \
  MAP(SHARED, isolated, HASH, VNET_PORTS_MAX, __u32, __u32, BPF_F_NO_PREALLOC, WHOLE) \
  OUTER(outgoing_flows, __u32, LARGE) \
  MAP(SHARED, allow_rules, HASH, VNET_ALLOWS_MAX, struct vnet_allow_key, struct vnet_allow, BPF_F_NO_PREALLOC, WHOLE) \
  MAP(SHARED, allow_prefixes, LPM_TRIE, VNET_ALLOWS_MAX, struct vnet_allow_source, __u32, BPF_F_NO_PREALLOC, WHOLE) \
  MAP(SHARED, shortcuts, LRU_HASH, VNET_SHORTCUTS_MAX, struct vnet_shortcut_key, struct vnet_shortcut, 0, WHOLE) \
  MAP(SHARED, bridge_last_seen, LRU_HASH, VNET_SHORTCUTS_MAX, struct vnet_fdb_key, __u32, 0, WHOLE) \
  MAP(SHARED, flood_ports, HASH, VNET_PORTS_MAX, struct vnet_flood_key, __u32, BPF_F_NO_PREALLOC, WHOLE) \
  MAP(SHARED, blocked, LPM_TRIE, VNET_BLOCKED_MAX, struct vnet_subnet_key, __u32, BPF_F_NO_PREALLOC, WHOLE) \
  MAP(SHARED, new_flow_rates, LRU_HASH, VNET_NEWCOMERS_MAX, struct vnet_rate_key, __u64, 0, LARGE) \
  MAP(SHARED, xdp_targets, DEVMAP_HASH, VNET_PORTS_MAX, __u32, __u32, 0, WHOLE) \
  MAP(SHARED, trusted_devices, DEVMAP_HASH, VNET_DEVICES_MAX, __u32, __u32, 0, WHOLE) \
  MAP(SHARED, half_open, HASH, VNET_HALF_OPEN_MAX, struct vnet_half_open_key, struct vnet_flow, BPF_F_NO_PREALLOC, WHOLE) \
  MAP(SHARED, mappings, LRU_HASH, VNET_MAPPINGS_MAX, struct vnet_mapping_key, struct vnet_mapping, 0, WHOLE) \
  MAP(PER_CPU, to_stack, PERCPU_ARRAY, 1, __u32, struct vnet_flow, 0, WHOLE) \
  MAP(SHARED, frag_queue, LRU_HASH, VNET_HELD_MAX, struct vnet_frag_queue_key, struct vnet_frag_queue, 0, WHOLE) \
  MAP(SHARED, dhcp_clients, HASH, VNET_ADDRESSES_MAX, struct vnet_claim_key, struct vnet_dhcp_client, BPF_F_NO_PREALLOC, WHOLE) \
  MAP(SHARED, limits, HASH, VNET_LIMITS_MAX, struct vnet_limit_key, VNET_LIMIT, BPF_F_NO_PREALLOC, WHOLE) \
  MAP(SHARED, port_vlans, HASH, VNET_PORT_VLANS_MAX, struct vnet_port_vlan, __u32, BPF_F_NO_PREALLOC, WHOLE) \
  MAP(SHARED, seq_shifts, HASH, VNET_SEQ_SHIFTS_MAX, struct vnet_flow, struct vnet_seq_shift, BPF_F_NO_PREALLOC, LARGE) \
  MAP(SHARED, any_mappings, ARRAY, 1, __u32, __u32, 0, WHOLE) \
  MAP(SHARED, mac_nat, HASH, VNET_MAC_NAT_MAX, struct vnet_address_key, struct vnet_mac_nat, BPF_F_NO_PREALLOC, WHOLE) \
  MAP(SHARED, mac_nat_rings, HASH, VNET_PORTS_MAX, __u32, struct vnet_mac_nat_ring, BPF_F_NO_PREALLOC, WHOLE)
/* clang-format on */

#endif
