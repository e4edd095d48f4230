// SPDX-License-Identifier: GPL-2.0-or-later
// Ports as a hypervisor's hook asks for them.
#include <fmt/format.h>

#include <algorithm>

#include "loader/config/domain_xml.h"
#include "loader/engine/host_state.h"
#include "loader/model/guest.h"

namespace vnet {
namespace {

Result<PortRequest> request_of(const GuestInterface& card, const std::string& network) {
  PortRequest request{
      .interface = card.target, .network = network, .mac = card.mac, .isolated = card.isolated};
  request.any_mac = card.trust_guest_rx_filters;
  request.link_up = card.link_up;
  if (!card.model.empty()) request.model = card.model;
  if (!card.portgroup.empty()) request.portgroup = card.portgroup;
  request.bandwidth = card.bandwidth;
  request.vlan = card.vlan;
  if (card.filter.empty()) return request;
  request.filters = filters_like(card.filter);
  if (!request.filters)
    return invalid(
        fmt::format("<filterref filter='{}'> of {}: vnet-bpf has no such filter; those it has are in "
                    "vnet-bpf(8), under --filter",
                    card.filter, card.target));
  request.ips = card.ips;
  return request;
}

}  // namespace

Result<std::vector<GuestInterface>> guest_interfaces(std::string_view domain_xml) {
  return parse_domain_interfaces(domain_xml, "its XML");
}

Result<std::string> Host::State::network_with(const LinkInfo& link) {
  VNET_ASSIGN(auto record, context.records.port(link.name));
  if (record && record->ifindex == link.ifindex) return record->network;
  VNET_ASSIGN(auto active, active_networks(context));
  if (!link.master) return "";
  VNET_ASSIGN(auto bridge, context.netlink.find_link(link.master));
  for (const auto& one : active)
    if (bridge && one.record.complete && one.network.bridge == bridge->name) return one.network.name;
  return "";
}

Result<std::string> Host::network_of(const std::string& interface) {
  VNET_ASSIGN(auto link, state_->context.netlink.find_link(interface));
  if (!link) return "";
  return state_->network_with(*link);
}

std::vector<Task> Host::plug_in(const GuestInterface& card, const std::string& network) {
  // The name may have been another guest's, whose options are not this one's.
  auto forget = [this, card]() -> Result<Plan> {
    auto& context = state_->context;
    VNET_ASSIGN(auto record, context.records.port(card.target));
    VNET_ASSIGN(auto link, context.netlink.find_link(card.target));
    if (!record || (link && link->ifindex == record->ifindex)) return Plan{};
    return plan_detach(context, *record);
  };
  auto attach = [this, card, network]() -> Result<Plan> {
    VNET_ASSIGN(auto request, request_of(card, network));
    VNET_ASSIGN(auto known, state_->context.records.ports());
    return plan_attach(state_->context, request, known);
  };
  return {{"port " + card.target, forget}, {"port " + card.target, attach}};
}

Result<std::vector<Task>> Host::forget_gone() {
  auto& context = state_->context;
  VNET_ASSIGN(auto ports, context.records.ports());
  std::vector<Task> tasks;
  for (const auto& port : ports) {
    VNET_ASSIGN(auto link, context.netlink.find_link(port.interface));
    if (link && link->ifindex == port.ifindex) continue;
    tasks.push_back({"port " + port.interface, [&context, port] { return plan_detach(context, port); }});
  }
  return tasks;
}

}  // namespace vnet
