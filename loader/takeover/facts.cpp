// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <chrono>

#include "loader/bus/libvirt_daemons.h"
#include "loader/takeover/drivers.h"
#include "loader/takeover/execute.h"
#include "loader/takeover/lease_lines.h"
#include "loader/takeover/record.h"

namespace vnet::takeover {
namespace {

void add_once(std::vector<std::string>& names, const std::string& name) {
  if (!name.empty() && std::ranges::find(names, name) == names.end()) names.push_back(name);
}

// A port's guest; its UUID where it has no name that we can read.
std::string guest_of(const std::string& port_xml) {
  auto port = read_guest_port(port_xml);
  if (!port) return "a guest that cannot be told";
  return port->request.guest.value_or(port->request.guest_uuid.value_or("a guest without a name"));
}

// Whether the stored definition is not the one that was taken over.
bool is_edited(Host& host, const TheirNetwork& before) {
  auto imported = read_network(before.xml, before.name, nullptr);
  auto stored = host.definition(before.name);
  return !imported || !stored || network_xml(*imported) != network_xml(*stored);
}

}  // namespace

std::filesystem::path socket_of(LibvirtKind kind) {
  return kind == LibvirtKind::Modular ? libvirt::modular_socket : libvirt::monolithic_socket;
}

Result<Operator> Operator::open(bool verbose) {
  auto systemd = Systemd::open();
  if (!systemd)
    return failed(
        "systemd does not answer on D-Bus: docs/libvirt.md says what is to be done on a host without it");
  VNET_ASSIGN(auto host, Host::open(std::nullopt, verbose));
  return Operator(std::move(host), std::move(*systemd));
}

Result<Facts> Operator::facts() {
  Facts facts;
  VNET_ASSIGN(facts.host, read_libvirt_host(systemd_));
  VNET_ASSIGN(facts.record, read_record(dirs_));
  facts.driver = find_driver();
  facts.has_driver_files = has_driver_files();
  facts.driver_files_are_whole = driver_files_are_whole();
  std::error_code error;
  facts.has_drop_in_folder =
      std::filesystem::exists(std::filesystem::path(libvirt::drop_in).parent_path(), error);
  VNET_ASSIGN(facts.ours, our_networks(facts.record));
  if (facts.host.kind == LibvirtKind::None) return facts;
  auto client = rpc::Client::connect(socket_of(facts.host.kind));
  if (!client) {
    facts.silence = client.error().message;
    return facts;
  }
  VNET_ASSIGN(facts.version, client->library_version());
  if (facts.host.server != NetworkServer::Libvirt) return facts;
  VNET_ASSIGN(facts.theirs, their_networks(*client));
  return facts;
}

Result<std::vector<TheirNetwork>> Operator::their_networks(rpc::Client& client) {
  std::vector<TheirNetwork> all;
  VNET_ASSIGN(auto networks, client.networks());
  for (const auto& network : networks) {
    TheirNetwork net{.name = network.name, .uuid = rpc::uuid_text(network.uuid)};
    VNET_ASSIGN(net.xml, client.inactive_xml(network));
    VNET_ASSIGN(net.active, client.is_active(network));
    VNET_ASSIGN(net.persistent, client.is_persistent(network));
    VNET_ASSIGN(net.autostart, client.autostart(network));
    if (net.active) {  // libvirt refuses it otherwise
      VNET_ASSIGN(auto ports, client.port_xmls(network));
      for (const auto& port : ports) add_once(net.guests, guest_of(port));
    }
    if (auto leases = client.leases(network)) net.leases = lease_lines(*leases);  // some modes have none
    all.push_back(std::move(net));
  }
  std::ranges::sort(all, {}, &TheirNetwork::name);
  return all;
}

Result<std::vector<OurNetwork>> Operator::our_networks(const std::optional<Record>& record) {
  VNET_ASSIGN(auto known, host_.known_networks());
  VNET_ASSIGN(auto announced, host_.guest_ports());
  VNET_ASSIGN(auto stale, host_.stale_guest_ports(std::chrono::seconds(0)));
  VNET_ASSIGN(auto ports, host_.ports(std::nullopt));
  std::vector<OurNetwork> all;
  for (const auto& network : known) {
    OurNetwork net{.name = network.name,
                   .uuid = network.uuid,
                   .defined = network.definition.has_value(),
                   .active = network.active.has_value(),
                   .autostart = network.autostart};
    for (const auto& port : announced)
      if (port.network == net.name && std::ranges::find(stale, port) == stale.end())
        add_once(net.guests, port.request.guest.value_or(guest_of(port.xml)));
    for (const auto& port : ports)
      if (port.network == net.name) {
        add_once(net.guests, port.guest);
        if (port.up) add_once(net.interfaces, port.interface);
      }
    if (record)
      for (const auto& before : record->networks)
        if (before.name == net.name) net.edited = is_edited(host_, before);
    all.push_back(std::move(net));
  }
  return all;
}

}  // namespace vnet::takeover
