// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/packet.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace vnet::test {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};

void put8(Bytes& out, unsigned value) {
  out.push_back(static_cast<std::uint8_t>(value));
}
void put16(Bytes& out, unsigned value) {
  put8(out, value >> 8);
  put8(out, value);
}
void put32(Bytes& out, std::uint32_t value) {
  put16(out, value >> 16);
  put16(out, value);
}
void put(Bytes& out, const Bytes& more) {
  out.insert(out.end(), more.begin(), more.end());
}
void set16(Bytes& out, std::size_t at, unsigned value) {
  out.at(at) = static_cast<std::uint8_t>(value >> 8);
  out.at(at + 1) = static_cast<std::uint8_t>(value);
}

Bytes mac(const std::string& text) {
  Bytes out;
  const char* at = text.data();
  const char* end = at + text.size();
  while (out.size() < 6 && at < end) {
    std::uint8_t octet = 0;
    auto [next, error] = std::from_chars(at, end, octet, 16);
    if (error != std::errc{}) break;
    out.push_back(octet);
    at = next < end && *next == ':' ? next + 1 : next;
  }
  if (out.size() != 6 || at != end) throw std::invalid_argument("not a MAC address: " + text);
  return out;
}

Bytes ip(int family, const std::string& text) {
  Bytes out(family == AF_INET ? 4 : 16);
  if (inet_pton(family, text.c_str(), out.data()) != 1)
    throw std::invalid_argument("not an address: " + text);
  return out;
}

// The ones' complement sum of 16-bit words, folded, not inverted.
std::uint16_t sum(const Bytes& bytes, std::uint32_t start = 0) {
  std::uint64_t total = start;
  for (std::size_t i = 0; i < bytes.size(); ++i) total += i % 2 ? bytes[i] : bytes[i] << 8;
  while (total >> 16) total = (total & 0xffff) + (total >> 16);
  return static_cast<std::uint16_t>(total);
}

std::uint16_t inverted(std::uint16_t value) {
  return static_cast<std::uint16_t>(~value);
}

Bytes padded(Bytes bytes, std::size_t multiple) {
  while (bytes.size() % multiple) bytes.push_back(0);
  return bytes;
}

unsigned flag_bits(const std::string& flags) {
  static constexpr std::string_view names = "FSRPAUEC";
  unsigned bits = 0;
  for (char flag : flags) {
    auto at = names.find(flag);
    if (at == std::string_view::npos) throw std::invalid_argument("not a TCP flag: " + flags);
    bits |= 1U << at;
  }
  return bits;
}

std::uint8_t protocol_of(const Layer* next) {
  if (!next) return 59;  // no next header
  return std::visit(
      Overloaded{[](const Tcp&) { return 6; }, [](const Udp&) { return 17; }, [](const Icmp&) { return 1; },
                 [](const Icmpv6&) { return 58; }, [](const Ipv6HopByHop&) { return 0; },
                 [](const Ipv6Fragment&) { return 44; }, [](const Ipv4&) { return 4; },
                 [](const Ipv6&) { return 41; }, [](const auto&) { return 253; }},  // for experiments
      *next);
}

std::uint16_t type_of(const Layer* next) {
  if (!next) return 0x88b5;  // for experiments
  return std::visit(
      Overloaded{[](const Ipv4&) { return 0x0800; }, [](const Ipv6&) { return 0x86dd; },
                 [](const Arp&) { return 0x0806; }, [](const Vlan& tag) { return int(tag.tpid); },
                 [](const auto&) { return 0x88b5; }},
      *next);
}

// Builds from the innermost layer outwards, so that each layer knows what it carries.
class Builder {
 public:
  explicit Builder(const std::vector<Layer>& layers) : layers_(layers) {}

  Bytes build(std::size_t at) const {
    if (at >= layers_.size()) return {};
    return std::visit([&](const auto& layer) { return make(layer, at, build(at + 1)); }, layers_[at]);
  }

 private:
  const Layer* next(std::size_t at) const { return at + 1 < layers_.size() ? &layers_[at + 1] : nullptr; }

  // The sum of the pseudo header of the nearest IP layer outside `at`; nothing without one.
  std::uint16_t pseudo(std::size_t at, std::uint8_t protocol, std::size_t size) const {
    while (at-- > 0) {
      Bytes header;
      if (const auto* v4 = std::get_if<Ipv4>(&layers_[at])) {
        header = ip(AF_INET, v4->src);
        put(header, ip(AF_INET, v4->dst));
      } else if (const auto* v6 = std::get_if<Ipv6>(&layers_[at])) {
        header = ip(AF_INET6, v6->src);
        put(header, ip(AF_INET6, v6->dst));
      } else {
        continue;
      }
      put32(header, static_cast<std::uint32_t>(size));
      put32(header, protocol);
      return sum(header);
    }
    return 0;
  }

  Bytes make(const Ethernet& layer, std::size_t at, const Bytes& carried) const {
    Bytes out = mac(layer.dst);
    put(out, mac(layer.src));
    put16(out, layer.type.value_or(type_of(next(at))));
    put(out, carried);
    return out;
  }

  Bytes make(const Vlan& layer, std::size_t at, const Bytes& carried) const {
    Bytes out;
    put16(out, layer.priority << 13 | (layer.id & 0xfff));
    put16(out, layer.type.value_or(type_of(next(at))));
    put(out, carried);
    return out;
  }

  Bytes make(const Arp& layer, std::size_t, const Bytes& carried) const {
    Bytes out = {0, 1, 8, 0, 6, 4};
    put16(out, layer.operation);
    put(out, mac(layer.sender_mac));
    put(out, ip(AF_INET, layer.sender_ip));
    put(out, mac(layer.target_mac));
    put(out, ip(AF_INET, layer.target_ip));
    put(out, carried);
    return out;
  }

  Bytes make(const Ipv4& layer, std::size_t at, const Bytes& carried) const {
    Bytes options = padded(layer.options, 4);
    std::size_t header = 20 + options.size();
    Bytes out;
    put8(out, 0x40 | layer.header_words.value_or(static_cast<std::uint8_t>(header / 4)));
    put8(out, layer.tos);
    put16(out, layer.length.value_or(static_cast<std::uint16_t>(header + carried.size())));
    put16(out, layer.id);
    put16(out, layer.dont_fragment << 14 | layer.more_fragments << 13 | layer.fragment_offset / 8);
    put8(out, layer.ttl);
    put8(out, layer.protocol.value_or(protocol_of(next(at))));
    put16(out, 0);
    put(out, ip(AF_INET, layer.src));
    put(out, ip(AF_INET, layer.dst));
    put(out, options);
    set16(out, 10, layer.checksum.value_or(inverted(sum(out))));
    put(out, carried);
    return out;
  }

  Bytes make(const Ipv6& layer, std::size_t at, const Bytes& carried) const {
    Bytes out;
    put32(out, 6U << 28 | layer.traffic_class << 20 | (layer.flow_label & 0xfffff));
    put16(out, layer.length.value_or(static_cast<std::uint16_t>(carried.size())));
    put8(out, layer.next_header.value_or(protocol_of(next(at))));
    put8(out, layer.hop_limit);
    put(out, ip(AF_INET6, layer.src));
    put(out, ip(AF_INET6, layer.dst));
    put(out, carried);
    return out;
  }

  Bytes make(const Ipv6HopByHop& layer, std::size_t at, const Bytes& carried) const {
    Bytes options = layer.options;
    std::size_t missing = (8 - (options.size() + 2) % 8) % 8;
    if (missing == 1) put8(options, 0);
    if (missing > 1) {
      put8(options, 1);
      put8(options, static_cast<unsigned>(missing - 2));
      options.resize(options.size() + missing - 2);
    }
    Bytes out;
    put8(out, layer.next_header.value_or(protocol_of(next(at))));
    put8(out, static_cast<unsigned>((options.size() + 2) / 8 - 1));
    put(out, options);
    put(out, carried);
    return out;
  }

  Bytes make(const Ipv6Fragment& layer, std::size_t at, const Bytes& carried) const {
    Bytes out;
    put8(out, layer.next_header.value_or(protocol_of(next(at))));
    put8(out, 0);
    put16(out, (layer.offset & 0xfff8) | layer.more);
    put32(out, layer.id);
    put(out, carried);
    return out;
  }

  Bytes make(const Tcp& layer, std::size_t at, const Bytes& carried) const {
    Bytes options = padded(layer.options, 4);
    Bytes out;
    put16(out, layer.src_port);
    put16(out, layer.dst_port);
    put32(out, layer.seq);
    put32(out, layer.ack);
    put8(out, static_cast<unsigned>((20 + options.size()) / 4) << 4);
    put8(out, flag_bits(layer.flags));
    put16(out, layer.window);
    put32(out, 0);
    put(out, options);
    put(out, carried);
    std::uint16_t start = pseudo(at, 6, out.size());
    set16(out, 16,
          layer.checksum.value_or(layer.fill == Checksum::Partial ? start : inverted(sum(out, start))));
    return out;
  }

  Bytes make(const Udp& layer, std::size_t at, const Bytes& carried) const {
    Bytes out;
    put16(out, layer.src_port);
    put16(out, layer.dst_port);
    put16(out, layer.length.value_or(static_cast<std::uint16_t>(8 + carried.size())));
    put16(out, 0);
    put(out, carried);
    std::uint16_t start = pseudo(at, 17, out.size());
    std::uint16_t full = inverted(sum(out, start));
    if (full == 0) full = 0xffff;  // zero would say "no checksum"
    set16(out, 6, layer.checksum.value_or(layer.fill == Checksum::Partial ? start : full));
    return out;
  }

  Bytes make(const Icmp& layer, std::size_t, const Bytes& carried) const {
    Bytes out = {layer.type, layer.code, 0, 0};
    put16(out, layer.id);
    put16(out, layer.seq | layer.mtu);
    put(out, carried);
    set16(out, 2, layer.checksum.value_or(inverted(sum(out))));
    return out;
  }

  Bytes make(const Icmpv6& layer, std::size_t at, const Bytes& carried) const {
    Bytes out = {layer.type, layer.code, 0, 0};
    put32(out, (std::uint32_t{layer.id} << 16 | layer.seq) | layer.mtu);
    put(out, carried);
    set16(out, 2, layer.checksum.value_or(inverted(sum(out, pseudo(at, 58, out.size())))));
    return out;
  }

  Bytes make(const Payload& layer, std::size_t, const Bytes& carried) const {
    Bytes out = layer.bytes;
    put(out, carried);
    return out;
  }

  const std::vector<Layer>& layers_;
};

bool is_ip(const Layer& layer) {
  return std::holds_alternative<Ipv4>(layer) || std::holds_alternative<Ipv6>(layer);
}

std::size_t first_ip(const Packet& packet) {
  auto at = std::find_if(packet.layers().begin(), packet.layers().end(), is_ip);
  if (at == packet.layers().end()) throw std::invalid_argument("the packet has no IP layer");
  return static_cast<std::size_t>(at - packet.layers().begin());
}

}  // namespace

Payload::Payload(int size) : bytes(static_cast<std::size_t>(size)) {
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
}

Bytes Packet::bytes() const {
  return Builder(layers_).build(0);
}

Packet Packet::inside(std::size_t from) const {
  Packet rest;
  rest.layers_.assign(layers_.begin() + static_cast<std::ptrdiff_t>(std::min(from, layers_.size())),
                      layers_.end());
  return rest;
}

Packet operator/(Packet outer, const Packet& inner) {
  outer.layers_.insert(outer.layers_.end(), inner.layers_.begin(), inner.layers_.end());
  return outer;
}

Payload quoted(const Packet& packet, std::size_t limit) {
  Bytes bytes = packet.inside(first_ip(packet)).bytes();
  bytes.resize(std::min(bytes.size(), limit));
  return Payload(std::move(bytes));
}

Payload quoted(const Bytes& frame, std::size_t limit) {
  std::size_t at = 12;
  while (at + 4 <= frame.size() && ((frame[at] == 0x81 && frame[at + 1] == 0) || frame[at] == 0x88)) at += 4;
  at = std::min(at + 2, frame.size());
  auto from = frame.begin() + static_cast<std::ptrdiff_t>(at);
  return Payload(Bytes(from, from + static_cast<std::ptrdiff_t>(std::min(limit, frame.size() - at))));
}

Payload neighbor_target(const std::string& address, int option, const std::string& link_address) {
  Bytes out = ip(AF_INET6, address);
  if (option) {
    put8(out, static_cast<unsigned>(option));
    put8(out, 1);
    put(out, mac(link_address));
  }
  return Payload(std::move(out));
}

std::vector<Bytes> fragments(const Packet& packet, std::size_t mtu, std::uint32_t id) {
  std::size_t at = first_ip(packet);
  const Layer& ip_layer = packet.layers()[at];
  Bytes carried = packet.inside(at).bytes();
  bool v6 = std::holds_alternative<Ipv6>(ip_layer);
  std::uint8_t protocol = v6 ? carried[6] : carried[9];
  std::size_t header = v6 ? 40 : (carried[0] & 15U) * 4U;
  carried.erase(carried.begin(), carried.begin() + static_cast<std::ptrdiff_t>(header));

  std::size_t step = (mtu - header - (v6 ? 8 : 0)) / 8 * 8;
  std::vector<Bytes> frames;
  for (std::size_t offset = 0; offset < carried.size(); offset += step) {
    std::size_t size = std::min(step, carried.size() - offset);
    auto from = carried.begin() + static_cast<std::ptrdiff_t>(offset);
    Payload part(Bytes(from, from + static_cast<std::ptrdiff_t>(size)));
    bool more = offset + size < carried.size();
    auto place = static_cast<std::uint16_t>(offset);
    Packet outer;
    for (std::size_t i = 0; i < at; ++i) {
      std::visit([&](const auto& layer) { outer = std::move(outer) / Packet(layer); }, packet.layers()[i]);
    }
    if (v6) {
      Ipv6 ip6 = std::get<Ipv6>(ip_layer);
      frames.push_back(std::move(outer) / ip6 /
                       Ipv6Fragment{.id = id, .offset = place, .more = more, .next_header = protocol} / part);
    } else {
      Ipv4 ip4 = std::get<Ipv4>(ip_layer);
      ip4.id = static_cast<std::uint16_t>(id);
      ip4.more_fragments = more;
      ip4.fragment_offset = place;
      ip4.protocol = protocol;
      frames.push_back(std::move(outer) / ip4 / part);
    }
  }
  return frames;
}

}  // namespace vnet::test
