// SPDX-License-Identifier: GPL-2.0-or-later
// The machines of the layout, in namespaces: the host with a network of each mode, outside, a second network
// of the host, honest neighbours and hostile guests.
#pragma once

#include <memory>
#include <vector>

#include "tests/hostile/layout.h"
#include "tests/hostile/sniffer.h"
#include "tests/hostile/veth_sender.h"
#include "tests/support/playground.h"
#include "tests/support/tap.h"

namespace vnet::hostile {

class Ground {
 public:
  // Throws std::runtime_error when something of it cannot be set up.
  Ground();

  test::Namespace& host() { return playground_.host(); }
  Sniffer& sniffer(std::size_t place) { return *sniffers_[place]; }

  // All of one guest's. How many of them the kernel refused to take.
  std::size_t send(std::size_t guest, const std::vector<test::VirtioFrame>& frames);

 private:
  void set_up_host();
  void set_up_outside();
  void start(const Network& network);
  void plug_neighbour(const Network& network);
  void plug_hostile(const Network& network);
  void must(const test::Argv& command);

  test::Playground playground_;
  test::Namespace lan_;
  std::vector<std::unique_ptr<test::Tap>> taps_;
  std::vector<std::unique_ptr<VethSender>> veths_;
  std::vector<std::unique_ptr<Sniffer>> sniffers_;
};

}  // namespace vnet::hostile
