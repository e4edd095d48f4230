// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/bus/libvirt_daemons.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "loader/base/files.h"

namespace vnet {
namespace {

using Names = std::vector<std::string>;

const Names monolithic_units{"libvirtd.service", "libvirtd.socket"};
const Names modular_units{"virtqemud.service", "virtqemud.socket", "virtnetworkd.service",
                          "virtnetworkd.socket"};

// The driver that the running daemon has loaded: the file that the kernel has mapped there.
bool has_our_driver(int pid) {
  auto maps = read_file(fmt::format("/proc/{}/maps", pid));
  if (!maps || !*maps) return false;
  std::istringstream lines(**maps);
  for (std::string line; std::getline(lines, line);)
    if (line.contains("/vnet-bpf/libvirt/") && line.contains(libvirt::driver_file)) return true;
  return false;
}

bool any(const UnitStates& units, const Names& names, auto is) {
  return std::ranges::any_of(names, [&](const auto& name) {
    auto unit = units.find(name);
    return unit != units.end() && is(unit->second);
  });
}

}  // namespace

const Names& own_units(LibvirtKind kind) {
  static const Names monolithic{"vnet-bpf.service", "vnet-bpf-network.socket", "vnet-bpf-network-ro.socket",
                                "vnet-bpf-serve.service"},
      modular{"vnet-bpf.service", "vnet-bpf-virtnetworkd.socket", "vnet-bpf-virtnetworkd-ro.socket",
              "vnet-bpf-serve.service"};
  return kind == LibvirtKind::Modular ? modular : monolithic;
}

const Names& replaced_units(LibvirtKind kind) {
  static const Names none, modular{"virtnetworkd.socket", "virtnetworkd-ro.socket",
                                   "virtnetworkd-admin.socket", "virtnetworkd.service"};
  return kind == LibvirtKind::Modular ? modular : none;
}

const Names& hypervisor_services(LibvirtKind kind) {
  static const Names monolithic{"libvirtd.service"},
      modular{"virtqemud.service", "virtlxcd.service", "virtxend.service"};
  return kind == LibvirtKind::Modular ? modular : monolithic;
}

LibvirtKind kind_of(const UnitStates& units) {
  for (auto is : {+[](const UnitState& unit) { return unit.active; },
                  +[](const UnitState& unit) { return unit.enabled(); }}) {
    if (any(units, modular_units, is)) return LibvirtKind::Modular;
    if (any(units, monolithic_units, is)) return LibvirtKind::Monolithic;
  }
  return LibvirtKind::None;
}

Result<LibvirtHost> read_libvirt_host(Systemd& systemd) {
  Names names = monolithic_units;
  for (auto kind : {LibvirtKind::Monolithic, LibvirtKind::Modular})
    for (const auto* list : {&own_units(kind), &replaced_units(kind), &hypervisor_services(kind)})
      names.insert(names.end(), list->begin(), list->end());
  names.insert(names.end(), modular_units.begin(), modular_units.end());
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  LibvirtHost host;
  VNET_ASSIGN(host.units, systemd.states(names));
  host.kind = kind_of(host.units);
  if (host.kind == LibvirtKind::None) return host;
  host.server = NetworkServer::Libvirt;
  if (host.kind == LibvirtKind::Modular) {
    const auto& theirs = host.units["virtnetworkd.socket"];
    if (host.units["vnet-bpf-virtnetworkd.socket"].active)
      host.server = NetworkServer::VnetBpf;
    else if (theirs.masked() && !theirs.active)
      host.server = NetworkServer::None;  // between two steps
    return host;
  }
  VNET_ASSIGN(auto pid, systemd.main_pid("libvirtd.service"));
  std::error_code error;
  if (pid ? has_our_driver(*pid) : std::filesystem::exists(libvirt::drop_in, error))
    host.server = NetworkServer::VnetBpf;
  return host;
}

}  // namespace vnet
