// SPDX-License-Identifier: GPL-2.0-or-later
// One element of a definition added, changed or deleted, as `virsh net-update` does it.
#pragma once

#include <string>
#include <vector>

#include "loader/base/error.h"
#include "loader/model/network.h"
#include "loader/model/section_update.h"

namespace vnet {

std::vector<std::string> section_names();

// The definition with the change, as valid as one that was parsed. Errors are in libvirt's words, wherever it
// has some.
Result<Network> updated(const Network& network, const SectionUpdate& update);

}  // namespace vnet
