// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/libvirt/network_cache.h"

#include <sys/inotify.h>

#include <algorithm>
#include <array>

namespace vnet::libvirt {
namespace {

using rpc::NetworkEvent;

// A bridge that somebody has deleted changes no file.
constexpr std::chrono::seconds longest_age{2};

const KnownNetwork* find(const std::vector<KnownNetwork>& networks, const std::string& uuid) {
  auto found = std::ranges::find(networks, uuid, &KnownNetwork::uuid);
  return found == networks.end() ? nullptr : &*found;
}

}  // namespace

rpc::Net net_of(const KnownNetwork& network) {
  return {network.name, rpc::parse_uuid(network.uuid).value_or(rpc::Uuid{})};
}

std::vector<NetworkEvent> events_between(const std::vector<KnownNetwork>& before,
                                         const std::vector<KnownNetwork>& after) {
  std::vector<NetworkEvent> events;
  auto add = [&](const KnownNetwork& network, NetworkEvent::Lifecycle detail) {
    events.push_back({.net = net_of(network), .detail = detail, .uri = {}});
  };
  for (const auto& old : before) {
    const KnownNetwork* now = find(after, old.uuid);
    if (old.active && (!now || !now->active)) add(old, NetworkEvent::Stopped);
    if (old.definition && (!now || !now->definition)) add(old, NetworkEvent::Undefined);
  }
  for (const auto& now : after) {
    const KnownNetwork* old = find(before, now.uuid);
    if (now.definition && (!old || !old->definition || old->stamp != now.stamp))
      add(now, NetworkEvent::Defined);
    if (now.active && (!old || !old->active)) add(now, NetworkEvent::Started);
  }
  return events;
}

Result<NetworkCache> NetworkCache::make(Host& host) {
  Fd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify) return system_error("watching the networks' files");
  for (const auto& folder : host.record_folders())
    if (::inotify_add_watch(inotify.get(), folder.c_str(), IN_MOVED_TO | IN_DELETE | IN_CREATE | IN_ONLYDIR) <
        0)
      return system_error("watching " + folder.string());
  NetworkCache cache(host, std::move(inotify));
  VNET_TRY(cache.read());
  cache.events_.clear();
  return cache;
}

bool NetworkCache::has_changed() {
  std::array<char, 4096> events;
  bool changed = false;
  while (::read(inotify_.get(), events.data(), events.size()) > 0) changed = true;
  return changed;
}

Result<void> NetworkCache::read() {
  read_at_ = Clock::now();
  VNET_ASSIGN(auto now, host_->known_networks());
  for (auto& event : events_between(networks_, now)) events_.push_back(std::move(event));
  networks_ = std::move(now);
  return {};
}

Result<const std::vector<KnownNetwork>*> NetworkCache::networks() {
  if (has_changed() || Clock::now() - read_at_ > longest_age) VNET_TRY(read());
  return &networks_;
}

std::vector<NetworkEvent> NetworkCache::take_events() {
  if (has_changed()) (void)read();  // what is damaged is told to those that ask
  return std::exchange(events_, {});
}

}  // namespace vnet::libvirt
