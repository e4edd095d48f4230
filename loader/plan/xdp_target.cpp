// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/plan/xdp_target.h"

#include <fmt/format.h>

#include "loader/plan/bandwidth.h"
#include "loader/plan/port_rules.h"

namespace vnet {

std::optional<std::string> why_no_target(const Network& network, const PortRecord& port, const LinkInfo& link,
                                         std::optional<std::uint64_t> features) {
  if (network.settings.xdp != XdpMode::Forward) return "its network does not ask for it";
  if (!has_gateway(network)) return "its network has no uplink of ours";
  if (is_limited(port, network, VNET_IN)) return "tc holds its <bandwidth><inbound>, XDP does not";
  if (vlan_of(port, network)) return "tc keeps VLANs apart, XDP does not";
  if (link.kind == "tun" && link.tun_type == "tap")
    return std::nullopt;  // on every kernel, without conditions
  if (!features) return "this kernel does not tell whether its driver can (6.3 and later do)";
  if (*features & xdp_act_ndo_xmit) return std::nullopt;
  if (link.kind == "veth")
    return "the guest's end of the veth has GRO off, without which it loses such frames (there: ethtool -K "
           "INTERFACE gro on)";
  return "its driver cannot";
}

}  // namespace vnet
