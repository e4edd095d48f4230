// SPDX-License-Identifier: GPL-2.0-or-later
// tc and XDP programs of others on an interface.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <netlink/cache.h>
#include <netlink/netlink.h>
#include <netlink/route/classifier.h>
#include <netlink/route/tc.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "loader/base/fd.h"
#include "loader/bpf/attach.h"
#include "loader/doctor/facts.h"

namespace vnet {
namespace {

constexpr unsigned link_type_tcx = 11;  // newer than the headers of Debian 12's libbpf

bool is_ours(const std::string& name) {
  constexpr std::array names{"port_ingress", "port_egress", "gateway_ingress", "gateway_egress",
                             "uplink_ingress", "uplink_egress", "parent_ingress", "parent_egress",
                             "member_ingress", "member_egress", "uplink_xdp",
                             // libxdp's, which others may share: `xdp-loader status` lists them.
                             "xdp_dispatcher"};
  // The kernel cuts names to 15 characters.
  return std::ranges::any_of(names,
                             [&](const char* ours) { return name == std::string(ours).substr(0, 15); });
}

// The link that holds a program at a tcx hook; 0: it was attached without one.
__u32 tcx_link_of(int ifindex, __u32 attach_type, __u32 program) {
  for (__u32 id = 0; !bpf_link_get_next_id(id, &id);) {
    Fd link(bpf_link_get_fd_by_id(id));
    // struct bpf_link_info with the tcx member, which the old headers lack: it follows the common part.
    struct {
      bpf_link_info common;
      char room[64];
    } info{};
    __u32 size = sizeof(info.common);
    if (!link || bpf_obj_get_info_by_fd(link.get(), &info.common, &size)) continue;
    if (info.common.type != link_type_tcx || info.common.prog_id != program) continue;
    struct {
      __u32 ifindex, attach_type;
    } where{};
    std::memcpy(&where, reinterpret_cast<const char*>(&info) + offsetof(bpf_link_info, raw_tracepoint),
                sizeof(where));
    if (where.ifindex == static_cast<__u32>(ifindex) && where.attach_type == attach_type) return id;
  }
  return 0;
}

void add_tcx(const LinkInfo& link, Hook hook, std::vector<ForeignProgram>& into) {
  const __u32 type = hook == Hook::Ingress ? 46 : 47;
  const char* word = hook == Hook::Ingress ? "tcx ingress" : "tcx egress";
  std::array<__u32, 64> ids{};
  DECLARE_LIBBPF_OPTS(bpf_prog_query_opts, options);
  options.prog_ids = ids.data();
  options.prog_cnt = ids.size();
  const auto at = static_cast<bpf_attach_type>(type);  // NOLINT(*EnumCastOutOfRange): newer than the headers
  if (bpf_prog_query_opts(link.ifindex, at, &options)) return;
  for (__u32 i = 0; i < options.prog_cnt && i < ids.size(); ++i) {
    std::string name = program_name(ids[i]);
    if (is_ours(name)) continue;
    __u32 held_by = tcx_link_of(link.ifindex, type, ids[i]);
    into.push_back({word, name,
                    held_by ? fmt::format("bpftool link detach id {}", held_by)
                            : fmt::format("bpftool net detach {} dev {}",
                                          hook == Hook::Ingress ? "tcx_ingress" : "tcx_egress", link.name)});
  }
}

// Every filter there, whatever its kind.
void add_clsact(nl_sock* socket, const LinkInfo& link, Hook hook, std::vector<ForeignProgram>& into) {
  nl_cache* raw = nullptr;
  const __u32 parent = hook == Hook::Ingress ? 0xfffffff2U : 0xfffffff3U;
  if (rtnl_cls_alloc_cache(socket, link.ifindex, parent, &raw)) return;
  std::unique_ptr<nl_cache, decltype(&nl_cache_free)> cache(raw, nl_cache_free);
  std::vector<unsigned> seen;
  for (nl_object* object = nl_cache_get_first(raw); object; object = nl_cache_get_next(object)) {
    auto* filter = reinterpret_cast<rtnl_cls*>(object);
    unsigned priority = rtnl_cls_get_prio(filter);
    if (is_our_priority(priority) || std::ranges::find(seen, priority) != seen.end()) continue;
    seen.push_back(priority);
    const char* kind = rtnl_tc_get_kind(TC_CAST(filter));
    const char* word = hook == Hook::Ingress ? "ingress" : "egress";
    into.push_back({fmt::format("clsact {}", word), fmt::format("filter {}", kind ? kind : "of unknown kind"),
                    fmt::format("tc filter del dev {} {} pref {}", link.name, word, priority)});
  }
}

void add_xdp(const LinkInfo& link, std::vector<ForeignProgram>& into) {
  DECLARE_LIBBPF_OPTS(bpf_xdp_query_opts, options);
  if (bpf_xdp_query(link.ifindex, 0, &options)) return;
  struct {
    __u32 id;
    const char *hook, *word;
  } modes[] = {{options.skb_prog_id, "xdp (generic)", "xdpgeneric"},
               {options.drv_prog_id, "xdp", "xdpdrv"},
               {options.hw_prog_id, "xdp (in the card)", "xdpoffload"}};
  for (const auto& mode : modes)
    if (mode.id && !is_ours(program_name(mode.id)))
      into.push_back(
          {mode.hook, program_name(mode.id), fmt::format("ip link set dev {} {} off", link.name, mode.word)});
}

}  // namespace

std::vector<ForeignProgram> gather_programs(const LinkInfo& link) {
  std::vector<ForeignProgram> all;
  for (Hook hook : {Hook::Ingress, Hook::Egress}) add_tcx(link, hook, all);
  std::unique_ptr<nl_sock, decltype(&nl_socket_free)> socket(nl_socket_alloc(), nl_socket_free);
  if (socket && !nl_connect(socket.get(), NETLINK_ROUTE))
    for (Hook hook : {Hook::Ingress, Hook::Egress}) add_clsact(socket.get(), link, hook, all);
  add_xdp(link, all);
  return all;
}

}  // namespace vnet
