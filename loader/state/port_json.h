// SPDX-License-Identifier: GPL-2.0-or-later
// A port's settings as JSON, a key each (port_fields).
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "loader/model/port_config.h"

namespace vnet {

void write_port_config(nlohmann::json& json, const PortConfig& config);
// What is not named stays. Throws nlohmann's exceptions.
void read_port_config(const nlohmann::json& json, PortConfig& config);

}  // namespace vnet
