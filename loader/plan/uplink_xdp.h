// SPDX-License-Identifier: GPL-2.0-or-later
// What the networks behind an uplink want of XDP there, together. Internal to the planners.
#pragma once

#include <vector>

#include "loader/model/link.h"
#include "loader/model/records.h"

namespace vnet {

// The strongest mode that a network asks for: forward, filter, off. `auto` means filter at a card (or a bond
// of cards), and nothing at everything else: XDP makes a veth's peer give up its offloads. `links`: every
// interface of the host; a VLAN's frames may come to the card's XDP program without their tag, so that `auto`
// keeps away.
UplinkXdp wanted_xdp(const LinkInfo& uplink, const std::vector<LinkInfo>& links,
                     const std::vector<Network>& users);

// Or a bond of cards.
bool is_card(const LinkInfo& link);

}  // namespace vnet
