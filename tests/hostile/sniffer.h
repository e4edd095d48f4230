// SPDX-License-Identifier: GPL-2.0-or-later
// Hears everything that arrives at an interface, whomever it is for. What the interface sends is not heard:
// answers of the machine there are its own.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "loader/base/fd.h"
#include "tests/support/namespace.h"

namespace vnet::hostile {

class Sniffer {
 public:
  Sniffer(const test::Namespace& where, const std::string& interface);

  // Everything that has arrived since the last time.
  void drain(const std::function<void(std::span<const std::uint8_t>)>& each);
  std::uint64_t lost();  // so far, for want of room
  std::uint64_t heard() const { return heard_; }

 private:
  Fd fd_;
  std::vector<std::uint8_t> room_;
  std::uint64_t lost_ = 0, heard_ = 0;
};

}  // namespace vnet::hostile
