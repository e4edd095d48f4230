// SPDX-License-Identifier: GPL-2.0-or-later
// What the records say is attached, compared with what the kernel has. Programs can be taken away by anybody
// (`bpftool link detach`, `tc filter del`), and a command that was killed may not have put them up.
#pragma once

#include <string>
#include <vector>

#include "loader/apply/system.h"

namespace vnet {

struct MissingGuard {
  std::string interface;
  std::string what;     // the hook's word; "in-the-map" where the programs stand and nobody finds them
  std::string network;  // the port's or the gateway's; "" for an uplink of all
};

// One walk over everything that is attached; cheap enough for twice a second. An interface that is gone, or a
// network or port that a command has left half-way, is not counted: others see to those.
Result<std::vector<MissingGuard>> missing_guards(System& system);

// Interfaces in the bridge of a gateway of ours that are no ports: they get no traffic.
struct UnattachedMember {
  LinkInfo link;
  Network network;
};
Result<std::vector<UnattachedMember>> unattached_members(System& system);

// Where a port's programs are, by its record.
Attachment attachment_of(const PortRecord& record);
// Its programs, its limit and its entry are there.
bool is_guarded(System& system, const PortRecord& record, const Network& network);
bool is_gateway_guarded(System& system, const ActiveNetwork& active, int ifindex);
bool is_uplink_guarded(System& system, const UplinkRecord& record);
bool is_parent_guarded(System& system, const ParentRecord& record);

}  // namespace vnet
