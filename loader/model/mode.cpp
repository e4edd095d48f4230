// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/model/mode.h"

#include <algorithm>
#include <array>
#include <climits>

namespace vnet {

const ModeSpec& mode_spec(Mode mode) {
  constexpr unsigned any = UINT_MAX;
  static constexpr std::array specs{
      // clang-format off
      //                                   gateway routed masq.  visible any    bridge parents bandw. ip     uplinks
      ModeSpec{Mode::Nat,      "nat",      true,   true,  true,  false,  false, false, false, true,  true,  1},
      ModeSpec{Mode::Route,    "route",    true,   true,  false, true,   false, false, false, true,  true,  1},
      ModeSpec{Mode::Open,     "open",     true,   true,  false, true,   true,  false, false, true,  false, 0},
      ModeSpec{Mode::Isolated, "isolated", true,   false, false, false,  false, false, false, true,  false, 0},
      ModeSpec{Mode::Bridge,   "bridge",   false,  false, false, true,   true,  true,  false,  true,  false, any},
      ModeSpec{Mode::Direct,   "direct",   false,  false, false, true,   true,  false, true,  false, false, any},
      // clang-format on
  };
  return *std::ranges::find(specs, mode, &ModeSpec::mode);
}

}  // namespace vnet
