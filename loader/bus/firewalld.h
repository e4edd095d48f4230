// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "loader/base/error.h"
#include "loader/model/bus_services.h"

namespace vnet {

// nullopt: it does not run for this network namespace, or does not answer.
std::optional<Firewalld> read_firewalld(const std::vector<std::string>& interfaces);
// Until firewalld is stopped; zone "": out of the one that it is in.
Result<void> set_zone(const std::string& interface, const std::string& zone);

}  // namespace vnet
