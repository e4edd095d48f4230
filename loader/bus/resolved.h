// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <map>
#include <optional>
#include <string>

#include "loader/base/error.h"
#include "loader/model/bus_services.h"

namespace vnet {

// Of these interfaces, by name. nullopt: it does not run for this network namespace, or does not answer.
std::optional<std::map<std::string, LinkNames>> read_link_names(const std::map<std::string, int>& ifindexes);
Result<void> set_link_names(int ifindex, const LinkNames& names);

}  // namespace vnet
