// SPDX-License-Identifier: GPL-2.0-or-later
// Text output: escaping, numbers, tables.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "loader/base/error.h"

namespace vnet::cli {

void print(const std::string& text);       // on standard output
void print_note(const std::string& text);  // "vnet-bpf: note: ..." on standard error

// Control characters as \xNN, so that a name cannot drive the terminal.
std::string printable(std::string_view text);
std::string or_dash(std::string_view text);  // printable, "-" when empty
std::string error_line(const Error& error);  // "vnet-bpf: error: FILE:LINE: message"
// For verbs that read drops, where the kernel hides those of its own stack.
std::string blind_note(const Error& why);
std::string short_number(double number);      // 7, 12.3k, 4.5M: at most six characters
std::string duration(std::uint64_t seconds);  // 42s, 3m07s, 2h05m, 3d04h

// Aligned columns under a header and a rule, as virsh prints them.
class Table {
 public:
  explicit Table(std::vector<std::string> header, std::vector<bool> right = {})
      : rows_{std::move(header)}, right_(std::move(right)) {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.size() == 1; }
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::vector<bool> right_;  // right-aligned columns; missing: left
};

}  // namespace vnet::cli
