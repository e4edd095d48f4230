// SPDX-License-Identifier: GPL-2.0-or-later
// libvirt's <networkport>: what the hypervisor's driver sends for each card of a guest, and what it gets
// back.
#pragma once

#include <string>
#include <string_view>

#include "loader/base/error.h"
#include "loader/model/guest_port.h"
#include "loader/model/network.h"

namespace vnet {

Result<GuestPortXml> parse_guest_port(std::string_view xml);

// The answer, merged with what the network says. <bandwidth> and <vlan> are not in it: the driver would put
// them on the tap itself, and they are held by our programs.
Result<std::string> answer_guest_port(const GuestPort& port, const Network& network,
                                      const std::string& parent);

// "inbound.average" and the like, as the XML has them; and the XML with others.
Result<BandwidthValues> bandwidth_values(std::string_view xml);
Result<std::string> with_bandwidth(std::string_view xml, const BandwidthValues& values);

}  // namespace vnet
