// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/explain/frame.h"

#include <linux/if_ether.h>
#include <netinet/in.h>

#include <algorithm>
#include <initializer_list>

namespace vnet {
namespace {

constexpr std::uint8_t ttl = 64;

void put(Frame& to, std::initializer_list<unsigned> bytes) {
  for (unsigned byte : bytes) to.push_back(static_cast<std::uint8_t>(byte));
}
void put16(Frame& to, unsigned number) {
  put(to, {number >> 8 & 0xff, number & 0xff});
}
void put(Frame& to, const Address& address) {
  to.insert(to.end(), address.bytes.begin(), address.bytes.begin() + address.bits() / 8);
}
void set16(Frame& at, std::size_t offset, unsigned number) {
  at[offset] = static_cast<std::uint8_t>(number >> 8);
  at[offset + 1] = static_cast<std::uint8_t>(number);
}

// The Internet checksum (RFC 1071) over what `sum` has been begun with and the bytes.
std::uint16_t checksum(const Frame& bytes, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i < bytes.size(); ++i)
    sum += i % 2 ? bytes[i] : static_cast<std::uint32_t>(bytes[i]) << 8;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

std::uint32_t pseudo_header(const FrameSpec& spec, unsigned protocol, std::size_t length) {
  Frame bytes;
  put(bytes, spec.source);
  put(bytes, spec.destination);
  return static_cast<std::uint16_t>(~checksum(bytes)) + protocol + static_cast<std::uint32_t>(length);
}

unsigned protocol_number(const FrameSpec& spec) {
  if (spec.protocol == "tcp") return IPPROTO_TCP;
  if (spec.protocol == "udp") return IPPROTO_UDP;
  return spec.source.family == Family::V4 ? unsigned{IPPROTO_ICMP} : unsigned{IPPROTO_ICMPV6};
}

Frame transport(const FrameSpec& spec) {
  unsigned protocol = protocol_number(spec);
  Frame out;
  std::size_t checksum_at = 2;
  if (protocol == IPPROTO_TCP) {
    put16(out, spec.source_port);
    put16(out, spec.destination_port);
    put(out, {0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xfa, 0xf0, 0, 0, 0, 0});  // SYN
    checksum_at = 16;
  } else if (protocol == IPPROTO_UDP) {
    put16(out, spec.source_port);
    put16(out, spec.destination_port);
    put16(out, 12);
    put(out, {0, 0, 'v', 'n', 'e', 't'});
    checksum_at = 6;
  } else {
    put(out, {protocol == IPPROTO_ICMP ? 8U : 128U, 0, 0, 0});
    put16(out, spec.source_port);
    put(out, {0, 1, 'v', 'n', 'e', 't'});
  }
  std::uint32_t start = protocol == IPPROTO_ICMP ? 0 : pseudo_header(spec, protocol, out.size());
  std::uint16_t sum = checksum(out, start);
  set16(out, checksum_at, protocol == IPPROTO_UDP && sum == 0 ? 0xffff : sum);
  return out;
}

}  // namespace

Frame make_frame(const FrameSpec& spec) {
  Frame carried = transport(spec), ip, frame;
  bool v4 = spec.source.family == Family::V4;
  if (v4) {
    put(ip, {0x45, 0});
    put16(ip, static_cast<unsigned>(20 + carried.size()));
    put(ip, {0, 1, 0x40, 0, ttl, protocol_number(spec), 0, 0});
    put(ip, spec.source);
    put(ip, spec.destination);
    set16(ip, 10, checksum(ip));
  } else {
    put(ip, {0x60, 0, 0, 0});
    put16(ip, static_cast<unsigned>(carried.size()));
    put(ip, {protocol_number(spec), ttl});
    put(ip, spec.source);
    put(ip, spec.destination);
  }
  if (spec.ethernet) {
    frame.insert(frame.end(), spec.destination_mac.bytes.begin(), spec.destination_mac.bytes.end());
    frame.insert(frame.end(), spec.source_mac.bytes.begin(), spec.source_mac.bytes.end());
    put16(frame, v4 ? ETH_P_IP : ETH_P_IPV6);
  }
  frame.insert(frame.end(), ip.begin(), ip.end());
  frame.insert(frame.end(), carried.begin(), carried.end());
  return frame;
}

void set_macs(Frame& frame, const Mac& source, const Mac& destination) {
  if (frame.size() < ETH_HLEN) return;
  std::ranges::copy(destination.bytes, frame.begin());
  std::ranges::copy(source.bytes, frame.begin() + ETH_ALEN);
}

void add_ethernet(Frame& frame) {
  bool v6 = !frame.empty() && frame[0] >> 4 == 6;
  frame.insert(frame.begin(), ETH_HLEN, 0);
  set16(frame, ETH_HLEN - 2, v6 ? ETH_P_IPV6 : ETH_P_IP);
}

void remove_ethernet(Frame& frame) {
  frame.erase(frame.begin(), frame.begin() + std::min<std::ptrdiff_t>(ETH_HLEN, std::ssize(frame)));
}

void decrement_ttl(Frame& frame, bool ethernet) {
  std::size_t ip = ethernet ? ETH_HLEN : 0;
  if (frame.size() < ip + 20) return;
  if (frame[ip] >> 4 == 6) {
    --frame[ip + 7];
    return;
  }
  --frame[ip + 8];
  set16(frame, ip + 10, 0);
  Frame header(frame.begin() + static_cast<std::ptrdiff_t>(ip),
               frame.begin() + static_cast<std::ptrdiff_t>(ip + 20));
  set16(frame, ip + 10, checksum(header));
}

void set_end(Frame& frame, bool ethernet, End end, const Address& address,
             std::optional<std::uint16_t> port) {
  const std::size_t ip = ethernet ? ETH_HLEN : 0;
  const bool v4 = address.family == Family::V4;
  const std::size_t size = address.bits() / 8, header = v4 ? 20 : 40, l4 = ip + header;
  if (frame.size() < l4 + 8) return;
  const std::size_t source = ip + (v4 ? 12 : 8);
  const std::size_t at = source + (end == End::Source ? 0 : size);
  std::copy_n(address.bytes.begin(), size, frame.begin() + static_cast<std::ptrdiff_t>(at));
  const unsigned protocol = frame[ip + (v4 ? 9 : 6)];
  const bool has_ports = protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
  if (port && has_ports) set16(frame, l4 + (end == End::Source ? 0 : 2), *port);
  auto bytes = [&](std::size_t from, std::size_t to) {
    return Frame(frame.begin() + static_cast<std::ptrdiff_t>(from),
                 frame.begin() + static_cast<std::ptrdiff_t>(to));
  };
  if (v4) {
    set16(frame, ip + 10, 0);
    set16(frame, ip + 10, checksum(bytes(ip, l4)));
  }
  if (protocol == IPPROTO_ICMP) return;  // which has no pseudo header
  const std::size_t sum_at = l4 + (protocol == IPPROTO_TCP ? 16 : protocol == IPPROTO_UDP ? 6 : 2);
  if (frame.size() < sum_at + 2) return;
  set16(frame, sum_at, 0);
  const std::uint32_t pseudo = static_cast<std::uint16_t>(~checksum(bytes(source, source + 2 * size))) +
                               protocol + static_cast<std::uint32_t>(frame.size() - l4);
  const std::uint16_t sum = checksum(bytes(l4, frame.size()), pseudo);
  set16(frame, sum_at, protocol == IPPROTO_UDP && sum == 0 ? 0xffff : sum);
}

Mac group_mac(const Address& group) {
  const auto& b = group.bytes;
  if (!group.is_multicast()) return Mac{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
  if (group.family == Family::V6) return Mac{{0x33, 0x33, b[12], b[13], b[14], b[15]}};
  return Mac{{0x01, 0x00, 0x5e, static_cast<std::uint8_t>(b[1] & 0x7f), b[2], b[3]}};
}

}  // namespace vnet
