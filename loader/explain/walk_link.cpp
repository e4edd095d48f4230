// SPDX-License-Identifier: GPL-2.0-or-later
// What does not go through the host's routing: bridges, ports, the members of a host's bridge.
#include <fmt/format.h>

#include <algorithm>

#include "loader/explain/walk.h"
#include "loader/model/drop_reason.h"

namespace vnet {

Result<void> Walk::deliver(std::uint16_t network) {
  auto mac = view().destination_mac;
  vnet_fdb_key key{.network = network};
  if (mac) std::ranges::copy(mac->bytes, key.mac);
  auto entry = shadow_->maps().fdb.get(key);
  std::string port = entry ? link_name(static_cast<int>(entry->ifindex)) : "";
  last().details.push_back(port.empty() ? "leaves by a redirect" : "straight to " + port);
  end(Fate::Guest, port);
  return {};
}

Result<void> Walk::up_to_gateway(const ActiveNetwork& network) {
  step("bridge", network.network.bridge, "passed")
      .details.emplace_back("to the gateway's MAC: up to the host");
  return at_gateway_ingress(network);
}

// Within a network that has a gateway the programs switch, not the bridge.
void Walk::switched(const ActiveNetwork& network) {
  Mac mac = view().destination_mac.value_or(Mac{});
  vnet_fdb_key key{.network = network.record.slot};
  std::ranges::copy(mac.bytes, key.mac);
  if (auto entry = shadow_->maps().fdb.get(key)) {
    std::string port = link_name(static_cast<int>(entry->ifindex));
    last().details.push_back("straight to " + port);
    end(Fate::Guest, port);
    return;
  }
  last().verdict = "flooded";
  last().details.push_back(mac.is_multicast()
                               ? "a group address: to every port"
                               : fmt::format("{} has not been heard of: to every port", mac.text()));
  end(Fate::Flooded, network.network.bridge);
}

// The host hears group frames, too; its gateway may refuse what the guests get.
Result<void> Walk::copy_to_host(const ActiveNetwork& network) {
  if (told_.fate != Fate::Flooded || !view().destination_mac->is_multicast()) return {};
  VNET_ASSIGN(auto link, system_->netlink.link(network.network.bridge));
  auto ifindex = static_cast<std::uint32_t>(link.ifindex);
  VNET_ASSIGN(auto ran, shadow_->run(link.name, VNET_HOOK_GATEWAY_INGRESS,
                                     {.packet = frame_,
                                      .ifindex = ifindex,
                                      .ingress_ifindex = ifindex,
                                      .tc_index = tc_index_,
                                      .cb = mark_for(0)}));
  if (!ran || !ran->drop) return {};
  step(hook_word(VNET_HOOK_GATEWAY_INGRESS), link.name, "dropped")
      .details.push_back(
          fmt::format("{}: {}", reason_word(ran->drop->reason), reason_meaning(ran->drop->reason)));
  return {};
}

Result<void> Walk::at_bridge(const ActiveNetwork& network, int from) {
  Mac mac = view().destination_mac.value_or(Mac{});
  if (network.network.mac == mac) return at_host_of_bridge(network);
  VNET_ASSIGN(auto link, system_->netlink.link(network.network.bridge));
  VNET_ASSIGN(auto fdb, system_->netlink.fdb(link.ifindex));
  auto known =
      std::ranges::find_if(fdb, [&](const FdbEntry& entry) { return entry.mac == mac && !entry.permanent; });
  auto& here = step("bridge", network.network.bridge, "passed");
  if (mac.is_multicast() || known == fdb.end()) {
    here.verdict = "flooded";
    here.details.push_back(mac.is_multicast()
                               ? "a group address: to every port"
                               : fmt::format("{} has not been heard of: to every port", mac.text()));
    end(Fate::Flooded, network.network.bridge);
    return {};
  }
  const PortRecord* port = port_at(known->port);
  here.details.push_back(fmt::format("{} is behind {}", mac.text(), link_name(known->port)));
  if (known->port == from) {
    here.verdict = "dropped";
    here.details.emplace_back("which it came from");
    end(Fate::Nowhere, network.network.bridge);
    return {};
  }
  if (port) return at_port_egress(*port);
  if (const UplinkRecord* member = uplink_at(known->port)) return at_member_egress(*member);
  end(Fate::Guest, link_name(known->port));
  return {};
}

Result<void> Walk::at_port_egress(const PortRecord& port) {
  VNET_ASSIGN(auto passed,
              pass(VNET_HOOK_PORT_EGRESS, port.interface,
                   {.ifindex = static_cast<std::uint32_t>(port.ifindex), .tc_index = tc_index_}));
  if (!passed.ends) end(Fate::Guest, port.interface);
  return {};
}

// Bridged mode: up to the owner of the bridge.
Result<void> Walk::at_host_of_bridge(const ActiveNetwork& network) {
  step("host", network.network.bridge, "delivered");
  last().details.emplace_back("to the bridge's own MAC: the host takes it, or routes it on as its rules say");
  end(Fate::Host);
  return {};
}

// The way that the bridge has shown for this MAC; only the shadow's copy of the map knows what was taken.
Result<void> Walk::take_shortcut(int from) {
  vnet_shortcut_key key{.ifindex = static_cast<__u32>(from)};
  if (auto mac = view().destination_mac) std::ranges::copy(mac->bytes, key.mac);
  auto way = shadow_->maps().shortcuts.get(key);
  std::string to = way ? link_name(static_cast<int>(way->ifindex)) : "";
  last().details.push_back("past the bridge, as it went a moment ago: to " + to);
  end(way && way->slot ? Fate::Guest : Fate::Outside, to);
  return {};
}

Result<void> Walk::at_member_ingress(const ActiveNetwork& network, const UplinkRecord& member) {
  VNET_ASSIGN(auto passed, pass(VNET_HOOK_MEMBER_INGRESS, member.interface,
                                {.ifindex = static_cast<std::uint32_t>(member.ifindex)}));
  if (passed.ends) return {};
  tc_index_ = member.slot;
  return passed.redirected ? take_shortcut(member.ifindex) : at_bridge(network, member.ifindex);
}

Result<void> Walk::at_member_egress(const UplinkRecord& member) {
  VNET_ASSIGN(auto passed,
              pass(VNET_HOOK_MEMBER_EGRESS, member.interface,
                   {.ifindex = static_cast<std::uint32_t>(member.ifindex), .tc_index = tc_index_}));
  if (!passed.ends) end(Fate::Outside, member.interface);
  return {};
}

// Everybody whose MAC the host knows, and guests on a parent, whom it finds by asking.
Result<void> Walk::set_next_hop(const LinkInfo& link, const std::optional<Address>& hop) {
  if (!link.ethernet) {
    if (ethernet_) remove_ethernet(frame_);
    ethernet_ = false;
    return {};
  }
  VNET_ASSIGN(auto mac, neighbour_mac(link.ifindex, *hop));
  if (const ParentRecord* parent = parent_at(link.ifindex); parent && !mac) {
    VNET_ASSIGN(mac, mac_at_parent(*parent, *hop));
  }
  if (!mac)
    last().details.push_back(
        fmt::format("{} has not answered yet: the host asks for it (ARP, ND)", hop->text()));
  if (!ethernet_) add_ethernet(frame_);
  ethernet_ = true;
  set_macs(frame_, link.mac, mac.value_or(Mac{}));
  return {};
}

Result<void> Walk::leave_by(int ifindex, const std::string& interface, int iif) {
  if (const ParentRecord* parent = parent_at(ifindex)) return at_parent_egress(*parent, iif);
  end(Fate::Outside, interface);
  return {};
}

}  // namespace vnet
