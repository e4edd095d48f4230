// SPDX-License-Identifier: GPL-2.0-or-later
// A port that a hypervisor has announced (libvirt's <networkport>), before the guest's interface is there.
// The interface is found by the network's bridge and the guest's MAC.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "loader/model/link.h"
#include "loader/model/port_config.h"

namespace vnet {

struct GuestPort {
  std::string uuid, network;
  std::uint64_t number = 0;  // in the order of their creation: one card has two for a moment, the later holds
  std::string xml;           // as the hypervisor wrote it
  PortRequest request;       // what it asks for; its interface is not known

  bool operator==(const GuestPort& other) const {
    return uuid == other.uuid && network == other.network && number == other.number && xml == other.xml;
  }
};

// What such a <networkport> says.
struct GuestPortXml {
  std::string uuid;         // "": the caller has not chosen one
  bool is_plugged = false;  // a <plug> is there: the card runs already
  PortRequest request;
};
using BandwidthValues = std::map<std::string, std::uint32_t>;  // "inbound.average" and the like

// The host's side of a guest's card has the guest's MAC with another first byte (fe; fa where the guest's is
// fe). nullptr: nobody has announced it.
inline const GuestPort* announced_port(const std::vector<GuestPort>& ports, const std::string& network,
                                       const LinkInfo& link) {
  if (link.kind != "tun" || (link.mac.bytes[0] != 0xfe && link.mac.bytes[0] != 0xfa)) return nullptr;
  const GuestPort* found = nullptr;
  for (const auto& port : ports) {
    if (port.network != network || !port.request.mac) continue;
    if (!std::equal(link.mac.bytes.begin() + 1, link.mac.bytes.end(), port.request.mac->bytes.begin() + 1))
      continue;
    if (!found || found->number < port.number) found = &port;
  }
  return found;
}

}  // namespace vnet
