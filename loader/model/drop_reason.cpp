// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/model/drop_reason.h"

namespace vnet {
namespace {
#define VNET_REASON_WORD(name, word, meaning) word,
#define VNET_REASON_MEANING(name, word, meaning) meaning,
constexpr const char* words[] = {"none", VNET_REASONS(VNET_REASON_WORD)};
constexpr const char* meanings[] = {"", VNET_REASONS(VNET_REASON_MEANING)};
constexpr const char* hook_words[] = {"none", VNET_HOOKS(VNET_REASON_WORD)};
}  // namespace

const char* reason_word(unsigned reason) {
  return reason < VNET_DROP_MAX ? words[reason] : "unknown";
}
std::optional<unsigned> reason_number(std::string_view word) {
  for (unsigned reason = 1; reason < VNET_DROP_MAX; ++reason)
    if (word == words[reason]) return reason;
  return std::nullopt;
}
const char* hook_word(unsigned hook) {
  return hook < VNET_HOOK_MAX ? hook_words[hook] : "unknown";
}
const char* reason_meaning(unsigned reason) {
  return reason < VNET_DROP_MAX ? meanings[reason] : "";
}

}  // namespace vnet
