// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/explain/shadow.h"

#include <fmt/format.h>
#include <linux/pkt_cls.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

#include "direct.skel.h"
#include "loader/bpf/map_address.h"
#include "loader/bpf/shared_maps.h"
#include "loader/explain/copy_map.h"
#include "loader/observe/sessions.h"
#include "network.skel.h"
#include "uplink.skel.h"
#include "xdp.skel.h"

namespace vnet {
namespace {

// A bpf_object of its own from what the skeletons carry: only the parts that do not depend on the programs.
bpf_object* open_embedded(const EmbeddedObject& embedded) {
  std::size_t size = 0;
  const void* data = embedded.bytes(&size);
  return bpf_object__open_mem(data, size, nullptr);
}

const EmbeddedObject embedded_objects[] = {
    {network_bpf__elf_bytes, offsetof(network_bpf::network_bpf__rodata, rehearsal)},
    {uplink_bpf__elf_bytes, std::nullopt},
    {direct_bpf__elf_bytes, offsetof(direct_bpf::direct_bpf__rodata, rehearsal)},
    {xdp_bpf__elf_bytes, std::nullopt},
};

Result<bpf_prog_info> program_info(int program) {
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(program, &info, &size)) return system_error("asking about a loaded program");
  return info;
}

// The constants that a loaded program has.
Result<std::vector<char>> rodata_of(int program) {
  VNET_ASSIGN(auto counted, program_info(program));
  std::vector<__u32> ids(counted.nr_map_ids);
  bpf_prog_info info{};
  info.nr_map_ids = counted.nr_map_ids;
  info.map_ids = reinterpret_cast<__u64>(ids.data());
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(program, &info, &size)) return system_error("asking about a loaded program");
  for (__u32 id : ids) {
    Fd map(bpf_map_get_fd_by_id(id));
    bpf_map_info about{};
    __u32 about_size = sizeof(about);
    if (!map || bpf_obj_get_info_by_fd(map.get(), &about, &about_size)) continue;
    if (!std::string_view(about.name).ends_with(".rodata")) continue;
    std::vector<char> value(about.value_size);
    __u32 zero = 0;
    if (bpf_map_lookup_elem(map.get(), &zero, value.data()))
      return system_error("reading a program's constants");
    return value;
  }
  return std::vector<char>{};
}

bpf_map* rodata_map(bpf_object* object) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map,
                           object) if (std::string_view(bpf_map__name(map)).ends_with(".rodata")) return map;
  return nullptr;
}

// Where an address is in a key or a value: sessions and what belongs to them hold it whole.
bool holds(std::span<const std::byte> bytes, const std::vector<vnet_addr>& addresses) {
  return std::ranges::any_of(addresses, [&](const vnet_addr& address) {
    return !std::ranges::search(bytes, std::as_bytes(std::span(&address, 1))).empty();
  });
}

}  // namespace

void Shadow::Close::operator()(bpf_object* object) const {
  bpf_object__close(object);
}
Shadow::Shadow(Shadow&&) noexcept = default;
Shadow::~Shadow() = default;

Result<Shadow> Shadow::make(Datapath& live) {
  Shadow shadow(live);
  VNET_TRY(shadow.make_maps());
  return shadow;
}

Result<void> Shadow::make_maps() {
  templates_.reset(open_embedded(embedded_objects[0]));
  if (!templates_) return system_error("reading the BPF object");
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, templates_.get()) bpf_program__set_autoload(program, false);
  if (int error = bpf_object__load(templates_.get()))
    return system_error("making copies of the maps", -error);
  std::vector<Fd> fds;
  for (const char* name : SharedMaps::names()) {
    bpf_map* map = bpf_object__find_map_by_name(templates_.get(), name);
    fds.emplace_back(map ? ::dup(bpf_map__fd(map)) : -1);
  }
  maps_ = SharedMaps::take(std::move(fds));
  return {};
}

Result<void> Shadow::copy_state(const std::set<Address>& addresses) {
  std::vector<vnet_addr> concerned;
  for (const Address& address : addresses) concerned.push_back(from_address(address));
  WantedEntry of_these = [&](auto key, auto value) {
    return holds(key, concerned) || holds(value, concerned);
  };
  auto from = live_->maps().fds(), to = maps_.fds();
  for (std::size_t i = 0; i < from.size(); ++i)
    VNET_TRY(copy_map(from[i], to[i], SharedMaps::is_large(i) ? of_these : WantedEntry()));
  return {};
}

// The program of that name in one of our objects, with the constants of the live one. Without an object: it
// has no such program, or others constants.
Result<Shadow::Loaded> Shadow::load_from(const EmbeddedObject& embedded, const char* name,
                                         std::vector<char> constants) {
  Loaded loaded{.object = Object(open_embedded(embedded))};
  if (!loaded.object) return system_error("reading the BPF object");
  bpf_program* wanted = nullptr;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, loaded.object.get()) {
    bool same = std::string_view(bpf_program__name(program)).substr(0, BPF_OBJ_NAME_LEN - 1) == name;
    bpf_program__set_autoload(program, same);
    if (same) wanted = program;
  }
  bpf_map* rodata = rodata_map(loaded.object.get());
  if (embedded.rehearsal && *embedded.rehearsal < constants.size()) constants[*embedded.rehearsal] = 1;
  if (!wanted || (rodata && bpf_map__set_initial_value(rodata, constants.data(), constants.size())))
    return Loaded{};
  for (const char* each : SharedMaps::names()) {
    bpf_map* map = bpf_object__find_map_by_name(loaded.object.get(), each);
    bpf_map* ours = bpf_object__find_map_by_name(templates_.get(), each);
    if (map && ours && bpf_map__reuse_fd(map, bpf_map__fd(ours))) return system_error("using a copied map");
  }
  if (int error = bpf_object__load(loaded.object.get()))
    return system_error(fmt::format("loading {} a second time", name), -error);
  loaded.fd = bpf_program__fd(wanted);
  return loaded;
}

// Two objects may have a program of one name. The tag, the kernel's digest of the instructions, tells which
// it is.
Result<Shadow::Loaded> Shadow::load(int live_program) {
  VNET_ASSIGN(auto live, program_info(live_program));
  VNET_ASSIGN(auto constants, rodata_of(live_program));
  Loaded similar;
  for (const auto& object : embedded_objects) {
    VNET_ASSIGN(auto loaded, load_from(object, live.name, constants));
    if (!loaded.object) continue;
    VNET_ASSIGN(auto copied, program_info(loaded.fd));
    if (std::memcmp(copied.tag, live.tag, sizeof(live.tag)) == 0) return loaded;
    similar = std::move(loaded);
  }
  if (!similar.object)
    return failed("the attached programs are another version's: start the network anew, then ask again");
  same_program_ = false;
  return similar;
}

Result<std::optional<ShadowRun>> Shadow::run(const std::string& interface, unsigned hook,
                                             const RunInput& input) {
  VNET_ASSIGN(Fd attached, live_->attached(interface, static_cast<int>(input.ifindex), hook));
  return run_copy(attached, input);
}

Result<std::optional<ShadowRun>> Shadow::run_xdp(const std::string& interface, RunInput input) {
  VNET_ASSIGN(Fd attached, live_->attached_xdp(interface, static_cast<int>(input.ifindex)));
  input.xdp = true;
  return run_copy(attached, input);
}

Result<std::optional<ShadowRun>> Shadow::run_copy(const Fd& attached, const RunInput& input) {
  if (!attached) return std::nullopt;
  VNET_ASSIGN(auto live, program_info(attached.get()));
  if (!programs_.contains(live.id)) {
    VNET_ASSIGN(auto loaded, load(attached.get()));
    programs_.emplace(live.id, std::move(loaded));
  }
  for (const vnet_drop_key& key : maps_.drops.keys()) VNET_TRY(maps_.drops.erase(key));
  VNET_ASSIGN(auto ran, runner_.run(programs_.at(live.id).fd, input));
  ShadowRun result{.verdict = ran.verdict, .packet = std::move(ran.packet), .cb = ran.cb};
  for (const vnet_drop_key& key : maps_.drops.keys()) result.drop = DropSeen{key.slot, key.reason};
  return result;
}

}  // namespace vnet
