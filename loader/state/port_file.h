// SPDX-License-Identifier: GPL-2.0-or-later
// What goes with a guest to another host, as a JSON document: `port export` writes it, `port import` reads
// it.
#pragma once

#include <string>
#include <string_view>

#include "loader/base/error.h"
#include "loader/model/port_state.h"

namespace vnet {

std::string format_port_state(const PortState& state);
// Invalid: it is none, or of a version that is not known. What the values mean is checked when it is
// attached.
Result<PortState> parse_port_state(std::string_view text, const std::string& file_name);

}  // namespace vnet
