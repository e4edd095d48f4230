// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/plan/upgrade.h"

#include <algorithm>

namespace vnet {
namespace {

class UpgradeDiff {
 public:
  UpgradeDiff(std::vector<Step>& steps, const Snapshot& snapshot, const Resources& now, const Wanted& wanted)
      : steps_(steps), snapshot_(snapshot), now_(now.outdated), wanted_(wanted) {}

  void run() {
    const bool moves = now_.layout != VNET_ABI_VERSION;
    add(MoveMaps{now_.layout});
    for (const auto& active : snapshot_.active)
      if (stays(active.network.name) && now_.networks.contains(active.network.name) &&
          snapshot_.link(active.network.bridge))
        add(UpgradeNetwork{active.network, active.record.slot});
    for (const auto& parent : snapshot_.parents)
      if (now_.parents.contains(parent.interface) && snapshot_.link(parent.interface))
        add(UpgradeParent{parent});
    // Sessions begin and end at uplinks: the less is left to be moved by then the better.
    if (moves) add(CopyRest{now_.layout});
    for (const auto& uplink : snapshot_.uplinks)
      if (const LinkInfo* link = snapshot_.link(uplink.interface);
          link && link->ifindex == uplink.ifindex && now_.uplinks.contains(uplink.interface))
        add(UpgradeUplink{uplink, *link});
    if (moves) add(CopyRest{now_.layout});
    for (const auto& port : snapshot_.ports)
      if (const LinkInfo* link = snapshot_.link(port.ifindex);
          link && now_.limits.contains(port.interface) && stays(port.network))
        for (const auto& active : snapshot_.active)
          if (active.network.name == port.network) add(UpgradeLimit{port, *link, active});
    if (now_.fence) fence();
    if (now_.socket_redirect) add(UpgradeSocketRedirect{});
  }

 private:
  void add(Change change) { steps_.push_back({"upgrade", std::move(change)}); }

  // One that goes, or is made anew, has no programs to be replaced.
  bool stays(const std::string& network) const {
    return wanted_.networks.contains(network) && !wanted_.restart.contains(network);
  }

  void fence() {
    std::vector<Network> gateways;
    for (const auto& active : snapshot_.active)
      if (has_gateway(active.network)) gateways.push_back(active.network);
    add(UpgradeFence{std::move(gateways)});
  }

  std::vector<Step>& steps_;
  const Snapshot& snapshot_;
  const Outdated& now_;
  const Wanted& wanted_;
};

template <typename... Kinds>
bool is_one_of(const Change& change) {
  return (std::holds_alternative<Kinds>(change) || ...);
}

}  // namespace

bool only_takes_away(const Change& change) {
  return is_one_of<LeaveNetwork, TakePortDown, UnplugPort, UnplugDirectPort, UnguardPort, StopDnsmasq,
                   DeleteBridge, UnloadGateway, UnloadBridged, RemoveDirect, DetachMember, DetachParent,
                   DetachUplink, TakeDownFence, TakeDownSocketRedirect, ForgetNetwork>(change);
}

void begin_upgrade(std::vector<Step>& steps, const Snapshot& snapshot, const Resources& now,
                   const Wanted& wanted) {
  if (now.outdated != wanted.resources.outdated) UpgradeDiff(steps, snapshot, now, wanted).run();
}

void finish_upgrade(std::vector<Step>& steps, const Resources& now, const Wanted& wanted) {
  if (now.outdated != wanted.resources.outdated) steps.push_back({"upgrade", FinishUpgrade{}});
}

}  // namespace vnet
