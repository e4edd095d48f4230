// SPDX-License-Identifier: GPL-2.0-or-later
// Which program belongs at which hook of an interface: attached, looked for, taken away.
#include <bpf/bpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string_view>

#include "loader/bpf/before.h"
#include "loader/bpf/bpf_object.h"
#include "loader/bpf/datapath.h"
#include "loader/bpf/migrate.h"
#include "loader/model/drop_reason.h"
#include "xdp.skel.h"

namespace vnet {
namespace {

namespace fs = std::filesystem;

struct RoleHooks {
  Role role;
  const char* folder;             // of the owner's pinned programs, which are called as their hooks
  std::array<unsigned, 2> hooks;  // egress, ingress
};
#define VNET_ROLE_HOOKS(role, object, folder, egress, ingress) \
  RoleHooks{Role::role, folder, {VNET_HOOK_##egress, VNET_HOOK_##ingress}},
constexpr RoleHooks role_hooks[] = {VNET_TC_PROGRAMS(VNET_ROLE_HOOKS)};

const RoleHooks& hooks_of(Role role) {
  return *std::ranges::find(role_hooks, role, &RoleHooks::role);
}

Hook direction_of(unsigned hook) {
  return std::string_view(hook_word(hook)).ends_with("-ingress") ? Hook::Ingress : Hook::Egress;
}

}  // namespace

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

AttachPoint Datapath::point_of(const Attachment& attachment, unsigned hook) const {
  auto make = attachment.role == Role::Parent ? &Datapath::parent_point : &Datapath::point;
  AttachPoint point = (this->*make)(direction_of(hook), attachment.interface, attachment.ifindex);
  point.replaces_ingress = attachment.replaces_ingress;
  return point;
}

fs::path Datapath::program_folder(const Attachment& attachment) const {
  return fs::path(hooks_of(attachment.role).folder) / pin_name(attachment.owner);
}

fs::path Datapath::program_pin(const Attachment& attachment, unsigned hook) const {
  std::string name = hook_word(hook);
  std::ranges::replace(name, '-', '_');
  return pins_ / program_folder(attachment) / name;
}

Result<void> Datapath::attach(const Attachment& attachment, bool ingress_first) {
  VNET_TRY(make_folders(pins_ / "links"));
  auto hooks = hooks_of(attachment.role).hooks;
  if (ingress_first) std::ranges::reverse(hooks);
  for (unsigned hook : hooks) {
    auto pin = program_pin(attachment, hook);
    Fd program(bpf_obj_get(pin.c_str()));
    if (!program) return system_error(fmt::format("opening the pinned program {}", pin.string()));
    VNET_TRY(attach_program(point_of(attachment, hook), program.get()));
    // Not before: a hook takes a program once.
    if (ingress_first && hook == VNET_HOOK_UPLINK_INGRESS)
      VNET_TRY(show_to_old(attachment.interface, attachment.ifindex));
  }
  auto left = missing(attachment);
  if (left.empty()) return {};
  return failed(fmt::format("attaching to {}: the kernel took {}, and does not have it", attachment.interface,
                            hook_word(left.front())));
}

std::vector<unsigned> Datapath::missing(const Attachment& attachment) const {
  std::vector<unsigned> left;
  for (unsigned hook : hooks_of(attachment.role).hooks)
    if (!is_attached(point_of(attachment, hook), Fd(bpf_obj_get(program_pin(attachment, hook).c_str()))))
      left.push_back(hook);
  return left;
}

bool Datapath::holds(const Attachment& attachment) const {
  return std::ranges::any_of(hooks_of(attachment.role).hooks, [&](unsigned hook) {
    auto program = attached_program(point_of(attachment, hook));
    return program && *program && is_ours(attachment.role, program->get());
  });
}

AttachPoint Datapath::old_point(const std::string& interface, int ifindex) const {
  return {.ifindex = ifindex,
          .interface = interface,
          .hook = Hook::Ingress,
          .link_pin = Before(pins_).folder() / "links" / pin_name(interface),
          .clsact_order = 1};
}

Result<void> Datapath::show_to_old(const std::string& interface, int ifindex) const {
  if (!pinned_layout(Before(pins_).folder() / "maps")) return {};  // it knows no more than the new one
  auto pin =
      Before(pins_).folder() / program_folder({.role = Role::Uplink, .owner = interface}) / "uplink_ingress";
  Fd program(bpf_obj_get(pin.c_str()));
  if (!program) return {};
  VNET_TRY(make_folders(Before(pins_).folder() / "links"));
  return attach_program(old_point(interface, ifindex), program.get());
}

Result<void> Datapath::show_to_new_only(const std::string& interface, int ifindex) const {
  return detach_program(old_point(interface, ifindex));
}

AttachPoint Datapath::old_police_point(const std::string& interface, int ifindex) const {
  return {.ifindex = ifindex,
          .interface = interface,
          .hook = Hook::Ingress,
          .link_pin = pins_ / "links" / (pin_name(interface) + "%police-ingress"),
          .first = true,
          .clsact_order = -2,  // -1 is a parent's
          .replaces_ingress = true};
}

Result<void> Datapath::detach(const std::string& interface, int ifindex) {
  VNET_TRY(detach_program(old_police_point(interface, ifindex)));
  for (Hook hook : {Hook::Ingress, Hook::Egress}) VNET_TRY(detach_program(point(hook, interface, ifindex)));
  return {};
}

Result<Fd> Datapath::attached(const std::string& interface, int ifindex, unsigned hook) const {
  bool parents = std::string_view(hook_word(hook)).starts_with("parent-");
  return attached_program(point_of(
      {.role = parents ? Role::Parent : Role::Port, .interface = interface, .ifindex = ifindex}, hook));
}

Result<void> Datapath::detach_parent(const std::string& interface, int ifindex) {
  for (Hook hook : {Hook::Ingress, Hook::Egress})
    VNET_TRY(detach_program(parent_point(hook, interface, ifindex)));
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

}  // namespace vnet
