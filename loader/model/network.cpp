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
  const auto address = [](std::uint8_t last) { return Address{Family::V4, {192, 168, 122, last}}; };

  IpConfig ip;
  ip.gateway = {address(1), 24};
  ip.netmask_given = true;
  ip.dhcp = true;
  ip.ranges.push_back({address(2), address(254), std::nullopt});

  Network network;
  network.name = "default";
  network.mode = Mode::Nat;
  network.bridge = "virbr0";
  network.ips.push_back(std::move(ip));
  return network;
}

const char* xdp_mode_name(XdpMode mode) {
  switch (mode) {
    case XdpMode::Auto:
      return "auto";
    case XdpMode::Off:
      return "off";
    case XdpMode::Filter:
      return "filter";
    case XdpMode::Forward:
      return "forward";
  }
  return "";
}

const char* inbound_name(Inbound inbound) {
  switch (inbound) {
    case Inbound::Accept:
      return "accept";
    case Inbound::Established:
      return "established";
    case Inbound::Drop:
      return "drop";
  }
  return "";
}

}  // namespace vnet
