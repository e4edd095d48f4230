// SPDX-License-Identifier: GPL-2.0-or-later
// Counters, summed over CPUs. As in `virsh domifstat`, rx is what the guest received, tx what it sent;
// on an uplink, rx came in from outside. Bytes include the link header; a GSO packet counts once.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace vnet {

struct SharedMaps;

struct Counters {
  std::uint64_t rx_packets = 0, rx_bytes = 0, tx_packets = 0, tx_bytes = 0;
  std::uint64_t forwarded = 0;                 // of an uplink: rx packets that XDP has given to their guests
  std::map<std::string, std::uint64_t> drops;  // by reason word; only those that happened

  Counters& operator+=(const Counters& other);
  std::uint64_t dropped() const;  // all reasons together
};

struct NetworkStats {
  std::string network;
  unsigned ports = 0;
  std::uint32_t sessions = 0, max_sessions = 0;
  Counters counters;  // its ports together (those that have left included), and what its gateway dropped
};
struct PortStats {
  std::string interface, network;
  std::uint32_t sessions = 0;
  Counters counters;
  std::uint32_t max_sessions = 0;  // the network's share for each port
};
struct UplinkStats {
  std::string interface;
  Counters counters;
};
struct Stats {
  double time = 0;  // seconds since the epoch, when the counters were read
  std::vector<NetworkStats> networks;
  std::vector<PortStats> ports;
  std::vector<UplinkStats> uplinks;
};

// One slot's counters; read_traffic() leaves out the drops.
Counters read_traffic(const SharedMaps& maps, std::uint16_t slot);
Counters read_counters(const SharedMaps& maps, std::uint16_t slot);
// Every slot's drops at once (one walk over the map).
std::map<std::uint16_t, std::map<std::string, std::uint64_t>> read_drops(const SharedMaps& maps);

}  // namespace vnet
