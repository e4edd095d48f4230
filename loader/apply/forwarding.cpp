// SPDX-License-Identifier: GPL-2.0-or-later
// The host forwards from the first routed network on. A start that fails sets it back, `stop` does not: by
// then others may rely on it.
#include "loader/apply/apply.h"
#include "loader/os/sysctl.h"

namespace vnet {

Result<void> apply(System& system, const EnableForwarding& change) {
  VNET_ASSIGN(auto previous, system.records.sysctls());
  VNET_ASSIGN(auto before, read_sysctl(change.sysctl));
  if (before && *before != "1" && !previous.contains(change.sysctl)) {
    previous[change.sysctl] = *before;
    VNET_TRY(system.records.save_sysctls(previous));
  }
  return write_sysctl(change.sysctl, "1");
}

Result<void> undo(System& system, const EnableForwarding& change) {
  VNET_ASSIGN(auto networks, system.records.networks());
  if (networks.size() > 1) return {};  // another one is forwarded for
  VNET_ASSIGN(auto previous, system.records.sysctls());
  auto value = previous.find(change.sysctl);
  if (value == previous.end()) return {};
  return apply(system, RestoreSysctl{change.sysctl, value->second});
}

Result<void> apply(System& system, const RestoreSysctl& change) {
  VNET_ASSIGN(auto previous, system.records.sysctls());
  VNET_TRY(write_sysctl(change.sysctl, change.value));
  previous.erase(change.sysctl);
  return system.records.save_sysctls(previous);
}

}  // namespace vnet
