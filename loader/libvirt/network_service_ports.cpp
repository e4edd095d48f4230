// SPDX-License-Identifier: GPL-2.0-or-later
// Guests' cards, as their hypervisor announces them.
#include <fmt/format.h>

#include <algorithm>

#include "loader/libvirt/network_service.h"

namespace vnet::libvirt {
namespace {

using rpc::Code;
using rpc::Nothing;
using rpc::Reply;

constexpr std::uint32_t reclaim = 1, validate_port = 2;

rpc::Port port_of(const KnownNetwork& network, const GuestPort& port) {
  return {net_of(network), rpc::parse_uuid(port.uuid).value_or(rpc::Uuid{})};
}

// Of a pool of devices each port keeps one.
std::string parent_of(const GuestPort& port, const Network& network) {
  return network.devices.empty() ? "" : network.devices[port.number % network.devices.size()];
}

Reply<Nothing> check_plug(const GuestPortXml& port, bool is_reclaim) {
  if (is_reclaim == port.is_plugged) return Nothing{};
  return refuse(Code::InvalidArgument,
                is_reclaim ? "a port that is reclaimed must have <plug>" : "a new port cannot have <plug>");
}

bool is_card_of(const PortInfo& info, const GuestPort& port) {
  return info.attached && info.network == port.network && info.mac == port.request.mac;
}

}  // namespace

Reply<std::vector<GuestPort>> NetworkService::ports_of(Host& host, const std::string& network) {
  VNET_REPLY_ASSIGN(auto ports, host.guest_ports());
  std::erase_if(ports, [&](const GuestPort& port) { return port.network != network; });
  std::ranges::sort(ports, {}, &GuestPort::number);
  return ports;
}

Reply<GuestPort> NetworkService::find_port(Host& host, const rpc::Port& port, const std::string& network) {
  VNET_ASSIGN(auto ports, ports_of(host, network));
  auto found = std::ranges::find(ports, rpc::uuid_text(port.uuid), &GuestPort::uuid);
  if (found == ports.end())
    return refuse(Code::NoPort,
                  fmt::format("Network port with UUID {} does not exist", rpc::uuid_text(port.uuid)));
  return std::move(*found);
}

Reply<rpc::Counted<rpc::Port>> NetworkService::ports(const rpc::Net& net, std::int32_t need,
                                                     std::uint32_t flags) {
  VNET_TRY(check_flags(flags, 0, "networkListAllPorts"));
  VNET_ASSIGN(const auto* network, find(net));
  VNET_ASSIGN(auto ports, ports_of(reader_, network->name));
  rpc::Counted<rpc::Port> list;
  for (const auto& port : ports) list.items.push_back(port_of(*network, port));
  list.count = static_cast<std::uint32_t>(list.items.size());
  if (!need) list.items.clear();
  return list;
}

Reply<rpc::Port> NetworkService::port_by_uuid(const rpc::Net& net, const rpc::Uuid& uuid) {
  VNET_ASSIGN(const auto* network, find(net));
  VNET_ASSIGN(auto port, find_port(reader_, {net, uuid}, network->name));
  return port_of(*network, port);
}

Reply<std::string> NetworkService::port_xml(const rpc::Port& port, std::uint32_t flags) {
  VNET_TRY(check_flags(flags, 0, "networkPortGetXMLDesc"));
  VNET_ASSIGN(const auto* network, find(port.net));
  VNET_ASSIGN(auto guest_port, find_port(reader_, port, network->name));
  const Network& definition = network->active ? *network->active : *network->definition;
  VNET_REPLY_ASSIGN(auto xml, guest_port_answer(guest_port, definition, parent_of(guest_port, definition)));
  return xml;
}

Reply<rpc::ParameterList> NetworkService::port_parameters(const rpc::Port& port, std::int32_t,
                                                          std::uint32_t flags) {
  constexpr std::uint32_t string_parameters = 4;  // the client takes such: there are none
  VNET_TRY(check_flags(flags, string_parameters, "networkPortGetParameters"));
  VNET_ASSIGN(const auto* network, find(port.net));
  VNET_ASSIGN(auto guest_port, find_port(reader_, port, network->name));
  VNET_REPLY_ASSIGN(auto values, guest_port_bandwidth(guest_port.xml));
  rpc::ParameterList list;
  for (const auto& [field, value] : values) list.items.push_back({field, value});
  return list;
}

Reply<Nothing> NetworkService::announce(const GuestPort& port) {
  VNET_REPLY_ASSIGN(auto transaction, changer_.begin("serve"));
  VNET_REPLY_TRY(transaction.announce(port));
  return Nothing{};
}

Reply<Nothing> NetworkService::withdraw(const GuestPort& port) {
  VNET_REPLY_ASSIGN(auto transaction, changer_.begin("serve"));
  VNET_REPLY_TRY(transaction.withdraw(port.uuid));
  return Nothing{};
}

Reply<Nothing> NetworkService::hold(const GuestPort& port) {
  VNET_REPLY_ASSIGN(auto ports, changer_.ports(port.network));
  for (const auto& info : ports) {
    if (!is_card_of(info, port)) continue;
    PortRequest request = port.request;
    request.interface = info.interface;
    request.network = "";
    // What the former port of this card asked for, and this one does not.
    if (!request.bandwidth && info.bandwidth)
      request.bandwidth = BandwidthRequest{std::optional<Bandwidth>{}, std::optional<Bandwidth>{}};
    if (!request.portgroup) request.portgroup = "";
    VNET_TRY(carry_out(SetPort{request}));
  }
  return Nothing{};
}

Reply<rpc::Port> NetworkService::create_port(const rpc::Net& net, const std::string& xml,
                                             std::uint32_t flags) {
  VNET_TRY(check_flags(flags, reclaim | validate_port, "networkPortCreateXML"));
  VNET_ASSIGN(auto network, find_to_change(net));
  if (!network.active)
    return refuse(Code::OperationInvalid, fmt::format("network '{}' is not active", network.name));
  auto parsed = read_guest_port(xml);
  if (!parsed) return refuse(Code::Xml, parsed.error().message);
  VNET_TRY(check_plug(*parsed, (flags & reclaim) != 0));
  auto uuid = rpc::parse_uuid(parsed->uuid);
  if (!uuid) return refuse(Code::Xml, "<uuid> of the port is missing, or not a UUID");
  VNET_REPLY_ASSIGN(auto all, changer_.guest_ports());
  GuestPort port{
      .uuid = rpc::uuid_text(*uuid), .network = network.name, .xml = xml, .request = parsed->request};
  for (const auto& other : all) {
    if (other.uuid == port.uuid)
      return refuse(Code::PortExists, fmt::format("network port with UUID {} already exists", port.uuid));
    port.number = std::max(port.number, other.number + 1);
  }
  VNET_TRY(announce(port));
  // A card that is there already (reclaimed, or changed while its guest runs) becomes what the new port says.
  if (auto held = hold(port); !held) {
    VNET_TRY(withdraw(port));
    return std::unexpected(std::move(held).error());
  }
  return port_of(network, port);
}

Reply<Nothing> NetworkService::set_port_parameters(const rpc::Port& port, const rpc::Parameters& parameters,
                                                   std::uint32_t flags) {
  VNET_TRY(check_flags(flags, 0, "networkPortSetParameters"));
  VNET_ASSIGN(auto network, find_to_change(port.net));
  VNET_ASSIGN(auto guest_port, find_port(changer_, port, network.name));
  VNET_REPLY_ASSIGN(auto values, guest_port_bandwidth(guest_port.xml));
  // A direction that is named at all is named as a whole.
  for (const auto& parameter : parameters) {
    auto direction = parameter.field.substr(0, parameter.field.find('.') + 1);
    std::erase_if(values, [&](const auto& value) { return value.first.starts_with(direction); });
  }
  for (const auto& parameter : parameters) {
    const auto* value = std::get_if<std::uint32_t>(&parameter.value);
    bool known = parameter.field.starts_with("inbound.") || parameter.field.starts_with("outbound.");
    if (!value || !known)
      return refuse(Code::InvalidArgument, fmt::format("unsupported parameter '{}'", parameter.field));
    values[parameter.field] = *value;
  }
  VNET_REPLY_ASSIGN(guest_port.xml, guest_port_with_bandwidth(guest_port.xml, values));
  VNET_REPLY_ASSIGN(auto parsed, read_guest_port(guest_port.xml));
  guest_port.request = parsed.request;
  VNET_TRY(announce(guest_port));
  return hold(guest_port);
}

Reply<Nothing> NetworkService::delete_port(const rpc::Port& port, std::uint32_t flags) {
  VNET_TRY(check_flags(flags, 0, "networkPortDelete"));
  VNET_ASSIGN(auto network, find_to_change(port.net));
  VNET_ASSIGN(auto guest_port, find_port(changer_, port, network.name));
  return withdraw(guest_port);
}

}  // namespace vnet::libvirt
