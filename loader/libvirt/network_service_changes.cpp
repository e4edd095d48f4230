// SPDX-License-Identifier: GPL-2.0-or-later
// What is changed of networks. All of this runs in the thread that changes.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "loader/libvirt/network_service.h"

namespace vnet::libvirt {
namespace {

using rpc::Code;
using rpc::Nothing;
using rpc::Reply;

constexpr std::uint32_t live = 1, config = 2;  // virNetworkUpdateFlags; none: what is there
constexpr std::uint32_t validate = 1;          // against libvirt's schema: what we do not know is only noted

// By libvirt's numbers.
constexpr std::array sections{"none",         "bridge",        "domain",   "ip",
                              "ip-dhcp-host", "ip-dhcp-range", "forward",  "forward-interface",
                              "forward-pf",   "portgroup",     "dns-host", "dns-txt",
                              "dns-srv"};

std::optional<UpdateCommand> command_of(std::uint32_t number) {
  switch (number) {
    case 1:
      return UpdateCommand::Modify;
    case 2:
      return UpdateCommand::Delete;
    case 3:
      return UpdateCommand::AddLast;
    case 4:
      return UpdateCommand::AddFirst;
    default:
      return std::nullopt;
  }
}

// Another network's name or UUID cannot be taken.
Reply<Nothing> check_identity(const std::vector<KnownNetwork>& all, const Network& network) {
  if (network.uuid.empty()) return Nothing{};
  for (const auto& other : all) {
    if (other.name == network.name && other.uuid != network.uuid)
      return refuse(Code::OperationFailed,
                    fmt::format("network '{}' already exists with uuid {}", other.name, other.uuid));
    if (other.name != network.name && other.uuid == network.uuid)
      return refuse(Code::OperationFailed,
                    fmt::format("network '{}' is already defined with uuid {}", other.name, other.uuid));
  }
  return Nothing{};
}

Reply<Network> parse(const std::string& xml) {
  auto network = read_network(xml, "", nullptr);
  if (!network) {
    const Error& error = network.error();
    return refuse(Code::Xml,
                  error.line ? fmt::format("line {}: {}", error.line, error.message) : error.message);
  }
  return std::move(*network);
}

// The words tell what kind of refusal it is.
std::unexpected<rpc::Fault> update_fault(const Error& error) {
  if (error.kind == ErrorKind::Invalid) return refuse(Code::Xml, error.message);
  if (error.message.starts_with("can't update")) return refuse(Code::OperationUnsupported, error.message);
  return fault_of(error, Code::OperationInvalid);
}

}  // namespace

Reply<KnownNetwork> NetworkService::find_to_change(const rpc::Net& net) {
  VNET_REPLY_ASSIGN(auto all, changer_.known_networks());
  auto found = std::ranges::find(all, rpc::uuid_text(net.uuid), &KnownNetwork::uuid);
  if (found == all.end())
    return refuse(Code::NoNetwork,
                  fmt::format("no network with matching uuid '{}' ({})", rpc::uuid_text(net.uuid), net.name));
  return std::move(*found);
}

Reply<KnownNetwork> NetworkService::find_after_change(const std::string& name) {
  VNET_REPLY_ASSIGN(auto all, changer_.known_networks());
  auto found = std::ranges::find(all, name, &KnownNetwork::name);
  if (found == all.end())
    return refuse(Code::NoNetwork, fmt::format("no network with matching name '{}'", name));
  return std::move(*found);
}

Reply<Nothing> NetworkService::carry_out(const Intent& intent, Code failed) {
  auto done = [&]() -> Result<void> {
    VNET_ASSIGN(auto transaction, changer_.begin("serve"));
    VNET_TRY(transaction.run(intent));
    return {};
  }();
  if (!done) return fault_of(done.error(), failed);
  return Nothing{};
}

Reply<Nothing> NetworkService::start(const rpc::Net& net) {
  VNET_ASSIGN(auto network, find_to_change(net));
  if (network.active) return refuse(Code::OperationInvalid, "network is already active");
  VNET_TRY(carry_out(Start{network.name}));
  // Guests that were left on it are plugged in again; `run` would do that a moment later.
  std::set<std::string> nothing;
  VNET_REPLY_ASSIGN(auto transaction, changer_.begin("serve"));
  VNET_REPLY_TRY(transaction.follow(nothing));
  return Nothing{};
}

Reply<rpc::Net> NetworkService::create_flags(const std::string& xml, std::uint32_t flags) {
  VNET_TRY(check_flags(flags, validate, "networkCreateXMLFlags"));
  VNET_ASSIGN(auto network, parse(xml));
  VNET_REPLY_ASSIGN(auto all, changer_.known_networks());
  VNET_TRY(check_identity(all, network));
  const std::string name = network.name;
  auto known = std::ranges::find(all, name, &KnownNetwork::name);
  if (known != all.end() && known->active)
    return refuse(Code::OperationInvalid, fmt::format("network is already active as '{}'", name));
  VNET_TRY(carry_out(Create{std::move(network)}));
  VNET_ASSIGN(auto created, find_after_change(name));
  return net_of(created);
}

Reply<rpc::Net> NetworkService::define_flags(const std::string& xml, std::uint32_t flags) {
  VNET_TRY(check_flags(flags, validate, "networkDefineXMLFlags"));
  VNET_ASSIGN(auto network, parse(xml));
  VNET_REPLY_ASSIGN(auto all, changer_.known_networks());
  VNET_TRY(check_identity(all, network));
  const std::string name = network.name;
  VNET_TRY(carry_out(Define{std::move(network), ""}));
  VNET_ASSIGN(auto defined, find_after_change(name));
  return net_of(defined);
}

Reply<Nothing> NetworkService::undefine(const rpc::Net& net) {
  VNET_ASSIGN(auto network, find_to_change(net));
  if (!network.definition) return refuse(Code::OperationInvalid, "can't undefine transient network");
  return carry_out(Undefine{network.name});
}

Reply<Nothing> NetworkService::destroy(const rpc::Net& net) {
  VNET_ASSIGN(auto network, find_to_change(net));
  if (!network.active)
    return refuse(Code::OperationInvalid, fmt::format("network '{}' is not active", network.name));
  return carry_out(Stop{network.name});
}

Reply<Nothing> NetworkService::set_autostart(const rpc::Net& net, std::int32_t enable) {
  VNET_ASSIGN(auto network, find_to_change(net));
  if (!network.definition)
    return refuse(Code::OperationInvalid, "cannot set autostart for transient network");
  return carry_out(Autostart{network.name, enable != 0});
}

Reply<Nothing> NetworkService::change(const KnownNetwork& network, Update update) {
  if (update.live && !network.active) return refuse(Code::OperationInvalid, "network is not running");
  if (update.config && !network.definition)
    return refuse(Code::OperationInvalid, "cannot change persistent config of a transient network");
  update.name = network.name;
  auto done = [&]() -> Result<void> {
    VNET_ASSIGN(auto transaction, changer_.begin("serve"));
    VNET_TRY(transaction.run(update));
    return {};
  }();
  if (!done) return update_fault(done.error());
  return Nothing{};
}

Reply<Nothing> NetworkService::update(const rpc::Net& net, std::uint32_t command, std::uint32_t section,
                                      std::int32_t parent_index, const std::string& xml,
                                      std::uint32_t flags) {
  VNET_TRY(check_flags(flags, live | config, "networkUpdate"));
  VNET_ASSIGN(auto network, find_to_change(net));
  if (section == 0 || section >= sections.size())
    return refuse(Code::OperationUnsupported,
                  fmt::format("can't update unrecognized section of network '{}'", network.name));
  auto how = command_of(command);
  if (!how)
    return refuse(Code::InvalidArgument, fmt::format("unrecognized network update command code {}", command));
  SectionUpdate change{.command = *how,
                       .section = sections[section],
                       .xml = xml,
                       .file_name = "",
                       .parent_index = parent_index};
  return this->change(network, {.name = "",
                                .change = [=](const Network& of) { return update_network(of, change); },
                                .live = (flags & live) != 0,
                                .config = (flags & config) != 0});
}

Reply<Nothing> NetworkService::set_metadata(const rpc::Net& net, std::int32_t type,
                                            const std::optional<std::string>& metadata,
                                            const std::optional<std::string>& key,
                                            const std::optional<std::string>& uri, std::uint32_t flags) {
  VNET_TRY(check_flags(flags, live | config, "networkSetMetadata"));
  VNET_ASSIGN(auto network, find_to_change(net));
  if (type < 0 || type > static_cast<int>(MetadataKind::Element))
    return refuse(Code::InvalidArgument, fmt::format("unknown metadata type {}", type));
  auto kind = static_cast<MetadataKind>(type);
  if (kind == MetadataKind::Element && (!uri || (metadata && !key)))
    return refuse(Code::InvalidArgument, "key and uri of the metadata element are needed");
  auto change = [=](const Network& of) {
    return network_with_metadata(of, kind, metadata, key.value_or(""), uri.value_or(""));
  };
  VNET_TRY(this->change(
      network, {.name = "", .change = change, .live = (flags & live) != 0, .config = (flags & config) != 0}));
  std::lock_guard guard(metadata_mutex_);
  metadata_events_.push_back(
      {.kind = rpc::NetworkEvent::Kind::Metadata, .net = net_of(network), .detail = type, .uri = uri});
  return Nothing{};
}

}  // namespace vnet::libvirt
