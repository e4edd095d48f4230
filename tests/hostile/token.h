// SPDX-License-Identifier: GPL-2.0-or-later
// What marks a frame: wherever it turns up again, whole, cut, translated or quoted, it says who sent it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "tests/support/packet.h"

namespace vnet::hostile {

using test::Bytes;

struct Token {
  std::uint8_t guest = 0;
  std::uint32_t number = 0;
};

// So many bytes filled with it over and over: a later fragment has it, too.
void append(Bytes& bytes, const Token& token, std::size_t size);

std::optional<Token> find_token(std::span<const std::uint8_t> frame);

}  // namespace vnet::hostile
