// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/terminal.h"

#include <langinfo.h>
#define NCURSES_NOMACROS  // timeout(), clear() and others are functions, too
#include <ncurses.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <cstdio>
#include <cstring>

#include "cli/stop.h"

namespace vnet::cli {
namespace {

void put(int y, const Line& line) {
  int style = (line.emphasis ? A_BOLD : 0) | (line.selected ? A_REVERSE : 0);
  attron(style);
  mvaddstr(y, 0, line.text.c_str());
  attroff(style);
}

std::optional<KeyPress> translate(int key) {
  switch (key) {
    case KEY_UP:
      return KeyPress{Key::Up};
    case KEY_DOWN:
      return KeyPress{Key::Down};
    case KEY_PPAGE:
      return KeyPress{Key::PageUp};
    case KEY_NPAGE:
      return KeyPress{Key::PageDown};
    case KEY_HOME:
      return KeyPress{Key::Home};
    case KEY_END:
      return KeyPress{Key::End};
    case KEY_ENTER:
    case '\n':
    case '\r':
      return KeyPress{Key::Enter};
    case 27:
      return KeyPress{Key::Escape};
    case KEY_BACKSPACE:
    case 127:
    case 8:
      return KeyPress{Key::Backspace};
    default:
      if (key < ' ' || key > 255) return std::nullopt;  // includes KEY_RESIZE: the screen is redrawn anyway
      return KeyPress{Key::Character, static_cast<char>(key)};
  }
}

}  // namespace

bool Terminal::available() {
  return isatty(STDOUT_FILENO) && isatty(STDIN_FILENO);
}

Terminal::Terminal() {
  std::setlocale(LC_CTYPE, "");
  unicode_ = std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
  screen_ = newterm(nullptr, stdout, stdin);
  if (!screen_) return;
  cbreak();
  noecho();
  keypad(stdscr, TRUE);
  set_escdelay(25);
  curs_set(0);
  stop_on_signals();  // after newterm(), which sets its own handlers
}

Terminal::~Terminal() {
  if (!screen_) return;
  endwin();
  delscreen(static_cast<SCREEN*>(screen_));
}

void Terminal::size(View& view) const {
  view.columns = static_cast<std::size_t>(std::max(1, COLS));
  view.rows = static_cast<std::size_t>(std::max(1, LINES));
  view.unicode = unicode_;
}

void Terminal::draw(const Screen& screen) {
  erase();
  int y = 0;
  for (const auto* lines : {&screen.head, &screen.body})
    for (const auto& line : *lines) put(y++, line);
  put(LINES - 1, screen.foot);
  refresh();
}

std::optional<KeyPress> Terminal::wait_key(std::chrono::milliseconds limit, bool& gone) {
  timeout(static_cast<int>(std::clamp<long long>(limit.count(), 0, 1000)));
  int key = getch();
  gone = key == ERR && !available();
  return key == ERR ? std::nullopt : translate(key);
}

}  // namespace vnet::cli
