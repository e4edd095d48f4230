// SPDX-License-Identifier: GPL-2.0-or-later
// ADDR, ADDR:PORT and [ADDR]:PORT, as options take them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "loader/base/error.h"
#include "loader/model/address.h"

namespace vnet::cli {

struct Place {
  Address address;
  std::optional<std::uint16_t> port;
};
Result<Place> parse_place(const std::string& option, const std::string& text);

}  // namespace vnet::cli
