// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/plan/forwards.h"

#include <fmt/format.h>

#include <algorithm>

namespace vnet {
namespace {

std::size_t port_count(const Network& network) {
  std::size_t count = 0;
  for (const auto& forward : network.settings.port_forwards)
    count += forward.ports.end - forward.ports.start + 1U;
  return count;
}

}  // namespace

bool is_published(const Network& network) {
  return has_gateway(network) && is_routed(network) && !network.settings.port_forwards.empty();
}

Result<void> check_forwards(const Snapshot& snapshot, const Network& network) {
  const auto& ours = network.settings.port_forwards;
  std::size_t count = port_count(network);
  for (const auto& other : snapshot.active) {
    if (other.network.name == network.name) continue;
    count += port_count(other.network);
    for (const auto& theirs : other.network.settings.port_forwards)
      for (const auto& forward : ours)
        if (do_overlap(theirs, forward))
          return failed(fmt::format("network {}: <vnet:portForward> {} is taken by network {} ({})",
                                    network.name, forward_text(forward), other.network.name,
                                    forward_line(theirs)));
  }
  if (count > VNET_FORWARDS_MAX)
    return failed(fmt::format("network {}: {} ports to forward, and the host takes {}; name smaller ranges",
                              network.name, count, VNET_FORWARDS_MAX));
  return {};
}

Result<void> check_ports_free(const Snapshot& snapshot, const Network& network, const Network* before) {
  for (const auto& forward : network.settings.port_forwards) {
    if (before && std::ranges::count(before->settings.port_forwards, forward)) continue;
    for (const auto& socket : snapshot.sockets)
      if (is_in_the_way(socket, forward))
        return failed(fmt::format(
            "network {}: port forward {}: {} port {} is in use by {} on {}; stop it, or name another port or "
            "another address to listen at",
            network.name, forward_text(forward), socket.protocol, socket.port, socket.owner(),
            socket.is_everywhere() ? "every address" : socket.address.text()));
  }
  return {};
}

// Beside the host's own sockets guests must not take what they have (bpf/lib/mac_nat.h).
void want_socket_redirect(Builder& builder) {
  auto& resources = builder.wanted.resources;
  resources.socket_redirect = std::ranges::any_of(
      builder.wanted.networks, [](const auto& entry) { return is_published(entry.second); });
  resources.host_addresses.clear();
  const bool mac_nat = std::ranges::any_of(builder.wanted.networks, [](const auto& entry) {
    return entry.second.settings.mac_nat != MacNat::Off;
  });
  if (!resources.socket_redirect && !mac_nat) return;
  for (const auto& [ifindex, addresses] : builder.snapshot.addresses)
    for (const auto& info : addresses) resources.host_addresses.insert(info.prefix.address);
  // A gateway that is about to be made has none yet.
  for (const auto& [name, network] : builder.wanted.networks)
    if (has_gateway(network))
      for (const auto& ip : network.ips) resources.host_addresses.insert(ip.gateway.address);
}

}  // namespace vnet
