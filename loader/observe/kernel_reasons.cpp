// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/observe/kernel_reasons.h"

#include <bpf/btf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <span>
#include <string_view>

#include "maps/reasons.h"

namespace vnet {
namespace {

constexpr std::string_view prefixes[] = {"SKB_DROP_REASON_", "SKB_"};

// All others are host-stack.
struct Meaning {
  std::string_view name;
  std::uint8_t ours;
};
constexpr Meaning meanings[] = {
    {"NETFILTER_DROP", VNET_DROP_HOST_FIREWALL},
    {"NOT_DROPPED_YET", VNET_DROP_NONE},
    {"CONSUMED", VNET_DROP_NONE},
    // A program's verdict: ours are counted with a reason of their own.
    {"TC_INGRESS", VNET_DROP_NONE},
    {"TC_EGRESS", VNET_DROP_NONE},
    {"XDP", VNET_DROP_NONE},
    // A sniffer's copy.
    {"PACKET_SOCK_ERROR", VNET_DROP_NONE},
};

std::string_view short_name(std::string_view name) {
  for (std::string_view prefix : prefixes)
    if (name.starts_with(prefix)) return name.substr(prefix.size());
  return name;
}

}  // namespace

Result<KernelReasons> KernelReasons::load() {
  std::unique_ptr<btf, decltype(&btf__free)> kernel(btf__load_vmlinux_btf(), btf__free);
  if (!kernel) return system_error("reading the kernel's BTF");
  int id = btf__find_by_name_kind(kernel.get(), "skb_drop_reason", BTF_KIND_ENUM);
  if (id < 0) return failed("the kernel's BTF does not name the reasons for which it drops packets");
  const btf_type* type = btf__type_by_id(kernel.get(), static_cast<__u32>(id));
  std::vector<std::string> names;
  for (const auto& each : std::span(btf_enum(type), btf_vlen(type))) {
    if (each.val < 0 || each.val >= VNET_KERNEL_REASONS) continue;  // the mask of the subsystems' numbers
    auto number = static_cast<std::size_t>(each.val);
    names.resize(std::max(names.size(), number + 1));
    names[number] = short_name(btf__name_by_offset(kernel.get(), each.name_off));
  }
  return KernelReasons(std::move(names));
}

std::string KernelReasons::name(std::uint32_t reason) const {
  bool named = reason < names_.size() && !names_[reason].empty();
  return named ? names_[reason] : fmt::to_string(reason);
}

bool KernelReasons::is_unspecified(std::uint32_t reason) const {
  return name(reason) == "NOT_SPECIFIED";
}

std::array<std::uint8_t, VNET_KERNEL_REASONS> KernelReasons::ours() const {
  std::array<std::uint8_t, VNET_KERNEL_REASONS> all;
  all.fill(VNET_DROP_HOST_STACK);
  for (const auto& [name, reason] : meanings)
    if (auto at = std::ranges::find(names_, name); at != names_.end())
      all[static_cast<std::size_t>(at - names_.begin())] = reason;
  return all;
}

}  // namespace vnet
