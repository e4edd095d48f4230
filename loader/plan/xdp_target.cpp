// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/plan/xdp_target.h"

#include <fmt/format.h>

#include "loader/netlink/xdp_features.h"

namespace vnet {

std::optional<std::string> why_no_target(const Network& network, const PortRecord& port, const LinkInfo& link,
                                         std::optional<std::uint64_t> features) {
  if (network.settings.xdp != XdpMode::Forward) return "its network does not ask for it";
  if (network.mode == Mode::Bridge || network.mode == Mode::Direct)
    return "its network has no uplink of ours";
  if (port.bandwidth && port.bandwidth->inbound)
    return "its <bandwidth><inbound> is a queue at the interface, which XDP goes past";
  if (link.kind == "tun" && link.tun_type == "tap")
    return std::nullopt;  // on every kernel, without conditions
  if (!features) return "this kernel does not tell whether its driver can (6.3 and later do)";
  if (*features & xdp_act_ndo_xmit) return std::nullopt;
  if (link.kind == "veth")
    return "the guest's end of the veth has GRO off, without which it loses such frames (there: ethtool -K "
           "INTERFACE gro on)";
  return "its driver cannot";
}

Result<void> write_target(Datapath& datapath, const Network& network, const PortRecord& port,
                          const LinkInfo& link) {
  auto key = static_cast<__u32>(link.ifindex);
  auto& targets = datapath.maps().targets;
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

Result<std::vector<Checked>> check_ports(Context& context, const Network& network) {
  std::vector<Checked> all;
  if (!context.datapath || network.settings.xdp != XdpMode::Forward) return all;
  VNET_ASSIGN(auto ports, context.records.ports());
  auto features = xdp_features();
  for (const auto& port : ports) {
    if (port.network != network.name || !port.settled) continue;
    VNET_ASSIGN(auto link, context.netlink.find_link(port.ifindex));
    if (!link || link->name != port.interface) continue;
    auto known = features.find(port.ifindex);
    auto why = why_no_target(network, port, *link,
                             known == features.end() ? std::nullopt : std::optional(known->second));
    bool delivered = context.datapath->maps().targets.get(static_cast<__u32>(port.ifindex)).has_value();
    all.push_back({port, std::move(*link), std::move(why), delivered});
  }
  return all;
}

}  // namespace

Result<std::map<std::string, std::string>> describe_targets(Context& context, const Network& network) {
  std::map<std::string, std::string> all;
  VNET_ASSIGN(auto ports, check_ports(context, network));
  for (const auto& port : ports) {
    std::string& why = all[port.link.name] = port.why_not.value_or("");
    if (port.delivered == why.empty()) continue;
    why = port.delivered
              ? "packets to it are lost now, a command that changes something puts it right: " + why
              : "that has changed, a command that changes something takes note";
  }
  return all;
}

Result<Plan> plan_targets(Context& context, const std::vector<ActiveNetwork>& active) {
  Plan plan;
  for (const auto& [record, network] : active) {
    if (!record.complete) continue;
    VNET_ASSIGN(auto ports, check_ports(context, network));
    for (const auto& port : ports) {
      if (port.delivered == !port.why_not) continue;
      plan.add(fmt::format("{} XDP deliver to {}", port.delivered ? "no longer let" : "let", port.link.name),
               [&context, network, record = port.record, link = port.link] {
                 return write_target(*context.datapath, network, record, link);
               });
    }
  }
  return plan;
}

}  // namespace vnet
