// SPDX-License-Identifier: GPL-2.0-or-later
// From a drop's reason to what the administrator has written, or has not.
#pragma once

#include <string>

#include "loader/state/records.h"

namespace vnet {

struct CauseFacts {
  const NetworkRecord* network = nullptr;  // whose packet; may be missing
  const PortRecord* port = nullptr;
};

// "" where there is nothing to quote: the reason's meaning says it all.
std::string cause_of(unsigned reason, const CauseFacts& facts);

}  // namespace vnet
