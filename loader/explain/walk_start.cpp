// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>

#include "loader/explain/cause.h"
#include "loader/explain/walk.h"
#include "loader/kernel/files.h"
#include "loader/services/leases.h"

namespace vnet {
namespace {

// A guest's usual source port: where masquerading has to choose another one.
constexpr std::uint16_t usual_source_port = 40000;

std::string protocol_for(const Question& question) {
  if (!question.protocol.empty()) return question.protocol;
  return question.to_port ? "tcp" : "icmp";
}

}  // namespace

FrameSpec Walk::spec_of(const Question& question, const Address& from) {
  FrameSpec spec{.source = from, .destination = question.to, .protocol = protocol_for(question)};
  spec.source_port = question.from_port.value_or(usual_source_port);
  spec.destination_port = question.to_port.value_or(0);
  return spec;
}

const char* fate_word(Fate fate) {
  constexpr const char* words[] = {"guest", "host", "outside", "dropped", "refused", "flooded", "nowhere"};
  return words[static_cast<std::size_t>(fate)];
}

const ActiveNetwork* Walk::network_of(std::uint16_t slot) const {
  auto found = std::ranges::find_if(networks_, [&](const auto& each) { return each.record.slot == slot; });
  return found == networks_.end() ? nullptr : &*found;
}
const ActiveNetwork* Walk::network_with(const Address& address) const {
  for (const auto& each : networks_)
    for (const auto& ip : each.network.ips)
      if (ip.gateway.contains(address)) return &each;
  return nullptr;
}
const ActiveNetwork* Walk::network_behind(int gateway) const {
  auto device = shadow_->maps().devices.get(static_cast<__u32>(gateway));
  return device && device->role == VNET_DEVICE_GATEWAY ? network_of(device->slot) : nullptr;
}
const PortRecord* Walk::port_of(std::uint16_t slot) const {
  auto found = std::ranges::find(ports_, slot, &PortRecord::slot);
  return found == ports_.end() ? nullptr : &*found;
}
const PortRecord* Walk::port_at(int ifindex) const {
  auto found = std::ranges::find(ports_, ifindex, &PortRecord::ifindex);
  return found == ports_.end() ? nullptr : &*found;
}
const UplinkRecord* Walk::uplink_at(int ifindex) const {
  auto found = std::ranges::find(uplinks_, ifindex, &UplinkRecord::ifindex);
  return found == uplinks_.end() ? nullptr : &*found;
}
const ParentRecord* Walk::parent_at(int ifindex) const {
  auto found = std::ranges::find(parents_, ifindex, &ParentRecord::ifindex);
  return found == parents_.end() ? nullptr : &*found;
}
std::string Walk::link_name(int ifindex) {
  auto link = context_->netlink.find_link(ifindex);
  return link && *link ? (*link)->name : fmt::format("interface {}", ifindex);
}

Result<void> Walk::read_facts() {
  VNET_ASSIGN(networks_, active_networks(*context_));
  VNET_ASSIGN(ports_, context_->records.ports());
  VNET_ASSIGN(uplinks_, context_->records.uplinks());
  VNET_ASSIGN(parents_, context_->records.parents());
  // The bridge's own MAC, where the definition leaves it to the kernel.
  for (auto& [record, network] : networks_) {
    if (network.bridge.empty()) continue;
    VNET_ASSIGN(auto bridge, context_->netlink.find_link(network.bridge));
    if (bridge) network.mac = bridge->mac;
  }
  return {};
}

Result<Explanation> Walk::explain(const Question& question) {
  told_ = {};
  tc_index_ = 0;
  copied_.clear();
  ethernet_ = true;
  VNET_TRY(read_facts());
  auto port = std::ranges::find(ports_, question.interface, &PortRecord::interface);
  auto parent = std::ranges::find(parents_, question.interface, &ParentRecord::interface);
  auto uplink = std::ranges::find(uplinks_, question.interface, &UplinkRecord::interface);
  auto gateway = std::ranges::find_if(networks_, [&](const ActiveNetwork& each) {
    return each.network.mode != Mode::Bridge && each.network.bridge == question.interface;
  });
  if (port != ports_.end())
    VNET_TRY(from_guest(question, *port));
  else if (parent != parents_.end())
    VNET_TRY(from_wire(question, *parent));
  else if (uplink != uplinks_.end())
    VNET_TRY(uplink->network.empty() ? from_outside(question, *uplink) : from_member(question, *uplink));
  else if (gateway != networks_.end())
    VNET_TRY(from_host(question, *gateway));
  else
    return not_found(fmt::format(
        "{} is neither a port, nor an uplink, a gateway or a direct attachment's interface of an active "
        "network",
        question.interface));
  sum_up_copies();
  if (!shadow_->same_program())
    told_.notes.emplace_back("what is attached comes from another version of vnet-bpf than this command");
  return std::move(told_);
}

// Shows the packet as it is sent, on state copied this moment.
Result<void> Walk::send(const FrameSpec& spec, const Question& question) {
  if (spec.source.family != spec.destination.family)
    return invalid(
        fmt::format("{} and {} are not of the same family", spec.source.text(), spec.destination.text()));
  if (protocol_for(question) != "icmp" && !question.to_port)
    return invalid(fmt::format("--to: {} needs a port, as in {}", protocol_for(question),
                               Endpoint{question.to, 80}.text(true)));
  ethernet_ = spec.ethernet;
  frame_ = make_frame(spec);
  told_.sent = view();
  return shadow_->copy_state({spec.source, spec.destination});
}

// The fixed one, else the one that is learned.
std::optional<Mac> Walk::port_mac(const PortRecord& port) const {
  std::optional<Mac> mac = port.mac;
  context_->datapath->maps().fdb.for_each([&](const vnet_fdb_key& key, const vnet_fdb_entry& entry) {
    if (mac || entry.ifindex != static_cast<__u32>(port.ifindex)) return;
    mac.emplace();
    std::copy(std::begin(key.mac), std::end(key.mac), mac->bytes.begin());
  });
  return mac;
}

Result<std::optional<Mac>> Walk::neighbour_mac(int ifindex, const Address& address) {
  VNET_ASSIGN(auto neighbours, context_->netlink.neighbours(ifindex));
  for (const auto& each : neighbours)
    if (each.address == address) return each.mac;
  return std::nullopt;
}

// As ARP or neighbour discovery would find it, without asking: known neighbours, then whose address it is
// according to the datapath, then leases.
Result<std::optional<Mac>> Walk::mac_of(const ActiveNetwork& network, const Address& address) {
  if (!network.network.bridge.empty()) {
    VNET_ASSIGN(auto link, context_->netlink.link(network.network.bridge));
    VNET_ASSIGN(auto mac, neighbour_mac(link.ifindex, address));
    if (mac) return mac;
  }
  auto known =
      context_->datapath->maps().addresses.get({.addr = from_address(address), .slot = network.record.slot});
  if (known)
    if (const PortRecord* port = port_of(known->port)) return port_mac(*port);
  VNET_ASSIGN(auto text, read_file(context_->dirs.leases() / (network.record.name + ".leases")));
  if (text)
    for (const auto& lease : parse_leases(*text, network.network))
      if (lease.ip == address && lease.mac) return *lease.mac;
  return std::nullopt;
}

// The MAC that a guest sends to. Its own subnets it asks for directly, the rest goes to the gateway; where
// that is not ours (bridged, direct) it is taken to be the host's.
Result<std::optional<Mac>> Walk::mac_towards(const ActiveNetwork& network, const PortRecord& port,
                                             const Address& to) {
  const Network& config = network.network;
  bool is_broadcast = to == *Address::parse("255.255.255.255"), own = false, gateway = false;
  for (const IpConfig& ip : config.ips) {
    own |= ip.gateway.contains(to);
    gateway |= ip.gateway.address == to;
    is_broadcast |=
        to.family == Family::V4 && ip.gateway.address.family == Family::V4 && ip.gateway.broadcast() == to;
  }
  if (to.is_multicast() || is_broadcast) return group_mac(to);
  if (config.mode != Mode::Bridge && config.mode != Mode::Direct) {
    if (own && !gateway) return mac_of(network, to);
    return config.mac;
  }
  VNET_ASSIGN(auto mac, mac_of(network, to));
  VNET_ASSIGN(auto link, context_->netlink.link(port.parent.empty() ? config.bridge : port.parent));
  if (mac) return mac;
  VNET_ASSIGN(mac, neighbour_mac(link.ifindex, to));
  if (mac) return mac;
  VNET_ASSIGN(auto route, context_->netlink.route_of({{to.family, {}}, to, 0}));
  if (!route.error && route.type == RTN_LOCAL) return link.mac;
  if (!route.error && route.type == RTN_BROADCAST) return group_mac(to);
  return route.gateway ? neighbour_mac(link.ifindex, *route.gateway) : std::optional<Mac>();
}

Result<Address> Walk::own_address(const Question& question, const ActiveNetwork& network,
                                  const PortRecord& port, const std::optional<Mac>& mac) {
  if (question.from) return *question.from;
  Family family = question.to.family;
  for (const auto& ip : port.ips)
    if (ip.family == family) return ip;
  std::optional<Address> noted;
  context_->datapath->maps().addresses.for_each([&](const vnet_address_key& key, const vnet_address& entry) {
    Address address = to_address(key.addr);
    if (key.slot == port.slot && entry.port == port.slot && address.family == family &&
        !address.is_link_local())
      noted = address;
  });
  if (noted) return *noted;
  VNET_ASSIGN(auto text, read_file(context_->dirs.leases() / (network.record.name + ".leases")));
  if (text && mac)
    for (const auto& lease : parse_leases(*text, network.network))
      if (lease.mac == mac && lease.ip.family == family) return lease.ip;
  VNET_ASSIGN(auto link, context_->netlink.link(port.parent.empty() ? network.network.bridge : port.parent));
  VNET_ASSIGN(auto neighbours, context_->netlink.neighbours(link.ifindex));
  for (const auto& each : neighbours)
    if (mac && each.mac == *mac && each.address.family == family && !each.address.is_link_local())
      return each.address;
  return invalid(fmt::format("no address of the guest at {} is known: give one with --from", port.interface));
}

Result<void> Walk::from_guest(const Question& question, const PortRecord& port) {
  const ActiveNetwork* network = nullptr;
  for (const auto& each : networks_)
    if (each.record.name == port.network) network = &each;
  if (!network) return failed(fmt::format("network {} of {} is not active", port.network, port.interface));
  std::optional<Mac> mac = port_mac(port);
  VNET_ASSIGN(auto from, own_address(question, *network, port, mac));
  FrameSpec spec = spec_of(question, from);
  if (!mac) told_.notes.emplace_back("the guest has sent nothing yet: its MAC is made up");
  spec.source_mac = mac.value_or(Mac{{0x52, 0x54, 0, 0, 0, 1}});
  VNET_ASSIGN(auto target, mac_towards(*network, port, question.to));
  spec.destination_mac = target.value_or(Mac{});
  VNET_TRY(send(spec, question));
  VNET_ASSIGN(auto link, context_->netlink.find_link(port.ifindex));
  if (!link || !link->up) {
    step(hook_word(VNET_HOOK_PORT_INGRESS), port.interface, "lost");
    last().details.emplace_back("the interface is down: nothing is received");
    told_.cause = port.plugged ? "" : cause_of(VNET_DROP_LINK_DOWN, {&network->record, &port});
    end(Fate::Nowhere, port.interface);
    return {};
  }
  if (!target) {
    step(hook_word(VNET_HOOK_PORT_INGRESS), port.interface, "nothing to send");
    last().details.push_back(fmt::format(
        "{} is in the guest's own subnet, and nobody is known to have it: the guest asks (ARP, ND) first",
        question.to.text()));
    end(Fate::Nowhere, port.interface);
    return {};
  }
  return at_port_ingress(*network, port);
}

// Into a host's bridge from outside.
Result<void> Walk::from_member(const Question& question, const UplinkRecord& member) {
  if (!question.from)
    return invalid(fmt::format("--from: name who sends it, {} leading outside", member.interface));
  auto network =
      std::ranges::find_if(networks_, [&](const auto& each) { return each.record.name == member.network; });
  if (network == networks_.end())
    return failed(fmt::format("network {} of {} is not active", member.network, member.interface));
  FrameSpec spec = spec_of(question, *question.from);
  VNET_ASSIGN(auto mac, mac_of(*network, question.to));
  spec.source_mac = Mac{{2, 0, 0, 0, 0, 1}};
  spec.destination_mac = mac.value_or(network->network.mac.value_or(Mac{}));
  if (!mac)
    told_.notes.push_back(question.to.text() + " is nobody's that is known: sent to the bridge's own MAC");
  VNET_TRY(send(spec, question));
  return at_member_ingress(*network, member);
}

Result<void> Walk::from_outside(const Question& question, const UplinkRecord& uplink) {
  if (!question.from)
    return invalid(fmt::format("--from: name who sends it, {} being an uplink", uplink.interface));
  VNET_ASSIGN(auto link, context_->netlink.link(uplink.ifindex));
  FrameSpec spec = spec_of(question, *question.from);
  spec.ethernet = link.ethernet;
  spec.source_mac = Mac{{2, 0, 0, 0, 0, 1}};
  spec.destination_mac = link.mac;
  VNET_TRY(send(spec, question));
  return at_uplink_ingress(uplink);
}

Result<void> Walk::from_host(const Question& question, const ActiveNetwork& network) {
  std::optional<Address> from = question.from;
  for (const auto& ip : network.network.ips)
    if (!from && ip.gateway.address.family == question.to.family) from = ip.gateway.address;
  if (!from)
    return invalid(fmt::format("--from: network {} has no address of that family", network.record.name));
  FrameSpec spec = spec_of(question, *from);
  spec.source_mac = network.network.mac.value_or(Mac{});
  VNET_TRY(send(spec, question));
  return at_host(0);
}

}  // namespace vnet
