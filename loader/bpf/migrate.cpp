// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/bpf/migrate.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string_view>

#include "loader/bpf/before.h"
#include "loader/bpf/bpf_object.h"
#include "loader/bpf/map_set.h"

namespace vnet {
namespace {

namespace fs = std::filesystem;

Result<void> no_move(unsigned from, unsigned to) {
  return failed(fmt::format("there is no way from map layout {} to map layout {}", from, to));
}

Result<void> change_places(const fs::path& one, const fs::path& other) {
  if (::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE))
    return system_error(fmt::format("exchanging {} and {}", one.string(), other.string()));
  return {};
}

// When the copies were made, as a tick: their pins are as old.
__u32 copied_at(const fs::path& maps) {
  struct stat status {};
  timespec real{}, steady{};
  if (::stat((maps / "settings").c_str(), &status)) return 0;
  ::clock_gettime(CLOCK_REALTIME, &real);
  ::clock_gettime(CLOCK_MONOTONIC, &steady);
  auto ns = [](const timespec& t) { return t.tv_sec * 1'000'000'000LL + t.tv_nsec; };
  long long then = ns(steady) - (ns(real) - ns(status.st_mtim));
  return then > 0 ? static_cast<__u32>(then >> VNET_TICK_SHIFT) : 0;
}

bool is_later(__u32 tick, __u32 than) {
  return static_cast<__s32>(tick - than) > 0;
}

// What both the old programs and the new ones have seen of a session. Each leg is whose packets are more;
// where it was noted in the wheel last it will be looked at.
void merge_session(const vnet_session& original, vnet_session& copy) {
  for (int way : {VNET_OUT, VNET_IN})
    if (original.leg[way].packets > copy.leg[way].packets) copy.leg[way] = original.leg[way];
  if (original.state > copy.state) copy.state = original.state;
  copy.flags |= original.flags;
  if (is_later(original.due.tick, copy.due.tick)) copy.due = original.due;
}

// The timer's callback belongs to the programs that wound it: written from here the clock stands still, and
// the next session winds it with what is attached then.
Result<void> stop_clock(int fd) {
  __u32 zero = 0;
  vnet_clock clock{};
  if (bpf_map_lookup_elem(fd, &zero, &clock)) return system_error("reading the clock");
  clock.version = 0;
  if (bpf_map_update_elem(fd, &zero, &clock, BPF_ANY)) return system_error("stopping the clock");
  return {};
}

template <typename Value>
Value as(const Bytes& bytes) {
  Value value{};
  std::memcpy(&value, bytes.data(), std::min(sizeof(value), bytes.size()));
  return value;
}
Bytes bytes_of(const auto& value) {
  auto span = std::as_bytes(std::span(&value, 1));
  return {span.begin(), span.end()};
}

// Sessions that were made in the old map since, with their answers' entries; those that have ended meanwhile
// in the new one stay so.
Result<void> copy_new_sessions(const MapSet& from, const MapSet& to, __u32 since) {
  const char* name = "sessions";
  RawMap original(from.fd(name), *find_shape(from.layout, name));
  RawMap copy(to.fd(name), *find_shape(to.layout, name));
  RawMap answers(to.fd("rev_nat"), *find_shape(to.layout, "rev_nat"));
  Converter here(name, from.layout, VNET_ABI_VERSION), ours(name, to.layout, VNET_ABI_VERSION),
      back(name, VNET_ABI_VERSION, to.layout);
  return original.for_each([&](const Bytes& key, const std::vector<Bytes>& values) -> Result<void> {
    auto session = as<vnet_session>(here(values[0]));
    auto there = copy.get(key);
    if (there.empty()) {
      if (is_later(since, session.created) || session.state == VNET_SESSION_CLOSED) return {};
      VNET_TRY(copy.set(key, {back(bytes_of(session))}, true));
      return answers.set(bytes_of(answer_key(as<vnet_flow>(key), session)), {key}, true);
    }
    auto merged = as<vnet_session>(ours(there[0])), before = merged;
    merge_session(session, merged);
    if (std::memcmp(&merged, &before, sizeof(merged)) == 0) return {};
    return copy.set(key, {back(bytes_of(merged))}, false);
  });
}

// What packets have written into any other map that was copied.
Result<void> copy_new_entries(const MapSet& from, const MapSet& to, const MapShape& shape) {
  const MapShape& shape_from = *find_shape(from.layout, shape.name);
  RawMap original(from.fd(shape.name), shape_from), copy(to.fd(shape.name), shape);
  Converter converter(shape.name, from.layout, to.layout);
  if (converter.leaves_behind() || copy.is_array()) return {};
  return original.for_each([&](const Bytes& key, const std::vector<Bytes>& values) {
    return copy.set(key, converter.all(values), true);
  });
}

enum class Rest { All, Sessions, LastSessions };

Result<void> copy_rest_between(const MapSet& from, const MapSet& to, __u32 since, Rest rest = Rest::All) {
  // It belongs to the programs that are on the old sessions, or did.
  if (rest != Rest::Sessions && is_moved("sessions", from.layout, to.layout))
    VNET_TRY(stop_clock(to.fd("timer_wheel_clock")));
  for (const auto& shape : layout_of(to.layout)) {
    std::string_view name = shape.name;
    if (!is_moved(name, from.layout, to.layout) || name == "settings" || name == "rev_nat") continue;
    if (rest != Rest::All && name != "sessions") continue;
    VNET_TRY(name == "sessions" ? copy_new_sessions(from, to, since) : copy_new_entries(from, to, shape));
  }
  return {};
}

Result<void> copy_rest_from(const fs::path& other, const fs::path& maps, Rest rest) {
  unsigned from = pinned_layout(other), to = pinned_layout(maps);
  if (!from || !to || from == to) return {};
  VNET_ASSIGN(auto originals, open_set(other, from));
  VNET_ASSIGN(auto copies, open_set(maps, to));
  return copy_rest_between(originals, copies, copied_at(maps), rest);
}

}  // namespace

unsigned pinned_layout(const fs::path& maps) {
  Fd fd(bpf_obj_get((maps / "settings").c_str()));
  bpf_map_info info{};
  __u32 size = sizeof(info), zero = 0, layout = 0;
  std::error_code ignored;
  if (!fs::exists(maps / "sessions", ignored)) return 0;  // no whole set (maps/map_list.h)
  if (!fd || bpf_obj_get_info_by_fd(fd.get(), &info, &size) || info.value_size < sizeof(layout)) return 0;
  Bytes value(info.value_size);
  if (bpf_map_lookup_elem(fd.get(), &zero, value.data())) return 0;
  std::memcpy(&layout, value.data(), sizeof(layout));
  return layout;
}

bool can_move(unsigned from, unsigned to) {
  if (from != VNET_ABI_VERSION && to != VNET_ABI_VERSION) return false;
  for (unsigned version = std::min(from, to); version <= std::max(from, to); ++version)
    if (layout_of(version).empty()) return false;
  return true;
}

std::vector<std::string> moved_maps(unsigned from, unsigned to) {
  std::vector<std::string> names;
  for (const auto& shape : layout_of(to))
    if (is_moved(shape.name, from, to)) names.emplace_back(shape.name);
  return names;
}

Result<SharedMaps> view_maps(const fs::path& pins) {
  unsigned from = pinned_layout(pins / "maps");
  if (!can_move(from, VNET_ABI_VERSION)) VNET_TRY(no_move(from, VNET_ABI_VERSION));
  VNET_ASSIGN(auto theirs, open_set(pins / "maps", from));
  VNET_ASSIGN(auto ours, make_set(theirs, VNET_ABI_VERSION, [](const MapSet&) { return Result<void>{}; }));
  return SharedMaps::take(std::move(ours.fds));
}

Result<void> move_maps(const fs::path& pins, unsigned to) {
  const fs::path maps = pins / "maps", staged = Before(pins).folder() / "maps";
  unsigned from = pinned_layout(maps);
  if (from == to) return {};
  if (!can_move(from, to)) return no_move(from, to);
  std::error_code ignored;
  fs::remove_all(staged, ignored);  // of one that was interrupted
  VNET_TRY(make_folders(staged));
  VNET_ASSIGN(auto originals, open_set(maps, from));
  auto pin = [&](const MapSet& set) -> Result<void> {
    for (const auto& shape : layout_of(to))
      if (bpf_obj_pin(set.fd(shape.name), (staged / shape.name).c_str()))
        return system_error(fmt::format("pinning {}", (staged / shape.name).string()));
    return {};
  };
  VNET_TRY(make_set(originals, to, pin));
  return change_places(staged, maps);
}

Result<void> copy_rest(const fs::path& pins) {
  return copy_rest_from(Before(pins).folder() / "maps", pins / "maps", Rest::All);
}

Result<void> copy_sessions(const fs::path& pins, bool last) {
  return copy_rest_from(Before(pins).folder() / "maps", pins / "maps",
                        last ? Rest::LastSessions : Rest::Sessions);
}

Result<void> move_back(const fs::path& pins, unsigned to) {
  const fs::path maps = pins / "maps", before = Before(pins).folder() / "maps";
  if (pinned_layout(before) != to) return {};
  VNET_TRY(change_places(before, maps));
  unsigned from = pinned_layout(before);
  VNET_ASSIGN(auto newer, open_set(before, from));
  VNET_ASSIGN(auto older, open_set(maps, to));
  return copy_rest_between(newer, older, copied_at(before));
}

}  // namespace vnet
