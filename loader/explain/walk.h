// SPDX-License-Identifier: GPL-2.0-or-later
// One packet's way through the host, hook by hook. Internal to explain.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loader/apply/system.h"
#include "loader/explain/explain.h"
#include "loader/explain/frame.h"
#include "loader/explain/shadow.h"
#include "loader/firewall/ruleset.h"

namespace vnet {

class Walk {
 public:
  Walk(System& system, Shadow& shadow) : system_(&system), shadow_(&shadow) {}
  Result<Explanation> explain(const Question& question);

 private:
  struct Session {
    vnet_flow key;
    vnet_session value;
  };
  struct Passed {
    bool ends = false;  // dropped or refused, and told
    bool redirected = false;
    std::array<std::uint32_t, 5> cb{};
  };

  // walk_start.cpp: the packet as its sender makes it, and where it comes in.
  Result<void> read_facts();
  static FrameSpec spec_of(const Question& question, const Address& from);
  Result<void> from_guest(const Question& question, const PortRecord& port);
  Result<void> from_outside(const Question& question, const UplinkRecord& uplink);
  Result<void> from_member(const Question& question, const UplinkRecord& member);
  Result<void> from_host(const Question& question, const ActiveNetwork& network);
  Result<bool> is_hosts(const Address& address);

  // walk_address.cpp
  static bool is_group(const Network& network, const Address& to);
  Result<Address> own_address(const Question& question, const ActiveNetwork& network, const PortRecord& port,
                              const std::optional<Mac>& mac);
  std::optional<Mac> port_mac(const PortRecord& port) const;
  Result<std::optional<Mac>> mac_of(const ActiveNetwork& network, const Address& address);
  Result<std::optional<Mac>> mac_towards(const ActiveNetwork& network, const PortRecord& port,
                                         const Address& to);
  Result<std::optional<Address>> router_of(int ifindex, Family family);
  Result<std::optional<Mac>> neighbour_mac(int ifindex, const Address& address);
  Result<void> send(const FrameSpec& spec, const Question& question);

  // walk_direct.cpp: direct attachment.
  Result<void> from_wire(const Question& question, const ParentRecord& parent);
  Result<void> from_parents_host(const Question& question, const ParentRecord& parent);
  Result<void> at_direct_port(const PortRecord& port, const Passed& passed);
  Result<void> at_parent_ingress(const ParentRecord& parent);
  Result<void> at_parent_egress(const ParentRecord& parent, int iif);
  Result<void> up_from_parent(const ParentRecord& parent);
  Result<void> send_copies(const ParentRecord& parent, const Passed& passed);
  Result<void> copy_to(const PortRecord& port);
  std::array<std::uint32_t, 5> mark_for(std::uint32_t next) const;
  Result<std::optional<Mac>> mac_at_parent(const ParentRecord& parent, const Address& address);
  void deliver_at_parent(const ParentRecord& parent);
  void sum_up_copies();

  // walk.cpp, walk_link.cpp: the places that it passes.
  Result<void> at_port_ingress(const ActiveNetwork& network, const PortRecord& port);
  Result<void> at_host_of_bridge(const ActiveNetwork& network);
  Result<void> take_shortcut(int from);
  Result<void> at_member_ingress(const ActiveNetwork& network, const UplinkRecord& member);
  Result<void> at_member_egress(const UplinkRecord& member);
  Result<void> at_port_egress(const PortRecord& port);
  Result<void> at_bridge(const ActiveNetwork& network, int from);  // the host's own
  Result<void> up_to_gateway(const ActiveNetwork& network);
  void switched(const ActiveNetwork& network);
  Result<void> copy_to_host(const ActiveNetwork& network);
  Result<void> at_gateway_ingress(const ActiveNetwork& network);
  Result<void> at_gateway_egress(const ActiveNetwork& network, int iif);
  Result<void> enter_network(const ActiveNetwork& network, int iif, bool known);
  Result<bool> ends_in_xdp(const UplinkRecord& uplink);
  Result<void> at_uplink_ingress(const UplinkRecord& uplink);
  Result<void> at_uplink_egress(const UplinkRecord& uplink, int iif, const std::optional<Address>& hop);
  // Out of an interface: its MACs are written, and what else of ours stands there is passed.
  Result<void> set_next_hop(const LinkInfo& link, const std::optional<Address>& hop);
  Result<void> leave_by(int ifindex, const std::string& interface, int iif);
  Result<void> deliver(std::uint16_t network);

  // walk_host.cpp
  Result<void> at_host(int iif);
  Result<void> deliver_to_host(int iif);
  Result<void> forward(int iif, const RouteAnswer& route);

  // walk_rules.cpp: the host's own rules, where the packet is with the stack. True: it ends there.
  void read_rules();
  Result<ProbePacket> probe(int iif, int oif);
  Result<bool> dropped_by_rules(const char* hook, int iif, int oif);
  Result<bool> turned_by_rules(int iif, int oif);  // DNAT
  Result<bool> stopped_by_fence(int iif, int oif);
  Result<void> given_source(int iif, int oif, const std::optional<Address>& hop);  // SNAT
  Result<std::optional<Address>> address_at(int ifindex, const std::optional<Address>& towards);
  void tell_doubts(const Doubts& doubts);

  Result<Passed> pass(unsigned hook, const std::string& interface, RunInput input);
  void dropped(const DropSeen& drop, bool answered);
  void end(Fate fate, const std::string& interface = "");
  void note_limits(const PortRecord& port, vnet_direction direction);
  ExplainStep& step(const std::string& where, const std::string& interface, const std::string& verdict = "");
  ExplainStep& last() { return told_.steps.back(); }
  std::optional<Session> session_of(const PacketView& packet) const;
  PacketView view() const { return view_packet(frame_, ethernet_); }

  const ActiveNetwork* network_of(std::uint16_t slot) const;
  const ActiveNetwork* network_with(const Address& address) const;  // by its subnets
  const ActiveNetwork* network_of_mapping(const Endpoint& outside) const;
  const ActiveNetwork* network_behind(int gateway) const;
  const PortRecord* port_of(std::uint16_t slot) const;
  const PortRecord* port_at(int ifindex) const;
  const UplinkRecord* uplink_at(int ifindex) const;
  const ParentRecord* parent_at(int ifindex) const;
  std::string link_name(int ifindex);

  System* system_;
  Shadow* shadow_;
  std::vector<ActiveNetwork> networks_;
  std::vector<PortRecord> ports_;
  std::vector<UplinkRecord> uplinks_;
  std::vector<ParentRecord> parents_;

  Explanation told_;
  Frame frame_;
  bool ethernet_ = true;
  std::array<std::uint32_t, 5> cb_{};  // survives a redirect, but not the host's stack
  std::vector<std::string> copied_;    // who has got a clone of it
  std::uint16_t tc_index_ = 0;         // as it rides through the host's stack
  Ruleset rules_;                      // the host's
  bool known_ = false;                 // the flow has a session: connection tracking knows it, too
  bool turned_ = false;                // the host's NAT has given it another destination
};

}  // namespace vnet
