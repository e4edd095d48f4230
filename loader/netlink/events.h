// SPDX-License-Identifier: GPL-2.0-or-later
// That something has changed in the network namespace: a link, an address, a route. What it is is looked up
// anew, so that a message that was lost does no harm.
#pragma once

#include <memory>

#include "loader/base/error.h"

struct nl_sock;

namespace vnet {

class NetworkEvents {
 public:
  // Of the namespace that is current now.
  static Result<NetworkEvents> open();
  int fd() const;  // readable: drain()
  // Takes all that is there; whether there was anything, lost messages included.
  bool drain();

 private:
  struct Close {
    void operator()(nl_sock* socket) const;
  };
  explicit NetworkEvents(std::unique_ptr<nl_sock, Close> socket) : socket_(std::move(socket)) {}
  std::unique_ptr<nl_sock, Close> socket_;
};

}  // namespace vnet
