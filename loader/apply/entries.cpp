// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/apply/entries.h"
#include "loader/bpf/shared_maps.h"

namespace vnet {
namespace {

vnet_flood_key member_key(int gateway, __u32 index = 0) {
  return {.parent = static_cast<__u32>(gateway), .index = index};
}

}  // namespace

Result<void> write_device(SharedMaps& maps, int ifindex, const vnet_device& device) {
  auto key = static_cast<__u32>(ifindex);
  VNET_TRY(maps.devices.set(key, device));
  return maps.trusted_devices.set(key, key);
}

Result<void> erase_device(SharedMaps& maps, int ifindex) {
  auto key = static_cast<__u32>(ifindex);
  VNET_TRY(maps.trusted_devices.erase(key));
  return maps.devices.erase(key);
}

bool has_device(const SharedMaps& maps, int ifindex, vnet_device_role role) {
  auto key = static_cast<__u32>(ifindex);
  auto device = maps.devices.get(key);
  return device && device->role == role && maps.trusted_devices.get(key);
}

Result<void> add_member(SharedMaps& maps, int gateway, int port) {
  auto key = member_key(gateway);
  while (auto other = maps.flood_ports.get(key)) {
    if (*other == static_cast<__u32>(port)) return {};
    ++key.index;
  }
  return maps.flood_ports.set(key, static_cast<__u32>(port));
}

Result<void> remove_member(SharedMaps& maps, int gateway, int port) {
  auto key = member_key(gateway), found = key;
  bool is_there = false;
  __u32 last = 0;
  while (auto other = maps.flood_ports.get(key)) {
    if (*other == static_cast<__u32>(port)) {
      is_there = true;
      found = key;
    }
    last = *other;
    ++key.index;
  }
  if (!is_there) return {};
  // The last one takes its place: they are numbered without gaps.
  --key.index;
  if (found.index != key.index) VNET_TRY(maps.flood_ports.set(found, last));
  return maps.flood_ports.erase(key);
}

Result<void> remove_members(SharedMaps& maps, int gateway) {
  for (const auto& key : maps.flood_ports.keys())
    if (key.parent == static_cast<__u32>(gateway)) VNET_TRY(maps.flood_ports.erase(key));
  return {};
}

}  // namespace vnet
