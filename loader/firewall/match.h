// SPDX-License-Identifier: GPL-2.0-or-later
// A packet against the conditions of a rule, as far as the packet alone decides them.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "loader/model/address.h"

namespace vnet {

// As conditions see it. What is empty is not known.
struct ProbePacket {
  std::string in, out;  // interfaces; out "" before the routing and on the input hook
  Address source;
  std::string protocol;  // "udp", "tcp", "icmp", "ipv6-icmp"
  unsigned port = 0;     // destination
  std::optional<Address> destination = {};
  std::optional<unsigned> source_port = {};
  std::string destination_type = {};  // "local", "unicast", "broadcast", "multicast"
  std::string state = "new";          // connection tracking's
  bool turned = false;                // its destination was, by the host's NAT
};

// A word of a rule; "": there is none of that name.
std::string text_of(const nlohmann::json& object, const char* key);

// One "match" of `nft -j`. nullopt: the packet alone does not decide it (a named set, a mark).
std::optional<bool> holds(const nlohmann::json& match, const ProbePacket& packet);

// What a verdict map says of the packet. nullopt: not to be told; null: nothing.
std::optional<nlohmann::json> looked_up(const nlohmann::json& vmap, const ProbePacket& packet);

}  // namespace vnet
