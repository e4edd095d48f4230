// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/bpf/shared_maps.h"

#include <fmt/format.h>

namespace vnet {

const std::vector<const char*>& SharedMaps::names() {
  static const std::vector<const char*> all{
      "sessions",  "reverse",      "fragments",   "ports",    "fdb",           "networks",      "devices",
      "subnets",   "forwards",     "traffic",     "drops",    "usage",         "probes",        "settings",
      "wheel",     "wheel_counts", "wheel_clock", "monitors", "monitor_lost",  "monitor_rings", "addresses",
      "claims",    "isolated",     "started",     "allows",   "allow_sources", "shortcuts",     "stations",
      "members",   "blocked",      "newcomers",   "targets",  "ways",          "half_open",     "mappings",
      "handed_up", "held"};
  return all;
}

Result<std::optional<SharedMaps>> SharedMaps::open(const std::filesystem::path& folder) {
  auto open_pin = [&](const char* name) { return Fd(bpf_obj_get((folder / name).c_str())); };
  if (!open_pin(names().front()) && errno == ENOENT) return std::nullopt;
  auto settings = Map<__u32, vnet_settings>(open_pin("settings")).get(0);
  if (!settings || settings->abi_version != VNET_ABI_VERSION)
    return failed(fmt::format(
        "the running datapath has map layout {}, this program has {}: stop every network with the version "
        "that started it, then start them again",
        settings ? settings->abi_version : 0, VNET_ABI_VERSION));
  std::vector<Fd> fds;
  for (const char* name : names()) {
    Fd fd = open_pin(name);
    if (!fd) return system_error(fmt::format("opening the pinned map {}", (folder / name).string()));
    fds.push_back(std::move(fd));
  }
  return take(std::move(fds));
}

namespace {

// In the order of names().
void visit_all(auto& maps, auto visit) {
  visit(maps.sessions);
  visit(maps.reverse);
  visit(maps.fragments);
  visit(maps.ports);
  visit(maps.fdb);
  visit(maps.networks);
  visit(maps.devices);
  visit(maps.subnets);
  visit(maps.forwards);
  visit(maps.traffic);
  visit(maps.drops);
  visit(maps.usage);
  visit(maps.probes);
  visit(maps.settings);
  visit(maps.wheel);
  visit(maps.wheel_counts);
  visit(maps.wheel_clock);
  visit(maps.monitors);
  visit(maps.monitor_lost);
  visit(maps.monitor_rings);
  visit(maps.addresses);
  visit(maps.claims);
  visit(maps.isolated);
  visit(maps.started);
  visit(maps.allows);
  visit(maps.allow_sources);
  visit(maps.shortcuts);
  visit(maps.stations);
  visit(maps.members);
  visit(maps.blocked);
  visit(maps.newcomers);
  visit(maps.targets);
  visit(maps.ways);
  visit(maps.half_open);
  visit(maps.mappings);
  visit(maps.handed_up);
  visit(maps.held);
}

}  // namespace

SharedMaps SharedMaps::take(std::vector<Fd> fds) {
  SharedMaps maps;
  auto next = fds.begin();
  visit_all(maps, [&](auto& map) { map = std::remove_reference_t<decltype(map)>(std::move(*next++)); });
  return maps;
}

std::vector<int> SharedMaps::fds() const {
  std::vector<int> all;
  visit_all(*this, [&](const auto& map) { all.push_back(map.fd()); });
  return all;
}

}  // namespace vnet
