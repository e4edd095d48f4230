// SPDX-License-Identifier: GPL-2.0-or-later
// What `stats --watch` shows, as lines; drawing them is somebody else's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/history.h"
#include "loader/observe/rates.h"

namespace vnet::cli {

enum class SortBy { Name, Received, Sent, Drops };

// What the user has chosen, and the terminal's size.
struct View {
  SortBy sort = SortBy::Name;
  bool paused = false;
  std::string filter;      // networks, ports and uplinks with this in their name, or a network's ports
  bool typing = false;     // the filter is being typed
  std::string selected;    // port; "": none
  bool follow = false;     // the selected one shall be visible
  bool detail = false;     // the selected one alone
  std::size_t scroll = 0;  // rows of the body above the first one shown
  std::size_t height = 0;  // of the body, as it was last shown
  double seconds = 1;      // between the readings
  std::string error;       // of the last reading; empty: it went well
  std::size_t columns = 80, rows = 24;
  bool unicode = true;
};

struct Line {
  std::string text;
  bool emphasis = false;  // a heading
  bool selected = false;
};

struct Screen {
  std::vector<Line> head, body;  // of the body what is visible
  Line foot;
  std::vector<std::string> ports;  // every one of the body, in its order
};

// Never more lines than there are rows; scroll and selection are put right where they lead nowhere.
Screen compose(const Rates& rates, const History& history, View& view);

// A key, as ncurses or the terminal names it. False: quit.
enum class Key { Up, Down, PageUp, PageDown, Home, End, Enter, Escape, Backspace, Character };
bool handle_key(Key key, char character, const Screen& screen, View& view);

// One line a network, port and uplink, for when there is no terminal.
std::string plain_lines(const Rates& rates);

std::string clock_text(double seconds);                                 // 14:02:07
std::string cut_columns(const std::string& text, std::size_t columns);  // code points, never half of one

}  // namespace vnet::cli
