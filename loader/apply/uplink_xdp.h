// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "loader/bpf/xdp.h"
#include "loader/model/records.h"

namespace vnet {

// "filter", and how it is done or why it is not: what `show` says of an uplink. "" when nothing is wanted.
std::string describe_xdp(const UplinkRecord& record, const XdpState& state);

}  // namespace vnet
