// SPDX-License-Identifier: GPL-2.0-or-later
// libvirt's network XML <-> model. What libvirt refuses at `net-define` is refused here, for its reason;
// what it ignores (unknown elements) is ignored.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "loader/error.h"
#include "loader/model/network.h"

namespace vnet {

// Invalid, with file and line.
Result<Network> parse_network(std::string_view xml, const std::string& file_name);

// Normalised; parse_network(format_network(n)) gives n again.
std::string format_network(const Network& network);

// libvirt's define-time defaults written in: uuid, bridge virbr%d (the first number not taken), MAC.
Network complete(Network network, const std::set<std::string>& taken_bridges);

}  // namespace vnet
