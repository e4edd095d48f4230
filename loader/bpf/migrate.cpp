// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/bpf/migrate.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>
#include <string_view>

#include "loader/bpf/before.h"
#include "loader/bpf/bpf_object.h"
#include "loader/bpf/layouts/layout.h"
#include "loader/bpf/layouts/steps.h"
#include "network.skel.h"

namespace vnet {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::byte>;

const MapShape* find(std::span<const MapShape> shapes, std::string_view name) {
  auto found =
      std::ranges::find(shapes, name, [](const MapShape& shape) { return std::string_view(shape.name); });
  return found == shapes.end() ? nullptr : &*found;
}

// The rows between two versions for a map, in the order in which they are gone through.
std::vector<const LayoutStep*> steps_between(std::string_view map, unsigned from, unsigned to) {
  std::vector<const LayoutStep*> rows;
  for (const auto& step : layout_steps())
    if (map == step.map && step.from >= std::min(from, to) && step.from < std::max(from, to))
      rows.push_back(&step);
  std::ranges::sort(rows, {}, &LayoutStep::from);
  if (to < from) std::ranges::reverse(rows);
  return rows;
}

// The settings say which layout it is: they are never the same.
bool is_moved(std::string_view map, unsigned from, unsigned to) {
  const MapShape *old = find(layout_of(from), map), *now = find(layout_of(to), map);
  return old && now && (map == "settings" || !(*old == *now) || !steps_between(map, from, to).empty());
}

// One value in another version; empty: it is left behind.
class Converter {
 public:
  Converter(std::string_view map, unsigned from, unsigned to)
      : rows_(steps_between(map, from, to)), up_(from < to), size_(find(layout_of(to), map)->value) {}
  bool leaves_behind() const {
    return std::ranges::any_of(rows_, [](const LayoutStep* row) { return !row->up; });
  }
  Bytes operator()(Bytes value) const {
    for (const LayoutStep* row : rows_) {
      Bytes next(up_ ? row->new_value : row->old_value);
      (up_ ? row->up : row->down)(value.data(), next.data());
      value = std::move(next);
    }
    value.resize(size_);
    return value;
  }

 private:
  std::vector<const LayoutStep*> rows_;
  bool up_;
  std::size_t size_;
};

// A map's entries as bytes. Of a per-CPU map each CPU's value is converted by itself.
class RawMap {
 public:
  RawMap(int fd, const MapShape& shape) : fd_(fd), shape_(shape) {
    bool per_cpu = shape.type == BPF_MAP_TYPE_PERCPU_ARRAY || shape.type == BPF_MAP_TYPE_PERCPU_HASH ||
                   shape.type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
    values_ = per_cpu ? static_cast<std::size_t>(libbpf_num_possible_cpus()) : 1;
    stride_ = per_cpu ? (shape.value + 7) / 8 * 8 : shape.value;
  }
  bool is_array() const {
    return shape_.type == BPF_MAP_TYPE_ARRAY || shape_.type == BPF_MAP_TYPE_PERCPU_ARRAY;
  }

  // Each of the values that an entry has; empty: there is no entry.
  std::vector<Bytes> get(const Bytes& key) const {
    Bytes all(stride_ * values_);
    if (bpf_map_lookup_elem(fd_, key.data(), all.data())) return {};
    return split(all.data());
  }
  Result<void> set(const Bytes& key, const std::vector<Bytes>& values, bool only_new) const {
    Bytes all(stride_ * values_);
    for (std::size_t i = 0; i < values.size() && i < values_; ++i)
      std::ranges::copy(values[i], all.begin() + static_cast<std::ptrdiff_t>(i * stride_));
    bool fresh = only_new && !is_array();
    if (bpf_map_update_elem(fd_, key.data(), all.data(), fresh ? BPF_NOEXIST : BPF_ANY) &&
        !(fresh && errno == EEXIST))
      return system_error(fmt::format("writing an entry of the map {}", shape_.name));
    return {};
  }
  Result<void> for_each(
      const std::function<Result<void>(const Bytes&, const std::vector<Bytes>&)>& visit) const {
    if (shape_.type == BPF_MAP_TYPE_HASH) return for_each_batch(visit);
    std::vector<Bytes> keys;
    Bytes next(shape_.key);
    for (const void* at = nullptr; !bpf_map_get_next_key(fd_, at, next.data()); at = keys.back().data())
      keys.push_back(next);
    for (const auto& key : keys)
      if (auto values = get(key); !values.empty()) VNET_TRY(visit(key, values));
    return {};
  }

 private:
  std::vector<Bytes> split(const std::byte* all) const {
    std::vector<Bytes> each;
    for (std::size_t i = 0; i < values_; ++i)
      each.emplace_back(all + i * stride_, all + i * stride_ + shape_.value);
    return each;
  }

  // Every entry that is there from beginning to end, though others come and go.
  Result<void> for_each_batch(
      const std::function<Result<void>(const Bytes&, const std::vector<Bytes>&)>& visit) const {
    __u32 room = 1024, in = 0, out = 0;
    DECLARE_LIBBPF_OPTS(bpf_map_batch_opts, options);
    for (bool first = true;;) {
      Bytes keys(std::size_t{room} * shape_.key), values(std::size_t{room} * stride_);
      __u32 count = room;
      int failed = bpf_map_lookup_batch(fd_, first ? nullptr : &in, &out, keys.data(), values.data(), &count,
                                        &options);
      if (failed && errno == ENOSPC) {  // one bucket holds more than that
        room *= 2;
        continue;
      }
      if (failed && errno != ENOENT) return system_error(fmt::format("reading the map {}", shape_.name));
      for (__u32 i = 0; i < count; ++i) {
        const std::byte* key = keys.data() + std::size_t(i) * shape_.key;
        VNET_TRY(visit({key, key + shape_.key}, split(values.data() + std::size_t(i) * stride_)));
      }
      if (failed) return {};
      in = out;
      first = false;
    }
  }

  int fd_;
  const MapShape& shape_;
  std::size_t values_, stride_;
};

std::vector<Bytes> convert(const Converter& converter, const std::vector<Bytes>& values) {
  std::vector<Bytes> converted;
  for (const auto& value : values) converted.push_back(converter(value));
  return converted;
}

bool is_empty(const std::vector<Bytes>& values) {
  return std::ranges::all_of(values, [](const Bytes& value) {
    return std::ranges::all_of(value, [](std::byte byte) { return byte == std::byte{0}; });
  });
}

// A place of an array that nothing has been written to stays so: converted it might mean something.
Result<void> copy_all(const MapShape& shape, int from_fd, const MapShape& shape_to, int to_fd, unsigned from,
                      unsigned to) {
  RawMap original(from_fd, shape), copy(to_fd, shape_to);
  Converter converter(shape.name, from, to);
  if (converter.leaves_behind()) return {};
  return original.for_each([&](const Bytes& key, const std::vector<Bytes>& values) -> Result<void> {
    if (original.is_array() && is_empty(values)) return {};
    return copy.set(key, convert(converter, values), false);
  });
}

// The maps of a layout: by name, in its order.
struct MapSet {
  unsigned layout = 0;
  std::vector<Fd> fds;
  int fd(std::string_view name) const {
    auto shapes = layout_of(layout);
    for (std::size_t i = 0; i < shapes.size(); ++i)
      if (name == shapes[i].name) return fds[i].get();
    return -1;
  }
};

Result<MapSet> open_set(const fs::path& folder, unsigned layout) {
  MapSet set{.layout = layout, .fds = {}};
  for (const auto& shape : layout_of(layout)) {
    Fd fd(bpf_obj_get((folder / shape.name).c_str()));
    if (!fd) return system_error(fmt::format("opening the pinned map {}", (folder / shape.name).string()));
    bpf_map_info info{};
    __u32 size = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd.get(), &info, &size)) return system_error("asking about a pinned map");
    if (info.key_size != shape.key || info.value_size != shape.value)
      return failed(fmt::format("the pinned map {} is not what layout {} has", shape.name, layout));
    set.fds.push_back(std::move(fd));
  }
  return set;
}

// Timers want a map with type information: this build's maps come from its object.
Result<std::vector<Fd>> make_ours(const std::function<int(std::string_view)>& kept) {
  bpf_object_open_opts options = open_options();
  Skeleton<network_bpf> skeleton(network_bpf::open(&options));
  if (!skeleton) return system_error("reading the BPF object");
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton->obj) bpf_program__set_autoload(program, false);
  for (const auto& shape : layout_now())
    if (int fd = kept(shape.name); fd >= 0)
      if (bpf_map__reuse_fd(bpf_object__find_map_by_name(skeleton->obj, shape.name), fd))
        return system_error(fmt::format("using the pinned map {}", shape.name));
  if (int error = network_bpf::load(skeleton.get())) return load_failed("the maps", error);
  std::vector<Fd> fds;
  for (const auto& shape : layout_now()) {
    bpf_map* map = bpf_object__find_map_by_name(skeleton->obj, shape.name);
    fds.emplace_back(map ? ::fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 0) : -1);
    if (!fds.back()) return system_error(fmt::format("making the map {}", shape.name));
  }
  return fds;
}

Result<Fd> make_older(const MapShape& shape) {
  if (shape.type == BPF_MAP_TYPE_ARRAY_OF_MAPS || shape.type == BPF_MAP_TYPE_HASH_OF_MAPS)
    return failed(fmt::format("the map {} cannot be made in an older layout", shape.name));
  DECLARE_LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = shape.flags);
  std::string name = std::string(shape.name).substr(0, BPF_OBJ_NAME_LEN - 1);
  Fd fd(bpf_map_create(static_cast<bpf_map_type>(shape.type), name.c_str(), shape.key, shape.value,
                       shape.entries, &options));
  if (!fd) return system_error(fmt::format("making the map {}", shape.name));
  return fd;
}

// Copied like any other, they say which layout it is.
Result<void> name_layout(const MapSet& to) {
  __u32 zero = 0;
  Bytes value(find(layout_of(to.layout), "settings")->value);
  if (bpf_map_lookup_elem(to.fd("settings"), &zero, value.data()))
    return system_error("reading the settings map");
  std::memcpy(value.data(), &to.layout, sizeof(to.layout));  // vnet_settings::abi_version, always the first
  if (bpf_map_update_elem(to.fd("settings"), &zero, value.data(), BPF_ANY))
    return system_error("writing the settings map");
  return {};
}

// A copy of every map that is not the same in both; the others themselves. `prepared`: they are there, empty.
Result<MapSet> make_set(const MapSet& from, unsigned to,
                        const std::function<Result<void>(const MapSet&)>& prepared) {
  auto kept = [&](std::string_view name) {
    return find(layout_of(from.layout), name) && !is_moved(name, from.layout, to) ? from.fd(name) : -1;
  };
  MapSet set{.layout = to, .fds = {}};
  if (to == VNET_ABI_VERSION) {
    VNET_ASSIGN(set.fds, make_ours(kept));
  } else {
    for (const auto& shape : layout_of(to)) {
      Fd fd(kept(shape.name) >= 0 ? ::fcntl(kept(shape.name), F_DUPFD_CLOEXEC, 0) : -1);
      if (!fd) {
        VNET_ASSIGN(fd, make_older(shape));
      }
      set.fds.push_back(std::move(fd));
    }
  }
  VNET_TRY(prepared(set));
  for (const auto& shape : layout_of(to))
    if (is_moved(shape.name, from.layout, to))
      VNET_TRY(copy_all(*find(layout_of(from.layout), shape.name), from.fd(shape.name), shape,
                        set.fd(shape.name), from.layout, to));
  VNET_TRY(name_layout(set));
  return set;
}

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

vnet_flow answer_of(const vnet_flow& key, const vnet_session& session) {
  vnet_flow answer{};
  answer.src = key.dst;
  answer.dst = session.nat;
  answer.sport_be = key.dport_be;
  answer.dport_be = session.nat_port_be;
  answer.proto = key.proto;
  return answer;
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
  RawMap original(from.fd(name), *find(layout_of(from.layout), name));
  RawMap copy(to.fd(name), *find(layout_of(to.layout), name));
  RawMap answers(to.fd("rev_nat"), *find(layout_of(to.layout), "rev_nat"));
  Converter here(name, from.layout, VNET_ABI_VERSION), ours(name, to.layout, VNET_ABI_VERSION),
      back(name, VNET_ABI_VERSION, to.layout);
  return original.for_each([&](const Bytes& key, const std::vector<Bytes>& values) -> Result<void> {
    auto session = as<vnet_session>(here(values[0]));
    auto there = copy.get(key);
    if (there.empty()) {
      if (is_later(since, session.created) || session.state == VNET_SESSION_CLOSED) return {};
      VNET_TRY(copy.set(key, {back(bytes_of(session))}, true));
      return answers.set(bytes_of(answer_of(as<vnet_flow>(key), session)), {key}, true);
    }
    auto merged = as<vnet_session>(ours(there[0])), before = merged;
    merge_session(session, merged);
    if (std::memcmp(&merged, &before, sizeof(merged)) == 0) return {};
    return copy.set(key, {back(bytes_of(merged))}, false);
  });
}

// What packets have written into any other map that was copied.
Result<void> copy_new_entries(const MapSet& from, const MapSet& to, const MapShape& shape) {
  const MapShape& shape_from = *find(layout_of(from.layout), shape.name);
  RawMap original(from.fd(shape.name), shape_from), copy(to.fd(shape.name), shape);
  Converter converter(shape.name, from.layout, to.layout);
  if (converter.leaves_behind() || copy.is_array()) return {};
  return original.for_each([&](const Bytes& key, const std::vector<Bytes>& values) {
    return copy.set(key, convert(converter, values), true);
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
