// SPDX-License-Identifier: GPL-2.0-or-later
// <forward> with its uplinks and <nat>, and <bridge>.
#include <fmt/format.h>

#include <algorithm>

#include "loader/config/xml_parts.h"

namespace vnet {
namespace {

enum class ForwardMode { Nat, Route, Open, Bridge, Private, Vepa, Passthrough, Hostdev };

Result<void> set_mode(const XmlNode& forward, bool bridge_named, Network& network) {
  using enum ForwardMode;
  VNET_ASSIGN(const auto mode, forward.choice<ForwardMode>("mode", {{"nat", Nat},
                                                                    {"route", Route},
                                                                    {"open", Open},
                                                                    {"bridge", Bridge},
                                                                    {"private", Private},
                                                                    {"vepa", Vepa},
                                                                    {"passthrough", Passthrough},
                                                                    {"hostdev", Hostdev}}));
  switch (mode.value_or(Nat)) {
    case Nat:
      network.mode = Mode::Nat;
      return {};
    case Route:
      network.mode = Mode::Route;
      return {};
    case Open:
      network.mode = Mode::Open;
      return {};
    case Bridge:
      network.mode = bridge_named ? Mode::Bridge : Mode::Direct;
      network.direct_mode = DirectMode::Bridge;
      return {};
    case Private:
      network.direct_mode = DirectMode::Private;
      break;
    case Vepa:
      network.direct_mode = DirectMode::Vepa;
      break;
    case Passthrough:
      network.direct_mode = DirectMode::Passthrough;
      break;
    case Hostdev:
      return forward.wrong_value("mode", "hostdev", "assignment of PCI devices is not supported by vnet-bpf");
  }
  network.mode = Mode::Direct;
  return {};
}

Result<void> parse_devices(const XmlNode& forward, Network& network) {
  VNET_ASSIGN(const auto dev, forward.string_or_empty("dev"));
  const auto interfaces = forward.children("interface");
  const auto functions = forward.children("pf");
  const auto addresses = forward.children("address");

  if (interfaces.empty() + functions.empty() + addresses.empty() < 2)
    return forward.error("<interface>, <pf> and <address> exclude each other");
  if (!dev.empty() && !(functions.empty() && addresses.empty()))
    return forward.wrong_value("dev", dev, "not allowed together with <pf> or <address>");
  if (!addresses.empty())
    return addresses.front().error(
        "PCI addresses are for mode='hostdev', which is not supported by vnet-bpf");

  for (const auto& interface : interfaces) {
    VNET_ASSIGN(auto name, interface.required("dev"));
    if (std::ranges::find(network.devices, name) != network.devices.end())
      return interface.wrong_value("dev", name, "this interface is listed twice");
    network.devices.push_back(std::move(name));
  }
  if (!dev.empty()) {
    if (network.devices.empty()) network.devices.push_back(dev);
    if (network.devices.front() != dev)
      return forward.wrong_value(
          "dev", dev, fmt::format("differs from the first <interface dev='{}'>", network.devices.front()));
  }
  for (const auto& name : network.devices)
    if (name.find_first_of("/ ") != std::string::npos)
      return forward.error(fmt::format("'{}' cannot be the name of an interface", name));

  if (functions.size() > 1) return functions[1].error("only one <pf> is allowed");
  if (!functions.empty()) {
    VNET_ASSIGN(network.physical_function, functions.front().required("dev"));
    if (network.mode != Mode::Direct && network.mode != Mode::Bridge)  // validate() says it better for Bridge
      return functions.front().error(
          "only allowed with mode='bridge' without a bridge name, 'private', 'vepa' or 'passthrough'");
  }
  return {};
}

Result<AddressRange> parse_nat_addresses(const XmlNode& node) {
  AddressRange range;
  for (auto [name, target] : {std::pair{"start", &range.start}, std::pair{"end", &range.end}}) {
    VNET_TRY(node.required(name));
    VNET_ASSIGN(const auto address, node.address(name));
    if (address->family != Family::V4)
      return node.wrong_value(name, address->text(), "only IPv4 addresses are allowed here");
    *target = *address;
  }
  if (range.end < range.start) return node.error("start is after end");
  return range;
}

Result<PortRange> parse_nat_ports(const XmlNode& node) {
  PortRange range;
  for (auto [name, target] : {std::pair{"start", &range.start}, std::pair{"end", &range.end}}) {
    VNET_TRY(node.required(name));
    VNET_ASSIGN(const auto port, node.number(name, 1, 65535));
    *target = static_cast<std::uint16_t>(*port);
  }
  if (range.end < range.start) return node.error("start is after end");
  return range;
}

}  // namespace

Result<void> parse_nat(const XmlNode& nat, Nat& result) {
  VNET_ASSIGN(const auto ipv6, nat.yes_no("ipv6"));
  result.ipv6 = ipv6.value_or(false);

  const auto addresses = nat.children("address");
  if (addresses.size() > 1) return addresses[1].error("only one <address> is allowed in <nat>");
  if (!addresses.empty()) {
    VNET_ASSIGN(result.addresses, parse_nat_addresses(addresses.front()));
  }
  const auto ports = nat.children("port");
  if (ports.size() > 1) return ports[1].error("only one <port> is allowed in <nat>");
  if (!ports.empty()) {
    VNET_ASSIGN(result.ports, parse_nat_ports(ports.front()));
  }
  return {};
}

Result<void> parse_forward(const XmlNode& forward, bool bridge_named, Network& network) {
  VNET_TRY(set_mode(forward, bridge_named, network));
  VNET_TRY(parse_devices(forward, network));

  const auto nats = forward.children("nat");
  if (nats.size() > 1) return nats[1].error("only one <nat> is allowed in <forward>");
  if (!nats.empty()) {
    if (network.mode != Mode::Nat) return nats.front().error("only allowed in <forward mode='nat'>");
    VNET_TRY(parse_nat(nats.front(), network.nat));
  }
  return {};
}

Result<void> parse_bridge(const XmlNode& bridge, Network& network) {
  VNET_ASSIGN(network.bridge, bridge.string_or_empty("name"));
  if (network.bridge.find_first_of("/ ") != std::string::npos || network.bridge == "." ||
      network.bridge == "..")
    return bridge.wrong_value("name", network.bridge, "cannot be the name of an interface");
  const auto percent = network.bridge.find('%');
  if (percent != std::string::npos && (network.bridge.substr(percent, 2) != "%d" ||
                                       network.bridge.find('%', percent + 1) != std::string::npos))
    return bridge.wrong_value("name", network.bridge, "a template may contain one %d and no other %");

  VNET_ASSIGN(const auto stp, bridge.choice<bool>("stp", {{"on", true}, {"off", false}}));
  network.stp = stp.value_or(true);
  VNET_ASSIGN(const auto delay, bridge.number("delay", 0, UINT32_MAX));
  network.delay_seconds = static_cast<unsigned>(delay.value_or(0));
  VNET_ASSIGN(const auto manager,
              bridge.choice<bool>("macTableManager", {{"kernel", false}, {"libvirt", true}}));
  network.mac_table_libvirt = manager.value_or(false);
  VNET_ASSIGN(network.zone, bridge.string_or_empty("zone"));
  return {};
}

}  // namespace vnet
