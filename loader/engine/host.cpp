// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/engine/host.h"

#include <fmt/format.h>

#include <algorithm>

#include "loader/apply/guards.h"
#include "loader/base/files.h"
#include "loader/config/domain_xml.h"
#include "loader/config/network_xml.h"
#include "loader/config/update.h"
#include "loader/engine/host_state.h"
#include "loader/plan/resources.h"

namespace vnet {

Host::Host(std::unique_ptr<State> state) : state_(std::move(state)) {}
Host::Host(Host&&) noexcept = default;
Host& Host::operator=(Host&&) noexcept = default;
Host::~Host() = default;

Result<Host> Host::open(std::optional<std::filesystem::path> state_dir, bool verbose) {
  set_libbpf_verbose(verbose);
  VNET_ASSIGN(auto netlink, Netlink::open());
  auto state = std::make_unique<State>(StateDir(std::move(state_dir)), std::move(netlink));
  VNET_ASSIGN(state->system.datapath, Datapath::open(state->system.dirs.pins()));
  return Host(std::move(state));
}

unsigned Host::layout() const {
  return state_->system.datapath ? state_->system.datapath->layout() : 0;
}

Result<void> Host::check_readable() const {
  if (!layout() || state_->system.datapath->has_maps()) return {};
  return unknown_layout(layout());
}

Result<std::optional<Network>> Host::State::definition(const std::string& name) {
  auto path = system.dirs.definitions() / (name + ".xml");
  VNET_ASSIGN(auto text, read_file(path));
  if (!text) return std::nullopt;
  VNET_ASSIGN(auto network, parse_network(*text, path.string()));
  return network;
}

Result<Network> Host::definition(const std::string& name) {
  VNET_ASSIGN(auto network, state_->definition(name));
  if (!network) return not_found(fmt::format("no network with matching name '{}'", name));
  return std::move(*network);
}

Result<Lock> Host::run_lock() {
  return state_->system.dirs.run_lock();
}

Result<std::set<std::string>> Host::autostart_networks() {
  VNET_ASSIGN(auto files, list_files(state_->system.dirs.autostart(), ".xml"));
  std::set<std::string> names;
  for (const auto& file : files) names.insert(file.substr(0, file.size() - 4));
  return names;
}

Result<std::vector<pid_t>> Host::service_pids() {
  VNET_ASSIGN(auto records, state_->system.records.networks());
  std::vector<pid_t> pids;
  for (const auto& record : records)
    if (auto pid = state_->system.dnsmasq(record.name).pid()) pids.push_back(*pid);
  return pids;
}

Result<bool> Host::is_guarded() {
  VNET_ASSIGN(auto missing, missing_guards(state_->system));
  return missing.empty();
}

Result<std::string> Host::network_of(const std::string& interface) {
  System& system = state_->system;
  VNET_ASSIGN(auto link, system.netlink.find_link(interface));
  if (!link) return "";
  VNET_ASSIGN(auto record, system.records.port(link->name));
  if (record && record->ifindex == link->ifindex) return record->network;
  if (!link->master) return "";
  VNET_ASSIGN(auto active, active_networks(system));
  VNET_ASSIGN(auto bridge, system.netlink.find_link(link->master));
  for (const auto& one : active)
    if (bridge && one.record.complete && one.network.bridge == bridge->name) return one.network.name;
  return "";
}

Result<Network> read_network(std::string_view xml, const std::string& file_name,
                             std::vector<std::string>* ignored) {
  return parse_network(xml, file_name, ignored);
}

std::string network_xml(const Network& network) {
  return format_network(network);
}

Result<Network> update_network(const Network& network, const SectionUpdate& section) {
  return updated(network, section);
}

std::vector<std::string> update_sections() {
  return section_names();
}

Result<std::vector<GuestInterface>> guest_interfaces(std::string_view domain_xml) {
  return parse_domain_interfaces(domain_xml, "its XML");
}

Result<PortRequest> request_of(const GuestInterface& card, const std::string& network) {
  PortRequest request{
      .interface = card.target, .network = network, .mac = card.mac, .isolated = card.isolated};
  request.any_mac = card.trust_guest_rx_filters;
  request.link_up = card.link_up;
  if (!card.model.empty()) request.model = card.model;
  if (!card.portgroup.empty()) request.portgroup = card.portgroup;
  if (!card.guest.empty()) request.guest = card.guest;
  if (!card.guest_uuid.empty()) request.guest_uuid = card.guest_uuid;
  if (card.bandwidth) request.bandwidth = BandwidthRequest{card.bandwidth->inbound, card.bandwidth->outbound};
  if (card.vlan) request.vlan = card.vlan;
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

}  // namespace vnet
