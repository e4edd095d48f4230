// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/apply/xdp_target.h"

#include "loader/netlink/xdp_features.h"
#include "loader/plan/xdp_target.h"

namespace vnet {

Result<void> write_target(Datapath& datapath, const Network& network, const PortRecord& port,
                          const LinkInfo& link) {
  auto key = static_cast<__u32>(link.ifindex);
  auto& targets = datapath.maps().xdp_targets;
  if (why_no_target(network, port, link, xdp_features(link.ifindex))) return targets.erase(key);
  return targets.set(key, key);
}

namespace {

// A port whose interface is there, and what holds for it.
struct Checked {
  PortRecord record;
  LinkInfo link;
  std::optional<std::string> why_not;
  bool delivered = false;  // as the map says
};

Result<std::vector<Checked>> check_ports(System& system, const Network& network) {
  std::vector<Checked> all;
  if (!system.datapath || network.settings.xdp != XdpMode::Forward) return all;
  VNET_ASSIGN(auto ports, system.records.ports());
  auto features = xdp_features();
  for (const auto& port : ports) {
    if (port.network != network.name || !port.settled) continue;
    VNET_ASSIGN(auto link, system.netlink.find_link(port.ifindex));
    if (!link || link->name != port.interface) continue;
    auto known = features.find(port.ifindex);
    auto why = why_no_target(network, port, *link,
                             known == features.end() ? std::nullopt : std::optional(known->second));
    bool delivered = system.datapath->maps().xdp_targets.get(static_cast<__u32>(port.ifindex)).has_value();
    all.push_back({port, std::move(*link), std::move(why), delivered});
  }
  return all;
}

}  // namespace

Result<std::map<std::string, std::string>> describe_targets(System& system, const Network& network) {
  std::map<std::string, std::string> all;
  VNET_ASSIGN(auto ports, check_ports(system, network));
  for (const auto& port : ports) {
    std::string& why = all[port.link.name] = port.why_not.value_or("");
    if (port.delivered == why.empty()) continue;
    why = port.delivered
              ? "packets to it are lost now, a command that changes something puts it right: " + why
              : "that has changed, a command that changes something takes note";
  }
  return all;
}

}  // namespace vnet
