// SPDX-License-Identifier: GPL-2.0-or-later
// Who waits for others on this host's ports (sock_diag), and whose processes they are.
#pragma once

#include <functional>
#include <vector>

#include "loader/model/host_socket.h"

namespace vnet {

// Of this network namespace. Processes are looked for where there is a socket that is wanted, and only then.
// What the kernel does not tell is left out: nobody depends on it.
std::vector<HostSocket> host_sockets(const std::function<bool(const HostSocket&)>& wanted);

}  // namespace vnet
