// SPDX-License-Identifier: GPL-2.0-or-later
// The programs at interfaces by tc, by the interface's role: the object that they are in, the folder of the
// owner's pinned programs, and their hooks, as which the programs are named.
#pragma once

// ROW(role, object, folder, egress, ingress)
#define VNET_TC_PROGRAMS(ROW)                                        \
  ROW(Port, network, "networks", PORT_EGRESS, PORT_INGRESS)          \
  ROW(Gateway, network, "networks", GATEWAY_EGRESS, GATEWAY_INGRESS) \
  ROW(Uplink, uplink, "uplinks", UPLINK_EGRESS, UPLINK_INGRESS)      \
  ROW(Member, network, "networks", MEMBER_EGRESS, MEMBER_INGRESS)    \
  ROW(DirectPort, direct, "parents", PORT_EGRESS, PORT_INGRESS)      \
  ROW(Parent, direct, "parents", PARENT_EGRESS, PARENT_INGRESS)
