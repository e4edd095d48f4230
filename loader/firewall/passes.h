// SPDX-License-Identifier: GPL-2.0-or-later
// Rules of ours in the host's own tables (loader/model/pass_rule.h).
//
// A table that iptables-nft manages is read by iptables as well: what is written has the form that it writes
// itself, so that iptables-save, ufw and Docker go on working.
#pragma once

#include <string>
#include <vector>

#include "loader/base/error.h"
#include "loader/model/pass_rule.h"

namespace vnet {

// All tables that have a policy that drops, or rules of ours. Not those of firewalld, which decides by zones.
Result<std::vector<PassState>> read_passes();

// The commands of nft that make `now` what is wanted; no rules: our chain goes. jumps: see below.
std::string pass_commands(const PassState& now, const std::vector<PassRule>& rules,
                          const std::vector<std::string>& jumps);

// At once, or not at all. A table that has gone meanwhile is none to write to.
Result<void> write_passes(const PassTable& table, const std::vector<PassRule>& rules);

}  // namespace vnet
