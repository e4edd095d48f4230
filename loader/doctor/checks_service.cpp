// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>

#include "loader/doctor/checks.h"
#include "loader/os/inotify.h"

namespace vnet {
void check_dnsmasq(const HostFacts& facts, Findings& findings) {
  bool wanted = std::ranges::any_of(
      facts.networks, [](const CheckedNetwork& checked) { return wants_dnsmasq(checked.network); });
  if (wanted && !facts.dnsmasq_installed)
    findings.push_back(
        {.what = "dnsmasq is not installed",
         .why = "It answers guests' DHCP and DNS; networks that want either do not start without it.",
         .fix = facts.distribution.install_dnsmasq()});
  for (const auto& [network, active, running, ports] : facts.networks) {
    if (!active || running || !wants_dnsmasq(network)) continue;
    findings.push_back({.what = fmt::format("the dnsmasq of network {} is not running", network.name),
                        .why = "Guests get no address and no name server; those that have a lease lose it.",
                        .fix = fmt::format("vnet-bpf show {} --xml | vnet-bpf up -", network.name)});
  }
}

void check_names(const HostFacts& facts, Findings& findings) {
  if (facts.resolved) return;
  for (const auto& checked : facts.networks) {
    const Network& network = checked.network;
    if (!checked.active || !registers_names(network)) continue;
    findings.push_back(
        {.what = fmt::format("the host does not know the names of network {}'s guests in {}", network.name,
                             network.domain->name),
         .why = "<domain register='yes'> has systemd-resolved ask the network's dnsmasq, and it does not run "
                "here.",
         .fix = "apt install systemd-resolved && systemctl enable --now systemd-resolved"});
  }
}

void check_inotify(const HostFacts& facts, Findings& findings) {
  if (!facts.inotify_limit) return;
  const unsigned left = facts.inotify_limit - std::min(facts.inotify_used, facts.inotify_limit);
  const auto waiting = std::ranges::count_if(facts.networks, [](const CheckedNetwork& checked) {
    return wants_dnsmasq(checked.network) && !checked.dnsmasq_running;
  });
  constexpr unsigned few = 16;
  if (left >= few && left >= waiting) return;
  const std::string raise = raise_inotify_limit(facts.inotify_limit);
  findings.push_back(
      {.severity = left ? Severity::Note : Severity::Problem,
       .what = fmt::format("{} of {} inotify instances are taken (fs.inotify.max_user_instances)",
                           facts.inotify_used, facts.inotify_limit),
       .why = "A user may have so many, and a dnsmasq that follows resolv.conf (all but those of isolated "
              "networks) takes one: when none is left, such networks do not start.",
       .fix = fmt::format("{0} && echo '{1}' > /etc/sysctl.d/60-inotify.conf", raise,
                          raise.substr(raise.find("fs.")))});
}

void check_service_ports(const HostFacts& facts, Findings& findings) {
  for (const auto& socket : facts.sockets) {
    // dnsmasq shares the port of DHCP with others of its kind.
    if (socket.port == 67 && socket.process == "dnsmasq") continue;
    for (const auto& checked : facts.networks) {
      const Network& network = checked.network;
      if (checked.dnsmasq_running || !wants_dnsmasq(network)) continue;
      if (socket.port == 53 && !network.dns.enable) continue;
      auto hit = std::ranges::find_if(network.ips, [&](const IpConfig& ip) {
        return (socket.port == 53 || ip.dhcp) && socket.covers(ip.gateway.address);
      });
      if (hit == network.ips.end()) continue;
      findings.push_back(
          {.what = fmt::format("{} has {} port {} on {}", socket.owner(), socket.protocol, socket.port,
                               socket.is_everywhere() ? "every address" : socket.address.text()),
           .why = fmt::format(
               "The dnsmasq of network {} cannot serve {} on {}: the network does not start. Where both "
               "are to run, bind the other one to the addresses it is for.",
               network.name, socket.port == 53 ? "DNS" : "DHCP", hit->gateway.address.text()),
           .fix = !socket.unit.empty() ? fmt::format("systemctl disable --now {}", socket.unit)
                  : socket.pid         ? fmt::format("kill {}", socket.pid)
                                       : fmt::format("ss -lnp 'sport = :{}'", socket.port)});
      break;
    }
  }
}

}  // namespace vnet
