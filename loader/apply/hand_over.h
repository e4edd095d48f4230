// SPDX-License-Identifier: GPL-2.0-or-later
// To an older version, which knows nothing of this one: its maps take the pins' place, and this version's
// programs go on with theirs until the other has put its own in their places, which it does as it mends
// whatever is missing.
//   PINS/before/maps                          what our programs are on
//   PINS/before/networks, uplinks, parents    their pins
//   PINS/before/links/%...                    the fence, the policers and the host's programs
#pragma once

#include "loader/apply/system.h"

namespace vnet {

// It was handed over, and nobody has taken anything of it.
bool is_handed_over(const System& system);
Result<void> hand_over(System& system, unsigned layout);
// Whether the other version's programs stand wherever ours did.
Result<bool> is_taken_over(System& system);
Result<void> follow_hand_over(System& system);  // what our programs have made meanwhile
Result<void> finish_hand_over(System& system);
Result<void> take_back(System& system);

}  // namespace vnet
