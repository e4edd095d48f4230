// SPDX-License-Identifier: GPL-2.0-or-later
// The newest: follows maps/map_list.h until it is released.
#pragma once

#include "loader/bpf/layouts/layout.h"

namespace vnet {

// clang-format off
inline constexpr MapShape layout_10[] = {
    {"sessions", BPF_MAP_TYPE_HASH, 40, 160, 1048576, 1},
    {"rev_nat", BPF_MAP_TYPE_HASH, 40, 40, 1048576, 1},
    {"frag_track", BPF_MAP_TYPE_LRU_HASH, 40, 12, 16384, 0},
    {"ports", BPF_MAP_TYPE_HASH, 4, 16, 8192, 1},
    {"fdb", BPF_MAP_TYPE_HASH, 8, 8, 65536, 1},
    {"networks", BPF_MAP_TYPE_ARRAY, 4, 72, 8192, 0},
    {"devices", BPF_MAP_TYPE_HASH, 4, 36, 2048, 1},
    {"subnets", BPF_MAP_TYPE_LPM_TRIE, 20, 4, 4096, 1},
    {"port_forwards", BPF_MAP_TYPE_HASH, 20, 24, 65536, 1},
    {"forward_sources", BPF_MAP_TYPE_LPM_TRIE, 40, 4, 65536, 1},
    {"host_addresses", BPF_MAP_TYPE_HASH, 16, 4, 4096, 1},
    {"host_peers", BPF_MAP_TYPE_LRU_HASH, 32, 20, 16384, 0},
    {"traffic", BPF_MAP_TYPE_PERCPU_ARRAY, 4, 40, 8192, 0},
    {"drops", BPF_MAP_TYPE_PERCPU_HASH, 4, 8, 65536, 1},
    {"quota_usage", BPF_MAP_TYPE_ARRAY, 4, 24, 8192, 0},
    {"port_alloc_tries", BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 33, 0},
    {"settings", BPF_MAP_TYPE_ARRAY, 4, 16, 1, 0},
    {"timer_wheel", BPF_MAP_TYPE_HASH, 12, 320, 524288, 1},
    {"timer_wheel_fill", BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 1024, 0},
    {"timer_wheel_clock", BPF_MAP_TYPE_ARRAY, 4, 32, 1, 0},
    {"readers", BPF_MAP_TYPE_ARRAY, 4, 136, 1, 1024},
    {"reader_overruns", BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 4, 0},
    {"reader_rings", BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 4, 0},
    {"addresses", BPF_MAP_TYPE_HASH, 20, 12, 65536, 1},
    {"claims", BPF_MAP_TYPE_HASH, 4, 16, 65536, 1},
    {"isolated", BPF_MAP_TYPE_HASH, 4, 4, 8192, 1},
    {"outgoing_flows", BPF_MAP_TYPE_HASH_OF_MAPS, 4, 4, 8192, 1},
    {"allow_rules", BPF_MAP_TYPE_HASH, 8, 4, 65536, 1},
    {"allow_prefixes", BPF_MAP_TYPE_LPM_TRIE, 28, 4, 65536, 1},
    {"shortcuts", BPF_MAP_TYPE_LRU_HASH, 12, 20, 65536, 0},
    {"bridge_last_seen", BPF_MAP_TYPE_LRU_HASH, 8, 4, 65536, 0},
    {"flood_ports", BPF_MAP_TYPE_HASH, 8, 4, 8192, 1},
    {"blocked", BPF_MAP_TYPE_LPM_TRIE, 20, 4, 100000, 1},
    {"new_flow_rates", BPF_MAP_TYPE_LRU_HASH, 20, 8, 65536, 0},
    {"xdp_targets", BPF_MAP_TYPE_DEVMAP_HASH, 4, 4, 8192, 0},
    {"trusted_devices", BPF_MAP_TYPE_DEVMAP_HASH, 4, 4, 2048, 0},
    {"half_open", BPF_MAP_TYPE_HASH, 8, 40, 65536, 1},
    {"mappings", BPF_MAP_TYPE_LRU_HASH, 20, 4, 65536, 0},
    {"to_stack", BPF_MAP_TYPE_PERCPU_ARRAY, 4, 40, 1, 0},
    {"frag_queue", BPF_MAP_TYPE_LRU_HASH, 44, 2056, 256, 0},
    {"dhcp_clients", BPF_MAP_TYPE_HASH, 4, 16, 65536, 1},
    {"limits", BPF_MAP_TYPE_HASH, 4, 72, 16384, 1},
    {"port_vlans", BPF_MAP_TYPE_HASH, 4, 4, 65536, 1},
    {"seq_shifts", BPF_MAP_TYPE_HASH, 40, 16, 16384, 1},
    {"any_mappings", BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0},
    {"mac_nat", BPF_MAP_TYPE_HASH, 20, 16, 65536, 1},
    {"mac_nat_rings", BPF_MAP_TYPE_HASH, 4, 516, 8192, 1},
};
// clang-format on

}  // namespace vnet
