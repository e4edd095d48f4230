// SPDX-License-Identifier: GPL-2.0-or-later
// The one lock that every changing command holds (flock: gone with the process, even when it is killed).
#pragma once

#include <chrono>
#include <filesystem>
#include <string_view>

#include "loader/base/error.h"
#include "loader/base/fd.h"

namespace vnet {

class Lock {
 public:
  // Waits up to `wait`. `verb` is written into the file beside our pid, for those that wait: Failed says
  // "another vnet-bpf is at work: pid 4711 (start); gave up after 10 s".
  static Result<Lock> acquire(const std::filesystem::path& file, std::string_view verb,
                              std::chrono::milliseconds wait);
  Lock(Lock&&) = default;
  Lock& operator=(Lock&&) = delete;
  ~Lock();  // releases; the file stays

 private:
  explicit Lock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace vnet
