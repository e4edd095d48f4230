// SPDX-License-Identifier: GPL-2.0-or-later
// Networks and guests' ports as they are written down: what libvirt's calls ask for.
#include <sys/stat.h>

#include <algorithm>
#include <ctime>

#include "loader/apply/read_snapshot.h"
#include "loader/base/files.h"
#include "loader/config/guest_port_xml.h"
#include "loader/config/metadata_xml.h"
#include "loader/engine/host_state.h"

namespace vnet {
namespace {

// Another one whenever the file has been written: that is done by a rename.
std::string stamp_of(const std::filesystem::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) < 0) return "";
  return std::to_string(info.st_ino) + " " + std::to_string(info.st_mtim.tv_sec) + "." +
         std::to_string(info.st_mtim.tv_nsec);
}

}  // namespace

Result<std::vector<KnownNetwork>> Host::known_networks() {
  System& system = state_->system;
  // Another command may have made it, or removed it.
  VNET_ASSIGN(system.datapath, Datapath::open(system.dirs.pins()));
  VNET_ASSIGN(auto definitions, read_definitions(system.dirs));
  VNET_ASSIGN(auto active, active_networks(system));
  std::vector<KnownNetwork> all;
  for (auto& definition : definitions) {
    const std::string file = definition.name + ".xml";
    std::error_code error;
    all.push_back({.name = definition.name,
                   .uuid = definition.uuid,
                   .definition = {},
                   .active = {},
                   .autostart = std::filesystem::is_symlink(system.dirs.autostart() / file, error),
                   .stamp = stamp_of(system.dirs.definitions() / file)});
    all.back().definition = std::move(definition);
  }
  for (auto& one : active) {
    VNET_ASSIGN(bool runs, is_running(system, one));
    if (!runs) continue;
    auto known = std::ranges::find(all, one.network.name, &KnownNetwork::name);
    if (known == all.end()) {
      all.push_back({.name = one.network.name, .uuid = one.network.uuid});
      known = std::prev(all.end());
    }
    known->active = std::move(one.network);
  }
  std::ranges::sort(all, {}, &KnownNetwork::name);
  return all;
}

Result<std::vector<LeaseEntry>> Host::leases(const Network& network) {
  VNET_ASSIGN(auto text, read_file(state_->system.dirs.leases() / (network.name + ".leases")));
  return text ? parse_leases(*text, network) : std::vector<LeaseEntry>{};
}

Result<std::vector<GuestPort>> Host::guest_ports() {
  return vnet::guest_ports(state_->system);
}

Result<std::vector<GuestPort>> Host::stale_guest_ports(std::chrono::seconds age) {
  VNET_ASSIGN(auto ports, guest_ports());
  VNET_ASSIGN(auto links, state_->system.netlink.links());
  std::erase_if(ports, [&](const GuestPort& port) {
    struct stat info {};
    auto file = state_->system.dirs.runtime() / "guest-ports" / (port.uuid + ".json");
    bool young = ::stat(file.c_str(), &info) == 0 && std::time(nullptr) - info.st_mtim.tv_sec < age.count();
    // A tap, or a macvtap, whose first byte may differ.
    auto is_its = [&](const LinkInfo& link) {
      return port.request.mac && std::equal(link.mac.bytes.begin() + 1, link.mac.bytes.end(),
                                            port.request.mac->bytes.begin() + 1);
    };
    return young || std::ranges::any_of(links, is_its);
  });
  return ports;
}

std::vector<std::filesystem::path> Host::record_folders() const {
  const StateDir& dirs = state_->system.dirs;
  return {dirs.definitions(), dirs.autostart(), dirs.runtime() / "networks"};
}

std::filesystem::path Host::runtime_folder() const {
  return state_->system.dirs.runtime();
}

Result<void> Host::make_folders() {
  const StateDir& dirs = state_->system.dirs;
  VNET_TRY(dirs.ensure());
  return make_folder(dirs.runtime() / "networks");
}

Result<void> Transaction::announce(const GuestPort& port) {
  return host_->state_->system.records.save(port);
}

Result<void> Transaction::withdraw(const std::string& uuid) {
  return host_->state_->system.records.remove_guest_port(uuid);
}

Result<std::optional<std::string>> network_metadata(const Network& network, MetadataKind kind,
                                                    const std::string& uri) {
  return metadata_of(network, kind, uri);
}

Result<Network> network_with_metadata(const Network& network, MetadataKind kind,
                                      const std::optional<std::string>& value, const std::string& key,
                                      const std::string& uri) {
  return with_metadata(network, kind, value, key, uri);
}

Result<GuestPortXml> read_guest_port(std::string_view xml) {
  return parse_guest_port(xml);
}

Result<std::string> guest_port_answer(const GuestPort& port, const Network& network,
                                      const std::string& parent) {
  return answer_guest_port(port, network, parent);
}

Result<BandwidthValues> guest_port_bandwidth(std::string_view xml) {
  return bandwidth_values(xml);
}

Result<std::string> guest_port_with_bandwidth(std::string_view xml, const BandwidthValues& values) {
  return with_bandwidth(xml, values);
}

}  // namespace vnet
