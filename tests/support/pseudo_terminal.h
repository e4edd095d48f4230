// SPDX-License-Identifier: GPL-2.0-or-later
// A program in a terminal of its own: what it draws is read from an emulated screen, as a person would.
#pragma once

#include <vterm.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loader/base/fd.h"
#include "tests/support/shell.h"

namespace vnet::test {

class PseudoTerminal {
 public:
  struct Size {
    int rows = 24, columns = 80;
  };

  PseudoTerminal(const Argv& argv, Size size);
  ~PseudoTerminal();  // kills what still runs
  PseudoTerminal(const PseudoTerminal&) = delete;
  PseudoTerminal& operator=(const PseudoTerminal&) = delete;

  pid_t pid() const { return pid_; }
  void type(const std::string& keys) const;
  void resize(Size size);

  std::vector<std::string> lines();        // as many as there are rows, without trailing spaces
  std::string text();                      // the lines, each with a newline
  bool reversed(const std::string& word);  // the row that begins with the word is shown inverted
  bool shows(const std::string& part, std::chrono::milliseconds limit = std::chrono::seconds(8));
  bool hides(const std::string& part, std::chrono::milliseconds limit = std::chrono::seconds(8));
  // nullopt: still running. 128 + signal when one ended it.
  std::optional<int> ended(std::chrono::milliseconds limit = std::chrono::seconds(5));

 private:
  void read_output();

  struct Free {
    void operator()(VTerm* terminal) const { vterm_free(terminal); }
  };
  Size size_;
  std::unique_ptr<VTerm, Free> terminal_;
  VTermScreen* screen_ = nullptr;
  Fd master_;
  pid_t pid_ = -1;
};

}  // namespace vnet::test
