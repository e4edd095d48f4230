// SPDX-License-Identifier: GPL-2.0-or-later
// Ports that shall be there: what `attach` and `set` ask for, and what has to be put back.
#include <fmt/format.h>

#include <algorithm>

#include "loader/model/port_rules.h"
#include "loader/plan/builder.h"
#include "loader/plan/modes/direct.h"
#include "loader/plan/port_rules.h"
#include "loader/plan/xdp_target.h"

namespace vnet {
namespace {

Result<void> check_request(const PortRequest& request) {
  if (request.filters) VNET_TRY(parse_filters(*request.filters));
  if (request.allow)
    for (const auto& rule : *request.allow) VNET_TRY(parse_allow_rule(rule));
  if (request.mac && request.mac->is_multicast())
    return invalid(fmt::format("--mac {}: a guest's address cannot be a multicast one", request.mac->text()));
  return {};
}

Result<void> check_mac_free(const Builder& builder, const PortRecord& record, const Network& network) {
  auto mac = fixed_mac(record, network);
  if (!mac) return {};
  for (const auto& [interface, resource] : builder.wanted.resources.ports) {
    const PortRecord& other = resource.record;
    bool meets = other.network == record.network || (!record.parent.empty() && other.parent == record.parent);
    if (!meets || interface == record.interface || other.mac != mac) continue;
    auto theirs = builder.wanted.networks.find(other.network);
    if (theirs != builder.wanted.networks.end() && fixed_mac(other, theirs->second))
      return failed(fmt::format("{} has the MAC {} already", interface, mac->text()));
  }
  return {};
}

Result<void> check_attachable(const Snapshot& snapshot, const LinkInfo& link, const Network& network) {
  if (!link.ethernet) return invalid(fmt::format("{} is not an Ethernet interface", link.name));
  if (link.kind == "bridge" || link.name == "lo")
    return invalid(fmt::format("{} is a {}, not a guest's interface", link.name,
                               link.kind == "bridge" ? "bridge" : "loopback"));
  if (link.without_macs)
    return invalid(
        fmt::format("{} is a netkit device in mode l3: its packets have no MAC addresses; make it "
                    "with mode l2",
                    link.name));
  if (snapshot.routed_links().contains(link.ifindex))
    return invalid(fmt::format(
        "{} is an uplink of the host, not a guest's interface: it has addresses or routes (ip addr flush dev "
        "{})",
        link.name, link.name));
  const UplinkRecord* uplink = snapshot.uplink(link.name);
  if ((uplink && !uplink->network.empty()) || snapshot.parent(link.name))
    return invalid(fmt::format("{} is an uplink of the host, not a guest's interface", link.name));
  const LinkInfo* master = link.master ? snapshot.link(link.master) : nullptr;
  if (master && master->name != network.bridge)
    return failed(fmt::format("{} belongs to {}; take it out first (ip link set {} nomaster)", link.name,
                              master->name, link.name));
  return {};
}

void note_ip_only(Builder& builder, const PortRecord& record, const Network& network) {
  auto note = ip_only_note(record, network);
  if (!note.empty()) builder.wanted.notes.push_back(std::move(note));
}

// A bridge that keeps no VLANs apart, whatever is asked for.
void note_vlan(Builder& builder, const PortRecord& record, const Network& network) {
  const LinkInfo* bridge = is_bridged(network) ? builder.snapshot.link(network.bridge) : nullptr;
  if (!bridge || !vlan_of(record, network) || (bridge->bridge && bridge->bridge->vlan_filtering)) return;
  builder.wanted.notes.push_back(
      fmt::format("{}: its VLAN is not applied: bridge {} keeps none apart (ip link set {} type bridge "
                  "vlan_filtering 1)",
                  record.interface, network.bridge, network.bridge));
}

Result<void> change(Builder& builder, PortResource& port, const PortRequest& request) {
  VNET_TRY(check_request(request));
  PortRecord after = port.record;
  apply_request(after, request);
  if (const ActiveNetwork* active = builder.snapshot.network(after.network)) {
    VNET_TRY(check_mac_free(builder, after, active->network));
    if (!after.parent.empty()) VNET_TRY(check_direct_port(builder.snapshot, active->network, after));
    note_ip_only(builder, after, active->network);
    note_vlan(builder, after, active->network);
  }
  port.record = std::move(after);
  return {};
}

// A port that `attach` plugged in, or that stands without its programs. One that was put elsewhere meanwhile
// is asked about by `attach`, not overruled here.
bool is_to_be_put_back(const Snapshot& snapshot, const PortRecord& record) {
  const ActiveNetwork* active = snapshot.network(record.network);
  const LinkInfo* link = snapshot.link(record.ifindex);
  if (!link || link->name != record.interface || !active || !active->record.complete) return false;
  if (record.settled && snapshot.guarded_ports.contains(record.interface)) return false;
  const LinkInfo* bridge = snapshot.link(active->network.bridge);
  bool plugged = bridge && link->master == bridge->ifindex;
  return plugged || !record.parent.empty() || (!link->master && !record.settled && bridge);
}

// What XDP forward may deliver to depends on the guest's end, too, which changes without a command.
void mend_xdp_targets(Builder& builder) {
  for (auto& [interface, port] : builder.wanted.resources.ports) {
    auto network = builder.wanted.networks.find(port.record.network);
    const LinkInfo* link = builder.snapshot.link(port.record.ifindex);
    if (network == builder.wanted.networks.end() || network->second.settings.xdp != XdpMode::Forward ||
        !link || link->name != interface || !port.record.settled)
      continue;
    auto features = builder.snapshot.xdp_features.find(link->ifindex);
    port.xdp_target = !why_no_target(
        network->second, port.record, *link,
        features == builder.snapshot.xdp_features.end() ? std::nullopt : std::optional(features->second));
  }
}

}  // namespace

Result<void> want_port(Builder& builder, const PortRequest& request) {
  VNET_TRY(check_request(request));
  VNET_ASSIGN(auto active, need_complete(builder, request.network));
  const Network& network = active.network;
  const LinkInfo* link = builder.snapshot.link(request.interface);
  if (!link) return not_found(fmt::format("there is no interface {}", request.interface));
  if (!is_direct(network) && !builder.snapshot.link(network.bridge))
    return failed(fmt::format("network {0}: its bridge {1} has gone; start it again (vnet-bpf start {0})",
                              network.name, network.bridge));
  auto& ports = builder.wanted.resources.ports;
  auto before = ports.find(request.interface);
  if (before != ports.end() && before->second.record.network != request.network)
    return failed(fmt::format("{} is attached to network {}; detach it first", request.interface,
                              before->second.record.network));
  builder.wanted.done["port " + request.interface] =
      fmt::format("Interface {} attached to network {}", request.interface, request.network);
  // Attached and in place: change what is asked for.
  if (before != ports.end() && before->second.in_place) return change(builder, before->second, request);
  VNET_TRY(check_attachable(builder.snapshot, *link, network));

  PortRecord record;
  record.interface = request.interface;
  record.network = request.network;
  if (before != ports.end()) {
    record = before->second.record;
  } else {
    VNET_ASSIGN(record.slot, builder.slots.take());
    record.enslaved_by_us = !link->master;
  }
  record.ifindex = link->ifindex;
  apply_request(record, request);
  record.settled = true;
  record.leaving = false;
  if (is_direct(network)) {
    VNET_ASSIGN(record.parent, choose_parent(builder, network, record));
    VNET_TRY(check_direct_port(builder.snapshot, network, record));
  }
  VNET_TRY(check_mac_free(builder, record, network));
  note_ip_only(builder, record, network);
  note_vlan(builder, record, network);
  ports[request.interface] = {.record = std::move(record)};
  return {};
}

Result<void> want_change(Builder& builder, const PortRequest& request) {
  auto& ports = builder.wanted.resources.ports;
  auto before = ports.find(request.interface);
  if (before == ports.end())
    return not_found(fmt::format("{} is not attached to any network", request.interface));
  return change(builder, before->second, request);
}

void want_no_port(Builder& builder, const std::string& interface) {
  auto& ports = builder.wanted.resources.ports;
  auto before = ports.find(interface);
  if (before == ports.end()) return;
  builder.wanted.done["port " + interface] =
      fmt::format("Interface {} detached from network {}", interface, before->second.record.network);
  ports.erase(before);
}

void mend_ports(Builder& builder, const std::set<std::string>& except) {
  for (const auto& record : builder.snapshot.ports) {
    if (except.contains(record.interface)) continue;
    if (record.leaving) {
      want_no_port(builder, record.interface);
    } else if (is_to_be_put_back(builder.snapshot, record)) {
      auto put_back = want_port(builder, {.interface = record.interface, .network = record.network});
      if (!put_back) builder.refuse("port " + record.interface, std::move(put_back).error());
    }
  }
  mend_xdp_targets(builder);
}

}  // namespace vnet
