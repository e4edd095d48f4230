// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/hostile/token.h"

#include <array>
#include <cstring>

namespace vnet::hostile {
namespace {

constexpr char magic[] = {'\xe5', 'h', 'o', 's', 't', 'i', 'l', '\xe9'};
constexpr std::size_t token_size = 16;

}  // namespace

void append(Bytes& bytes, const Token& token, std::size_t size) {
  std::array<std::uint8_t, token_size> one{};
  std::memcpy(one.data(), magic, sizeof magic);
  one[8] = token.guest;
  for (std::size_t i = 0; i < 4; ++i) one[9 + i] = static_cast<std::uint8_t>(token.number >> (24 - 8 * i));
  // A check: bytes that were changed on the way name nobody.
  for (std::size_t i = 8; i < 13; ++i) one[13] = static_cast<std::uint8_t>(one[13] * 31 + one[i]);
  for (std::size_t i = 0; i < size; ++i) bytes.push_back(one[i % token_size]);
}

std::optional<Token> find_token(std::span<const std::uint8_t> frame) {
  while (frame.size() >= token_size) {
    const void* at = memmem(frame.data(), frame.size(), magic, sizeof magic);
    if (!at) return std::nullopt;
    frame = frame.subspan(static_cast<std::size_t>(static_cast<const std::uint8_t*>(at) - frame.data()));
    if (frame.size() < token_size) return std::nullopt;
    std::uint8_t check = 0;
    for (std::size_t i = 8; i < 13; ++i) check = static_cast<std::uint8_t>(check * 31 + frame[i]);
    if (check == frame[13]) {
      Token token{.guest = frame[8]};
      for (std::size_t i = 0; i < 4; ++i) token.number = token.number << 8 | frame[9 + i];
      return token;
    }
    frame = frame.subspan(1);
  }
  return std::nullopt;
}

}  // namespace vnet::hostile
