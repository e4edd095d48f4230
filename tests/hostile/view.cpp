// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/hostile/view.h"

namespace vnet::hostile {
namespace {

using Span = std::span<const std::uint8_t>;

unsigned be16(Span bytes, std::size_t at) {
  return bytes[at] * 256U + bytes[at + 1];
}

Address take(Span bytes, std::size_t at, bool v6) {
  Address result{.v6 = v6};
  std::copy_n(bytes.begin() + static_cast<long>(at), result.size(), result.raw.begin());
  return result;
}

struct Inner {
  Address src, dst;
  unsigned protocol = 0;
  std::size_t payload = 0;
};

std::optional<Inner> read_ip(Span ip) {
  if (ip.size() >= 20 && ip[0] >> 4 == 4) {
    Inner found{.src = take(ip, 12, false), .dst = take(ip, 16, false), .protocol = ip[9]};
    found.payload = (ip[0] & 15U) * 4U;
    if (be16(ip, 6) & 0x1fff) found.protocol = 255;  // the payload of a later fragment has no header
    return found;
  }
  if (ip.size() < 40 || ip[0] >> 4 != 6) return std::nullopt;
  Inner found{.src = take(ip, 8, true), .dst = take(ip, 24, true), .protocol = ip[6], .payload = 40};
  auto is_extension = [](unsigned protocol) { return protocol == 0 || protocol == 43 || protocol == 60; };
  while (is_extension(found.protocol) && found.payload + 8 <= ip.size()) {
    found.protocol = ip[found.payload];
    found.payload += 8 + ip[found.payload + 1] * 8U;
  }
  return found;
}

}  // namespace

View view(Span frame) {
  View result;
  std::size_t at = 12;
  while (at + 6 <= frame.size() && (be16(frame, at) == 0x8100 || be16(frame, at) == 0x88a8)) {
    at += 4;
    result.tags++;
  }
  if (at + 2 > frame.size()) return result;
  unsigned type = be16(frame, at);
  Span ip = frame.subspan(at + 2);
  std::optional<Inner> outer = read_ip(ip);
  if (!outer || type != (outer->src.v6 ? 0x86ddU : 0x0800U)) return result;
  result.ip = true;
  result.src = outer->src;
  result.dst = outer->dst;
  if (outer->payload + 8 > ip.size()) return result;
  unsigned icmp = ip[outer->payload];
  if (outer->protocol == 1) {
    result.error = icmp == 3 || icmp == 4 || icmp == 5 || icmp == 11 || icmp == 12;
  } else if (outer->protocol == 58) {
    result.error = icmp < 128 || icmp == 137;
  }
  if (!result.error) return result;
  if (std::optional<Inner> quoted = read_ip(ip.subspan(outer->payload + 8))) {
    result.quoted_src = quoted->src;
    result.quoted_dst = quoted->dst;
  }
  return result;
}

}  // namespace vnet::hostile
