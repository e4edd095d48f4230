// SPDX-License-Identifier: GPL-2.0-or-later
// bpf/host.bpf.c at the root of the cgroups, for the sockets of this network namespace:
//   PINS/links/%host-NAME
#pragma once

#include <cstdint>
#include <filesystem>

#include "loader/base/error.h"
#include "loader/bpf/datapath.h"

namespace vnet {

class SocketRedirect {
 public:
  static Result<void> put_up(Datapath& datapath);
  // All of its programs are attached, and use these maps.
  static bool stands(Datapath& datapath);
  static bool is_there(const std::filesystem::path& pins);      // some of it
  static bool is_current(const std::filesystem::path& pins);    // of this build; true where nothing stands
  static Result<void> keep(const std::filesystem::path& pins);  // loader/bpf/before.h
  static Result<void> put_back(const std::filesystem::path& pins);
  static Result<void> take_down(const std::filesystem::path& pins);
};

// Of the calling thread's network namespace.
Result<std::uint64_t> netns_cookie();

}  // namespace vnet
