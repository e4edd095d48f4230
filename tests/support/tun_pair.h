// SPDX-License-Identifier: GPL-2.0-or-later
// A point-to-point link without Ethernet header between two namespaces, as a VPN makes one: a tun interface
// in each, and what is sent into one comes out of the other.
#pragma once

#include <string>
#include <thread>

#include "loader/base/fd.h"
#include "tests/support/namespace.h"

namespace vnet::test {

class TunPair {
 public:
  // Both up, with that name. Gone with the object.
  TunPair(const Namespace& one, const Namespace& two, const std::string& name);

 private:
  Fd ends_[2];
  std::jthread carrier_;  // the last member: nothing it uses may end before it
};

}  // namespace vnet::test
