// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include "loader/doctor/checks.h"

namespace vnet {

void check_ip_only(const HostFacts& facts, Findings& findings) {
  for (const auto& [interface, cost] : facts.ip_only)
    findings.push_back(
        {.severity = Severity::Note,
         .what =
             fmt::format("the guest at {} may use its --ip alone, and makes up IPv6 addresses", interface),
         .why = fmt::format("The {}. Guests prefer such an address: unless this one has been told to make up "
                            "none, its IPv6 is dead.",
                            cost),
         .fix = fmt::format("vnet-bpf set {} --no-ip-only", interface)});
}

}  // namespace vnet
