// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/hostile/judge.h"

#include <algorithm>

namespace vnet::hostile {
namespace {

// ::x:y:0:0: all but the third of the four words zero.
bool almost_unspecified(const Address& address) {
  auto zero = [&](int from, int to) {
    return std::all_of(address.raw.begin() + from, address.raw.begin() + to, [](int byte) { return !byte; });
  };
  return address.v6 && zero(0, 8) && zero(12, 16) && !zero(8, 12);
}

std::string kind_of(const View& sent, const View& seen) {
  if (sent.tags > 0) return "behind a VLAN tag";
  if (sent.ip && almost_unspecified(sent.src)) return "source almost unspecified";
  if (!sent.ip) return "neither IPv4 nor IPv6";
  // Redirects come from the host's link-local addresses.
  bool link_local = seen.src.v6 && seen.src.raw[0] == 0xfe && (seen.src.raw[1] & 0xc0) == 0x80;
  if (seen.ip && seen.error && (is_hosts(seen.src) || link_local)) return "quoted by the host's ICMP";
  if (seen.ip && is_hosts(seen.src) && seen.src != sent.src) return "answered or translated by the host";
  return "forwarded";
}

std::string broken_rule(const Guest& guest, const View& sent, const Place& place, const View& seen) {
  const Network& own = *guest.network;
  if (own.mode == Mode::isolated) return "a frame of an isolated network elsewhere";
  if (place.network && place.network->hidden()) return "a frame in a network that is not visible";
  if (!seen.ip) return "not IP, outside of its network";
  // What the host itself sends into a network comes from its gateway.
  bool from_gateway = seen.src == place.host[seen.src.v6];
  if (own.mode == Mode::open) {
    if (sent.ip && in_a_network(sent.src, &own)) return "sent with another network's source";
    // The host answers from the address that was asked, and that may be any of its own.
    if (in_a_network(seen.src, &own) && !is_hosts(seen.src)) return "seen with another network's source";
    return "";
  }
  if (!sent.ip || !own.has(sent.src)) return "sent with a source that is not its network's";
  if (!own.masquerades(seen.src.v6)) {
    return own.has(seen.src) ? "" : "seen with a source that is not its network's";
  }
  if (!from_gateway) return "untranslated";
  for (const auto& quoted : {seen.quoted_src, seen.quoted_dst})
    if (quoted && own.has(*quoted)) return "a guest's address quoted untranslated";
  return "";
}

}  // namespace

std::optional<Complaint> complaint(const Guest& guest, const View& sent, const Place& place,
                                   const View& seen) {
  if (place.network == guest.network) return std::nullopt;  // among themselves
  std::string rule = broken_rule(guest, sent, place, seen);
  if (rule.empty()) return std::nullopt;
  return Complaint{.kind = kind_of(sent, seen), .reason = rule};
}

}  // namespace vnet::hostile
