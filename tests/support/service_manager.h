// SPDX-License-Identifier: GPL-2.0-or-later
// systemd's side of sd_notify(3): a socket that services tell their state.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

#include "loader/base/fd.h"

namespace vnet::test {

class ServiceManager {
 public:
  explicit ServiceManager(std::filesystem::path socket);  // throws std::system_error
  ~ServiceManager();
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // The next message that says so; those before it are passed over.
  bool expect(const std::string& state, std::chrono::milliseconds limit = std::chrono::seconds(20));

 private:
  std::filesystem::path path_;
  Fd socket_;
};

}  // namespace vnet::test
