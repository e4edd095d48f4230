// SPDX-License-Identifier: GPL-2.0-or-later
// What `stats --watch` shows, as lines; drawing them is somebody else's.
#pragma once

#include <string>
#include <vector>

#include "loader/observe/rates.h"

namespace vnet::cli {

enum class SortBy { Name, Received, Sent, Drops };

struct View {
  SortBy sort = SortBy::Name;
  bool paused = false;
  std::size_t scroll = 0;  // lines of the body above the first one shown
  double seconds = 1;      // between the readings
  std::string error;       // of the last reading; empty: it went well
};

struct Line {
  std::string text;
  bool emphasis = false;  // a heading
};

struct Screen {
  std::vector<Line> head, body;
  Line foot;
};

Screen compose(Rates rates, const View& view);
SortBy next_sort(SortBy sort);
// One line a network, port and uplink, for when there is no terminal.
std::string plain_lines(const Rates& rates);

}  // namespace vnet::cli
