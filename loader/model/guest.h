// SPDX-License-Identifier: GPL-2.0-or-later
// A network card of a guest as libvirt's domain XML describes it: what of it is a port's business.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "loader/model/address.h"
#include "loader/model/network.h"

namespace vnet {

struct GuestInterface {
  std::string target;  // the host's side: vnet0; empty while there is none
  std::string model, portgroup;
  std::string guest, guest_uuid;  // the domain's
  std::optional<Mac> mac;
  std::optional<bool> link_up, isolated;
  std::optional<bool> trust_guest_rx_filters;  // it may change its MAC
  std::string filter;                          // <filterref>; empty: none
  std::vector<Address> ips;                    // its parameters IP and IPV6
  std::optional<BandwidthPair> bandwidth;
  std::optional<Vlan> vlan;
};

// Our filters for a name of libvirt's. Empty: it only permits. nullopt: there is nothing like it here.
std::optional<std::vector<std::string>> filters_like(const std::string& nwfilter);

}  // namespace vnet
