// SPDX-License-Identifier: GPL-2.0-or-later
// The fence as an nft table of its own, for kernels without netfilter programs: text and comparison, no
// system call. The rules know an interface that packets leave by by its number and its name. The program's
// knowledge that an interface has gone, and its count of drops, they have not: a new interface that has both
// the number and the name of one that has gone is taken for it, until the table is written anew. So
// long one that was renamed is another one: allowed no more, or forbidden no more.
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <vector>

#include "loader/base/error.h"

namespace vnet {

struct FenceInterface {
  int index = 0;
  std::string name;
  auto operator<=>(const FenceInterface&) const = default;
};

// What may be forwarded of what comes in by a gateway. To itself always.
struct FenceRule {
  int gateway = 0;
  // To these interfaces only; all_but: to any others. One whose name nft cannot say is never allowed, and
  // forbidden by its number.
  std::vector<FenceInterface> out = {};
  bool all_but = false;
  bool translated = false;  // nothing that IPsec would encapsulate before it is translated
};

// Commands for nft: the table as it shall be, in place of any older, in one transaction. No rules, no table.
std::string fence_table(const std::vector<FenceRule>& rules);

// May what comes in by `in` be forwarded to `out`? What does not come in by a gateway is none of the fence's.
bool lets_pass(const std::vector<FenceRule>& rules, int in, int out);

// Is that what `nft -j list table` printed? index_of: an interface's number by its name; 0: there is none.
bool is_fence_table(const std::string& json, const std::vector<FenceRule>& rules,
                    const std::function<int(const std::string&)>& index_of);

}  // namespace vnet
