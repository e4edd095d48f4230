// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/rpc/xdr.h"

#include <algorithm>

namespace vnet::rpc {
namespace {

constexpr std::size_t longest_string = 4 << 20;

std::size_t padding(std::size_t size) {
  return (4 - size % 4) % 4;
}

// The length of the character at the front; 0: not UTF-8 (RFC 3629).
std::size_t character(std::string_view text) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned first = byte(0);
  if (first < 0x80) return first ? 1 : 0;
  std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  bool too_long = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  bool surrogate = first == 0xed && byte(1) > 0x9f;
  bool too_large = first == 0xf4 && byte(1) > 0x8f;
  return too_long || surrogate || too_large ? 0 : size;
}

}  // namespace

bool is_text(std::string_view bytes) {
  while (!bytes.empty()) {
    std::size_t size = character(bytes);
    if (!size) return false;
    bytes.remove_prefix(size);
  }
  return true;
}

std::string_view XdrReader::take(std::size_t bytes) {
  if (failed_ || bytes > rest_.size()) {
    failed_ = true;
    return {};
  }
  auto taken = rest_.substr(0, bytes);
  rest_.remove_prefix(bytes);
  return taken;
}

std::uint32_t XdrReader::u32() {
  std::uint32_t value = 0;
  for (unsigned char byte : take(4)) value = value << 8 | byte;
  return value;
}

std::uint64_t XdrReader::u64() {
  std::uint64_t high = u32();
  return high << 32 | u32();
}

bool XdrReader::boolean() {
  auto value = u32();
  if (value > 1) fail();
  return value == 1;
}

std::string XdrReader::string() {
  std::size_t size = u32();
  if (size > longest_string) fail();
  auto text = take(size);
  auto zeros = take(padding(size));
  if (!std::ranges::all_of(zeros, [](char c) { return c == 0; }) || !is_text(text)) fail();
  return failed_ ? std::string() : std::string(text);
}

Uuid XdrReader::uuid() {
  Uuid uuid{};
  std::ranges::copy(take(uuid.size()), uuid.begin());
  return uuid;
}

std::uint32_t XdrReader::count(std::uint32_t most, std::size_t least_bytes) {
  auto count = u32();
  if (count > most || count > rest_.size() / least_bytes) fail();
  return failed_ ? 0 : count;
}

void XdrWriter::u32(std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes_ += static_cast<char>(value >> shift);
}

void XdrWriter::u64(std::uint64_t value) {
  u32(static_cast<std::uint32_t>(value >> 32));
  u32(static_cast<std::uint32_t>(value));
}

void XdrWriter::string(std::string_view text) {
  u32(static_cast<std::uint32_t>(text.size()));
  bytes_ += text;
  bytes_.append(padding(text.size()), '\0');
}

}  // namespace vnet::rpc
