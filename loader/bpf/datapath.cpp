// SPDX-License-Identifier: GPL-2.0-or-later
// The shared maps, and the programs of each kind with their constants; where they are attached:
// datapath_attach.cpp.
#include "loader/bpf/datapath.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string_view>

#include "direct.skel.h"
#include "fence.skel.h"
#include "forget.skel.h"
#include "loader/bpf/block_list.h"
#include "loader/bpf/bpf_object.h"
#include "loader/bpf/fence.h"
#include "loader/bpf/migrate.h"
#include "loader/bpf/shared_maps.h"
#include "lost.skel.h"
#include "network.skel.h"
#include "uplink.skel.h"

namespace vnet {
namespace {

namespace fs = std::filesystem;

void remove_folder(const fs::path& folder) {
  std::error_code ignored;
  fs::remove_all(folder, ignored);
}

void copy_address(const std::optional<Address>& from, vnet_addr& to) {
  if (!from) return;
  if (from->family == Family::V4) {
    to.word_be[2] = htonl(0xffff);
    std::memcpy(&to.word_be[3], from->bytes.data(), 4);
  } else {
    std::memcpy(&to, from->bytes.data(), 16);
  }
}

// That BPF programs may call.
bool kernel_has_function(const char* name) {
  std::unique_ptr<btf, decltype(&btf__free)> kernel(btf__load_vmlinux_btf(), btf__free);
  return kernel && btf__find_by_name_kind(kernel.get(), name, BTF_KIND_FUNC) > 0;
}

fs::path fenced_pin(const fs::path& pins) {
  return pins / "fenced";
}

// Beyond the skeleton, which closes its own.
Result<Fd> keep(int fd) {
  Fd kept(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!kept) return system_error("keeping a BPF object");
  return kept;
}

// A gateway of ours has no members that lead outside, and a bridge of the host's has no gateway. Each program
// is a tenth of a second of the verifier's work, or more.
void load_what_is_used(const network_bpf& skeleton, std::uint32_t flags) {
  const auto& programs = skeleton.progs;
  bool bridged = flags & VNET_NETWORK_F_BRIDGED;
  for (bpf_program* member : {programs.member_ingress, programs.member_egress})
    bpf_program__set_autoload(member, bridged);
  for (bpf_program* gateway : {programs.gateway_ingress, programs.gateway_egress})
    bpf_program__set_autoload(gateway, !bridged);
}

// The maps of both objects are the same; the network's programs use them all, so it makes them.
Result<void> create_maps(const fs::path& pins) {
  Skeleton<network_bpf> skeleton(network_bpf::open());
  if (!skeleton) return system_error("reading the BPF object");
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton->obj) bpf_program__set_autoload(program, false);
  VNET_ASSIGN(auto blocked, BlockList::open(pins));  // made before the first network was started
  if (blocked && bpf_map__reuse_fd(skeleton->maps.blocked, blocked->fd()))
    return system_error("using the pinned block list");
  if (int error = network_bpf::load(skeleton.get())) return load_failed("the maps", error);
  vnet_settings settings{
      .abi_version = VNET_ABI_VERSION, .blocks = blocked && !blocked->empty(), .secret = 0};
  if (::getrandom(&settings.secret, sizeof(settings.secret), 0) != sizeof(settings.secret))
    return system_error("asking for random numbers");
  __u32 zero = 0;
  if (bpf_map_update_elem(bpf_map__fd(skeleton->maps.settings), &zero, &settings, BPF_ANY))
    return system_error("writing the settings map");
  VNET_TRY(make_folders(pins / "maps"));
  // `sessions` is first in names(): while it is missing no command takes the others for a whole set.
  const auto& names = SharedMaps::names();
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    bpf_map* map = bpf_object__find_map_by_name(skeleton->obj, *name);
    fs::path path = pins / "maps" / *name;
    if (blocked && std::string_view(*name) == "blocked") continue;
    if (::unlink(path.c_str()) && errno != ENOENT) return system_error("unpinning " + path.string());
    if (!map || bpf_obj_pin(bpf_map__fd(map), path.c_str())) return system_error("pinning " + path.string());
  }
  return {};
}

}  // namespace

Result<std::optional<Datapath>> Datapath::open(const fs::path& pins) {
  if (unsigned layout = pinned_layout(pins / "maps"); layout && layout != VNET_ABI_VERSION) {
    SharedMaps view;
    if (layout < VNET_ABI_VERSION && can_move(layout, VNET_ABI_VERSION)) {
      VNET_ASSIGN(view, view_maps(pins));
    }
    return Datapath(pins, std::move(view), layout);
  }
  VNET_ASSIGN(auto maps, SharedMaps::open(pins / "maps"));
  if (!maps) return std::nullopt;
  return Datapath(pins, std::move(*maps));
}

Result<Datapath> Datapath::open_or_create(const fs::path& pins) {
  VNET_ASSIGN(auto there, open(pins));
  if (there) return std::move(*there);
  VNET_TRY(create_maps(pins));
  VNET_ASSIGN(auto made, open(pins));
  if (!made) return failed("the maps were made but are not pinned at " + pins.string());
  return std::move(*made);
}

Result<void> Datapath::load_network(const std::string& network, const NetworkPrograms& config) {
  VNET_ASSIGN(auto skeleton, open_object<network_bpf>(maps_));
  auto* rodata = skeleton->rodata;
  rodata->network_slot = config.slot;
  rodata->gateway_ifindex = static_cast<__u32>(config.gateway_ifindex);
  std::memcpy(const_cast<__u8*>(rodata->gateway_mac), config.gateway_mac.bytes.data(), 6);
  rodata->network_flags = config.flags;
  rodata->reads_kernel = config.needs_bridge && kernel_has_function("bpf_cast_to_kern_ctx");
  vnet_addr address{};
  copy_address(config.gateway4, address);
  std::memcpy(static_cast<void*>(&rodata->gateway_addr4), &address, sizeof(address));
  address = {};
  copy_address(config.gateway6, address);
  std::memcpy(static_cast<void*>(&rodata->gateway_addr6), &address, sizeof(address));
  load_what_is_used(*skeleton, config.flags);
  return load_object(skeleton.get(), "the network's programs", pins_, pins_ / "networks" / pin_name(network));
}

Result<void> Datapath::load_uplink(const std::string& interface, const UplinkPrograms& config) {
  VNET_ASSIGN(auto skeleton, open_object<uplink_bpf>(maps_));
  auto* rodata = skeleton->rodata;
  rodata->uplink_slot = config.slot;
  rodata->uplink_ifindex = static_cast<__u32>(config.ifindex);
  rodata->link_header = config.ethernet ? 14 : 0;
  rodata->is_bridge = config.bridge;
  rodata->limits_new_flows = config.limits_new_flows;
  return load_object(skeleton.get(), "the uplink's programs", pins_, pins_ / "uplinks" / pin_name(interface));
}

void Datapath::unload_network(const std::string& network) {
  remove_folder(pins_ / "networks" / pin_name(network));
}
void Datapath::unload_uplink(const std::string& interface) {
  remove_folder(pins_ / "uplinks" / pin_name(interface));
}

Result<void> Datapath::load_parent(const std::string& interface, const ParentPrograms& config) {
  VNET_ASSIGN(auto skeleton, open_object<direct_bpf>(maps_));
  auto* rodata = skeleton->rodata;
  rodata->network_slot = config.slot;
  rodata->gateway_ifindex = static_cast<__u32>(config.ifindex);
  std::memcpy(const_cast<__u8*>(rodata->gateway_mac), config.mac.bytes.data(), 6);
  rodata->passthrough = config.passthrough;
  return load_object(skeleton.get(), "the parent's programs", pins_, pins_ / "parents" / pin_name(interface));
}

void Datapath::unload_parent(const std::string& interface) {
  remove_folder(pins_ / "parents" / pin_name(interface));
}

Result<Fd> Datapath::load_fence() {
  VNET_ASSIGN(auto skeleton, open_object<fence_bpf>(maps_));
  // libbpf 1.1 knows neither the section's name nor what it means.
  bpf_program__set_type(skeleton->progs.forward_fence, netfilter_program);
  bpf_program__set_expected_attach_type(skeleton->progs.forward_fence, netfilter_attachment);
  if (bpf_map__set_pin_path(skeleton->maps.fenced, fenced_pin(pins_).c_str()))
    return system_error("naming the fence's map");
  VNET_TRY(use_shared_maps(skeleton->obj, pins_));
  if (int error = fence_bpf::load(skeleton.get())) return load_failed("the program at FORWARD", error);
  return keep(bpf_program__fd(skeleton->progs.forward_fence));
}

Result<void> Datapath::end_sessions(const std::vector<vnet_flow>& keys) {
  if (keys.empty()) return {};
  VNET_ASSIGN(auto skeleton, open_object<forget_bpf>(maps_));
  VNET_TRY(use_shared_maps(skeleton->obj, pins_));
  if (int error = forget_bpf::load(skeleton.get()))
    return load_failed("the program that ends sessions", error);
  for (const auto& key : keys) {
    std::array<std::uint8_t, 14 + sizeof(key)> packet{};
    std::memcpy(packet.data() + 14, &key, sizeof(key));
    DECLARE_LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet.data(), .data_size_in = packet.size());
    if (bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.end_session), &options))
      return system_error("ending a session");
  }
  return {};
}

Result<LoadedLosses> Datapath::load_losses(const LossProgram& config) {
  VNET_ASSIGN(auto skeleton, open_object<lost_bpf>(maps_));
  auto* rodata = skeleton->rodata;
  rodata->place = config.place;
  rodata->netns_cookie = config.netns_cookie;
  std::memcpy(const_cast<__u8*>(rodata->reasons_of), config.reasons.data(), sizeof(rodata->reasons_of));
  VNET_TRY(use_shared_maps(skeleton->obj, pins_));
  // The fence's, where there is one.
  std::error_code ignored;
  if (fs::exists(fenced_pin(pins_), ignored) &&
      bpf_map__set_pin_path(skeleton->maps.fenced, fenced_pin(pins_).c_str()))
    return system_error("naming the fence's map");
  if (int error = lost_bpf::load(skeleton.get()))
    return load_failed("the program that sees the stack's drops", error);
  LoadedLosses loaded;
  VNET_ASSIGN(loaded.program, keep(bpf_program__fd(skeleton->progs.stack_loss)));
  VNET_ASSIGN(loaded.counting, keep(bpf_map__fd(skeleton->maps.counting)));
  return loaded;
}

}  // namespace vnet
