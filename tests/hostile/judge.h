// SPDX-License-Identifier: GPL-2.0-or-later
// No frame of a guest of this mode may be seen there: docs/modes.md as a table of what a sniffer may hear.
#pragma once

#include <optional>
#include <string>

#include "tests/hostile/layout.h"
#include "tests/hostile/view.h"

namespace vnet::hostile {

struct Complaint {
  std::string kind;    // by what made it possible
  std::string reason;  // by what rule it is wrong
};

// `sent` is what the guest sent, `seen` what a sniffer at the place heard with that frame's token in it.
std::optional<Complaint> complaint(const Guest& guest, const View& sent, const Place& place,
                                   const View& seen);

}  // namespace vnet::hostile
