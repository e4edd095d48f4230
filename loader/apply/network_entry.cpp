// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/apply/network_entry.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "loader/os/sysctl.h"
#include "loader/plan/network_rules.h"
#include "loader/plan/port_rules.h"

namespace vnet {
namespace {

std::uint32_t v4_number(const Address& address) {
  std::uint32_t number;
  std::memcpy(&number, address.bytes.data(), sizeof(number));
  return ntohl(number);
}

// The ports to masquerade to: what the XML names, else everything above the privileged ones; others than the
// guest's own are looked for where the host's connections are not.
Result<void> fill_port_spans(const Network& network, vnet_network& entry) {
  constexpr vnet_port_span none{1, 0};
  if (network.nat.ports) {
    entry.ports[0] = {network.nat.ports->start, network.nat.ports->end};
    entry.ports[1] = none;
    entry.keep = entry.ports[0];
    return {};
  }
  entry.keep = {1024, 65535};
  VNET_ASSIGN(auto ephemeral, ephemeral_port_range());
  auto first = std::max<unsigned>(ephemeral.start, 1024);
  entry.ports[0] = {1024, static_cast<__u16>(first - 1)};
  entry.ports[1] =
      ephemeral.end < 65535
          ? vnet_port_span{static_cast<__u16>(std::max<unsigned>(ephemeral.end + 1U, 1024)), 65535}
          : none;
  if (entry.ports[0].first > entry.ports[0].last && entry.ports[1].first > entry.ports[1].last)
    return failed(
        "net.ipv4.ip_local_port_range leaves no port to masquerade to; narrow it, or name a range in "
        "<nat><port>");
  return {};
}

Result<void> fill_gateway(System& system, const Network& network, vnet_network& entry) {
  entry.flags = program_flags(network) | entry_flags(network);
  entry.new_flows = network.settings.new_flows;
  entry.vlan = untagged_vlan(network.vlan);
  VNET_TRY(fill_port_spans(network, entry));
  entry.uplink_ifindex = 0;
  if (!network.devices.empty()) {
    VNET_ASSIGN(auto uplink, system.netlink.link(network.devices.front()));
    entry.uplink_ifindex = static_cast<__u32>(uplink.ifindex);
  }
  entry.nat_first = network.nat.addresses ? v4_number(network.nat.addresses->start) : 0;
  entry.nat_last = network.nat.addresses ? v4_number(network.nat.addresses->end) : 0;
  return {};
}

}  // namespace

Result<void> fill_entry(System& system, const Network& network, vnet_network& entry) {
  entry.max_sessions = network.settings.max_sessions;
  entry.max_sessions_per_port = network.settings.max_sessions_per_port;
  const Timeouts& timeouts = network.settings.timeouts;
  entry.timeouts[VNET_TIMEOUT_TCP] = timeouts.tcp;
  entry.timeouts[VNET_TIMEOUT_UDP] = timeouts.udp;
  entry.timeouts[VNET_TIMEOUT_ICMP] = timeouts.icmp;
  entry.timeouts[VNET_TIMEOUT_OTHER] = timeouts.other;
  entry.link_protocols = is_direct(network) ? 0 : network.settings.link_protocols;
  return has_gateway(network) ? fill_gateway(system, network, entry) : Result<void>{};
}

}  // namespace vnet
