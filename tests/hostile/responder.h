// SPDX-License-Identifier: GPL-2.0-or-later
// A service of the host at every address and in groups: UDP is sent back to where it says it came from.
#pragma once

#include <array>
#include <atomic>
#include <thread>

#include "loader/base/fd.h"
#include "tests/hostile/layout.h"
#include "tests/support/namespace.h"

namespace vnet::hostile {

class Responder {
 public:
  // The networks' bridges have to be there: it joins the groups at each.
  explicit Responder(const test::Namespace& host);

  bool heard_of(std::size_t guest) const { return heard_[guest]; }

 private:
  void serve(const std::stop_token& stop);

  Fd v4_, v6_;
  std::array<std::atomic<bool>, guest_count> heard_{};
  std::jthread server_;  // the last member: nothing it uses may end before it
};

}  // namespace vnet::hostile
