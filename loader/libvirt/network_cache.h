// SPDX-License-Identifier: GPL-2.0-or-later
// The networks as the files say, read again when one of these has changed: by a call, by the command line or
// by `run`. What has changed between two readings are libvirt's lifecycle events.
#pragma once

#include <chrono>
#include <vector>

#include "loader/base/fd.h"
#include "loader/engine/host.h"
#include "loader/rpc/network_api.h"

namespace vnet::libvirt {

class NetworkCache {
 public:
  static Result<NetworkCache> make(Host& host);

  int fd() const { return inotify_.get(); }  // readable when something has changed
  Result<const std::vector<KnownNetwork>*> networks();
  std::vector<rpc::NetworkEvent> take_events();

 private:
  using Clock = std::chrono::steady_clock;
  NetworkCache(Host& host, Fd inotify) : host_(&host), inotify_(std::move(inotify)) {}
  bool has_changed();
  Result<void> read();

  Host* host_;
  Fd inotify_;
  std::vector<KnownNetwork> networks_;
  std::vector<rpc::NetworkEvent> events_;
  Clock::time_point read_at_;
};

// What a client has to be told of that was, and is not, or the other way round.
std::vector<rpc::NetworkEvent> events_between(const std::vector<KnownNetwork>& before,
                                              const std::vector<KnownNetwork>& after);

rpc::Net net_of(const KnownNetwork& network);

}  // namespace vnet::libvirt
