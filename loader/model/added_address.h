// SPDX-License-Identifier: GPL-2.0-or-later
// An address on a gateway's interface that its network's definition does not name.
#pragma once

#include <string>

#include "loader/model/address.h"

namespace vnet {

struct AddedAddress {
  Prefix address;
  std::string refused;  // why its subnet is not the network's; "": it is
  bool operator==(const AddedAddress&) const = default;
};

}  // namespace vnet
