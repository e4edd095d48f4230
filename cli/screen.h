// SPDX-License-Identifier: GPL-2.0-or-later
// What `stats --watch` shows, as lines of text. terminal.h draws them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/history.h"
#include "loader/observe/rates.h"

namespace vnet::cli {

enum class SortBy { Name, Received, Sent, Drops };

// What the user has selected, and the size of the terminal.
struct View {
  SortBy sort = SortBy::Name;
  bool paused = false;
  std::string filter;      // networks, ports and uplinks with this in their name, or a network's ports
  bool typing = false;     // the filter is being typed
  std::string selected;    // port; "": none
  bool follow = false;     // scroll so that the selected one is visible
  bool detail = false;     // only the selected one
  std::size_t scroll = 0;  // rows of the body above the first one shown
  std::size_t height = 0;  // of the body when last shown
  double seconds = 1;      // between readings
  std::string error;       // of the last reading; empty: none
  std::size_t columns = 80, rows = 24;
  bool unicode = true;
};

struct Line {
  std::string text;
  bool emphasis = false;  // a heading
  bool selected = false;
};

struct Screen {
  std::vector<Line> head, body;  // body: its visible part
  Line foot;
  std::vector<std::string> ports;  // all ports of the body, in order
};

// At most as many lines as rows. Corrects a scroll position or selection that is out of range.
Screen compose(const Rates& rates, const History& history, View& view);

// Changes the view. False: quit.
enum class Key { Up, Down, PageUp, PageDown, Home, End, Enter, Escape, Backspace, Character };
bool handle_key(Key key, char character, const Screen& screen, View& view);

// One line per network, port and uplink, for output that is not a terminal.
std::string plain_lines(const Rates& rates);

std::string clock_text(double seconds);                                 // 14:02:07
std::string cut_columns(const std::string& text, std::size_t columns);  // counts code points, and splits none

}  // namespace vnet::cli
