// SPDX-License-Identifier: GPL-2.0-or-later
// The network cards in libvirt's domain XML.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "loader/base/error.h"
#include "loader/model/guest.h"

namespace vnet {

// In document order, those of every type. What libvirt has let through is not judged again.
Result<std::vector<GuestInterface>> parse_domain_interfaces(std::string_view xml,
                                                            const std::string& file_name);

}  // namespace vnet
