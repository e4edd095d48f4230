// SPDX-License-Identifier: GPL-2.0-or-later
// A socket of the host's that waits for others: listening, or of UDP and not connected.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "loader/model/address.h"

namespace vnet {

struct HostSocket {
  std::string protocol;  // tcp, udp, sctp
  Address address;       // 0.0.0.0 or ::: every one
  std::uint16_t port = 0;
  pid_t pid = 0;              // 0: of a process that is not to be seen from here
  std::string process, unit;  // unit: systemd's, "" where there is none
  bool ipv6_only = false;

  bool is_everywhere() const { return address == Address{address.family}; }
  // Would it get what is sent to this address of the host's? "::" takes IPv4 along.
  bool covers(const Address& host) const {
    if (!is_everywhere()) return address == host;
    return address.family == host.family || (address.family == Family::V6 && !ipv6_only);
  }
  std::string owner() const {
    return process.empty() ? "a process that cannot be seen from here"
                           : process + " (pid " + std::to_string(pid) + ")";
  }
};

}  // namespace vnet
