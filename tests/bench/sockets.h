// SPDX-License-Identifier: GPL-2.0-or-later
// Round trips, connections and bulk data between sockets in two namespaces.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace vnet::bench {

struct SocketOptions {
  std::string client, server;  // namespaces
  std::string address;         // the server's, as the client reaches it
  std::uint16_t port = 5201;
  std::string kind;  // tcp-rr, udp-rr, udp-worst, connect, udp-connect, bulk (client sends), bulk-down
  double seconds = 1, warm_up = 0.2;
};

// {"rate"} in transactions or connections a second, with "microseconds" each; bulk: bits a second; udp-worst:
// "microseconds" of the slowest round trip alone.
nlohmann::json measure_sockets(const SocketOptions& options);

}  // namespace vnet::bench
