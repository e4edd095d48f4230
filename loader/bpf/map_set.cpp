// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/bpf/map_set.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "loader/bpf/bpf_object.h"
#include "network.skel.h"

namespace vnet {
namespace {

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
    return copy.set(key, converter.all(values), false);
  });
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
  Bytes value(find_shape(to.layout, "settings")->value);
  if (bpf_map_lookup_elem(to.fd("settings"), &zero, value.data()))
    return system_error("reading the settings map");
  std::memcpy(value.data(), &to.layout, sizeof(to.layout));  // vnet_settings::abi_version, always the first
  if (bpf_map_update_elem(to.fd("settings"), &zero, value.data(), BPF_ANY))
    return system_error("writing the settings map");
  return {};
}

}  // namespace

const MapShape* find_shape(unsigned layout, std::string_view map) {
  auto shapes = layout_of(layout);
  auto found =
      std::ranges::find(shapes, map, [](const MapShape& shape) { return std::string_view(shape.name); });
  return found == shapes.end() ? nullptr : &*found;
}

// The settings say which layout it is: they are never the same.
bool is_moved(std::string_view map, unsigned from, unsigned to) {
  const MapShape *old = find_shape(from, map), *now = find_shape(to, map);
  return old && now && (map == "settings" || !(*old == *now) || !steps_between(map, from, to).empty());
}

Converter::Converter(std::string_view map, unsigned from, unsigned to)
    : rows_(steps_between(map, from, to)), up_(from < to), size_(find_shape(to, map)->value) {}

bool Converter::leaves_behind() const {
  return std::ranges::any_of(rows_, [](const LayoutStep* row) { return !row->up; });
}

Bytes Converter::operator()(Bytes value) const {
  for (const LayoutStep* row : rows_) {
    Bytes next(up_ ? row->new_value : row->old_value);
    (up_ ? row->up : row->down)(value.data(), next.data());
    value = std::move(next);
  }
  value.resize(size_);
  return value;
}

std::vector<Bytes> Converter::all(const std::vector<Bytes>& values) const {
  std::vector<Bytes> converted;
  for (const auto& value : values) converted.push_back((*this)(value));
  return converted;
}

int MapSet::fd(std::string_view map) const {
  auto shapes = layout_of(layout);
  for (std::size_t i = 0; i < shapes.size(); ++i)
    if (map == shapes[i].name) return fds[i].get();
  return -1;
}

Result<MapSet> open_set(const std::filesystem::path& folder, unsigned layout) {
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

Result<MapSet> make_set(const MapSet& from, unsigned to,
                        const std::function<Result<void>(const MapSet&)>& prepared) {
  auto kept = [&](std::string_view name) {
    return find_shape(from.layout, name) && !is_moved(name, from.layout, to) ? from.fd(name) : -1;
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
      VNET_TRY(copy_all(*find_shape(from.layout, shape.name), from.fd(shape.name), shape, set.fd(shape.name),
                        from.layout, to));
  VNET_TRY(name_layout(set));
  return set;
}

}  // namespace vnet
