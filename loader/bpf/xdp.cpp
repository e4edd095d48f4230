// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/bpf/xdp.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <vector>

#include "loader/base/fd.h"
#include "loader/bpf/attach.h"

namespace vnet {
namespace {

// Before programs that look at what is left (50), behind those that drop by address (xdp-filter: 10).
constexpr unsigned run_priority = 20;

struct Close {
  void operator()(xdp_program* program) const { xdp_program__close(program); }
  void operator()(xdp_multiprog* all) const { xdp_multiprog__close(all); }
};
using Program = std::unique_ptr<xdp_program, Close>;
using Programs = std::unique_ptr<xdp_multiprog, Close>;

int say_nothing(libxdp_print_level, const char*, va_list) {
  return 0;
}

// libxdp reads where its pins are from the environment.
void use_bpffs(const XdpPoint& point) {
  ::setenv(XDP_BPFFS_ENVVAR, point.bpffs.c_str(), 1);
  libxdp_set_print(say_nothing);
}

struct Hooked {
  __u32 native = 0, generic = 0;  // program ids
  __u32 any() const { return native ? native : generic; }
};

Hooked hooked(int ifindex) {
  DECLARE_LIBBPF_OPTS(bpf_xdp_query_opts, options);
  if (bpf_xdp_query(ifindex, 0, &options)) return {};
  return {.native = options.drv_prog_id, .generic = options.skb_prog_id};
}

// The pinned link, while it leads to the very interface, and its program.
struct OwnLink {
  Fd fd;
  __u32 program = 0;
};
std::optional<OwnLink> own_link(const XdpPoint& point) {
  OwnLink link{.fd = Fd(bpf_obj_get(point.link_pin.c_str()))};
  bpf_link_info info{};
  __u32 size = sizeof(info);
  if (!link.fd || bpf_obj_get_info_by_fd(link.fd.get(), &info, &size) || info.type != BPF_LINK_TYPE_XDP ||
      info.xdp.ifindex != static_cast<__u32>(point.ifindex))
    return std::nullopt;
  link.program = info.prog_id;
  return link;
}

// What libxdp's dispatcher has on the interface; nullptr: there is none.
Programs dispatched(int ifindex) {
  xdp_multiprog* all = xdp_multiprog__get_from_ifindex(ifindex);
  if (libxdp_get_error(all)) return nullptr;
  Programs programs(all);
  return xdp_multiprog__is_legacy(programs.get()) ? nullptr : std::move(programs);
}

std::vector<xdp_program*> ours_among(const XdpPoint& point, const xdp_multiprog* all) {
  std::vector<xdp_program*> ours;
  for (xdp_program* at = nullptr; (at = xdp_multiprog__next_prog(at, all));)
    if (point.program == xdp_program__name(at)) ours.push_back(at);
  return ours;
}

// Takes away ours but the one with that id.
void detach_dispatched(const XdpPoint& point, __u32 keep) {
  Programs all = dispatched(point.ifindex);
  if (!all) return;
  xdp_attach_mode mode = xdp_multiprog__attach_mode(all.get());
  std::vector<__u32> gone;
  for (xdp_program* ours : ours_among(point, all.get()))
    if (xdp_program__id(ours) != keep) gone.push_back(xdp_program__id(ours));
  for (__u32 id : gone) {
    xdp_program* program = xdp_program__from_id(id);
    if (libxdp_get_error(program)) continue;
    xdp_program__detach(Program(program).get(), point.ifindex, mode, 0);
  }
}

bpf_program* find(bpf_object* object, const XdpPoint& point) {
  return bpf_object__find_program_by_name(object, point.program.c_str());
}

// Whether the kernel can replace functions of XDP programs, tried on one that is attached nowhere. libxdp
// would find out on the interface, and a card may lose its link for each attempt.
bool can_replace(const XdpPoint& point, int loaded, const OpenXdp& open) {
  auto object = open();
  bpf_program* program = object ? find(object->get(), point) : nullptr;
  if (!program || bpf_program__set_type(program, BPF_PROG_TYPE_EXT) ||
      bpf_program__set_expected_attach_type(program, static_cast<bpf_attach_type>(0)) ||
      bpf_program__set_attach_target(program, loaded, point.program.c_str()) ||
      bpf_object__load(object->get()))
    return false;
  bpf_link* link = bpf_program__attach(program);
  if (!link) return false;
  bpf_link__destroy(link);
  return true;
}

Result<bool> dispatch(const XdpPoint& point, bool generic, const OpenXdp& open) {
  VNET_ASSIGN(auto object, open());
  DECLARE_LIBBPF_OPTS(xdp_program_opts, options, .obj = object.get(), .prog_name = point.program.c_str());
  xdp_program* raw = xdp_program__create(&options);
  if (libxdp_get_error(raw)) return false;
  Program program(raw);
  xdp_program__set_run_prio(raw, run_priority);
  xdp_program__set_chain_call_enabled(raw, XDP_PASS, true);
  if (xdp_program__attach(raw, point.ifindex, generic ? XDP_MODE_SKB : XDP_MODE_NATIVE, 0)) return false;
  if (!dispatched(point.ifindex)) {  // libxdp has given in and attached it alone: a link is better
    xdp_program__detach(raw, point.ifindex, generic ? XDP_MODE_SKB : XDP_MODE_NATIVE, 0);
    return false;
  }
  detach_dispatched(point, xdp_program__id(raw));
  return true;
}

// 0 or errno.
int link_alone(const XdpPoint& point, bool generic, int program) {
  if (::unlink(point.link_pin.c_str()) && errno != ENOENT) return errno;
  DECLARE_LIBBPF_OPTS(bpf_link_create_opts, options,
                      .flags = generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
  Fd link(bpf_link_create(program, point.ifindex, BPF_XDP, &options));
  if (!link) return errno;
  return bpf_obj_pin(link.get(), point.link_pin.c_str()) ? errno : 0;
}

std::string why_not(int error) {
  switch (error) {
    case EOPNOTSUPP:
      return "the driver has no native XDP";
    case EINVAL:
    case ERANGE:
      return "the driver refuses it: its MTU or its offloads do not allow it";
    case ENOSPC:
    case ENOMEM:
      return "the driver has no queues left for it";
    default:
      return std::strerror(error);
  }
}

}  // namespace

Result<XdpState> attach_xdp(const XdpPoint& point, const OpenXdp& open) {
  use_bpffs(point);
  VNET_ASSIGN(auto object, open());
  if (int error = bpf_object__load(object.get()))
    return system_error(fmt::format("loading {} into the kernel", point.program), -error);
  int program = bpf_program__fd(find(object.get(), point));
  if (auto link = own_link(point)) {
    bool generic = hooked(point.ifindex).generic == link->program;
    if ((!generic || point.generic) && !bpf_link_update(link->fd.get(), program, nullptr))
      return XdpState{.how = XdpHow::Link, .generic = generic};
  }
  if (::unlink(point.link_pin.c_str()) && errno != ENOENT) return system_error("unpinning an XDP link");
  bool shared = dispatched(point.ifindex) != nullptr;
  if (__u32 theirs = hooked(point.ifindex).any(); theirs && !shared)
    return XdpState{.why = fmt::format("another program, {}, has the hook to itself", program_name(theirs))};
  bool can = shared || can_replace(point, program, open);
  int error = 0;
  for (bool generic : {false, true}) {
    if (generic && !point.generic) break;
    if (can) {
      VNET_ASSIGN(bool done, dispatch(point, generic, open));
      if (done) return XdpState{.how = XdpHow::Dispatcher, .generic = generic};
    }
    if (shared) continue;
    error = link_alone(point, generic, program);
    if (!error) return XdpState{.how = XdpHow::Link, .generic = generic};
  }
  if (shared) return XdpState{.why = "libxdp's dispatcher there, shared with others, takes no program more"};
  return XdpState{.why = why_not(error)};
}

Result<void> replace_xdp(const XdpPoint& point, int program) {
  if (auto link = own_link(point); link && !bpf_link_update(link->fd.get(), program, nullptr)) return {};
  return detach_xdp(point);
}

Result<void> detach_xdp(const XdpPoint& point) {
  use_bpffs(point);
  if (::unlink(point.link_pin.c_str()) && errno != ENOENT)
    return system_error(fmt::format("detaching from {}", point.interface));
  detach_dispatched(point, 0);
  return {};
}

XdpState xdp_state(const XdpPoint& point) {
  use_bpffs(point);
  Hooked there = hooked(point.ifindex);
  if (auto link = own_link(point); link && link->program)
    return {.how = XdpHow::Link, .generic = there.generic == link->program};
  Programs all = there.any() ? dispatched(point.ifindex) : nullptr;
  if (!all || ours_among(point, all.get()).empty()) return {};
  return {.how = XdpHow::Dispatcher, .generic = xdp_multiprog__attach_mode(all.get()) == XDP_MODE_SKB};
}

unsigned xdp_program_id(const XdpPoint& point) {
  use_bpffs(point);
  if (auto link = own_link(point)) return link->program;
  Programs all = hooked(point.ifindex).any() ? dispatched(point.ifindex) : nullptr;
  if (!all) return 0;
  auto ours = ours_among(point, all.get());
  return ours.empty() ? 0 : xdp_program__id(ours.front());
}

}  // namespace vnet
