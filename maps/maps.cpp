// SPDX-License-Identifier: GPL-2.0-or-later
#include "maps/maps.h"

#include <fmt/format.h>

namespace vnet {

const std::vector<const char*>& SharedMaps::names() {
  static const std::vector<const char*> all{
      "sessions", "reverse",   "fragments", "ports",    "fdb",     "networks", "devices",
      "subnets",  "forwards",  "traffic",   "drops",    "usage",   "probes",   "settings",
      "untimed",  "addresses", "claims",    "isolated", "started", "allows",   "allow_sources"};
  return all;
}

Result<std::optional<SharedMaps>> SharedMaps::open(const std::filesystem::path& folder) {
  std::vector<Fd> fds;
  for (const char* name : names()) {
    Fd fd(bpf_obj_get((folder / name).c_str()));
    if (!fd && errno == ENOENT && fds.empty()) return std::nullopt;
    if (!fd) return system_error(fmt::format("opening the pinned map {}", (folder / name).string()));
    fds.push_back(std::move(fd));
  }
  SharedMaps maps;
  auto next = fds.begin();
  auto take = [&](auto& map) { map = std::remove_reference_t<decltype(map)>(std::move(*next++)); };
  take(maps.sessions);
  take(maps.reverse);
  take(maps.fragments);
  take(maps.ports);
  take(maps.fdb);
  take(maps.networks);
  take(maps.devices);
  take(maps.subnets);
  take(maps.forwards);
  take(maps.traffic);
  take(maps.drops);
  take(maps.usage);
  take(maps.probes);
  take(maps.settings);
  take(maps.untimed);
  take(maps.addresses);
  take(maps.claims);
  take(maps.isolated);
  take(maps.started);
  take(maps.allows);
  take(maps.allow_sources);
  auto settings = maps.settings.get(0);
  if (!settings || settings->abi_version != VNET_ABI_VERSION)
    return failed(fmt::format(
        "the running datapath has map layout {}, this program has {}: stop every network with the version "
        "that started it, then start them again",
        settings ? settings->abi_version : 0, VNET_ABI_VERSION));
  return maps;
}

namespace {
#define VNET_REASON_WORD(name, word, meaning) word,
#define VNET_REASON_MEANING(name, word, meaning) meaning,
constexpr const char* words[] = {"none", VNET_REASONS(VNET_REASON_WORD)};
constexpr const char* meanings[] = {"", VNET_REASONS(VNET_REASON_MEANING)};
}  // namespace

const char* reason_word(unsigned reason) {
  return reason < VNET_DROP_MAX ? words[reason] : "unknown";
}
const char* reason_meaning(unsigned reason) {
  return reason < VNET_DROP_MAX ? meanings[reason] : "";
}

}  // namespace vnet
