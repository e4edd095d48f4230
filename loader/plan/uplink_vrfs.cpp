// SPDX-License-Identifier: GPL-2.0-or-later
// Uplinks in a VRF: when the stack has taken a packet in, only the VRF is left of where it came from. What an
// uplink's program says of a packet is believed behind the VRF as well, when every member is an uplink of
// ours: another one's packets could carry the same word (skb->tc_index), which is not ours then.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "loader/plan/context.h"
#include "loader/plan/entries.h"
#include "loader/plan/uplink_vrfs.h"

namespace vnet {
namespace {

// By name.
std::map<int, std::string> vrfs_of(const std::set<int>& uplinks, const std::vector<LinkInfo>& links) {
  std::map<int, std::string> vrfs;
  for (const auto& vrf : links) {
    if (vrf.kind != "vrf") continue;
    auto is_member = [&](const LinkInfo& link) { return link.master == vrf.ifindex; };
    auto is_uplink = [&](const LinkInfo& link) { return uplinks.contains(link.ifindex); };
    if (std::ranges::any_of(links, is_member) &&
        std::ranges::all_of(links, [&](const LinkInfo& link) { return !is_member(link) || is_uplink(link); }))
      vrfs.emplace(vrf.ifindex, vrf.name);
  }
  return vrfs;
}

std::set<int> believed_vrfs(std::optional<Datapath>& datapath) {
  std::set<int> believed;
  if (!datapath) return believed;
  for (__u32 ifindex : datapath->maps().devices.keys())
    if (has_device(datapath->maps(), static_cast<int>(ifindex), VNET_DEVICE_VRF))
      believed.insert(static_cast<int>(ifindex));
  return believed;
}

}  // namespace

void plan_vrfs_to_forget(Plan& plan, Context& context, const std::set<int>& uplinks,
                         const std::vector<LinkInfo>& links) {
  auto wanted = vrfs_of(uplinks, links);
  for (int ifindex : believed_vrfs(context.datapath)) {
    if (wanted.contains(ifindex)) continue;
    plan.add(fmt::format("believe VRF {} no longer", ifindex), [&context, ifindex]() -> Result<void> {
      if (context.datapath) erase_device(context.datapath->maps(), ifindex);
      return {};
    });
  }
}

void plan_vrfs_to_note(Plan& plan, Context& context, const std::set<int>& uplinks,
                       const std::vector<LinkInfo>& links) {
  auto believed = believed_vrfs(context.datapath);
  for (const auto& [ifindex, name] : vrfs_of(uplinks, links)) {
    if (believed.contains(ifindex)) continue;
    plan.add(
        fmt::format("note that uplinks are in VRF {}", name),
        [&context, ifindex]() -> Result<void> {
          VNET_ASSIGN(Datapath * datapath, context.need_datapath());
          return write_device(datapath->maps(), ifindex, {.role = VNET_DEVICE_VRF});
        },
        [&context, ifindex] {
          if (context.datapath) erase_device(context.datapath->maps(), ifindex);
        });
  }
}

}  // namespace vnet
