// SPDX-License-Identifier: GPL-2.0-or-later
// What is asked of networks.
#include "loader/libvirt/network_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace vnet::libvirt {
namespace {

using rpc::Code;
using rpc::Reply;

constexpr std::uint32_t xml_inactive = 1;
constexpr std::size_t most_leases = 65536;

// libvirt's virConnectListAllNetworksFlags, in pairs: of each none or both means that it does not matter.
struct ListFilter {
  std::uint32_t yes, no;
  bool (*is)(const KnownNetwork&);
};
constexpr ListFilter list_filters[] = {
    {2, 1, [](const KnownNetwork& network) { return network.active.has_value(); }},
    {4, 8, [](const KnownNetwork& network) { return network.definition.has_value(); }},
    {16, 32, [](const KnownNetwork& network) { return network.autostart; }},
};
constexpr std::uint32_t all_list_flags = 63;

bool is_wanted(const KnownNetwork& network, std::uint32_t flags) {
  return std::ranges::all_of(list_filters, [&](const ListFilter& filter) {
    bool yes = flags & filter.yes, no = flags & filter.no;
    return yes == no || yes == filter.is(network);
  });
}

const Network& current(const KnownNetwork& network) {
  return network.active ? *network.active : *network.definition;
}

std::string with_connections(std::string xml, std::size_t count) {
  if (count) xml.insert(std::string("<network").size(), fmt::format(" connections='{}'", count));
  return xml;
}

// A guest that is being started has its interface before that.
constexpr std::chrono::seconds stale_age{60};

Result<void> forget_stale_ports(Host& host) {
  VNET_ASSIGN(auto stale, host.stale_guest_ports(stale_age));
  if (stale.empty()) return {};
  VNET_ASSIGN(auto transaction, host.begin("serve"));
  for (const auto& port : stale) VNET_TRY(transaction.withdraw(port.uuid));
  return {};
}

std::optional<std::string> unless_empty(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

}  // namespace

Result<std::unique_ptr<NetworkService>> NetworkService::make(Host reader, Host changer) {
  VNET_TRY(changer.make_folders());
  VNET_TRY(forget_stale_ports(changer));
  std::unique_ptr<NetworkService> service(new NetworkService(std::move(reader), std::move(changer)));
  VNET_ASSIGN(service->cache_, NetworkCache::make(service->reader_));
  return service;
}

std::vector<rpc::NetworkEvent> NetworkService::take_events() {
  auto events = cache_->take_events();
  std::lock_guard guard(metadata_mutex_);
  std::ranges::move(metadata_events_, std::back_inserter(events));
  metadata_events_.clear();
  return events;
}

Reply<const KnownNetwork*> NetworkService::find(const rpc::Net& net) {
  VNET_REPLY_ASSIGN(const auto* all, cache_->networks());
  auto found = std::ranges::find(*all, rpc::uuid_text(net.uuid), &KnownNetwork::uuid);
  if (found == all->end())
    return refuse(Code::NoNetwork,
                  fmt::format("no network with matching uuid '{}' ({})", rpc::uuid_text(net.uuid), net.name));
  return &*found;
}

Reply<std::vector<std::string>> NetworkService::list_active(std::int32_t most) {
  VNET_REPLY_ASSIGN(const auto* all, cache_->networks());
  std::vector<std::string> names;
  for (const auto& network : *all)
    if (network.active && most > 0 && names.size() < static_cast<std::size_t>(most))
      names.push_back(network.name);
  return names;
}

Reply<std::vector<std::string>> NetworkService::list_defined(std::int32_t most) {
  VNET_REPLY_ASSIGN(const auto* all, cache_->networks());
  std::vector<std::string> names;
  for (const auto& network : *all)
    if (!network.active && most > 0 && names.size() < static_cast<std::size_t>(most))
      names.push_back(network.name);
  return names;
}

Reply<std::int32_t> NetworkService::count_active() {
  VNET_ASSIGN(auto names, list_active(INT32_MAX));
  return static_cast<std::int32_t>(names.size());
}

Reply<std::int32_t> NetworkService::count_defined() {
  VNET_ASSIGN(auto names, list_defined(INT32_MAX));
  return static_cast<std::int32_t>(names.size());
}

Reply<rpc::Counted<rpc::Net>> NetworkService::list_all(std::int32_t need, std::uint32_t flags) {
  VNET_TRY(check_flags(flags, all_list_flags, "networkConnectListAllNetworks"));
  VNET_REPLY_ASSIGN(const auto* all, cache_->networks());
  rpc::Counted<rpc::Net> list;
  for (const auto& network : *all)
    if (is_wanted(network, flags)) list.items.push_back(net_of(network));
  list.count = static_cast<std::uint32_t>(list.items.size());
  if (!need) list.items.clear();
  return list;
}

Reply<rpc::Net> NetworkService::lookup_by_name(const std::string& name) {
  VNET_REPLY_ASSIGN(const auto* all, cache_->networks());
  auto found = std::ranges::find(*all, name, &KnownNetwork::name);
  if (found == all->end())
    return refuse(Code::NoNetwork, fmt::format("no network with matching name '{}'", name));
  return net_of(*found);
}

Reply<rpc::Net> NetworkService::lookup_by_uuid(const rpc::Uuid& uuid) {
  VNET_REPLY_ASSIGN(const auto* all, cache_->networks());
  auto found = std::ranges::find(*all, rpc::uuid_text(uuid), &KnownNetwork::uuid);
  if (found == all->end())
    return refuse(Code::NoNetwork, fmt::format("no network with matching uuid '{}'", rpc::uuid_text(uuid)));
  return net_of(*found);
}

Reply<std::string> NetworkService::xml(const rpc::Net& net, std::uint32_t flags) {
  VNET_TRY(check_flags(flags, xml_inactive, "networkGetXMLDesc"));
  VNET_ASSIGN(const auto* network, find(net));
  bool inactive = (flags & xml_inactive) && network->definition;
  if (inactive || !network->active) return network_xml(*network->definition);
  VNET_ASSIGN(auto ports, ports_of(reader_, network->name));
  return with_connections(network_xml(*network->active), ports.size());
}

Reply<std::string> NetworkService::bridge_name(const rpc::Net& net) {
  VNET_ASSIGN(const auto* network, find(net));
  const std::string& bridge = current(*network).bridge;
  if (bridge.empty())
    return refuse(Code::Internal, fmt::format("network '{}' does not have a bridge name.", network->name));
  return bridge;
}

Reply<std::int32_t> NetworkService::autostart(const rpc::Net& net) {
  VNET_ASSIGN(const auto* network, find(net));
  return network->autostart;
}

Reply<std::int32_t> NetworkService::is_active(const rpc::Net& net) {
  VNET_ASSIGN(const auto* network, find(net));
  return network->active.has_value();
}

Reply<std::int32_t> NetworkService::is_persistent(const rpc::Net& net) {
  VNET_ASSIGN(const auto* network, find(net));
  return network->definition.has_value();
}

Reply<rpc::Counted<rpc::LeaseRow>> NetworkService::leases(const rpc::Net& net,
                                                          const std::optional<std::string>& mac,
                                                          std::int32_t need, std::uint32_t flags) {
  VNET_TRY(check_flags(flags, 0, "networkGetDHCPLeases"));
  VNET_ASSIGN(const auto* network, find(net));
  std::optional<Mac> wanted;
  if (mac) {
    wanted = Mac::parse(*mac);
    if (!wanted) return refuse(Code::InvalidArgument, fmt::format("mac '{}'", *mac));
  }
  const Network& definition = current(*network);
  VNET_REPLY_ASSIGN(auto entries, reader_.leases(definition));
  auto now =
      static_cast<std::uint64_t>(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()));
  rpc::Counted<rpc::LeaseRow> list;
  for (const auto& entry : entries) {
    bool expired = entry.expiry && entry.expiry < now;
    if (expired || (wanted && entry.mac != wanted) || list.items.size() == most_leases) continue;
    list.items.push_back({.interface = definition.bridge,
                          .expiry = static_cast<std::int64_t>(entry.expiry),
                          .type = entry.family == Family::V6,
                          .mac = entry.mac ? std::optional(entry.mac->text()) : std::nullopt,
                          .iaid = std::nullopt,
                          .address = entry.ip.text(),
                          .prefix = entry.prefix_length,
                          .hostname = unless_empty(entry.hostname),
                          .client_id = unless_empty(entry.client_id)});
  }
  list.count = static_cast<std::uint32_t>(list.items.size());
  if (!need) list.items.clear();
  return list;
}

Reply<std::string> NetworkService::metadata(const rpc::Net& net, std::int32_t type,
                                            const std::optional<std::string>& uri, std::uint32_t flags) {
  constexpr std::uint32_t live = 1, config = 2;
  VNET_TRY(check_flags(flags, live | config, "networkGetMetadata"));
  VNET_ASSIGN(const auto* network, find(net));
  if (type < 0 || type > static_cast<int>(MetadataKind::Element))
    return refuse(Code::InvalidArgument, fmt::format("unknown metadata type {}", type));
  if (type == static_cast<int>(MetadataKind::Element) && !uri)
    return refuse(Code::InvalidArgument, "uri of the metadata element is missing");
  if ((flags & live) && !network->active)
    return refuse(Code::OperationInvalid, fmt::format("network '{}' is not active", network->name));
  const Network& of = (flags & config) && network->definition ? *network->definition : current(*network);
  VNET_REPLY_ASSIGN(auto found, network_metadata(of, static_cast<MetadataKind>(type), uri.value_or("")));
  if (!found) return refuse(Code::NoMetadata, "Requested metadata element is not present");
  return *found;
}

}  // namespace vnet::libvirt
