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
  static Result<void> take_down(const std::filesystem::path& pins);
};

// Of the calling thread's network namespace.
Result<std::uint64_t> netns_cookie();

}  // namespace vnet
