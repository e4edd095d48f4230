// SPDX-License-Identifier: GPL-2.0-or-later
// Bonding modes under guests: docs/modes.md, "Bridged over a bond", has the reasons at length.
#include <fmt/format.h>

#include <array>

#include "loader/plan/modes/bond_check.h"

namespace vnet {
namespace {

struct BondMode {
  const char* name;
  const char* trouble;  // nullptr: fit for guests
};
// By the kernel's numbers.
constexpr std::array<BondMode, 7> bond_modes{{
    {"balance-rr",
     "packets are sprayed over the links, so that guests' MACs jump between the switch's ports"},
    {"active-backup", nullptr},
    {"balance-xor", nullptr},
    {"broadcast", "guests' frames leave by every link and come back doubled"},
    {"802.3ad", nullptr},
    {"balance-tlb", "guests' frames leave with the MAC of a link instead of their own"},
    {"balance-alb", "guests' frames leave with the MAC of a link instead of their own"},
}};

}  // namespace

Result<void> check_bond(const Network& network, const LinkInfo& link) {
  if (!link.bond) return {};
  constexpr const char* advice = "use mode active-backup (1), balance-xor (2) or 802.3ad (4) with miimon";
  if (link.bond->mode >= bond_modes.size())
    return failed(fmt::format("network {}: bond {} has the unknown mode {}; {}", network.name, link.name,
                              link.bond->mode, advice));
  const BondMode& mode = bond_modes[link.bond->mode];
  if (mode.trouble)
    return failed(fmt::format("network {}: bond {} has mode {} ({}): {}; {}", network.name, link.name,
                              mode.name, link.bond->mode, mode.trouble, advice));
  if (link.bond->arp_interval > 0)
    return failed(
        fmt::format("network {}: bond {} watches its links by ARP (arp_interval {}), which asks for an "
                    "address on the bond "
                    "that it has not got under guests; {}",
                    network.name, link.name, link.bond->arp_interval, advice));
  return {};
}

}  // namespace vnet
