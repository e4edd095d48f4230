// SPDX-License-Identifier: GPL-2.0-or-later
// What the keys of `stats --watch` do to the view.
#include <algorithm>

#include "cli/screen.h"

namespace vnet::cli {
namespace {

SortBy next_sort(SortBy sort) {
  switch (sort) {
    case SortBy::Name:
      return SortBy::Received;
    case SortBy::Received:
      return SortBy::Sent;
    case SortBy::Sent:
      return SortBy::Drops;
    default:
      return SortBy::Name;
  }
}

// Moves the selection (up: negative). Past the first or last port the body scrolls instead.
void move(const Screen& screen, View& view, long by) {
  auto count = static_cast<long>(screen.ports.size());
  auto found = std::ranges::find(screen.ports, view.selected);
  long at = found == screen.ports.end() ? (by > 0 ? -1 : count) : found - screen.ports.begin();
  bool at_end = count == 0 || (by > 0 ? at == count - 1 : at == 0);
  view.follow = !at_end;
  if (at_end && by > 0) view.scroll += static_cast<std::size_t>(by);
  if (at_end && by < 0) view.scroll -= std::min(view.scroll, static_cast<std::size_t>(-by));
  if (at_end) return;
  view.selected = screen.ports[static_cast<std::size_t>(std::clamp(at + by, 0L, count - 1))];
}

void type(Key key, char character, View& view) {
  if (key == Key::Enter) view.typing = false;
  if (key == Key::Escape) {
    view.typing = false;
    view.filter.clear();
  }
  if (key == Key::Backspace) {
    // Remove a whole UTF-8 character.
    while (!view.filter.empty() && (static_cast<unsigned char>(view.filter.back()) & 0xc0) == 0x80)
      view.filter.pop_back();
    if (!view.filter.empty()) view.filter.pop_back();
  }
  if (key == Key::Character && view.filter.size() < 64) view.filter += character;
}

bool handle_character(char character, View& view) {
  switch (character) {
    case 'q':
      return false;
    case 's':
      view.sort = next_sort(view.sort);
      break;
    case 'p':
    case ' ':
      view.paused = !view.paused;
      break;
    case '/':
      view.typing = true;
      view.detail = false;
      break;
    case 'r':
      view = {.seconds = view.seconds, .columns = view.columns, .rows = view.rows, .unicode = view.unicode};
      break;
    default:
      break;
  }
  return true;
}

}  // namespace

bool handle_key(Key key, char character, const Screen& screen, View& view) {
  const auto page = static_cast<long>(std::max<std::size_t>(screen.body.size(), 1));
  if (view.typing) {
    type(key, character, view);
    return true;
  }
  switch (key) {
    case Key::Character:
      return handle_character(character, view);
    case Key::Up:
      move(screen, view, -1);
      break;
    case Key::Down:
      move(screen, view, 1);
      break;
    case Key::PageUp:
      move(screen, view, -page);
      break;
    case Key::PageDown:
      move(screen, view, page);
      break;
    case Key::Home:
    case Key::End:
      view.follow = false;
      view.scroll = key == Key::Home ? 0 : screen.ports.size() + 1000;  // compose() limits it
      break;
    case Key::Enter:
      view.detail = !view.selected.empty();
      view.scroll = 0;
      break;
    case Key::Escape:
    case Key::Backspace:
      if (view.detail)
        view.detail = false;
      else
        view.filter.clear();
      view.follow = true;
      break;
  }
  return true;
}

}  // namespace vnet::cli
