// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/model/network.h"

namespace vnet {

const char* mode_name(Mode mode) {
  switch (mode) {
    case Mode::Nat:
      return "nat";
    case Mode::Route:
      return "route";
    case Mode::Open:
      return "open";
    case Mode::Isolated:
      return "isolated";
    case Mode::Bridge:
      return "bridge";
    case Mode::Direct:
      return "direct";
  }
  return "unknown";
}

Network default_network() {
  Network network;
  network.name = "default";
  network.mode = Mode::Nat;
  network.bridge = "virbr0";
  IpConfig ip;
  ip.gateway = *Prefix::parse("192.168.122.1/24");
  ip.netmask_given = true;
  ip.dhcp = true;
  ip.ranges.push_back({*Address::parse("192.168.122.2"), *Address::parse("192.168.122.254"), {}});
  network.ips.push_back(std::move(ip));
  return network;
}

}  // namespace vnet
