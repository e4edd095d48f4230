// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <iostream>

namespace vnet::cli {
namespace {

std::size_t width(const std::string& text) {  // code points
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](unsigned char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void print_note(const std::string& text) {
  std::cerr << "vnet-bpf: note: " << printable(text) << "\n";
}

std::string printable(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto c = static_cast<unsigned char>(text[i]);
    // C1 controls come as two bytes in UTF-8: c2 80 to c2 9f.
    bool c1 = c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) >= 0x80 &&
              static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (c < 0x20 || c == 0x7f)
      result += fmt::format("\\x{:02x}", c);
    else if (c1)
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[++i]));
    else
      result += text[i];
  }
  return result;
}

std::string or_dash(std::string_view text) {
  return text.empty() ? "-" : printable(text);
}

std::string error_line(const Error& error) {
  std::string place;
  if (!error.file.empty()) place = error.file + (error.line ? fmt::format(":{}: ", error.line) : ": ");
  return "vnet-bpf: error: " + printable(place + error.message);
}

std::string blind_note(const Error& why) {
  return "vnet-bpf: note: what the host's own stack drops is not seen: " + printable(why.message);
}

std::string short_number(double number) {
  const char* unit = "kMGTPE";
  if (number < 999.5)
    return number > 0 && number < 9.95 ? fmt::format("{:.1f}", number) : fmt::format("{:.0f}", number);
  for (number /= 1000; number >= 999.5 && unit[1]; ++unit) number /= 1000;
  return number < 99.95 ? fmt::format("{:.1f}{}", number, *unit) : fmt::format("{:.0f}{}", number, *unit);
}

std::string duration(std::uint64_t seconds) {
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
  if (seconds < 86400) return fmt::format("{}h{:02}m", seconds / 3600, seconds / 60 % 60);
  return fmt::format("{}d{:02}h", seconds / 86400, seconds / 3600 % 24);
}

std::string Table::text() const {
  std::vector<std::size_t> widths(rows_.front().size());
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  std::string out;
  for (std::size_t line = 0; line < rows_.size(); ++line) {
    std::string text;
    for (std::size_t i = 0; i < rows_[line].size(); ++i) {
      std::string pad(widths[i] - width(rows_[line][i]), ' ');
      bool right = i < right_.size() && right_[i];
      text += (i ? "   " : " ") + (right ? pad + rows_[line][i] : rows_[line][i] + pad);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + "\n";
    if (line) continue;
    std::size_t rule = 2;
    for (std::size_t i = 0; i < widths.size(); ++i) rule += widths[i] + (i ? 3 : 0);
    out += std::string(rule, '-') + "\n";
  }
  return out;
}

}  // namespace vnet::cli
