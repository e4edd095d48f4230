// SPDX-License-Identifier: GPL-2.0-or-later
// Drop reasons and hooks in words, as users see them.
#pragma once

#include <optional>
#include <string_view>

#include "loader/model/drop_reason.h"
#include "maps/hooks.h"
#include "maps/reasons.h"

namespace vnet {

const char* reason_word(unsigned reason);     // "spoofed-mac"
const char* reason_meaning(unsigned reason);  // a sentence
std::optional<unsigned> reason_number(std::string_view word);
const char* hook_word(unsigned hook);  // "port-ingress"

}  // namespace vnet
