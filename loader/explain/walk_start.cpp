// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>

#include "loader/explain/cause.h"
#include "loader/explain/walk.h"
#include "loader/model/drop_reason.h"
#include "loader/plan/port_rules.h"

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
  auto link = system_->netlink.find_link(ifindex);
  return link && *link ? (*link)->name : fmt::format("interface {}", ifindex);
}

Result<void> Walk::read_facts() {
  VNET_ASSIGN(networks_, active_networks(*system_));
  VNET_ASSIGN(ports_, system_->records.ports());
  VNET_ASSIGN(uplinks_, system_->records.uplinks());
  VNET_ASSIGN(parents_, system_->records.parents());
  // The bridge's own MAC, where the definition leaves it to the kernel.
  for (auto& [record, network] : networks_) {
    if (network.bridge.empty()) continue;
    VNET_ASSIGN(auto bridge, system_->netlink.find_link(network.bridge));
    if (bridge) network.mac = bridge->mac;
  }
  return {};
}

Result<Explanation> Walk::explain(const Question& question) {
  told_ = {};
  tc_index_ = 0;
  copied_.clear();
  turned_ = false;
  OneCpu one_cpu;
  ethernet_ = true;
  VNET_TRY(read_facts());
  read_rules();
  auto port = std::ranges::find(ports_, question.interface, &PortRecord::interface);
  auto parent = std::ranges::find(parents_, question.interface, &ParentRecord::interface);
  auto uplink = std::ranges::find(uplinks_, question.interface, &UplinkRecord::interface);
  auto gateway = std::ranges::find_if(networks_, [&](const ActiveNetwork& each) {
    return !is_bridged(each.network) && each.network.bridge == question.interface;
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
  VNET_TRY(shadow_->copy_state({spec.source, spec.destination}));
  known_ = session_of(told_.sent).has_value();
  return {};
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
  VNET_ASSIGN(auto link, system_->netlink.find_link(port.ifindex));
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
        "nobody is known to have {}, or to be the guest's router there: the guest asks (ARP, ND) first",
        question.to.text()));
    end(Fate::Nowhere, port.interface);
    return {};
  }
  note_limits(port, VNET_OUT);
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
  VNET_ASSIGN(auto link, system_->netlink.link(uplink.ifindex));
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
  return is_group(network.network, question.to) ? at_gateway_egress(network, 0) : at_host(0);
}

}  // namespace vnet
