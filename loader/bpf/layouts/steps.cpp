// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/bpf/layouts/steps.h"

namespace vnet {

// By version. Every map whose shape differs between two versions has a row here (tests/unit/layout_test.cpp).
const std::vector<LayoutStep>& layout_steps() {
  static const std::vector<LayoutStep> all{
      // 9 to 10: the programs say which build they are of; limits and port_vlans are new.
  };
  return all;
}

}  // namespace vnet
