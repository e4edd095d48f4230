// SPDX-License-Identifier: GPL-2.0-or-later
// With the host's stack: turned, routed, judged by its rules, delivered or sent on.
#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "loader/explain/walk.h"
#include "loader/os/sysctl.h"

namespace vnet {

Result<void> Walk::at_host(int iif) {
  auto& here = step("host", iif ? link_name(iif) : "", "passed");
  auto group = view().destination_mac;
  if (iif && group && group->is_multicast()) {
    here.verdict = "delivered";
    here.details.emplace_back("a group address: for the host itself, if something listens");
    end(Fate::Host);
    return {};
  }
  auto ask_route = [&] {
    PacketView packet = view();
    return system_->netlink.route_of({packet.source->address, packet.destination->address, iif});
  };
  RouteAnswer route;
  // The host's own packets are routed before they are turned, and anew behind that.
  if (!iif) {
    VNET_ASSIGN(route, ask_route());
  }
  VNET_ASSIGN(bool gone, turned_by_rules(iif, route.oif));
  if (gone) return {};
  VNET_ASSIGN(route, ask_route());
  if (route.error) {
    last().verdict = "refused";
    last().details.push_back(route.error == EXDEV || route.error == EINVAL
                                 ? fmt::format("the host does not expect {} from there (rp_filter): dropped",
                                               view().source->address.text())
                                 : fmt::format("the host has no way there: {}", std::strerror(route.error)));
    end(Fate::Nowhere);
    return {};
  }
  if (route.type == RTN_UNICAST) return forward(iif, route);
  if (route.type == RTN_LOCAL || route.type == RTN_BROADCAST || route.type == RTN_MULTICAST)
    return deliver_to_host(iif);
  last().verdict = "refused";
  last().details.emplace_back("the host's route says so (blackhole, unreachable or prohibit)");
  end(Fate::Nowhere);
  return {};
}

Result<void> Walk::deliver_to_host(int iif) {
  VNET_ASSIGN(bool gone, dropped_by_rules("input", iif, 0));
  if (gone) return {};
  last().verdict = "delivered";
  last().details.emplace_back(
      "for the host itself: its INPUT rules let it in; whether something listens is not asked");
  end(Fate::Host);
  return {};
}

Result<void> Walk::forward(int iif, const RouteAnswer& route) {
  std::string out = link_name(route.oif);
  last().details.push_back(route.gateway ? fmt::format("routed to {} by {}", out, route.gateway->text())
                                         : fmt::format("routed to {}", out));
  bool v6 = view().destination->address.family == Family::V6;
  auto hop = route.gateway ? route.gateway : std::optional(view().destination->address);
  if (iif) {
    VNET_ASSIGN(auto forwarding, read_sysctl(v6 ? "net.ipv6.conf.all.forwarding" : "net.ipv4.ip_forward"));
    if (forwarding && *forwarding == "0") {
      last().verdict = "dropped";
      last().details.emplace_back("the host does not forward (sysctl)");
      end(Fate::Nowhere);
      return {};
    }
    VNET_ASSIGN(bool gone, dropped_by_rules("forward", iif, route.oif));
    if (gone) return {};
    last().details.emplace_back("the host's FORWARD rules let it pass");
    VNET_ASSIGN(gone, stopped_by_fence(iif, route.oif));
    if (gone) return {};
    decrement_ttl(frame_, ethernet_);
  }
  VNET_ASSIGN(bool gone, dropped_by_rules("postrouting", iif, route.oif));
  if (gone) return {};
  VNET_TRY(given_source(iif, route.oif, hop));
  if (const ActiveNetwork* network = network_behind(route.oif)) return at_gateway_egress(*network, iif);
  if (const UplinkRecord* uplink = uplink_at(route.oif)) return at_uplink_egress(*uplink, iif, hop);
  VNET_ASSIGN(auto link, system_->netlink.link(route.oif));
  if (parent_at(route.oif))
    VNET_TRY(set_next_hop(link, hop));
  else
    last().details.push_back(out + " is neither an uplink nor a gateway of ours");
  return leave_by(route.oif, out, iif);
}

}  // namespace vnet
