/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why a packet was dropped. The only list: the BPF programs count by it, the command line prints the
 * words, docs/reasons.md has the same rows (a unit test compares them). Append only: the numbers are
 * keys of a pinned map. VNET_REASONS(X) expands X(NAME, WORD, MEANING) for each.
 */
#ifndef VNET_MAPS_REASONS_H
#define VNET_MAPS_REASONS_H

#define VNET_REASONS(X)                                                                                     \
  X(UNATTACHED, "unattached", "the interface is not a port of any network")                                 \
  X(LINK_DOWN, "link-down", "the port is unplugged (set --link down)")                                      \
  X(MALFORMED, "malformed", "a header is truncated or contradicts the packet's length")                     \
  X(SPOOFED_MAC, "spoofed-mac", "the source MAC is not the guest's")                                        \
  X(SPOOFED_SOURCE, "spoofed-source", "the source address does not belong where the packet came from")      \
  X(BPDU, "bpdu", "a guest sent a frame of the host's own link protocols (STP, LACP, LLDP)")                \
  X(NOT_VISIBLE, "not-visible", "a new connection from outside to a network that is not visible")           \
  X(OTHER_NETWORK, "other-network", "the destination is in a network that this one may not reach")          \
  X(NO_UPLINK, "no-uplink", "the route leaves through an interface that is no uplink of the network")       \
  X(NO_SESSION, "no-session", "not the beginning of a connection, and none is known for it")                \
  X(NOT_ROUTABLE, "not-routable", "multicast, broadcast or link protocol with a guest's private source")    \
  X(NO_ADDRESS, "no-address", "the uplink has no address to masquerade to")                                 \
  X(PORTS_EXHAUSTED, "ports-exhausted", "no free port left to masquerade to")                               \
  X(SESSION_LIMIT, "session-limit", "the network's or the host's session table is full")                    \
  X(PORT_QUOTA, "port-quota", "the guest's port has its full share of sessions")                            \
  X(FRAGMENT_UNKNOWN, "fragment-unknown", "a later fragment whose first fragment was not seen")             \
  X(WRITE_FAILED, "write-failed", "the packet could not be rewritten (out of memory)")                      \
  X(ISOLATED, "isolated", "the network is isolated: its guests reach the host and each other only")         \
  X(HOST_CLOSED, "host-closed", "the network's guests may not reach this of the host (vnet:host access)")   \
  X(SPOOFED_ARP, "spoofed-arp", "an ARP packet whose sender is not the guest")                              \
  X(SPOOFED_ND, "spoofed-nd", "neighbour discovery for an address or a MAC that is not the guest's")        \
  X(VLAN_TAGGED, "vlan-tagged", "a VLAN tag where none is expected, or where the filters see none")         \
  X(ETHERTYPE, "ethertype", "neither IP nor ARP, with clean-traffic or to a gateway")                       \
  X(IP_MULTICAST, "ip-multicast", "no-ip-multicast: IPv4 multicast from the guest")                         \
  X(DHCP_SERVER, "dhcp-server", "clean-traffic: a DHCP server's answer from a guest")                       \
  X(ROUTER, "router", "clean-traffic: a router advertisement or redirect from a guest")                     \
  X(HIDDEN, "hidden", "clean-traffic: an IPv6 header chain that does not show what it carries")             \
  X(INBOUND, "inbound", "the port's --inbound does not let it in")                                          \
  X(ISOLATED_PORT, "isolated-port", "from one isolated port to another")                                    \
  X(PRIVATE, "private", "direct attachment, private: to or from another guest, or the host")                \
  X(REFLECTED, "reflected", "back to where it came from, or (direct attachment) delivered already")         \
  X(TOO_BIG, "too-big", "direct attachment: larger than the physical interface's MTU")                      \
  X(NO_PARENT, "no-parent", "direct attachment: the physical interface is gone")                            \
  X(BLOCKED, "blocked", "the source is on the block list (vnet-bpf block)")                                 \
  X(NEW_FLOWS, "new-flows", "the source begins more flows a second than the network's newFlows")            \
  X(BANDWIDTH, "bandwidth", "above the <bandwidth> of the port, its port group or its network")             \
  X(NO_WAY_OUT, "no-way-out", "routed to where the network's packets may not leave, whatever the rules")    \
  X(NO_BRIDGE, "no-bridge", "the port is in no bridge: shut until it is plugged in again")                  \
  X(HOST_FIREWALL, "host-firewall", "dropped by the host's firewall (while monitor or stats watched)")      \
  X(HOST_STACK, "host-stack", "dropped by the host's stack (while monitor or stats watched)")               \
  X(DHCP_CLIENT, "dhcp-client", "a DHCP request in another guest's name, or of too many clients of a port") \
  X(MAC_LIMIT, "mac-limit", "a port without a fixed MAC sends from more MACs than its bridge shall learn")  \
  X(FORWARD_FROM, "forward-from", "the port forward is not for this sender (portForward from=)")            \
  X(NO_GUEST, "no-guest", "the port forward leads to a network without a guest")                            \
  X(OTHER_VLAN, "other-vlan", "of a VLAN that the sender's or the receiver's port is not in")               \
  X(NAT_FILTER, "nat-filter", "to a guest's mapped port, from whom the guest has sent nothing (vnet:nat)")  \
  X(MAC_NAT, "mac-nat", "vnet:macNat: neither IP nor ARP, or from an address that is another guest's")

#define VNET_REASON_ENUM(name, word, meaning) VNET_DROP_##name,
enum vnet_reason { VNET_DROP_NONE = 0, VNET_REASONS(VNET_REASON_ENUM) VNET_DROP_MAX };
#undef VNET_REASON_ENUM

#endif
