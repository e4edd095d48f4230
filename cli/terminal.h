// SPDX-License-Identifier: GPL-2.0-or-later
// The terminal of a live screen. Only terminal.cpp knows ncurses.
#pragma once

#include <chrono>
#include <optional>

#include "cli/screen.h"

namespace vnet::cli {

struct KeyPress {
  Key key = Key::Character;
  char character = 0;
};

// The destructor restores the terminal.
class Terminal {
 public:
  Terminal();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  static bool available();  // stdin and stdout are terminals
  explicit operator bool() const { return screen_; }
  bool unicode() const { return unicode_; }

  void size(View& view) const;
  void draw(const Screen& screen);
  // nullopt: no key within that time, or the size changed. Sets `gone` when the terminal has been closed.
  std::optional<KeyPress> wait_key(std::chrono::milliseconds limit, bool& gone);

 private:
  void* screen_ = nullptr;
  bool unicode_ = false;
};

}  // namespace vnet::cli
