// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "loader/doctor/checks.h"

namespace vnet {
namespace {

constexpr const char* give_again = "vnet-bpf announce --frr";

std::string list(const std::vector<Prefix>& prefixes) {
  constexpr std::size_t most = 4;
  std::string names;
  for (std::size_t i = 0; i < std::min(prefixes.size(), most); ++i)
    names += (i ? ", " : "") + prefixes[i].text();
  return prefixes.size() > most ? fmt::format("{} and {} more", names, prefixes.size() - most) : names;
}

}  // namespace

void check_announced(const HostFacts& facts, Findings& findings) {
  std::map<std::string, std::string> refused;  // why, by network
  std::vector<Prefix> missing, without_route;
  for (const auto& one : facts.announced.all) {
    if (one.state == AnnouncedState::Refused) refused[one.network] = one.why;
    if (one.state == AnnouncedState::Missing) missing.push_back(one.prefix);
    if (one.state == AnnouncedState::NoRoute) without_route.push_back(one.prefix);
  }
  for (const auto& [network, why] : refused)
    findings.push_back({.what = fmt::format("network {} is not announced: {}", network, why),
                        .why = "Its <vnet:announce> wants FRR to tell the routers outside where it is; they "
                               "do not find it.",
                        .fix = facts.announced.no_frr.empty() ? "vtysh -c 'show running-config'"
                                                              : "systemctl enable --now frr"});
  if (!missing.empty())
    findings.push_back({.what = fmt::format("FRR does not announce {}", list(missing)),
                        .why = "It runs, and its network asks for it; somebody has loaded FRR's "
                               "configuration anew, or `vnet-bpf run` does not run.",
                        .fix = give_again});
  if (!facts.announced.stale.empty())
    findings.push_back(
        {.what = fmt::format("FRR still has {}", list(facts.announced.stale)),
         .why = "Nothing that runs asks for it any more: the outside sends packets here in vain.",
         .fix = give_again});
  if (!without_route.empty())
    findings.push_back({.severity = Severity::Note,
                        .what = fmt::format("FRR has {}, and announces nothing of it", list(without_route)),
                        .why = "It knows no route there: a gateway has one while a guest is plugged in.",
                        .fix = "vtysh -c 'show ip route' -c 'show ipv6 route'"});
}

}  // namespace vnet
