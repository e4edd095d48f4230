// SPDX-License-Identifier: GPL-2.0-or-later
// A frame to be explained, as its sender would make it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loader/model/address.h"

namespace vnet {

struct FrameSpec {
  Mac source_mac, destination_mac;
  bool ethernet = true;  // else it begins with the IP header
  Address source, destination;
  std::string protocol;  // tcp, udp, icmp
  std::uint16_t source_port = 0, destination_port = 0;
};

using Frame = std::vector<std::uint8_t>;

Frame make_frame(const FrameSpec& spec);
void set_macs(Frame& frame, const Mac& source, const Mac& destination);
void add_ethernet(Frame& frame);  // MACs of zeros
void remove_ethernet(Frame& frame);
// Another address, and port where one is given, as NAT writes them, checksums included.
enum class End { Source, Destination };
void set_end(Frame& frame, bool ethernet, End end, const Address& address, std::optional<std::uint16_t> port);
void decrement_ttl(Frame& frame, bool ethernet);  // as a router does
Mac group_mac(const Address& group);              // of a multicast address; the broadcast MAC for any other

}  // namespace vnet
