// SPDX-License-Identifier: GPL-2.0-or-later
// The programs of an uplink, loaded and attached; those that are there already are replaced without a gap.
#pragma once

#include "loader/apply/system.h"

namespace vnet {

Result<void> bring_up_xdp(Datapath& datapath, UplinkRecord& record);  // notes in it why not
Result<void> bring_up_uplink(Datapath& datapath, const UplinkRecord& record, const LinkInfo& link,
                             bool ingress_first = false);

}  // namespace vnet
