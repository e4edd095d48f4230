// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/plan/builder.h"

#include <fmt/format.h>

#include "loader/config/network_xml.h"

namespace vnet {

SlotPool::SlotPool(const Snapshot& snapshot) {
  for (const auto& active : snapshot.active) taken_.insert(active.record.slot);
  for (const auto& port : snapshot.ports) taken_.insert(port.slot);
  for (const auto& uplink : snapshot.uplinks) taken_.insert(uplink.slot);
  for (const auto& parent : snapshot.parents) taken_.insert(parent.slot);
}

std::vector<Network> former_definitions(const NetworkRecord& record) {
  std::vector<Network> all;
  for (const auto& xml : record.before)
    if (auto network = parse_network(xml, record.name)) all.push_back(std::move(*network));
  return all;
}

Result<std::uint16_t> SlotPool::take() {
  for (std::uint16_t slot = 1; slot < VNET_SLOTS; ++slot)
    if (taken_.insert(slot).second) return slot;
  return failed(fmt::format("no room for more than {} ports, networks and uplinks together", VNET_SLOTS - 1));
}

Builder::Builder(const Snapshot& from) : snapshot(from), slots(from), wanted{.resources = observe(from)} {
  for (const auto& active : from.active) {
    wanted.networks[active.network.name] = active.network;
    // A change of the definition was interrupted: it is finished.
    if (from.is_running(active.network.name) && !active.record.before.empty())
      wanted.changed[active.network.name] = former_definitions(active.record);
  }
}

}  // namespace vnet
