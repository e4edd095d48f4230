// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/bpf/shared_maps.h"

#include <fmt/format.h>

namespace vnet {

namespace {

struct MapRow {
  const char* name;
  bool large;
};
#define VNET_COPIED_LARGE true
#define VNET_COPIED_WHOLE false
#define VNET_ROW(handle, name, type, entries, key, value, flags, copied) MapRow{#name, VNET_COPIED_##copied},
#define VNET_OUTER_ROW(name, value, copied) MapRow{#name, VNET_COPIED_##copied},
constexpr MapRow rows[] = {VNET_MAPS(VNET_ROW, VNET_OUTER_ROW)};

}  // namespace

const std::vector<const char*>& SharedMaps::names() {
  static const std::vector<const char*> all = [] {
    std::vector<const char*> names;
    for (const auto& row : rows) names.push_back(row.name);
    return names;
  }();
  return all;
}

bool SharedMaps::is_large(std::size_t place) {
  return rows[place].large;
}

Result<std::optional<SharedMaps>> SharedMaps::open(const std::filesystem::path& folder) {
  auto open_pin = [&](const char* name) { return Fd(bpf_obj_get((folder / name).c_str())); };
  if (!open_pin(names().front()) && errno == ENOENT) return std::nullopt;
  auto settings = Map<__u32, vnet_settings>(open_pin("settings")).get(0);
  if (!settings || settings->abi_version != VNET_ABI_VERSION)
    return failed(fmt::format("the pinned maps are of layout {}, not {}",
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
#define VNET_VISIT(handle, name, type, entries, key, value, flags, copied) visit(maps.name);
#define VNET_VISIT_OUTER(name, value, copied) visit(maps.name);
  VNET_MAPS(VNET_VISIT, VNET_VISIT_OUTER)
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

vnet_flow answer_key(const vnet_flow& session_key, const vnet_session& session) {
  vnet_flow answer{};
  answer.src = session_key.dst;
  answer.dst = session.nat;
  answer.sport_be = session_key.dport_be;
  answer.dport_be = session.nat_port_be;
  answer.proto = session_key.proto;
  answer.kind = session_key.kind;
  return answer;
}

}  // namespace vnet
