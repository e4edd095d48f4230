// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/bpf/fence.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/netfilter.h>
#include <net/if.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "fence.skel.h"
#include "loader/base/fd.h"
#include "loader/bpf/before.h"
#include "loader/bpf/build.h"
#include "loader/bpf/datapath.h"
#include "loader/bpf/shared_maps.h"
#include "loader/netlink/nftables.h"

namespace vnet {
namespace {

namespace fs = std::filesystem;

constexpr unsigned netfilter_link = 10;  // BPF_LINK_TYPE_NETFILTER

// Behind everybody, but the very last (NF_IP_PRI_LAST), which the kernel keeps for itself. Only one BPF
// program can have a priority: a new one stands next to the one that it replaces, and others may be there.
constexpr int last_priority = INT_MAX - 1;
constexpr int priorities = 16;

struct Place {
  unsigned family;
  const char* pin;
};
constexpr Place places[] = {{NFPROTO_IPV4, "%forward4"}, {NFPROTO_IPV6, "%forward6"}};

fs::path pin_of(const fs::path& pins, const Place& place) {
  return pins / "links" / place.pin;
}
fs::path next_pin_of(const fs::path& pins, const Place& place) {
  return pins / "links" / fmt::format("{}%next", place.pin);
}

Result<void> unpin(const fs::path& path) {
  if (::unlink(path.c_str()) && errno != ENOENT) return system_error("unpinning " + path.string());
  return {};
}

// The kernel's structures with their netfilter members, which the old headers lack.
struct NetfilterLinkAttributes {
  __u32 program, target, attach_type, flags;
  __u32 family, hook;
  __s32 priority;
  __u32 netfilter_flags;
};
struct NetfilterLinkInfo {
  __u32 type, id, program, pad;
  __u32 family, hook;
  __s32 priority;
  __u32 flags;
  char room[96];  // a kernel that knows more fills it
};

Fd make_link(int program, unsigned family, int priority) {
  NetfilterLinkAttributes attributes{.program = static_cast<__u32>(program),
                                     .target = 0,
                                     .attach_type = netfilter_attachment,
                                     .flags = 0,
                                     .family = family,
                                     .hook = NF_INET_FORWARD,
                                     .priority = priority,
                                     .netfilter_flags = 0};
  return Fd(static_cast<int>(::syscall(__NR_bpf, BPF_LINK_CREATE, &attributes, sizeof(attributes))));
}

struct Linked {
  Fd program;
  int priority = 0;
};

// The pinned link's program. nullopt: there is none that could be ours.
std::optional<Linked> linked_at(const fs::path& pins, const Place& place) {
  Fd link(bpf_obj_get(pin_of(pins, place).c_str()));
  if (!link) return std::nullopt;
  NetfilterLinkInfo info{};
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(link.get(), &info, &size)) return std::nullopt;
  if (info.type != netfilter_link || info.family != place.family || info.hook != NF_INET_FORWARD)
    return std::nullopt;
  Linked linked{.program = Fd(bpf_prog_get_fd_by_id(info.program)), .priority = info.priority};
  if (!linked.program) return std::nullopt;
  return linked;
}

// A link that was detached by force keeps its program, and its information says nothing of it. But its
// priority is free then, here: if it can be had, none was there.
bool is_attached(const Linked& linked, const Place& place) {
  return !make_link(linked.program.get(), place.family, linked.priority) && errno == EBUSY;
}

struct ProgramFacts {
  std::string tag;  // of its instructions
  std::uint64_t build = 0;
  std::vector<__u32> maps;  // but its constants'

  bool operator==(const ProgramFacts&) const = default;
};

bool holds_constants(__u32 map) {
  Fd fd(bpf_map_get_fd_by_id(map));
  bpf_map_info info{};
  __u32 size = sizeof(info);
  return fd && !bpf_obj_get_info_by_fd(fd.get(), &info, &size) &&
         std::string_view(info.name).find(".rodata") != std::string_view::npos;
}

std::optional<ProgramFacts> facts_of(int program) {
  ProgramFacts facts{.tag = {}, .maps = std::vector<__u32>(64)};
  bpf_prog_info info{};
  info.nr_map_ids = static_cast<__u32>(facts.maps.size());
  info.map_ids = reinterpret_cast<__u64>(facts.maps.data());
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(program, &info, &size)) return std::nullopt;
  facts.tag.assign(reinterpret_cast<const char*>(info.tag), sizeof(info.tag));
  facts.maps.resize(std::min<std::size_t>(info.nr_map_ids, facts.maps.size()));
  std::erase_if(facts.maps, holds_constants);
  facts.build = build_of(program);
  std::ranges::sort(facts.maps);
  return facts;
}

// The maps may have been made anew since it was loaded.
bool asks_these_maps(int program, SharedMaps& maps) {
  bpf_map_info info{};
  __u32 size = sizeof(info);
  auto facts = facts_of(program);
  return facts && !bpf_obj_get_info_by_fd(maps.devices.fd(), &info, &size) &&
         std::ranges::binary_search(facts->maps, info.id);
}

Result<void> attach(const fs::path& pins, const Place& place, int program) {
  VNET_TRY(unpin(next_pin_of(pins, place)));  // of one who was killed
  auto before = linked_at(pins, place);
  if (before && is_attached(*before, place)) {
    auto facts = facts_of(program);
    if (facts && facts == facts_of(before->program.get())) return {};
  }
  const std::string doing = "attaching to FORWARD";
  Fd link;
  for (int i = 0; i < priorities && !link; ++i) {
    link = make_link(program, place.family, last_priority - i);
    if (!link && errno != EBUSY) return system_error(doing);
  }
  if (!link) return system_error(doing);
  // Links of this type cannot be updated: the new one takes the old one's name, and the old one goes with it.
  if (bpf_obj_pin(link.get(), next_pin_of(pins, place).c_str()) ||
      ::rename(next_pin_of(pins, place).c_str(), pin_of(pins, place).c_str()))
    return system_error(doing);
  return {};
}

Result<void> detach(const fs::path& pins) {
  for (const Place& place : places) {
    VNET_TRY(unpin(pin_of(pins, place)));
    VNET_TRY(unpin(next_pin_of(pins, place)));
  }
  return {};
}

// "" where there is no such table, or no nftables at all.
Result<std::string> list_table() {
  auto tables = run_nft("list tables", true);
  if (!tables || tables->empty()) return "";
  auto document = nlohmann::json::parse(*tables, nullptr, false);
  if (!document.is_object() || !document["nftables"].is_array()) return failed("nft: no list of tables");
  for (const auto& entry : document["nftables"])
    if (auto it = entry.find("table");
        it != entry.end() && it->value("family", "") == "inet" && it->value("name", "") == "vnet_bpf")
      return run_nft("list table inet vnet_bpf", true);
  return "";
}

Result<void> write_table(const std::vector<FenceRule>& rules) {
  auto written = run_nft(fence_table(rules));
  if (!written) return std::unexpected(std::move(written).error().within("writing the nft table vnet_bpf"));
  return {};
}

Result<void> remove_table() {
  VNET_ASSIGN(auto table, list_table());
  if (table.empty()) return {};
  return write_table({});
}

bool has_netfilter_programs() {
  // return NF_ACCEPT
  const bpf_insn accept[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 1},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  DECLARE_LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = netfilter_attachment);
  Fd program(bpf_prog_load(netfilter_program, "probe", "GPL", accept, std::size(accept), &options));
  // The fence reads structures of the kernel, and must be told where their fields are.
  return program && !::access("/sys/kernel/btf/vmlinux", R_OK);
}

}  // namespace

FenceWay Fence::way() {
  const char* how = std::getenv("VNET_BPF_FENCE");
  if (how && std::strcmp(how, "nft") == 0) return FenceWay::Table;
  return has_netfilter_programs() ? FenceWay::Program : FenceWay::Table;
}

Result<void> Fence::put_up(Datapath& datapath, const std::vector<FenceRule>& rules) {
  if (way() == FenceWay::Table) {
    VNET_TRY(write_table(rules));
    return detach(datapath.pins());
  }
  VNET_ASSIGN(auto program, datapath.load_fence());
  std::error_code error;
  fs::create_directories(datapath.pins() / "links", error);
  if (error)
    return failed(fmt::format("creating {}: {}", (datapath.pins() / "links").string(), error.message()));
  for (const Place& place : places) VNET_TRY(attach(datapath.pins(), place, program.get()));
  return remove_table();
}

Result<bool> Fence::stands(Datapath& datapath, const std::vector<FenceRule>& rules) {
  if (way() == FenceWay::Table) {
    VNET_ASSIGN(auto table, list_table());
    auto index_of = [](const std::string& name) { return static_cast<int>(::if_nametoindex(name.c_str())); };
    return table.empty() ? fence_table(rules) == fence_table({}) : is_fence_table(table, rules, index_of);
  }
  return std::ranges::all_of(places, [&](const Place& place) {
    auto linked = linked_at(datapath.pins(), place);
    return linked && asks_these_maps(linked->program.get(), datapath.maps()) && is_attached(*linked, place);
  });
}

bool Fence::is_current(const fs::path& pins) {
  return std::ranges::all_of(places, [&](const Place& place) {
    auto linked = linked_at(pins, place);
    return !linked || build_of(linked->program.get()) == this_build<fence_bpf>();
  });
}

Result<void> Fence::keep(const fs::path& pins) {
  for (const Place& place : places)
    if (auto linked = linked_at(pins, place)) VNET_TRY(Before(pins).keep(place.pin, linked->program));
  return {};
}

Result<void> Fence::put_back(const fs::path& pins) {
  for (const Place& place : places)
    if (Fd program = Before(pins).kept(place.pin)) VNET_TRY(attach(pins, place, program.get()));
  return {};
}

Result<void> Fence::take_down(const fs::path& pins) {
  VNET_TRY(detach(pins));
  return remove_table();
}

}  // namespace vnet
