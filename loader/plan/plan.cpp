// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/plan/plan.h"

#include <iterator>

namespace vnet {

void Plan::append(Plan other) {
  std::move(other.steps_.begin(), other.steps_.end(), std::back_inserter(steps_));
  if (!other.done.empty()) done = std::move(other.done);
  std::move(other.notes.begin(), other.notes.end(), std::back_inserter(notes));
}

Result<void> Plan::run() const {
  for (auto step = steps_.begin(); step != steps_.end(); ++step) {
    auto result = step->apply();
    if (result) continue;
    // The failing step may have been half done: it is undone, too.
    for (auto back = std::make_reverse_iterator(step + 1); back != steps_.rend(); ++back)
      if (back->undo) back->undo();
    return result;
  }
  return {};
}

}  // namespace vnet
