// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/kernel/datapath.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <string_view>

#include "direct.skel.h"
#include "loader/kernel/block_list.h"
#include "network.skel.h"
#include "police.skel.h"
#include "uplink.skel.h"
#include "xdp.skel.h"

namespace vnet {
namespace {

namespace fs = std::filesystem;

bool libbpf_verbose = false;
unsigned verifier_log_level = 0;

int print(libbpf_print_level level, const char* format, va_list arguments) {
  if (!libbpf_verbose || level == LIBBPF_DEBUG) return 0;
  return std::vfprintf(stderr, format, arguments);
}

template <typename Bpf>
struct Destroy {
  void operator()(Bpf* skeleton) const { Bpf::destroy(skeleton); }
};
template <typename Bpf>
using Skeleton = std::unique_ptr<Bpf, Destroy<Bpf>>;

Result<void> make_folders(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return failed(fmt::format("creating {}: {}", path.string(), error.message()));
  return {};
}

std::unexpected<Error> load_failed(const std::string& what, int error) {
  std::string hint;
  if (error == -EPERM)
    hint = " (not allowed: run as root, and check kernel lockdown)";
  else if (!libbpf_verbose)
    hint = " (--verbose shows the kernel's reason)";
  return failed(fmt::format("loading {} into the kernel: {}{}", what, std::strerror(-error), hint));
}

// Every object brings the definitions of all maps; the shared ones are those that are pinned.
Result<void> use_shared_maps(bpf_object* object, const fs::path& pins) {
  for (const char* name : SharedMaps::names()) {
    bpf_map* map = bpf_object__find_map_by_name(object, name);
    if (!map) continue;  // not used by this object
    Fd fd(bpf_obj_get((pins / "maps" / name).c_str()));
    if (!fd) return system_error(fmt::format("opening the pinned map {}", name));
    if (int error = bpf_map__reuse_fd(map, fd.get()))
      return system_error(fmt::format("using the pinned map {}", name), -error);
  }
  return {};
}

// Replaces older pins only once everything is loaded.
Result<void> pin_programs(bpf_object* object, const fs::path& folder) {
  VNET_TRY(make_folders(folder));
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    if (!bpf_program__autoload(program)) continue;
    fs::path path = folder / bpf_program__name(program);
    if (::unlink(path.c_str()) && errno != ENOENT) return system_error("unpinning " + path.string());
    if (bpf_obj_pin(bpf_program__fd(program), path.c_str())) return system_error("pinning " + path.string());
  }
  return {};
}

// bpffs reserves dots in names; interfaces (eth0.100) and networks have them.
std::string pin_name(const std::string& name) {
  std::string escaped;
  for (char c : name) {
    if (c == '.')
      escaped += "%2e";
    else if (c == '%')
      escaped += "%25";
    else
      escaped += c;
  }
  return escaped;
}

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

// Tells builds of the programs apart; never 0.
__u32 build_number() {
  std::size_t size = 0;
  const auto* bytes = static_cast<const char*>(network_bpf__elf_bytes(&size));
  return static_cast<__u32>(std::hash<std::string_view>{}({bytes, size})) | 1;
}

// An object as it is before its own constants are set: only what all have in common is.
template <typename Bpf>
Result<Skeleton<Bpf>> open_object(const SharedMaps& maps) {
  bpf_object_open_opts options{};
  options.sz = sizeof(options);
  options.kernel_log_level = verifier_log_level;
  Skeleton<Bpf> skeleton(Bpf::open(&options));
  if (!skeleton) return system_error("reading the BPF object");
  auto settings = maps.settings.get(0);
  if (!settings) return failed("the settings map is empty");
  if constexpr (requires { skeleton->rodata->secret; }) skeleton->rodata->secret = settings->secret;
  if constexpr (requires { skeleton->rodata->clock_version; })
    skeleton->rodata->clock_version = build_number();
  return skeleton;
}

template <typename Bpf>
Result<void> load_object(Bpf* skeleton, const char* what, const fs::path& pins, const fs::path& folder) {
  VNET_TRY(use_shared_maps(skeleton->obj, pins));
  if (int error = Bpf::load(skeleton)) return load_failed(what, error);
  return pin_programs(skeleton->obj, folder);
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
  // `sessions` is first in names(): while it is missing nobody takes the others for a whole set.
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

void set_libbpf_verbose(bool verbose) {
  libbpf_verbose = verbose;
  libbpf_set_print(print);
}

void set_verifier_log_level(unsigned level) {
  verifier_log_level = level;
}

Result<std::optional<Datapath>> Datapath::open(const fs::path& pins) {
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

AttachPoint Datapath::point(Hook hook, const std::string& interface, int ifindex) const {
  AttachPoint point{.ifindex = ifindex, .interface = interface, .hook = hook};
  point.link_pin = pins_ / "links" / (pin_name(interface) + (hook == Hook::Ingress ? "-ingress" : "-egress"));
  // What the parent's program delivers to a guest must have been masqueraded by the uplink's.
  std::error_code ignored;
  point.first = hook == Hook::Egress && fs::exists(parent_point(hook, interface, ifindex).link_pin, ignored);
  return point;
}

// What comes for a guest is none of the uplink's affairs; what leaves, the uplink's programs have seen first.
AttachPoint Datapath::parent_point(Hook hook, const std::string& interface, int ifindex) const {
  bool ingress = hook == Hook::Ingress;
  return {
      .ifindex = ifindex,
      .interface = interface,
      .hook = hook,
      .link_pin = pins_ / "links" / (pin_name(interface) + (ingress ? "%parent-ingress" : "%parent-egress")),
      .first = ingress,
      .clsact_order = ingress ? -1 : 1};
}

Result<void> Datapath::attach(const fs::path& programs, const char* ingress, const char* egress,
                              const std::string& interface, int ifindex) {
  VNET_TRY(make_folders(pins_ / "links"));
  // Egress first: what may leave is guarded before anything can come in.
  for (auto [hook, name] : {std::pair{Hook::Egress, egress}, std::pair{Hook::Ingress, ingress}}) {
    Fd program(bpf_obj_get((programs / name).c_str()));
    if (!program)
      return system_error(fmt::format("opening the pinned program {}", (programs / name).string()));
    VNET_TRY(attach_program(point(hook, interface, ifindex), program.get()));
  }
  return {};
}

Result<void> Datapath::attach_port(const std::string& network, const std::string& interface, int ifindex) {
  return attach(pins_ / "networks" / pin_name(network), "port_ingress", "port_egress", interface, ifindex);
}
Result<void> Datapath::attach_gateway(const std::string& network, const std::string& interface, int ifindex) {
  return attach(pins_ / "networks" / pin_name(network), "gateway_ingress", "gateway_egress", interface,
                ifindex);
}
Result<void> Datapath::attach_uplink(const std::string& interface, int ifindex) {
  return attach(pins_ / "uplinks" / pin_name(interface), "uplink_ingress", "uplink_egress", interface,
                ifindex);
}

Result<void> Datapath::attach_member(const std::string& network, const std::string& interface, int ifindex) {
  return attach(pins_ / "networks" / pin_name(network), "member_ingress", "member_egress", interface,
                ifindex);
}

AttachPoint Datapath::police_point(const std::string& interface, int ifindex) const {
  return {.ifindex = ifindex,
          .interface = interface,
          .hook = Hook::Ingress,
          .link_pin = pins_ / "links" / (pin_name(interface) + "%police-ingress"),
          .first = true,
          .clsact_order = -2,  // -1 is a parent's
          .replaces_ingress = true};
}

// Each limited port has a program of its own, which carries the rate; whoever attaches it keeps it.
Result<void> Datapath::limit_port(const std::string& interface, int ifindex, std::uint16_t slot,
                                  const std::optional<Bandwidth>& outbound) {
  if (!outbound || !outbound->average) return detach_program(police_point(interface, ifindex));
  VNET_ASSIGN(auto skeleton, open_object<police_bpf>(maps_));
  // As libvirt's policer: without burst= what comes in a second, and never less than a whole segment.
  constexpr std::uint64_t whole_segment = 64;
  constexpr std::uint64_t ns_per_second = 1'000'000'000;
  std::uint64_t rate = outbound->average * 1000;
  std::uint64_t burst = std::max(outbound->burst ? outbound->burst : outbound->average, whole_segment);
  skeleton->rodata->port_slot = slot;
  skeleton->rodata->ns_per_kib = 1024 * ns_per_second / rate;
  skeleton->rodata->burst_ns = burst * (1024 * ns_per_second / rate);
  VNET_TRY(use_shared_maps(skeleton->obj, pins_));
  if (int error = police_bpf::load(skeleton.get())) return load_failed("the policer", error);
  VNET_TRY(make_folders(pins_ / "links"));
  return attach_program(police_point(interface, ifindex), bpf_program__fd(skeleton->progs.port_police));
}

Result<void> Datapath::detach(const std::string& interface, int ifindex) {
  VNET_TRY(detach_program(police_point(interface, ifindex)));
  for (Hook hook : {Hook::Ingress, Hook::Egress}) VNET_TRY(detach_program(point(hook, interface, ifindex)));
  return {};
}

XdpPoint Datapath::xdp_point(const std::string& interface, int ifindex) const {
  return {.ifindex = ifindex,
          .interface = interface,
          .program = "uplink_xdp",
          .link_pin = pins_ / "links" / (pin_name(interface) + "-xdp"),
          .bpffs = pins_.parent_path()};
}

Result<XdpObject> Datapath::open_uplink_xdp(const XdpPrograms& config) {
  VNET_ASSIGN(auto skeleton, open_object<xdp_bpf>(maps_));
  auto* rodata = skeleton->rodata;
  rodata->uplink_slot = config.slot;
  rodata->uplink_ifindex = static_cast<__u32>(config.ifindex);
  rodata->limits_new_flows = config.limits_new_flows;
  rodata->forwards_small = config.forward;
  rodata->distrusts_checksums = config.distrusts_checksums;
  std::memcpy(const_cast<__u8*>(rodata->uplink_mac), config.mac.bytes.data(), sizeof(rodata->uplink_mac));
  VNET_TRY(use_shared_maps(skeleton->obj, pins_));
  bpf_object* object = skeleton->obj;
  return XdpObject(std::shared_ptr<xdp_bpf>(skeleton.release(), &xdp_bpf::destroy), object);
}

Result<XdpState> Datapath::attach_uplink_xdp(const std::string& interface, const XdpPrograms& config) {
  if (maps_.ports.get(static_cast<__u32>(config.ifindex)))
    return failed(fmt::format("{} is a guest's interface: no XDP there", interface));
  VNET_TRY(make_folders(pins_ / "links"));
  XdpPoint point = xdp_point(interface, config.ifindex);
  point.generic = config.generic && !config.forward;
  VNET_ASSIGN(auto state, attach_xdp(point, [&] { return open_uplink_xdp(config); }));
  if (state.how != XdpHow::Not || !config.forward || !config.generic) return state;
  // Behind the making of the buffer, offloads and all, there is nothing to be won by forwarding.
  XdpPrograms filter = config;
  filter.forward = false;
  point.generic = true;
  return attach_xdp(point, [&] { return open_uplink_xdp(filter); });
}

Result<void> Datapath::detach_uplink_xdp(const std::string& interface, int ifindex) {
  return detach_xdp(xdp_point(interface, ifindex));
}

XdpState Datapath::uplink_xdp(const std::string& interface, int ifindex) const {
  return xdp_state(xdp_point(interface, ifindex));
}

Result<Fd> Datapath::attached_xdp(const std::string& interface, int ifindex) const {
  unsigned id = xdp_program_id(xdp_point(interface, ifindex));
  if (!id) return Fd();
  Fd program(bpf_prog_get_fd_by_id(id));
  if (!program) return system_error(fmt::format("opening the XDP program at {}", interface));
  return program;
}

Result<Fd> Datapath::attached(const std::string& interface, int ifindex, unsigned hook) const {
  std::string_view word = hook_word(hook);
  Hook way = word.ends_with("-ingress") ? Hook::Ingress : Hook::Egress;
  return attached_program(word.starts_with("parent-") ? parent_point(way, interface, ifindex)
                                                      : point(way, interface, ifindex));
}

Result<void> Datapath::attach_direct_port(const std::string& parent, const std::string& interface,
                                          int ifindex) {
  return attach(pins_ / "parents" / pin_name(parent), "port_ingress", "port_egress", interface, ifindex);
}

Result<void> Datapath::attach_parent(const std::string& interface, int ifindex) {
  VNET_TRY(make_folders(pins_ / "links"));
  for (auto [hook, name] : {std::pair{Hook::Egress, "parent_egress"}, {Hook::Ingress, "parent_ingress"}}) {
    auto path = pins_ / "parents" / pin_name(interface) / name;
    Fd program(bpf_obj_get(path.c_str()));
    if (!program) return system_error(fmt::format("opening the pinned program {}", path.string()));
    VNET_TRY(attach_program(parent_point(hook, interface, ifindex), program.get()));
  }
  return {};
}

Result<void> Datapath::detach_parent(const std::string& interface, int ifindex) {
  for (Hook hook : {Hook::Ingress, Hook::Egress})
    VNET_TRY(detach_program(parent_point(hook, interface, ifindex)));
  return {};
}

}  // namespace vnet
