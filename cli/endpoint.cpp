// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/endpoint.h"

#include <algorithm>
#include <charconv>

namespace vnet::cli {

Result<Place> parse_place(const std::string& option, const std::string& text) {
  auto wrong = [&] {
    return invalid(option + ": '" + text + "' is not ADDR[:PORT] (as 192.0.2.1:80 or [2001:db8::1]:80)");
  };
  std::string address = text, port;
  if (text.starts_with("[")) {
    auto end = text.find(']');
    if (end == std::string::npos) return wrong();
    address = text.substr(1, end - 1);
    if (end + 1 < text.size()) {
      if (text[end + 1] != ':' || end + 2 == text.size()) return wrong();
      port = text.substr(end + 2);
    }
  } else if (std::ranges::count(text, ':') == 1) {
    address = text.substr(0, text.find(':'));
    port = text.substr(text.find(':') + 1);
    if (port.empty()) return wrong();
  }
  auto parsed = Address::parse(address);
  if (!parsed) return wrong();
  Place place{*parsed, std::nullopt};
  if (port.empty()) return place;
  std::uint16_t number = 0;
  auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size()) return wrong();
  place.port = number;
  return place;
}

}  // namespace vnet::cli
