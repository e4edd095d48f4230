// SPDX-License-Identifier: GPL-2.0-or-later
// forward add, forward remove, forward list.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/verbs/update.h"

namespace vnet::cli::verbs {

struct ForwardOptions {
  std::string action;  // add, remove or list
  std::optional<std::string> network, proto;
  std::optional<PortRange> ports;
  std::optional<Endpoint> to;  // port 0: as the host's
  std::optional<Address> listen;
  std::vector<Prefix> from;
  WhereOptions where;

  std::vector<Option> list();
  Result<void> check(const Common& common) const;
  bool changes() const { return action != "list"; }
};
Result<Intent> forward(const ForwardOptions& options);
Result<void> forwards(Host& host, const Common& common, const ForwardOptions& options);

}  // namespace vnet::cli::verbs
