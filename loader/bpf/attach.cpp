// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/bpf/attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <netlink/cache.h>
#include <netlink/netlink.h>
#include <netlink/route/classifier.h>
#include <netlink/route/qdisc.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "loader/base/fd.h"

namespace vnet {
namespace {

// Newer than the headers of Debian 12's libbpf.
constexpr auto tcx_ingress = static_cast<bpf_attach_type>(46);
constexpr auto tcx_egress = static_cast<bpf_attach_type>(47);
constexpr unsigned before_all = 1U << 3;  // BPF_F_BEFORE without anybody named

// How our clsact filters are told from others'.
constexpr unsigned filter_handle = 0x766e;
constexpr unsigned filter_priority = our_filter_priority;

std::string describe(const AttachPoint& point) {
  return fmt::format("attaching to {} {}", point.interface,
                     point.hook == Hook::Ingress ? "ingress" : "egress");
}

// The tests run both ways on one kernel; nothing else needs this.
bool tcx_wanted() {
  const char* how = std::getenv("VNET_BPF_ATTACH");
  return !how || std::strcmp(how, "clsact") != 0;
}

unsigned priority_of(const AttachPoint& point) {
  return filter_priority + static_cast<unsigned>(point.clsact_order);
}

bpf_tc_hook clsact_hook(const AttachPoint& point) {
  bpf_tc_hook hook{};
  hook.sz = sizeof(hook);
  hook.ifindex = point.ifindex;
  hook.attach_point = point.hook == Hook::Ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS;
  return hook;
}

// `ingress` is where clsact would be, and takes filters for its egress as such for ingress.
Result<void> make_clsact(const AttachPoint& point) {
  auto hook = clsact_hook(point);
  int error = bpf_tc_hook_create(&hook);
  if (!error) return {};
  if (error != -EEXIST) return system_error(describe(point), -error);
  std::unique_ptr<nl_sock, decltype(&nl_socket_free)> socket(nl_socket_alloc(), nl_socket_free);
  nl_cache* found = nullptr;
  if (!socket || nl_connect(socket.get(), NETLINK_ROUTE) || rtnl_qdisc_alloc_cache(socket.get(), &found))
    return failed(describe(point) + ": the queueing disciplines cannot be listed");
  std::unique_ptr<nl_cache, decltype(&nl_cache_free)> cache(found, nl_cache_free);
  std::unique_ptr<rtnl_qdisc, decltype(&rtnl_qdisc_put)> qdisc(
      rtnl_qdisc_get_by_parent(cache.get(), point.ifindex, TC_H_INGRESS), rtnl_qdisc_put);
  if (!qdisc || std::strcmp(rtnl_tc_get_kind(TC_CAST(qdisc.get())), "ingress") != 0) return {};
  if (!point.replaces_ingress)
    return failed(
        fmt::format("{}: it has an ingress qdisc, and this kernel has no other place for programs "
                    "than clsact, which excludes it (tc qdisc del dev {} ingress)",
                    describe(point), point.interface));
  if (int refused = rtnl_qdisc_delete(socket.get(), qdisc.get()))
    return failed(fmt::format("{}: removing the ingress qdisc: {}", describe(point), nl_geterror(refused)));
  error = bpf_tc_hook_create(&hook);
  if (error) return system_error(describe(point), -error);
  return {};
}

Result<void> attach_clsact(const AttachPoint& point, int program) {
  VNET_TRY(make_clsact(point));
  auto hook = clsact_hook(point);
  bpf_tc_opts options{};
  options.sz = sizeof(options);
  options.prog_fd = program;
  options.handle = filter_handle;
  options.priority = priority_of(point);
  options.flags = BPF_TC_F_REPLACE;
  if (int error = bpf_tc_attach(&hook, &options)) return system_error(describe(point), -error);
  return {};
}

bool clsact_empty(int ifindex) {
  std::unique_ptr<nl_sock, decltype(&nl_socket_free)> socket(nl_socket_alloc(), nl_socket_free);
  if (!socket || nl_connect(socket.get(), NETLINK_ROUTE)) return false;
  for (unsigned parent : {0xfffffff2U, 0xfffffff3U}) {
    nl_cache* cache = nullptr;
    if (rtnl_cls_alloc_cache(socket.get(), ifindex, parent, &cache)) return false;
    int entries = nl_cache_nitems(cache);
    nl_cache_free(cache);
    if (entries) return false;
  }
  return true;
}

void detach_clsact(const AttachPoint& point) {
  auto hook = clsact_hook(point);
  bpf_tc_opts options{};
  options.sz = sizeof(options);
  options.handle = filter_handle;
  options.priority = priority_of(point);
  if (bpf_tc_detach(&hook, &options)) return;  // not there
  // The qdisc was made for filters; without any it goes, too.
  if (clsact_empty(point.ifindex)) {
    // libbpf takes the sum of both for the qdisc itself.
    hook.attach_point =
        static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS);  // NOLINT(*EnumCastOutOfRange)
    bpf_tc_hook_destroy(&hook);
  }
}

// The pinned link, if it still leads to the very interface.
Fd usable_link(const AttachPoint& point) {
  Fd link(bpf_obj_get(point.link_pin.c_str()));
  if (!link) return {};
  // struct bpf_link_info with the tcx member, which the old headers lack: ifindex follows the common part.
  struct {
    bpf_link_info common;
    char room[64];
  } info{};
  __u32 size = sizeof(info.common);
  if (bpf_obj_get_info_by_fd(link.get(), &info.common, &size)) return {};
  __u32 ifindex = 0;
  std::memcpy(&ifindex, reinterpret_cast<const char*>(&info.common) + offsetof(bpf_link_info, raw_tracepoint),
              sizeof(ifindex));
  if (ifindex != static_cast<__u32>(point.ifindex)) return {};
  return link;
}

}  // namespace

Result<void> attach_program(const AttachPoint& point, int program) {
  if (!tcx_wanted()) return attach_clsact(point, program);
  if (Fd link = usable_link(point); link) {
    if (!bpf_link_update(link.get(), program, nullptr)) return {};
    if (errno != ENOLINK) return system_error(describe(point));
  }
  if (::unlink(point.link_pin.c_str()) && errno != ENOENT) return system_error(describe(point));
  DECLARE_LIBBPF_OPTS(bpf_link_create_opts, options, .flags = point.first ? before_all : 0);
  Fd link(bpf_link_create(program, point.ifindex, point.hook == Hook::Ingress ? tcx_ingress : tcx_egress,
                          &options));
  if (!link && errno == EINVAL) return attach_clsact(point, program);  // a kernel without tcx
  if (!link) return system_error(describe(point));
  if (bpf_obj_pin(link.get(), point.link_pin.c_str())) return system_error(describe(point));
  // tcx runs first: what an older version attached may go now, without a gap.
  detach_clsact(point);
  return {};
}

Result<void> detach_program(const AttachPoint& point) {
  // The pin alone keeps the link: without it the kernel detaches.
  if (::unlink(point.link_pin.c_str()) && errno != ENOENT)
    return system_error(fmt::format("detaching from {}", point.interface));
  detach_clsact(point);
  return {};
}

namespace {

// 0: none of ours.
__u32 attached_id(const AttachPoint& point) {
  if (Fd link = usable_link(point); link) {
    bpf_link_info info{};
    __u32 size = sizeof(info);
    return bpf_obj_get_info_by_fd(link.get(), &info, &size) ? 0 : info.prog_id;
  }
  auto hook = clsact_hook(point);
  bpf_tc_opts options{};
  options.sz = sizeof(options);
  options.handle = filter_handle;
  options.priority = priority_of(point);
  return bpf_tc_query(&hook, &options) ? 0 : options.prog_id;
}

}  // namespace

Result<Fd> attached_program(const AttachPoint& point) {
  __u32 id = attached_id(point);
  if (!id) return Fd();
  Fd program(bpf_prog_get_fd_by_id(id));
  if (!program)
    return system_error(fmt::format("opening the program at {} {}", point.interface,
                                    point.hook == Hook::Ingress ? "ingress" : "egress"));
  return program;
}

bool is_attached(const AttachPoint& point, const Fd& program) {
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  return program && !bpf_obj_get_info_by_fd(program.get(), &info, &size) && info.id == attached_id(point);
}

std::string program_name(__u32 id) {
  Fd program(bpf_prog_get_fd_by_id(id));
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  if (!program || bpf_obj_get_info_by_fd(program.get(), &info, &size)) return fmt::format("program {}", id);
  return info.name[0] ? info.name : fmt::format("program {}", id);
}

}  // namespace vnet
