/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where programs are attached. The only list: drops are reported by it, the command line prints the words.
 * Append only, like the reasons.
 *
 * VNET_HOOKS(X) expands X(NAME, "word", "what passes there") for each.
 */
#ifndef VNET_MAPS_HOOKS_H
#define VNET_MAPS_HOOKS_H

#define VNET_HOOKS(X)                                                                \
  X(PORT_INGRESS, "port-ingress", "what a guest sends")                              \
  X(PORT_EGRESS, "port-egress", "what the bridge delivers to a guest")               \
  X(GATEWAY_INGRESS, "gateway-ingress", "what guests send to or through the host")   \
  X(GATEWAY_EGRESS, "gateway-egress", "what the host sends or forwards to guests")   \
  X(UPLINK_INGRESS, "uplink-ingress", "what comes from outside")                     \
  X(UPLINK_EGRESS, "uplink-egress", "what leaves to the outside")                    \
  X(MEMBER_INGRESS, "member-ingress", "what comes into the host's bridge")           \
  X(MEMBER_EGRESS, "member-egress", "what leaves the host's bridge")                 \
  X(PARENT_INGRESS, "parent-ingress", "direct attachment: what comes from the wire") \
  X(PARENT_EGRESS, "parent-egress", "direct attachment: what the host sends")        \
  X(UPLINK_XDP, "uplink-xdp", "what comes from outside, before the host touches it") \
  X(FORWARD, "forward", "what the host forwards, behind its routing and its rules")  \
  X(HOST, "host", "the host's own stack: its rules, routes, neighbours, sockets")

#define VNET_HOOK_ENUM(name, word, meaning) VNET_HOOK_##name,
enum vnet_hook { VNET_HOOK_NONE = 0, VNET_HOOKS(VNET_HOOK_ENUM) VNET_HOOK_MAX };
#undef VNET_HOOK_ENUM

#endif
