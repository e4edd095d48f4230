// SPDX-License-Identifier: GPL-2.0-or-later
// Raw frames into a guest's interface, many with one system call.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loader/base/fd.h"
#include "tests/support/namespace.h"
#include "tests/support/virtio_frame.h"

namespace vnet::hostile {

class VethSender {
 public:
  VethSender(const test::Namespace& where, const std::string& interface);

  // How many of them the kernel refused to send.
  std::size_t send(const std::vector<test::VirtioFrame>& frames) const;

 private:
  Fd fd_;
};

}  // namespace vnet::hostile
