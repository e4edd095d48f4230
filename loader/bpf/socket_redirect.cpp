// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/bpf/socket_redirect.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "host.skel.h"
#include "loader/bpf/before.h"
#include "loader/bpf/bpf_object.h"
#include "loader/bpf/build.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

namespace vnet {
namespace {

namespace fs = std::filesystem;

struct SocketHook {
  const char* program;
  bpf_attach_type type;
};
// What asks back comes first: whoever is led to a guest is answered by what it has asked.
constexpr SocketHook socket_hooks[] = {
    {"host_recvmsg4", BPF_CGROUP_UDP4_RECVMSG},       {"host_recvmsg6", BPF_CGROUP_UDP6_RECVMSG},
    {"host_peername4", BPF_CGROUP_INET4_GETPEERNAME}, {"host_peername6", BPF_CGROUP_INET6_GETPEERNAME},
    {"host_sendmsg4", BPF_CGROUP_UDP4_SENDMSG},       {"host_sendmsg6", BPF_CGROUP_UDP6_SENDMSG},
    {"host_connect4", BPF_CGROUP_INET4_CONNECT},      {"host_connect6", BPF_CGROUP_INET6_CONNECT}};

fs::path socket_pin(const fs::path& pins, const SocketHook& place) {
  return pins / "links" / fmt::format("%{}", place.program);
}

// Mounted for us alone: /sys may not be the one that it is on (`ip netns exec`), and a host that has version
// 1 everywhere has this hierarchy all the same.
Result<Fd> root_cgroup() {
  Fd hierarchy(static_cast<int>(::syscall(__NR_fsopen, "cgroup2", FSOPEN_CLOEXEC)));
  if (!hierarchy || ::syscall(__NR_fsconfig, hierarchy.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0))
    return system_error("opening the root of the cgroups");
  Fd mount(static_cast<int>(::syscall(__NR_fsmount, hierarchy.get(), FSMOUNT_CLOEXEC, 0)));
  if (!mount) return system_error("opening the root of the cgroups");
  Fd root(::openat(mount.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return system_error("opening the root of the cgroups");
  return root;
}

// The pinned link, while it holds its program to the cgroups. One that was detached by force has none any
// more.
struct CgroupLink {
  Fd fd;
  __u32 program = 0;
};
CgroupLink linked(const fs::path& pins, const SocketHook& place) {
  Fd link(bpf_obj_get(socket_pin(pins, place).c_str()));
  bpf_link_info info{};
  __u32 size = sizeof(info);
  if (!link || bpf_obj_get_info_by_fd(link.get(), &info, &size) || info.type != BPF_LINK_TYPE_CGROUP ||
      !info.cgroup.cgroup_id)
    return {};
  return {.fd = std::move(link), .program = info.prog_id};
}

bool asks_these_maps(__u32 program, SharedMaps& maps) {
  Fd fd(bpf_prog_get_fd_by_id(program));
  std::vector<__u32> ids(64);
  bpf_prog_info info{};
  info.nr_map_ids = static_cast<__u32>(ids.size());
  info.map_ids = reinterpret_cast<__u64>(ids.data());
  __u32 size = sizeof(info);
  if (!fd || bpf_obj_get_info_by_fd(fd.get(), &info, &size)) return false;
  ids.resize(std::min<std::size_t>(info.nr_map_ids, ids.size()));
  bpf_map_info map{};
  size = sizeof(map);
  return !bpf_obj_get_info_by_fd(maps.host_peers.fd(), &map, &size) && std::ranges::count(ids, map.id);
}

}  // namespace

Result<std::uint64_t> netns_cookie() {
  Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  std::uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  if (!socket || ::getsockopt(socket.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size))
    return system_error("asking for the network namespace's cookie");
  return cookie;
}

Result<void> SocketRedirect::put_up(Datapath& datapath) {
  VNET_ASSIGN(auto skeleton, open_object<host_bpf>(datapath.maps()));
  VNET_ASSIGN(skeleton->rodata->netns_cookie, netns_cookie());
  VNET_TRY(use_shared_maps(skeleton->obj, datapath.pins()));
  if (int error = host_bpf::load(skeleton.get()))
    return load_failed("the programs at the cgroups' root", error);
  VNET_ASSIGN(auto root, root_cgroup());
  VNET_TRY(make_folders(datapath.pins() / "links"));
  for (const SocketHook& place : socket_hooks) {
    const auto pin = socket_pin(datapath.pins(), place);
    const int program = bpf_program__fd(bpf_object__find_program_by_name(skeleton->obj, place.program));
    if (auto before = linked(datapath.pins(), place);
        before.fd && !bpf_link_update(before.fd.get(), program, nullptr))
      continue;
    Fd link(bpf_link_create(program, root.get(), place.type, nullptr));
    if (!link) return system_error(fmt::format("attaching {} to the root of the cgroups", place.program));
    if (::unlink(pin.c_str()) && errno != ENOENT) return system_error("unpinning " + pin.string());
    if (bpf_obj_pin(link.get(), pin.c_str())) return system_error("pinning " + pin.string());
  }
  return {};
}

bool SocketRedirect::stands(Datapath& datapath) {
  return std::ranges::all_of(socket_hooks, [&](const SocketHook& place) {
    auto link = linked(datapath.pins(), place);
    return link.fd && asks_these_maps(link.program, datapath.maps());
  });
}

bool SocketRedirect::is_there(const fs::path& pins) {
  return std::ranges::any_of(socket_hooks,
                             [&](const SocketHook& place) { return bool(linked(pins, place).fd); });
}

bool SocketRedirect::is_current(const fs::path& pins) {
  return std::ranges::all_of(socket_hooks, [&](const SocketHook& place) {
    auto link = linked(pins, place);
    Fd program(link.fd ? bpf_prog_get_fd_by_id(link.program) : -1);
    return !program || build_of(program.get()) == this_build<host_bpf>();
  });
}

Result<void> SocketRedirect::keep(const fs::path& pins) {
  for (const SocketHook& place : socket_hooks)
    if (auto link = linked(pins, place); link.fd)
      VNET_TRY(Before(pins).keep(place.program, Fd(bpf_prog_get_fd_by_id(link.program))));
  return {};
}

Result<void> SocketRedirect::put_back(const fs::path& pins) {
  for (const SocketHook& place : socket_hooks) {
    Fd program = Before(pins).kept(place.program);
    auto link = linked(pins, place);
    if (program && link.fd && bpf_link_update(link.fd.get(), program.get(), nullptr))
      return system_error(fmt::format("putting back {}", place.program));
  }
  return {};
}

Result<void> SocketRedirect::take_down(const fs::path& pins) {
  for (const SocketHook& place : socket_hooks) {
    const auto pin = socket_pin(pins, place);
    if (::unlink(pin.c_str()) && errno != ENOENT) return system_error("unpinning " + pin.string());
  }
  return {};
}

}  // namespace vnet
