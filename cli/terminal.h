// SPDX-License-Identifier: GPL-2.0-or-later
// The terminal of a live screen: ncurses, kept in one place.
#pragma once

#include <chrono>
#include <optional>

#include "cli/screen.h"

namespace vnet::cli {

struct KeyPress {
  Key key = Key::Character;
  char character = 0;
};

// Given back as it was on every way out of the scope.
class Terminal {
 public:
  Terminal();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  static bool available();  // both ends are one
  explicit operator bool() const { return screen_; }
  bool unicode() const { return unicode_; }

  void size(View& view) const;
  void draw(const Screen& screen);
  // nullopt: none within that time, or only a new size. Sets `gone` when the terminal has gone.
  std::optional<KeyPress> wait_key(std::chrono::milliseconds limit, bool& gone);

 private:
  void* screen_ = nullptr;
  bool unicode_ = false;
};

}  // namespace vnet::cli
