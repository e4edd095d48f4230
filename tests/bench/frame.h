// SPDX-License-Identifier: GPL-2.0-or-later
// The frame that the packet rates are measured with: 60 bytes of UDP over IPv4, a flow for each pair of
// ports.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace vnet::bench {

constexpr unsigned frame_bytes_max = 62;
constexpr unsigned sports = 20000;
constexpr unsigned first_sport = 2000;  // below the host's ephemeral ports: a masquerade keeps them
constexpr unsigned first_dport = 9000;

constexpr unsigned last_dport(unsigned flows) {
  return first_dport + (flows - 1) / sports;
}

struct UdpFrame {
  std::array<std::uint8_t, frame_bytes_max> bytes{};  // without ports and UDP checksum
  unsigned size = 0;
  unsigned udp_at = 0;
  std::uint32_t sum = 0;  // of what the checksum covers besides the ports, host order

  void set_flow(unsigned flow);  // ports and checksum
};

// Throws std::runtime_error for what is no MAC or IP address, or mixes families.
UdpFrame udp_frame(const std::string& source_mac, const std::string& target_mac, const std::string& source,
                   const std::string& target);

}  // namespace vnet::bench
