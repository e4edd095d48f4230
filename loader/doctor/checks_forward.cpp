// SPDX-License-Identifier: GPL-2.0-or-later
// Port forwards beside what else is on this host.
#include <fmt/format.h>

#include <algorithm>

#include "loader/doctor/checks.h"

namespace vnet {
namespace {

bool has_address(const HostFacts& facts, const Address& address) {
  return std::ranges::any_of(facts.links, [&](const LinkFacts& link) {
    return std::ranges::any_of(link.addresses, [&](const Prefix& one) { return one.address == address; });
  });
}

void check_address(const HostFacts& facts, const Network& network, const PortForward& forward,
                   Findings& findings) {
  if (!forward.listen || has_address(facts, *forward.listen)) return;
  findings.push_back({.severity = Severity::Note,
                      .what = fmt::format("network {} forwards {}, and the host has no such address",
                                          network.name, forward_text(forward)),
                      .why = "Nothing comes to the guest until an interface of the host has it.",
                      .fix = fmt::format("ip address show to {}", forward.listen->text())});
}

void check_sockets(const HostFacts& facts, const CheckedNetwork& checked, const PortForward& forward,
                   Findings& findings) {
  for (const auto& socket : facts.sockets) {
    if (!is_in_the_way(socket, forward)) continue;
    findings.push_back(
        {.what = fmt::format("{} waits on {} port {}, which network {} forwards ({})", socket.owner(),
                             socket.protocol, socket.port, checked.network.name, forward_line(forward)),
         .why = checked.active ? "What comes to this port goes to the guest, and not to that program."
                               : "The network does not start while that program has the port.",
         .fix = !socket.unit.empty() ? fmt::format("systemctl disable --now {}", socket.unit)
                                     : fmt::format("ss -lnp 'sport = :{}'", socket.port)});
    return;
  }
}

// A network that is not active, beside all others.
void check_others(const HostFacts& facts, const CheckedNetwork& checked, const PortForward& forward,
                  Findings& findings) {
  if (checked.active) return;
  for (const auto& other : facts.networks) {
    if (other.network.name == checked.network.name ||
        (!other.active && other.network.name < checked.network.name))
      continue;
    for (const auto& theirs : other.network.settings.port_forwards)
      if (do_overlap(forward, theirs))
        findings.push_back(
            {.severity = Severity::Note,
             .what = fmt::format("networks {} and {} forward the same port: {} and {}", checked.network.name,
                                 other.network.name, forward_line(forward), forward_line(theirs)),
             .why = "Only one of them can be active.",
             .fix = fmt::format("vnet-bpf show {} --xml", checked.network.name)});
  }
}

}  // namespace

void check_forwards(const HostFacts& facts, Findings& findings) {
  for (const auto& checked : facts.networks)
    for (const auto& forward : checked.network.settings.port_forwards) {
      check_address(facts, checked.network, forward, findings);
      check_sockets(facts, checked, forward, findings);
      check_others(facts, checked, forward, findings);
    }
}

}  // namespace vnet
