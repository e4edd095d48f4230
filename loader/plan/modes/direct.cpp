// SPDX-License-Identifier: GPL-2.0-or-later
// Direct attachment: guests on physical interfaces (parents), without a bridge. A parent may serve several
// networks; it is attached to for the first and let go with the last.
#include "loader/plan/modes/direct.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "loader/plan/modes/bond_check.h"
#include "loader/plan/modes/modes.h"

namespace vnet {
namespace {

bool is_passthrough(const Network& network) {
  return network.direct_mode == DirectMode::Passthrough;
}

bool uses(const Network& network, const std::string& device) {
  return is_direct(network) && std::ranges::count(network.devices, device) > 0;
}

// What the XML may say of direct attachment but this version does not do yet.
Result<void> check_supported(const Network& network) {
  auto missing = [&](const char* what) {
    return invalid(
        fmt::format("network {}: {} is not in this build yet with direct attachment", network.name, what));
  };
  if (!network.physical_function.empty()) return missing("<pf>");
  if (network.settings.host_access != HostAccess::All) return missing("<vnet:host access>");
  if (network.settings.link_protocols) return missing("<vnet:link-protocols>");
  if (network.devices.empty())
    return invalid(fmt::format(
        "network {}: direct attachment needs a physical interface; name it in <forward> with <interface "
        "dev='...'/>, or name a <bridge>",
        network.name));
  return {};
}

Result<void> check_parent(const Snapshot& snapshot, const Network& network, const std::string& device) {
  auto refused = [&](const std::string& why) {
    return failed(fmt::format("network {}: {} {}", network.name, device, why));
  };
  const LinkInfo* link = snapshot.link(device);
  if (!link) return not_found(fmt::format("network {}: there is no interface {}", network.name, device));
  if (!link->ethernet || device == "lo")
    return refused("is not an Ethernet interface; use <forward mode='nat'> or 'route'");
  if (link->kind == "bridge")
    return refused(
        fmt::format("is a bridge; give its name in <bridge name='{}'/> instead of as an interface", device));
  if (const LinkInfo* master = link->master ? snapshot.link(link->master) : nullptr) {
    if (master->kind == "bridge")
      return refused(
          fmt::format("is in bridge {0}; name that instead (<bridge name='{0}'/>), or take {1} out "
                      "of it (ip link set {1} nomaster)",
                      master->name, device));
    if (master->kind != "vrf") return refused(fmt::format("belongs to {0}; name {0} instead", master->name));
  }
  VNET_TRY(check_bond(network, *link));
  if (const PortRecord* port = snapshot.port(device))
    return refused(fmt::format("is a guest's interface, attached to network {}", port->network));
  for (const auto& other : snapshot.active)
    if (other.network.name != network.name && uses(other.network, device) &&
        (is_passthrough(other.network) || is_passthrough(network)))
      return refused(fmt::format("is in use by network {}, and passthrough wants it alone; stop that first",
                                 other.network.name));
  return {};
}

Result<void> check(const Snapshot& snapshot, const Network& network, bool) {
  VNET_TRY(check_supported(network));
  for (const auto& device : network.devices) VNET_TRY(check_parent(snapshot, network, device));
  return {};
}

// One that is gone is waited for.
void want(Builder& builder, const ActiveNetwork& active) {
  auto& parents = builder.wanted.resources.parents;
  for (const auto& device : active.network.devices) {
    const LinkInfo* link = builder.snapshot.link(device);
    auto before = parents.find(device);
    if (!link) continue;
    ParentResource wanted{.ifindex = link->ifindex, .passthrough = is_passthrough(active.network)};
    if (before != parents.end()) {
      wanted.slot = before->second.slot;
    } else {
      auto slot = builder.slots.take();
      if (!slot) return builder.refuse("network " + active.network.name, slot.error());
      wanted.slot = *slot;
    }
    parents[device] = wanted;
  }
}

void raise(std::vector<Change>&, const ActiveNetwork&, const NetworkResource&) {}

void open(std::vector<Change>& changes, const ActiveNetwork& active) {
  changes.push_back(EnterDirect{active.network, active.record.slot});
}

void close(const Snapshot&, std::vector<Change>& changes, const ActiveNetwork& active) {
  changes.push_back(RemoveDirect{active.network.name, active.record.slot});
}

void mend(const Snapshot&, std::vector<Change>&, const ActiveNetwork&, const NetworkResource&,
          const NetworkResource&) {}

}  // namespace

Result<std::string> choose_parent(const Builder& builder, const Network& network, const PortRecord& record) {
  bool any = false;
  auto most = std::numeric_limits<std::ptrdiff_t>::max();
  std::string best;
  for (const auto& device : network.devices) {
    if (!builder.snapshot.link(device) || !builder.snapshot.parent(device)) continue;  // it has vanished
    any = true;
    if (device == record.parent) return device;
    auto there = std::ranges::count_if(builder.wanted.resources.ports, [&](const auto& entry) {
      return entry.second.record.parent == device && entry.first != record.interface;
    });
    if (there >= most || (is_passthrough(network) && there)) continue;
    most = there;
    best = device;
  }
  if (!best.empty()) return best;
  if (any)
    return failed(fmt::format(
        "network {} passes each interface through to one guest, and {} {}; detach a guest, or add an "
        "<interface dev='...'/>",
        network.name, fmt::join(network.devices, ", "),
        network.devices.size() > 1 ? "have theirs" : "has its own"));
  return not_found(fmt::format("network {}: of its interfaces ({}) none is there", network.name,
                               fmt::join(network.devices, ", ")));
}

Result<void> check_direct_port(const Snapshot& snapshot, const Network& network, const PortRecord& record) {
  if (is_passthrough(network)) {
    if (record.mac) return {};
    return invalid(fmt::format("network {}: passthrough gives {} the guest's MAC; name it with --mac",
                               network.name, record.parent));
  }
  const ParentRecord* parent = snapshot.parent(record.parent);
  if (parent && record.mac == parent->mac)
    return failed(fmt::format("{} has the MAC {} already", record.parent, record.mac->text()));
  return {};
}

const ModePlan direct_plan{check, want, raise, open, close, mend};

}  // namespace vnet
