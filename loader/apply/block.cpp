// SPDX-License-Identifier: GPL-2.0-or-later
// The block list, which works with and without active networks.
#include "loader/bpf/block_list.h"

#include "loader/apply/apply.h"

namespace vnet {

Result<void> apply(System& system, const BlockPrefix& change) {
  VNET_TRY(system.dirs.ensure_bpffs());
  VNET_ASSIGN(auto list, BlockList::open_or_create(system.dirs.pins()));
  if (system.datapath) VNET_TRY(BlockList::switch_on(system.datapath->maps(), true));
  return list.add(change.prefix);
}
Result<void> undo(System& system, const BlockPrefix& change) {
  return apply(system, UnblockPrefix{change.prefix});
}

Result<void> apply(System& system, const UnblockPrefix& change) {
  VNET_ASSIGN(auto list, BlockList::open(system.dirs.pins()));
  if (!list) return {};
  VNET_TRY(list->remove(change.prefix));
  if (!list->empty()) return {};
  if (system.datapath) return BlockList::switch_on(system.datapath->maps(), false);
  list.reset();
  BlockList::remove_other_pins(system.dirs.pins());  // without networks an empty list leaves nothing
  return {};
}
Result<void> undo(System& system, const UnblockPrefix& change) {
  return apply(system, BlockPrefix{change.prefix});
}

}  // namespace vnet
