// SPDX-License-Identifier: GPL-2.0-or-later
// XDR (RFC 4506): big-endian, in units of four bytes. The reader is for hostile input: it looks at the bytes
// that are left before it allocates, and after the first error it gives nothing but zeros.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace vnet::rpc {

using Uuid = std::array<std::uint8_t, 16>;

class XdrReader {
 public:
  explicit XdrReader(std::string_view bytes) : rest_(bytes) {}

  std::uint32_t u32();
  std::uint64_t u64();
  bool boolean();        // 0 or 1
  std::string string();  // UTF-8 without NUL
  Uuid uuid();
  // Of a list whose elements take at least so many bytes each.
  std::uint32_t count(std::uint32_t most, std::size_t least_bytes);

  void fail() { failed_ = true; }
  bool ok() const { return !failed_; }
  bool done() const { return !failed_ && rest_.empty(); }  // nothing is left over

 private:
  std::string_view take(std::size_t bytes);

  std::string_view rest_;
  bool failed_ = false;
};

class XdrWriter {
 public:
  void u32(std::uint32_t value);
  void u64(std::uint64_t value);
  void string(std::string_view text);
  void uuid(const Uuid& uuid) { bytes_.append(reinterpret_cast<const char*>(uuid.data()), uuid.size()); }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

bool is_text(std::string_view bytes);  // UTF-8 without NUL

}  // namespace vnet::rpc
