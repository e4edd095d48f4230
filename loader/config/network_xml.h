// SPDX-License-Identifier: GPL-2.0-or-later
// libvirt's network XML to the model and back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "loader/base/error.h"
#include "loader/model/network.h"

namespace vnet {

// Reads and validates one <network>. `file_name` is what errors are reported for ("-" for stdin).
// Elements and attributes that are not known are ignored, as libvirt does, and listed in `ignored`, one line
// each; what cannot be honoured is refused.
Result<Network> parse_network(std::string_view xml, const std::string& file_name,
                              std::vector<std::string>* ignored = nullptr);

// The normalised XML; parse_network of it gives the same network.
std::string format_network(const Network& network);

// What define fills in and writes back: uuid, bridge name, gateway MAC. A bridge name may be a template
// with %d; the lowest number whose name is not in `taken_bridges` is chosen.
Network complete(Network network, const std::vector<std::string>& taken_bridges);

}  // namespace vnet
