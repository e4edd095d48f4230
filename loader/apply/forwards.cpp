// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/apply/forwards.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "loader/bpf/map_address.h"

namespace vnet {
namespace {

vnet_port_forward_key key_of(const PortForward& forward, unsigned port) {
  return {.listen = forward.listen ? from_address(*forward.listen) : vnet_addr{},
          .port_be = htons(static_cast<std::uint16_t>(port)),
          .proto = protocol_number(forward.proto),
          .family = static_cast<__u8>(forward.to.family == Family::V4 ? 4 : 6)};
}

vnet_forward_source source_of(const vnet_port_forward_key& rule, const Prefix& prefix) {
  const unsigned bits = prefix.length + (prefix.address.family == Family::V4 ? 96 : 0);
  return {.prefixlen = static_cast<__u32>(sizeof(rule) * 8) + bits,
          .rule = rule,
          .addr = from_address(prefix.network().address)};
}

// Of a rule: sources first, so that whoever may not come is never let in.
Result<void> erase_rule(SharedMaps& maps, const vnet_port_forward_key& rule) {
  for (const auto& source : maps.forward_sources.keys())
    if (!std::memcmp(&source.rule, &rule, sizeof(rule))) VNET_TRY(maps.forward_sources.erase(source));
  return {};
}

Result<void> erase_port(SharedMaps& maps, const vnet_port_forward_key& key, std::uint16_t slot) {
  const auto there = maps.port_forwards.get(key);
  return there && there->network == slot ? maps.port_forwards.erase(key) : Result<void>{};
}

}  // namespace

Result<void> write_port_forward(SharedMaps& maps, const PortForward& forward, std::uint16_t slot) {
  const auto rule = key_of(forward, forward.ports.start);
  for (const auto& prefix : forward.from) VNET_TRY(maps.forward_sources.set(source_of(rule, prefix), 1));
  vnet_port_forward to{
      .to = from_address(forward.to), .port_be = 0, .network = slot, .first_be = rule.port_be};
  to.flags = static_cast<__u16>((forward.from.empty() ? 0 : VNET_FORWARD_F_FROM) |
                                (forward.listen ? 0 : VNET_FORWARD_F_ANY));
  for (unsigned port = forward.ports.start; port <= forward.ports.end; ++port) {
    to.port_be = htons(static_cast<std::uint16_t>(forward.to_port + (port - forward.ports.start)));
    VNET_TRY(maps.port_forwards.set(key_of(forward, port), to));
  }
  return {};
}

Result<void> erase_port_forward(SharedMaps& maps, const PortForward& forward, std::uint16_t slot) {
  const auto rule = key_of(forward, forward.ports.start);
  if (const auto there = maps.port_forwards.get(rule); there && there->network == slot)
    VNET_TRY(erase_rule(maps, rule));
  // The first port last: it says whose the others are, should this be interrupted.
  for (unsigned port = forward.ports.end; port >= forward.ports.start; --port)
    VNET_TRY(erase_port(maps, key_of(forward, port), slot));
  return {};
}

Result<void> erase_port_forwards(SharedMaps& maps, std::uint16_t slot) {
  for (const auto& key : maps.port_forwards.keys()) {
    const auto there = maps.port_forwards.get(key);
    if (!there || there->network != slot) continue;
    if (there->flags & VNET_FORWARD_F_FROM) {
      auto rule = key;
      rule.port_be = there->first_be;
      VNET_TRY(erase_rule(maps, rule));
    }
    VNET_TRY(maps.port_forwards.erase(key));
  }
  return {};
}

bool has_lost_its_forward(const std::vector<PortForward>& forwards, const vnet_flow& key,
                          const vnet_session& session) {
  const bool inwards = session.flags & VNET_SESSION_F_INBOUND,
             hairpin = session.flags & VNET_SESSION_F_HAIRPIN;
  if (inwards ? to_address(session.nat) == to_address(key.src) : !hairpin) return false;
  const Address host = to_address(inwards ? session.nat : key.dst);
  const auto port = ntohs(inwards ? session.nat_port_be : key.dport_be);
  for (const auto& proto : forward_protocols()) {
    if (protocol_number(proto) != key.proto) continue;
    const PortForward* forward = forward_for(forwards, proto, host, port);
    if (!forward) return true;
    if (!inwards) return false;
    const auto to_port = static_cast<std::uint16_t>(forward->to_port + (port - forward->ports.start));
    if (forward->to != to_address(key.src) || htons(to_port) != key.sport_be) return true;
    const auto far = to_address(key.dst);
    return !hairpin && !forward->from.empty() &&
           std::ranges::none_of(forward->from, [&](const Prefix& prefix) { return prefix.contains(far); });
  }
  return false;
}

}  // namespace vnet
