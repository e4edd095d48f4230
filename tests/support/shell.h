// SPDX-License-Identifier: GPL-2.0-or-later
// External tools in tests: run to the end with a time limit, or in the background for as long as a scope
// lasts.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace vnet::test {

using Argv = std::vector<std::string>;

struct Output {
  int status = 0;  // exit status; 128 + signal when killed; 127 when the program could not be started
  bool timed_out = false;
  std::string out;
  std::string err;
  bool ok() const { return status == 0 && !timed_out; }
};

// On timeout the program and everything in its process group is killed.
Output execute(const Argv& argv, std::chrono::milliseconds limit = std::chrono::seconds(20));
Output sh(const std::string& script, std::chrono::milliseconds limit = std::chrono::seconds(20));

// A process group of its own, killed and waited for at the end of the scope. Its output goes to /dev/null.
class Background {
 public:
  explicit Background(const Argv& argv);
  ~Background();
  Background(Background&& other) noexcept : pid_(other.pid_) { other.pid_ = -1; }
  Background& operator=(Background&&) = delete;
  pid_t pid() const { return pid_; }
  void terminate();  // as a service manager does: SIGTERM, and time to tidy up

 private:
  pid_t pid_ = -1;
};

}  // namespace vnet::test
