// SPDX-License-Identifier: GPL-2.0-or-later
// Port forwards: which may stand side by side, and the host's own way to them.
#pragma once

#include "loader/plan/builder.h"

namespace vnet {

// Has it port forwards that are in use while it runs?
bool is_published(const Network& network);
// Of one network with those of the others that are active.
Result<void> check_forwards(const Snapshot& snapshot, const Network& network);
// No socket of the host's waits on any of its ports; before: the definition that it runs by.
Result<void> check_ports_free(const Snapshot& snapshot, const Network& network,
                              const Network* before = nullptr);
// The programs by which the host itself reaches them, while there are any.
void want_socket_redirect(Builder& builder);

}  // namespace vnet
