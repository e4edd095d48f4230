// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/apply/guards.h"

#include <algorithm>

#include "loader/apply/entries.h"
#include "loader/apply/fence.h"
#include "loader/apply/port_limits.h"
#include "loader/bpf/socket_redirect.h"
#include "loader/model/drop_reason.h"
#include "loader/plan/forwards.h"

namespace vnet {
namespace {

Attachment attachment_of(const ActiveNetwork& active, int ifindex) {
  return {Role::Gateway, active.network.name, active.network.bridge, ifindex};
}

Attachment attachment_of(const UplinkRecord& record) {
  if (record.network.empty()) return {Role::Uplink, record.interface, record.interface, record.ifindex};
  return {Role::Member, record.network, record.interface, record.ifindex};
}

Attachment attachment_of(const ParentRecord& record) {
  return {Role::Parent, record.interface, record.interface, record.ifindex};
}

bool has_entry(Datapath& datapath, const UplinkRecord& record) {
  if (record.network.empty()) return has_device(datapath.maps(), record.ifindex, VNET_DEVICE_UPLINK);
  auto device = datapath.maps().devices.get(static_cast<__u32>(record.ifindex));
  return device && device->role == VNET_DEVICE_MEMBER;
}

// The port's own, behind its programs.
std::string missing_at_port(Datapath& datapath, const PortRecord& record, const Network& network) {
  if (!datapath.maps().ports.get(static_cast<__u32>(record.ifindex))) return "in-the-map";
  return has_limits(datapath.maps(), record, network) ? "" : "bandwidth";
}

class Search {
 public:
  explicit Search(System& system) : datapath_(*system.datapath) {}

  void look(const Attachment& attachment, const std::string& network, const std::string& rest) {
    for (unsigned hook : datapath_.missing(attachment)) add(attachment.interface, hook_word(hook), network);
    if (!rest.empty()) add(attachment.interface, rest, network);
  }
  std::vector<MissingGuard> found;

 private:
  void add(const std::string& interface, const std::string& what, const std::string& network) {
    found.push_back({interface, what, network});
  }
  Datapath& datapath_;
};

}  // namespace

Attachment attachment_of(const PortRecord& record) {
  bool direct = !record.parent.empty();
  return {.role = direct ? Role::DirectPort : Role::Port,
          .owner = direct ? record.parent : record.network,
          .interface = record.interface,
          .ifindex = record.ifindex,
          .replaces_ingress = record.bandwidth && record.bandwidth->outbound};
}

bool is_guarded(System& system, const PortRecord& record, const Network& network) {
  return system.datapath && system.datapath->missing(attachment_of(record)).empty() &&
         missing_at_port(*system.datapath, record, network).empty();
}

bool is_gateway_guarded(System& system, const ActiveNetwork& active, int ifindex) {
  return system.datapath && system.datapath->missing(attachment_of(active, ifindex)).empty() &&
         has_device(system.datapath->maps(), ifindex, VNET_DEVICE_GATEWAY);
}

bool is_uplink_guarded(System& system, const UplinkRecord& record) {
  return system.datapath && system.datapath->missing(attachment_of(record)).empty() &&
         has_entry(*system.datapath, record);
}

bool is_parent_guarded(System& system, const ParentRecord& record) {
  return system.datapath && system.datapath->missing(attachment_of(record)).empty();
}

Result<std::vector<UnattachedMember>> unattached_members(System& system) {
  std::vector<UnattachedMember> all;
  VNET_ASSIGN(auto active, active_networks(system));
  VNET_ASSIGN(auto links, system.netlink.links());
  VNET_ASSIGN(auto ports, system.records.ports());
  for (const auto& [record, network] : active) {
    auto bridge = std::ranges::find(links, network.bridge, &LinkInfo::name);
    if (!record.complete || !has_gateway(network) || bridge == links.end()) continue;
    for (const auto& link : links)
      if (link.master == bridge->ifindex && std::ranges::none_of(ports, [&](const PortRecord& port) {
            return port.interface == link.name && port.ifindex == link.ifindex;
          }))
        all.push_back({link, network});
  }
  return all;
}

Result<std::vector<MissingGuard>> missing_guards(System& system) {
  if (!system.datapath) return std::vector<MissingGuard>{};
  Datapath& datapath = *system.datapath;
  Search search(system);
  VNET_ASSIGN(auto links, system.netlink.links());
  auto is_there = [&](const std::string& name, int ifindex) {
    return std::ranges::any_of(
        links, [&](const LinkInfo& link) { return link.ifindex == ifindex && link.name == name; });
  };
  VNET_ASSIGN(auto active, active_networks(system));
  for (const auto& one : active) {
    auto link = std::ranges::find(links, one.network.bridge, &LinkInfo::name);
    if (!one.record.complete || !has_gateway(one.network) || link == links.end()) continue;
    bool known = has_device(datapath.maps(), link->ifindex, VNET_DEVICE_GATEWAY);
    search.look(attachment_of(one, link->ifindex), one.network.name, known ? "" : "in-the-map");
  }
  std::vector<Network> networks;
  for (const auto& one : active)
    if (one.record.complete) networks.push_back(one.network);
  VNET_ASSIGN(bool fenced, fence_stands(system, networks));
  if (!fenced) search.found.push_back({"FORWARD", hook_word(VNET_HOOK_FORWARD), ""});
  if (std::ranges::any_of(networks, is_published) && !SocketRedirect::stands(datapath))
    search.found.push_back({"cgroup", "port-forwards", ""});
  VNET_ASSIGN(auto ports, system.records.ports());
  for (const auto& port : ports) {
    auto of =
        std::ranges::find(active, port.network, [](const ActiveNetwork& one) { return one.network.name; });
    if (of != active.end() && port.settled && !port.leaving && is_there(port.interface, port.ifindex))
      search.look(attachment_of(port), port.network, missing_at_port(datapath, port, of->network));
  }
  VNET_ASSIGN(auto uplinks, system.records.uplinks());
  for (const auto& uplink : uplinks)
    if (is_there(uplink.interface, uplink.ifindex))
      search.look(attachment_of(uplink), uplink.network, has_entry(datapath, uplink) ? "" : "in-the-map");
  VNET_ASSIGN(auto parents, system.records.parents());
  for (const auto& parent : parents)
    if (is_there(parent.interface, parent.ifindex)) search.look(attachment_of(parent), "", "");
  return std::move(search.found);
}

}  // namespace vnet
