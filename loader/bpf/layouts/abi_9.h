// SPDX-License-Identifier: GPL-2.0-or-later
// Structures of maps/abi.h as they were in layout 9, as far as they have changed since.
#pragma once

#include "maps/abi.h"

namespace vnet {

struct Network9 {
  __u32 gateway_ifindex;
  __u32 uplink_ifindex;
  __u32 flags;
  __u32 max_sessions;
  __u32 max_sessions_per_port;
  vnet_port_span ports[2];
  vnet_port_span keep;
  __u32 nat_first;
  __u32 nat_last;
  __u32 generation;
  __u32 new_flows;
  __u32 gateway_vrf;
  __u16 link_protocols;
  __u16 pad;
};
VNET_SIZE(Network9, 56);

}  // namespace vnet
