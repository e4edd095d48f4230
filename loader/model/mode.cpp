// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/model/mode.h"

#include <algorithm>
#include <array>

namespace vnet {

const ModeSpec& mode_spec(Mode mode) {
  static constexpr std::array specs{
      // clang-format off
      //                                   gateway routed masq.  visible any    bridge parents
      ModeSpec{Mode::Nat,      "nat",      true,   true,  true,  false,  false, false, false},
      ModeSpec{Mode::Route,    "route",    true,   true,  false, true,   false, false, false},
      ModeSpec{Mode::Open,     "open",     true,   true,  false, true,   true,  false, false},
      ModeSpec{Mode::Isolated, "isolated", true,   false, false, false,  false, false, false},
      ModeSpec{Mode::Bridge,   "bridge",   false,  false, false, true,   true,  true,  false},
      ModeSpec{Mode::Direct,   "direct",   false,  false, false, true,   true,  false, true},
      // clang-format on
  };
  return *std::ranges::find(specs, mode, &ModeSpec::mode);
}

}  // namespace vnet
