// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>

#include "loader/doctor/checks.h"
#include "loader/netlink/xdp_features.h"
#include "loader/plan/uplink_xdp.h"
#include "maps/abi.h"

namespace vnet {
namespace {

constexpr const char* bond_mode_names[] = {"balance-rr", "active-backup", "balance-xor", "broadcast",
                                           "802.3ad",    "balance-tlb",   "balance-alb"};

bool any_network(const HostFacts& facts, bool (*wanted)(const Network&)) {
  return std::ranges::any_of(facts.networks,
                             [&](const CheckedNetwork& checked) { return wanted(checked.network); });
}

// Ours: ports, gateways and uplinks.
std::vector<std::string> interfaces_in_use(const HostFacts& facts) {
  std::vector<std::string> names = facts.uplinks;
  for (const auto& checked : facts.networks) {
    names.insert(names.end(), checked.ports.begin(), checked.ports.end());
    const LinkFacts* bridge = facts.link(checked.network.bridge);
    if (!bridge || (!checked.active && has_gateway(checked.network))) continue;
    names.push_back(checked.network.bridge);
    if (!is_bridged(checked.network)) continue;
    // The host's own bridge: its way out is one of its ports.
    for (const auto& facts_of : facts.links)
      if (facts_of.link.master == bridge->link.ifindex &&
          std::ranges::find(names, facts_of.link.name) == names.end())
        names.push_back(facts_of.link.name);
  }
  return names;
}

}  // namespace

void check_uplinks(const HostFacts& facts, Findings& findings) {
  for (const auto& checked : facts.networks)
    for (const auto& device : checked.network.devices)
      if (!facts.link(device))
        findings.push_back(
            {.what = fmt::format("network {} names {}, and there is no such interface", checked.network.name,
                                 device),
             .why = "It is the only way out that <forward dev> leaves to its guests.",
             .fix = fmt::format(
                 "ip -br link  # then: vnet-bpf show {0} --xml | sed \"s/dev='{1}'/dev='NAME'/\" | "
                 "vnet-bpf define -",
                 checked.network.name, device)});
  if (!facts.uplinks.empty() || !any_network(facts, is_routed)) return;
  findings.push_back(
      {.severity = Severity::Note,
       .what = "no interface has a default route",
       .why = "Guests reach the host and each other, but nothing outside. An uplink is found as soon as "
              "there is a route, and a command has run.",
       .fix = "ip route add default via ROUTER dev IFACE"});
}

void check_guards(const HostFacts& facts, Findings& findings) {
  if (facts.unguarded.empty()) return;
  findings.push_back(
      {.what = fmt::format("programs of ours are missing: {}", fmt::join(facts.unguarded, ", ")),
       .why = "Somebody has detached them, or a command was killed. What they keep apart may meet.",
       .fix = "vnet-bpf up  # as every command that changes something, it puts them back"});
}

void check_versions(const HostFacts& facts, Findings& findings) {
  const bool other_layout = facts.layout && facts.layout != VNET_ABI_VERSION;
  if (facts.outdated.empty() && !other_layout && !facts.upgrade_interrupted) return;
  std::string what = fmt::format("programs of another version run: {}", fmt::join(facts.outdated, ", "));
  if (other_layout)
    what = fmt::format("the maps are of another version, with layout {}, not {}", facts.layout,
                       VNET_ABI_VERSION);
  else if (facts.upgrade_interrupted)
    what = "an upgrade was interrupted";
  findings.push_back(
      {.what = std::move(what),
       .why = "What this version has mended is not in force there; with other maps, or half an "
              "upgrade, nothing can be changed.",
       .fix = "vnet-bpf upgrade  # interrupts no connection; `vnet-bpf run` does it when it starts"});
}

void check_unattached(const HostFacts& facts, Findings& findings) {
  for (const auto& name : facts.unattached) {
    const LinkFacts* member = facts.link(name);
    const LinkFacts* bridge = member ? facts.link(member->link.master) : nullptr;
    auto network = std::ranges::find_if(facts.networks, [&](const CheckedNetwork& checked) {
      return bridge && checked.network.bridge == bridge->link.name;
    });
    if (network == facts.networks.end()) continue;
    findings.push_back(
        {.what = fmt::format("{} is in {}, and not attached", name, bridge->link.name),
         .why = "It gets no traffic, nor does anything it sends arrive. `vnet-bpf run` attaches guests' "
                "interfaces as they come.",
         .fix = fmt::format("vnet-bpf attach {} --network {}", name, network->network.name)});
  }
}

void check_mtu(const HostFacts& facts, Findings& findings) {
  for (const auto& checked : facts.networks) {
    const LinkFacts* gateway = facts.link(checked.network.bridge);
    if (!checked.active || !gateway) continue;
    const unsigned mtu = gateway->link.mtu;
    for (const auto& name : checked.ports) {
      const LinkFacts* port = facts.link(name);
      if (!port || port->link.mtu == mtu) continue;
      findings.push_back({.what = fmt::format("the MTU of {} is {}, that of its network {} {}", name,
                                              port->link.mtu, checked.network.name, mtu),
                          .why = "A bridge does not fragment: frames that are too large for one of the two "
                                 "are lost without a word.",
                          .fix = fmt::format("ip link set dev {} mtu {}", name, mtu)});
    }
    if (!is_routed(checked.network)) continue;
    for (const auto& name : facts.uplinks) {
      const LinkFacts* uplink = facts.link(name);
      if (!uplink || uplink->link.mtu >= mtu) continue;
      findings.push_back(
          {.severity = Severity::Note,
           .what = fmt::format("the MTU of uplink {} is {}, that of network {} {}", name, uplink->link.mtu,
                               checked.network.name, mtu),
           .why = fmt::format(
               "Guests learn it from ICMP errors for every destination anew, and stall where those are "
               "filtered. For good: <mtu size='{}'/> in the network's XML, which DHCP then tells them.",
               uplink->link.mtu),
           .fix = fmt::format("for i in {} {}; do ip link set dev $i mtu {}; done",
                              fmt::join(checked.ports, " "), checked.network.bridge, uplink->link.mtu)});
    }
  }
}

void check_bonding(const HostFacts& facts, Findings& findings) {
  for (const auto& name : interfaces_in_use(facts)) {
    const LinkFacts* bond = facts.link(name);
    if (!bond || !bond->bond_mode || *bond->bond_mode >= std::size(bond_mode_names)) continue;
    const char* mode = bond_mode_names[*bond->bond_mode];
    // An active bond refuses another mode; so it is taken down for a moment.
    std::string fix = fmt::format(
        "ip link set dev {0} down && ip link set dev {0} type bond mode active-backup && ip link set dev {0} "
        "up",
        name);
    if (*bond->bond_mode == 5 || *bond->bond_mode == 6)
      findings.push_back(
          {.what = fmt::format("{} bonds in mode {}", name, mode),
           .why = "It sends with the MACs of its members and, in balance-alb, answers ARP with them: "
                  "frames of bridged guests come back to the wrong member. It has no native XDP, either. "
                  "If the cards leave the bond, add them again (ip link set dev CARD master ...).",
           .fix = fix});
    if (*bond->bond_mode == 0)
      findings.push_back(
          {.severity = Severity::Note,
           .what = fmt::format("{} bonds in mode {}", name, mode),
           .why = "Packets of one connection overtake each other on the members: guests' TCP takes that "
                  "for loss and slows down.",
           .fix = fix});
  }
}

namespace {

bool lacks_native(const LinkFacts* link) {
  return link && link->xdp_features && !(*link->xdp_features & xdp_act_basic);
}
}  // namespace

void check_xdp(const HostFacts& facts, Findings& findings) {
  for (const auto& name : facts.xdp_alone)
    findings.push_back(
        {.severity = Severity::Note,
         .what = fmt::format("vnet-bpf has the XDP hook of uplink {} to itself", name),
         .why =
             "libxdp's dispatcher, by which programs share the hook, needs a kernel that can replace their "
             "functions (freplace: BTF, and function tracing). Others find the hook taken here.",
         .fix = "zgrep -E 'CONFIG_(DEBUG_INFO_BTF|DYNAMIC_FTRACE_WITH_DIRECT_CALLS)=' /proc/config.gz  # "
                "both must be y"});
  for (const auto& [name, why] : facts.xdp_missing) {
    if (lacks_native(facts.link(name))) continue;  // the next check tells
    findings.push_back({.severity = Severity::Note,
                        .what = fmt::format("XDP is not attached at uplink {}: {}", name, why),
                        .why = "The program at tc drops the same, after the kernel has made a buffer of each "
                               "packet: a flood costs more. Everything works. It is tried anew when the "
                               "last network that uses the uplink has stopped and one starts.",
                        .fix = fmt::format("ip -d link show dev {}", name)});
  }
  for (const auto& [name, why] : facts.xdp_no_forward)
    findings.push_back({.severity = Severity::Note,
                        .what = fmt::format("XDP filters at uplink {}, and does not forward: {}", name, why),
                        .why = "Small packets to guests go by the program at tc. Everything works.",
                        .fix = "man vnet-bpf  # <vnet:xdp mode='filter'/> asks for what there is"});
  for (const auto& [why, ports] : facts.xdp_no_port) {
    std::string others = ports.size() > 1 ? fmt::format(" (and {} more ports)", ports.size() - 1) : "";
    findings.push_back({.severity = Severity::Note,
                        .what = fmt::format("XDP forwards nothing to {}{}: {}", ports.front(), others, why),
                        .why = "What comes from outside for them goes by the program at tc, as without XDP.",
                        .fix = "vnet-bpf show NETWORK  # lists them"});
  }
}

void check_driver(const HostFacts& facts, Findings& findings) {
  bool wanted = std::ranges::any_of(facts.networks, [](const CheckedNetwork& checked) {
    return is_routed(checked.network) && checked.network.settings.xdp != XdpMode::Off;
  });
  if (!wanted) return;
  for (const auto& name : facts.uplinks) {
    const LinkFacts* uplink = facts.link(name);
    if (!lacks_native(uplink) || !is_card(uplink->link)) continue;
    const std::string& driver = uplink->driver.empty() ? uplink->link.kind : uplink->driver;
    findings.push_back(
        {.severity = Severity::Note,
         .what = fmt::format("uplink {} ({}) has no native XDP", name,
                             driver.empty() ? "driver unknown" : "driver " + driver),
         .why = "Unwanted packets are dropped at tc, after the kernel has made a buffer of each: a flood "
                "costs more. Everything works.",
         .fix = "vnet-bpf stats --watch  # nothing to mend but the card or its driver"});
  }
}

void check_foreign_programs(const HostFacts& facts, Findings& findings) {
  for (const auto& name : interfaces_in_use(facts)) {
    const LinkFacts* link = facts.link(name);
    if (!link) continue;
    for (const auto& program : link->programs) {
      // See docs/design.md: a guest's offloaded frames do not survive XDP at a tap or veth.
      bool breaks = program.hook.starts_with("xdp") &&
                    (link->link.kind == "tun" || link->link.kind == "veth") &&
                    std::ranges::find(facts.uplinks, name) == facts.uplinks.end();
      findings.push_back(
          {.severity = breaks ? Severity::Problem : Severity::Note,
           .what = fmt::format("{} has another program at {}: {}", name, program.hook, program.name),
           .why = breaks ? "XDP at a guest's interface sees the frames without their offload: it splits "
                           "or loses large ones, and redirected ones leave with wrong checksums."
                         : "What it drops or redirects never reaches vnet-bpf's programs, or has passed "
                           "them already, and is in none of our counters.",
           .fix = program.remove});
    }
  }
}

void check_bridge_names(const HostFacts& facts, Findings& findings) {
  for (const auto& checked : facts.networks) {
    const Network& network = checked.network;
    const LinkFacts* link = facts.link(network.bridge);
    if (checked.active && !link && has_gateway(network))
      findings.push_back({.what = fmt::format("network {} is active, but its bridge {} is gone", network.name,
                                              network.bridge),
                          .why = "Somebody has deleted it: the guests are cut off.",
                          .fix = fmt::format("vnet-bpf start {}", network.name)});
    if (checked.active || !link || !has_gateway(network)) continue;
    findings.push_back(
        {.what = fmt::format("there is an interface {} already, which network {} wants to make",
                             network.bridge, network.name),
         .why = "`start` refuses to take what is somebody else's. Most often it is libvirt's own network of "
                "that name.",
         .fix = fmt::format("virsh net-destroy {} || ip link delete dev {}", network.name, network.bridge)});
  }
}

void check_subnets(const HostFacts& facts, Findings& findings) {
  auto routes_elsewhere = [&](const Network& network, const Prefix& subnet) -> const RouteInfo* {
    for (const auto& route : facts.routes) {
      const LinkFacts* link = facts.link(route.oif);
      if (!route.destination || !link || link->link.name == network.bridge || route.type != RTN_UNICAST)
        continue;
      // A wider route elsewhere loses to ours, as in every router.
      if (route.destination->address.family == subnet.address.family && !subnet.address.is_link_local() &&
          route.destination->length >= subnet.length && subnet.overlaps(*route.destination))
        return &route;
    }
    return nullptr;
  };
  for (const auto& checked : facts.networks) {
    for (const auto& ip : checked.network.ips) {
      const RouteInfo* route = routes_elsewhere(checked.network, ip.gateway.network());
      if (!route) continue;
      const std::string& elsewhere = facts.link(route->oif)->link.name;
      std::string destination = route->destination->text();
      bool own = std::ranges::any_of(facts.link(route->oif)->addresses, [&](const Prefix& address) {
        return address.network() == *route->destination;
      });
      std::string address;
      for (const auto& prefix : facts.link(route->oif)->addresses)
        if (prefix.network() == *route->destination) address = prefix.text();
      findings.push_back(
          {.what = fmt::format("{} of network {} is also {} on {}", ip.gateway.network().text(),
                               checked.network.name, destination, elsewhere),
           .why = "The host sends what is for the guests to the other side, or the other way round. `start` "
                  "refuses; "
                  "choose another subnet for the network, or take it from there.",
           .fix = own ? fmt::format("ip address del {} dev {}", address, elsewhere)
                      : fmt::format("ip route del {} dev {}", destination, elsewhere)});
    }
  }
}

}  // namespace vnet
