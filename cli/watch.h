// SPDX-License-Identifier: GPL-2.0-or-later
// --watch of stats and flows: facts read at an interval, shown on a terminal as a live screen, else as lines.
#pragma once

#include <optional>
#include <string>

#include "cli/option_table.h"
#include "cli/screen.h"

namespace vnet::cli {

Option watch_option(std::optional<double>& seconds, const char* help);

class Watched {
 public:
  virtual ~Watched() = default;
  virtual Result<void> read() = 0;
  virtual Screen compose(View& view) = 0;
  virtual std::string lines(double seconds) = 0;
};

// Returns at a signal, at q, or when the reader goes. The caller has read() once.
Result<void> watch(Watched& watched, double seconds);

// While paused, the screen keeps the facts of that moment. Reading goes on.
template <typename Facts>
class Pausable {
 public:
  const Facts& shown(const Facts& latest, bool paused) {
    if (paused && !frozen_) frozen_ = latest;
    if (!paused) frozen_.reset();
    return paused ? *frozen_ : latest;
  }

 private:
  std::optional<Facts> frozen_;
};

}  // namespace vnet::cli
