// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/plan/block_rules.h"

#include <fmt/format.h>

namespace vnet {

Result<void> check_blockable(const Prefix& prefix) {
  if (prefix.length == 0)
    return invalid(fmt::format("block: {} is everybody; name two halves if you mean it", prefix.text()));
  if (prefix.address.family == Family::V6 && prefix.contains(*Address::parse("::ffff:0:0")) &&
      prefix.length <= 96)
    return invalid(fmt::format("block: {} holds IPv4's addresses, too (::ffff:0:0/96)", prefix.text()));
  return {};
}

}  // namespace vnet
