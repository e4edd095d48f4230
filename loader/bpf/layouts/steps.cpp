// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/bpf/layouts/steps.h"

#include "loader/bpf/layouts/abi_9.h"

namespace vnet {
namespace {

// What is new is behind the end, and 0 means as before: no <vnet:timeouts>; where there was padding, no VLAN.
void network_9_to_10(const Network9& from, vnet_network& to) {
  static_assert(offsetof(vnet_network, timeouts) == sizeof(from));
  std::memcpy(&to, &from, sizeof(from));
}
void network_10_to_9(const vnet_network& from, Network9& to) {
  std::memcpy(&to, &from, sizeof(to));
}

}  // namespace

// By version. Every map whose shape differs between two versions has a row here (tests/unit/layout_test.cpp).
const std::vector<LayoutStep>& layout_steps() {
  static const std::vector<LayoutStep> all{
      values<network_9_to_10, network_10_to_9, Network9, vnet_network>(9, "networks"),
  };
  return all;
}

}  // namespace vnet
