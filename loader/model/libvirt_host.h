// SPDX-License-Identifier: GPL-2.0-or-later
// libvirt's daemons on this host, and who answers their calls about networks.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "loader/model/tried_libvirt.h"

namespace vnet {

// Monolithic: libvirtd with all drivers in it. Modular: a daemon for each driver (virtqemud, virtnetworkd).
enum class LibvirtKind : std::uint8_t { None, Monolithic, Modular };
enum class NetworkServer : std::uint8_t { None, Libvirt, VnetBpf };

struct UnitState {
  std::string file;  // as `systemctl is-enabled` says: enabled, disabled, static, masked; "": there is none
  bool active = false;
  bool operator==(const UnitState&) const = default;

  bool exists() const { return !file.empty(); }
  bool enabled() const { return file == "enabled" || file == "enabled-runtime"; }
  bool masked() const { return file == "masked" || file == "masked-runtime"; }
};
using UnitStates = std::map<std::string, UnitState>;

struct LibvirtHost {
  LibvirtKind kind = LibvirtKind::None;
  // Of a monolithic host whose daemon does not run: who would answer once it does.
  NetworkServer server = NetworkServer::None;
  UnitStates units;
};

namespace libvirt {

// Where a host's clients ask for networks.
inline constexpr const char* monolithic_socket = "/run/libvirt/libvirt-sock";
inline constexpr const char* modular_socket = "/run/libvirt/virtnetworkd-sock";
// What a monolithic libvirtd loads ours with: a folder of links to its drivers, with ours in the place of its
// own for networks.
inline constexpr const char* driver_file = "libvirt_driver_network.so";
inline constexpr const char* drop_in = "/etc/systemd/system/libvirtd.service.d/vnet-bpf.conf";
inline constexpr const char* driver_folder = "/etc/vnet-bpf/libvirt-drivers";

}  // namespace libvirt

// A version as libvirt counts: 9000000 is 9.0.0.
inline bool has_tried_libvirt(std::uint64_t version) {
#define VNET_IS_TRIED(major, minor) \
  if (version / 1000000 == (major) && version / 1000 % 1000 == (minor)) return true;
  VNET_TRIED_LIBVIRT(VNET_IS_TRIED)
#undef VNET_IS_TRIED
  return false;
}

}  // namespace vnet
