// SPDX-License-Identifier: GPL-2.0-or-later
// That something has changed in the network namespace: a link, an address, a route, the firewall's chains and
// rules. What it is is looked up anew, so that a message that was lost does no harm.
#pragma once

#include <array>
#include <memory>

#include "loader/base/error.h"

struct nl_sock;

namespace vnet {

class NetworkEvents {
 public:
  // Of the namespace that is current now.
  static Result<NetworkEvents> open();
  std::array<int, 2> fds() const;  // readable: drain(); -1: a kernel without nftables
  // Takes all that is there; whether there was anything that matters, lost messages included.
  bool drain();

 private:
  struct Close {
    void operator()(nl_sock* socket) const;
  };
  using Socket = std::unique_ptr<nl_sock, Close>;
  NetworkEvents(Socket routes, Socket rules) : routes_(std::move(routes)), rules_(std::move(rules)) {}
  Socket routes_, rules_;
};

}  // namespace vnet
