// SPDX-License-Identifier: GPL-2.0-or-later
// libvirt's leases as the lines of dnsmasq's lease file (loader/services/leases.cpp has its form).
#pragma once

#include <string>
#include <vector>

#include "loader/rpc/values.h"

namespace vnet::takeover {

std::vector<std::string> lease_lines(const std::vector<rpc::LeaseRow>& leases);

}  // namespace vnet::takeover
