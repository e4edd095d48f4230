// SPDX-License-Identifier: GPL-2.0-or-later
// The block list: works with and without active networks.
#include <fmt/format.h>

#include <algorithm>

#include "loader/bpf/block_list.h"
#include "loader/plan/context.h"

namespace vnet {
namespace {

// A slip that would cut the host off. The list keeps IPv4 addresses inside of ::/80.
Result<void> check_prefix(const Prefix& prefix) {
  if (prefix.length == 0)
    return invalid(fmt::format("block: {} is everybody; name two halves if you mean it", prefix.text()));
  if (prefix.address.family == Family::V6 && prefix.contains(*Address::parse("::ffff:0:0")) &&
      prefix.length <= 96)
    return invalid(fmt::format("block: {} holds IPv4's addresses, too (::ffff:0:0/96)", prefix.text()));
  return {};
}

struct Opened {
  std::optional<BlockList> list;
};

Result<void> block(Context& context, Opened& opened, const Prefix& prefix) {
  if (!opened.list) {
    VNET_TRY(context.dirs.ensure_bpffs());
    VNET_ASSIGN(opened.list, BlockList::open_or_create(context.dirs.pins()));
    if (context.datapath) VNET_TRY(BlockList::switch_on(context.datapath->maps(), true));
  }
  return opened.list->add(prefix);
}

Result<void> unblock(Context& context, Opened& opened, const Prefix& prefix) {
  if (!opened.list) {
    VNET_ASSIGN(opened.list, BlockList::open(context.dirs.pins()));
    if (!opened.list) return {};
  }
  VNET_TRY(opened.list->remove(prefix));
  if (!opened.list->empty()) return {};
  if (context.datapath) return BlockList::switch_on(context.datapath->maps(), false);
  opened.list.reset();
  BlockList::remove_other_pins(context.dirs.pins());  // without networks an empty list leaves nothing
  return {};
}

}  // namespace

Result<Plan> plan_block(Context& context, bool add, const std::vector<Prefix>& prefixes) {
  std::set<Prefix> wanted;
  for (const auto& prefix : prefixes) {
    if (add) VNET_TRY(check_prefix(prefix));
    wanted.insert(prefix.network());
  }
  VNET_ASSIGN(auto list, BlockList::open(context.dirs.pins()));
  std::set<Prefix> there;
  if (list)
    for (const auto& prefix : list->all()) there.insert(prefix);
  Plan plan;
  auto opened = std::make_shared<Opened>();
  std::size_t changed = 0;
  for (const auto& prefix : wanted) {
    if (there.contains(prefix) == add) continue;
    ++changed;
    auto on = [&context, opened, prefix] { return block(context, *opened, prefix); };
    auto off = [&context, opened, prefix] { return unblock(context, *opened, prefix); };
    if (add)
      plan.add("block " + prefix.text(), on, [off] { (void)off(); });
    else
      plan.add("unblock " + prefix.text(), off, [on] { (void)on(); });
  }
  plan.done = fmt::format("{} {}", changed, add ? "blocked" : "unblocked");
  if (changed < wanted.size())
    plan.done += fmt::format(", {} {}", wanted.size() - changed, add ? "already were" : "were not");
  return plan;
}

Result<std::vector<Prefix>> blocked_prefixes(Context& context) {
  VNET_ASSIGN(auto list, BlockList::open(context.dirs.pins()));
  return list ? list->all() : std::vector<Prefix>{};
}

}  // namespace vnet
