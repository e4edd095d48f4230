// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/apply/hand_over.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "loader/apply/guards.h"
#include "loader/bpf/before.h"
#include "loader/bpf/migrate.h"

namespace vnet {
namespace {

namespace fs = std::filesystem;

// Of links those that the other version makes beside ours, where it finds none; it replaces the others in
// place.
std::vector<fs::path> set_aside(const fs::path& pins) {
  std::vector<fs::path> all{"networks", "uplinks", "parents"};
  std::error_code ignored;
  for (const auto& pin : fs::directory_iterator(pins / "links", ignored)) {
    std::string name = pin.path().filename();
    if (name.starts_with("%") || name.ends_with("%police-ingress")) all.push_back(fs::path("links") / name);
  }
  return all;
}

}  // namespace

bool is_handed_over(const System& system) {
  const auto pins = system.dirs.pins();
  std::error_code ignored;
  return pinned_layout(Before(pins).folder() / "maps") == VNET_ABI_VERSION &&
         !fs::exists(pins / "networks", ignored) && !fs::exists(pins / "parents", ignored);
}

Result<void> hand_over(System& system, unsigned layout) {
  const auto pins = system.dirs.pins();
  if (!system.datapath) return failed("nothing runs: the other version can be used at once");
  if (system.datapath->layout() == layout)
    return failed(fmt::format("the maps are in layout {} already", layout));
  if (system.datapath->layout() != VNET_ABI_VERSION || layout > VNET_ABI_VERSION ||
      !can_move(VNET_ABI_VERSION, layout))
    return failed(fmt::format("there is no way from map layout {} to map layout {}",
                              system.datapath->layout(), layout));
  VNET_ASSIGN(auto active, active_networks(system));
  for (const auto& one : active)
    if (is_bridged(one.network))
      return failed(
          fmt::format("network {} is bridged, and an older version loads its programs at a start only: stop "
                      "it first (vnet-bpf stop {})",
                      one.network.name, one.network.name));
  const Before before(pins);
  if (before.exists()) return failed("an upgrade was interrupted: run `vnet-bpf upgrade` first");
  VNET_TRY(before.begin());
  auto moved = move_maps(pins, layout);
  if (!moved) {
    before.remove();
    return moved;
  }
  for (const auto& what : set_aside(pins)) VNET_TRY(before.set_aside(what));
  return {};
}

Result<bool> is_taken_over(System& system) {
  const Datapath* datapath = system.datapath ? &*system.datapath : nullptr;
  if (!datapath) return true;
  VNET_ASSIGN(auto active, active_networks(system));
  VNET_ASSIGN(auto ports, system.records.ports());
  VNET_ASSIGN(auto uplinks, system.records.uplinks());
  VNET_ASSIGN(auto parents, system.records.parents());
  std::vector<Attachment> all;
  for (const auto& [record, network] : active) {
    if (!has_gateway(network)) continue;
    VNET_ASSIGN(auto link, system.netlink.find_link(network.bridge));
    if (link) all.push_back({Role::Gateway, network.name, network.bridge, link->ifindex});
  }
  for (const auto& port : ports) all.push_back(attachment_of(port));
  for (const auto& uplink : uplinks)
    all.push_back(
        {uplink.network.empty() ? Role::Uplink : Role::Member, "", uplink.interface, uplink.ifindex});
  for (const auto& parent : parents) all.push_back({Role::Parent, "", parent.interface, parent.ifindex});
  return std::ranges::none_of(all, [&](const Attachment& one) { return datapath->holds(one); });
}

Result<void> follow_hand_over(System& system) {
  return copy_sessions(system.dirs.pins(), false);
}

Result<void> finish_hand_over(System& system) {
  VNET_TRY(copy_sessions(system.dirs.pins(), true));
  Before(system.dirs.pins()).remove();
  return {};
}

Result<void> take_back(System& system) {
  const auto pins = system.dirs.pins();
  const Before before(pins);
  VNET_TRY(move_back(pins, VNET_ABI_VERSION));
  for (const auto& what : set_aside(before.folder())) VNET_TRY(before.bring_back(what));
  before.remove();
  return {};
}

}  // namespace vnet
