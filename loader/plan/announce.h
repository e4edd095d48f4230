// SPDX-License-Identifier: GPL-2.0-or-later
// What the routers outside may be told of a running network.
#pragma once

#include <string>
#include <vector>

#include "loader/model/added_address.h"
#include "loader/model/announcement.h"
#include "loader/model/network.h"

namespace vnet {

struct GuestAddress {
  std::string port;
  Address address;
};

// Its subnets, and with <announce hosts> those of the addresses that are in one and not the gateway's; of a
// network that is not routed, or hidden, nothing. In order.
std::vector<Announcement> announcements(const Network& network, const std::vector<AddedAddress>& added,
                                        const std::vector<GuestAddress>& guests);

}  // namespace vnet
