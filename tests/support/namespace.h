// SPDX-License-Identifier: GPL-2.0-or-later
// Throw-away network namespaces. All traffic of the tests stays inside them.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "tests/support/shell.h"

namespace vnet::test {

// True as soon as `ready` is; false when `limit` has passed without it.
bool wait_until(const std::function<bool()>& ready,
                std::chrono::milliseconds limit = std::chrono::seconds(20));

// `vt-PID-NUMBER`. At the end of the scope the processes in it are killed and it is deleted. The first one of
// a process also removes those that test processes left which are gone.
class Namespace {
 public:
  Namespace();
  ~Namespace();
  Namespace(const Namespace&) = delete;
  Namespace& operator=(const Namespace&) = delete;

  const std::string& name() const { return name_; }
  Output exec(const Argv& argv, std::chrono::milliseconds limit = std::chrono::seconds(60)) const;
  Output sh(const std::string& script, std::chrono::milliseconds limit = std::chrono::seconds(60)) const;
  void must(const std::string& script) const;  // throws std::runtime_error with what the script said
  Background background(const Argv& argv) const;
  bool pings(const std::string& address, int seconds = 5) const;  // the first answer within that time

 private:
  std::string name_;
};

}  // namespace vnet::test
