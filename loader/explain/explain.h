// SPDX-License-Identifier: GPL-2.0-or-later
// What would happen to a packet: the attached programs are run on it, on copies of their maps (shadow.h);
// what lies between them (the bridge, the host's routing) is asked of the kernel. Nothing is changed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loader/observe/packet_view.h"

namespace vnet {

struct Question {
  std::string interface;  // where it comes in: a guest's port, an uplink, a direct attachment's interface
                          // (from the wire or the host), or a network's gateway (from the host)
  std::string
      protocol;  // tcp (a SYN), udp, icmp (an echo request; its id is the source port); "": by the port
  Address to;
  std::optional<std::uint16_t> to_port;
  std::optional<Address> from;  // nullopt: the guest's, or the gateway's
  std::optional<std::uint16_t> from_port;
};

// A place that the packet passes: one of our hooks (words as in maps/hooks.h), "bridge" or "host".
struct ExplainStep {
  std::string where, interface;
  std::string verdict;               // passed, redirected, dropped, refused, delivered, ...
  std::vector<std::string> details;  // what matched, what was rewritten, where it goes
};

enum class Fate {
  Guest,    // delivered to a guest: `interface` is its port
  Host,     // delivered to the host itself
  Outside,  // leaves by the uplink `interface`, or by an interface that is none of ours
  Dropped,  // `reason`
  Refused,  // dropped for `reason`, and the sender is told so
  Flooded,  // to every port of the bridge `interface`, or to everybody in `reaches`
  Nowhere,  // the host's stack, or the network itself, has no way for it: see the last step
};
const char* fate_word(Fate fate);  // guest host outside dropped refused flooded nowhere

struct Explanation {
  PacketView sent;
  std::vector<ExplainStep> steps;
  Fate fate = Fate::Nowhere;
  std::string interface;
  std::string reason, meaning;  // as in docs/reasons.md
  std::string cause;  // the line of the configuration, or the command, that brings it about; may be ""
  std::vector<std::string> reaches;  // direct attachment, a group address: ports, "host", the parent's wire
  PacketView arrives;                // as it comes out at the end
  std::vector<std::string> notes;
};

}  // namespace vnet
