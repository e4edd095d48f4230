// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>

#include "loader/doctor/checks.h"

namespace vnet {

void check_forwarding(const HostFacts& facts, Findings& findings) {
  auto off = [&](const std::string& name, const std::string& who) {
    if (facts.sysctl(name) != "0") return;
    findings.push_back(
        {.what = fmt::format("{} is 0", name),
         .why = fmt::format("{} switched it on at its start; since then somebody has switched it off, "
                            "and new connections of its guests end at the host.",
                            who),
         .fix = fmt::format("sysctl -w {}=1", name)});
  };
  bool v4 = false, v6 = false;  // said already
  for (const auto& [network, active, dnsmasq, ports] : facts.networks) {
    if (!active || !is_routed(network)) continue;
    std::string who = "network " + network.name;
    if (network.has(Family::V4)) {
      if (!v4) off("net.ipv4.ip_forward", who);
      v4 = true;
      if (facts.sysctl("net.ipv4.ip_forward") == "1")
        off(conf_sysctl("ipv4", network.bridge, "forwarding"), who);
    }
    if (network.has(Family::V6) && !v6) {
      off("net.ipv6.conf.all.forwarding", who);
      v6 = true;
    }
  }
}

void check_router_advertisements(const HostFacts& facts, Findings& findings) {
  bool wanted = std::ranges::any_of(facts.networks, [](const CheckedNetwork& checked) {
    return is_routed(checked.network) && checked.network.has(Family::V6);
  });
  if (!wanted) return;
  for (const auto& uplink : facts.uplinks) {
    const LinkFacts* link = facts.link(uplink);
    std::string name = conf_sysctl("ipv6", uplink, "accept_ra");
    bool from_ra =
        link && std::ranges::any_of(facts.routes, [&](const RouteInfo& route) {
          return route.oif == link->link.ifindex && route.family == Family::V6 && route.protocol == RTPROT_RA;
        });
    if (!from_ra || facts.sysctl(name) != "1") continue;
    findings.push_back(
        {.what = fmt::format("{} is 1, and {} has routes from router advertisements", name, uplink),
         .why = "While the kernel forwards IPv6 it heeds advertisements only where this is 2: the "
                "host's own IPv6 routes run out, and networks with IPv6 refuse to start.",
         .fix = fmt::format("sysctl -w {}=2", name)});
  }
}

void check_rp_filter(const HostFacts& facts, Findings& findings) {
  if (facts.uplinks.size() < 2) return;  // the way back is the way out
  for (const auto& uplink : facts.uplinks) {
    std::string name = conf_sysctl("ipv4", uplink, "rp_filter");
    // The kernel takes the larger of the two.
    std::string value = std::max(facts.sysctl("net.ipv4.conf.all.rp_filter"), facts.sysctl(name));
    if (value != "1") continue;
    findings.push_back(
        {.what = fmt::format("the reverse path filter of {} is strict", uplink),
         .why = fmt::format("There are several uplinks ({}). An answer that comes in through another one "
                            "than the packet left by is dropped by the kernel, and counted nowhere.",
                            fmt::join(facts.uplinks, ", ")),
         .fix = fmt::format("sysctl -w {}=2", name)});
  }
}

void check_br_netfilter(const HostFacts& facts, Findings& findings) {
  for (Family family : {Family::V4, Family::V6}) {
    const std::string name =
        family == Family::V4 ? "net.bridge.bridge-nf-call-iptables" : "net.bridge.bridge-nf-call-ip6tables";
    if (facts.sysctl(name) != "1") continue;
    // Would frames from one guest to another of the same bridge get through?
    bool dropped = std::ranges::any_of(facts.networks, [&](const CheckedNetwork& checked) {
      const Network& network = checked.network;
      auto drops = [&](const Address& source) {
        return facts.ruleset.dropped({network.bridge, network.bridge, source, "", 0}, "forward").has_value();
      };
      if (is_bridged(network)) return drops({.family = family});  // whatever the guests' addresses are
      return std::ranges::any_of(network.ips, [&](const IpConfig& ip) {
        return ip.gateway.address.family == family && drops(ip.gateway.address);
      });
    });
    findings.push_back(
        {.severity = dropped ? Severity::Problem : Severity::Note,
         .what = fmt::format("{} is 1", name),
         .why = dropped ? "Frames that the bridge carries from guest to guest (the first ones, floods) "
                          "pass the host's FORWARD rules, and those drop them."
                        : "Frames that the bridge carries from guest to guest pass the host's FORWARD "
                          "rules. Nothing drops them now; a rule for routed packets may do so later.",
         .fix = fmt::format("sysctl -w {}=0", name)});
  }
}

void check_port_range(const HostFacts& facts, Findings& findings) {
  const unsigned first = facts.ephemeral.start, last = facts.ephemeral.end;
  const std::string range = fmt::format("net.ipv4.ip_local_port_range is {} {}", first, last);
  const std::string fix = "sysctl -w net.ipv4.ip_local_port_range='32768 60999'";
  bool said = false;
  for (const auto& checked : facts.networks) {
    const Network& network = checked.network;
    if (!masquerades(network)) continue;
    if (network.nat.ports) {
      if (network.nat.ports->end < first || network.nat.ports->start > last) continue;
      findings.push_back({.severity = Severity::Note,
                          .what = fmt::format("network {} masquerades to ports {}-{}, and {}", network.name,
                                              network.nat.ports->start, network.nat.ports->end, range),
                          .why = "The host's own connections take ports from that range: one that a guest's "
                                 "session holds already "
                                 "would never hear an answer.",
                          .fix = network.nat.ports->end < 60999
                                     ? fmt::format("sysctl -w net.ipv4.ip_local_port_range='{} 60999'",
                                                   network.nat.ports->end + 1)
                                     : fmt::format("sysctl -w net.ipv4.ip_local_port_range='{} {}'", 1024,
                                                   std::max(1025, network.nat.ports->start - 1))});
      continue;
    }
    if (said) continue;
    unsigned below = first > 1024 ? first - 1024 : 0,
             above = last < 65535 ? 65535 - std::max(last, 1023U) : 0;
    constexpr unsigned few = 4096;
    if (below + above >= few) continue;
    said = true;
    findings.push_back(
        {.severity = below + above ? Severity::Note : Severity::Problem,
         .what = fmt::format("{}: {} ports are left to masquerade to", range, below + above),
         .why = "Guests get the ports from 1024 on that the host's own connections do not use. When "
                "they run out, new connections are dropped (ports-exhausted).",
         .fix = fix});
  }
}

}  // namespace vnet
