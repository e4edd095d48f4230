// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/hostile/shot.h"

#include <algorithm>
#include <utility>

#include "tests/hostile/random.h"
#include "tests/hostile/view.h"
#include "tests/hostile/wire.h"

namespace vnet::hostile {
namespace {

using test::VirtioFrame;
using test::VirtioHeader;

constexpr std::size_t longest = 1514;  // that a veth takes

// Not of any machine here: where parsers go wrong.
const std::vector<Address>& special(bool v6) {
  static const std::vector<Address> all4 = {
      address("0.0.0.0"),     address("0.0.0.1"),      address("127.0.0.1"),   address("255.255.255.255"),
      address("224.0.0.1"),   address("239.1.2.3"),    address("169.254.7.7"), address("198.51.100.7"),
      address("240.0.0.1"),   address("203.0.113.77"), address("10.88.0.1"),   address("192.0.2.1"),
      address("224.0.0.251"), address("10.88.6.1"),
  };
  static const std::vector<Address> all6 = {
      address("::"),
      address("::1"),
      address("::1:0:0:0"),
      address("::dead:beef:0:0"),
      address("::1:0:0"),
      address("0:0:1::"),
      address("1::"),
      address("::ffff:0:0"),
      address("fe80::1"),
      address("fe80::7777"),
      address("fe80:1::7"),
      address("fec0::1"),
      address("febf::1"),
      address("ff02::1"),
      address("ff02::2"),
      address("ff05::4242"),
      address("ff0e::1"),
      address("ff01::1"),
      address("64:ff9b::cb00:7101"),
      address("2002:cb00:7101::1"),
      address("2001:db8:113::77"),
      address("2001:db8:51::1"),
      address("fd00:88::1"),
      address("fc00::1"),
  };
  return v6 ? all6 : all4;
}

const std::vector<Address>& groups(bool v6) {
  static const std::vector<Address> all4 = {address("224.0.0.1"), address(echo_group4),
                                            address("255.255.255.255")};
  static const std::vector<Address> all6 = {address("ff02::1"),    address("ff02::2"), address(echo_group6),
                                            address("fe80::7777"), address("fe80::1"), address("ff0e::1")};
  return v6 ? all6 : all4;
}

class Maker {
 public:
  Maker(std::uint64_t seed, std::uint32_t number) : random_(seed, number) {
    shot_.guest = random_.below(guest_count);
    guest_ = guest(shot_.guest);
    token_ = {.guest = static_cast<std::uint8_t>(shot_.guest), .number = number};
  }

  Shot make() {
    v6_ = random_.percent(55);
    Ip ip{.src = source(), .dst = destination(), .hops = hops(), .id = random_.word()};
    Bytes l4 = transport(ip);
    std::size_t l4_size = l4.size();
    std::vector<Bytes> packets = random_.percent(8) ? fragments(ip, l4) : whole(ip, l4);
    Bytes ethernet = link(ip.dst);
    for (const Bytes& packet : packets) {
      VirtioFrame frame{.frame = ethernet};
      put(frame.frame, packet);
      shot_.frames.push_back(std::move(frame));
    }
    if (shot_.frames.size() == 1) {
      VirtioFrame before = shot_.frames[0];
      damage(shot_.frames[0]);
      if (takes_no_part(view(shot_.frames[0].frame).src)) shot_.frames[0] = before;
    }
    if (shot_.frames.size() == 1 && guest_.tap && random_.percent(25)) offload(shot_.frames[0], l4_size);
    return std::move(shot_);
  }

 private:
  const Network& own() const { return *guest_.network; }
  const Place& any_place() { return place(random_.below(place_count)); }

  // Nobody speaks as the neighbour of a hidden network: no session is ever his, so that whatever gets to him
  // from elsewhere is no answer.
  bool takes_no_part(const Address& source) const {
    return own().hidden() && source == own().host(neighbour, source.v6);
  }
  Address honest_source() {
    return own().host(own().hidden() || random_.percent(80) ? guest_.number() : neighbour, v6_);
  }

  // Of somebody here, or special, or one bit away from either.
  Address odd() {
    switch (random_.below(6)) {
      case 0:
      case 1:
        return any_place().machine[v6_];
      case 2:
        return any_place().host[v6_];
      case 3:
        return v6_ ? (random_.percent(50) ? mapped(any_place().machine[0]) : almost_unspecified())
                   : own().host(255, false);
      case 4: {
        Address near = random_.percent(50) ? random_.any(special(v6_)) : honest_source();
        std::size_t bit = random_.below(near.size() * 8);
        near.raw[bit / 8] = static_cast<std::uint8_t>(near.raw[bit / 8] ^ 1U << bit % 8);
        return near;
      }
      default:
        return random_.any(special(v6_));
    }
  }

  // Bits in some of the four words only.
  Address almost_unspecified() {
    Address result{.v6 = true};
    std::size_t word = random_.percent(60) ? 2 : random_.below(4);
    for (std::size_t i = 0; i < 4; ++i)
      if (random_.percent(70)) result.raw[word * 4 + i] = random_.byte();
    return result;
  }

  Address source() {
    Address result = random_.percent(45) ? honest_source() : odd();
    return takes_no_part(result) ? honest_source() : result;
  }
  Address destination() {
    if (random_.percent(55)) return any_place().machine[v6_];
    if (random_.percent(35)) return any_place().host[v6_];
    return random_.percent(60) ? random_.any(groups(v6_)) : odd();
  }
  std::uint8_t hops() {
    constexpr std::uint8_t all[] = {64, 64, 64, 64, 255, 255, 1, 1, 2, 0};
    return random_.any(all);
  }

  Bytes payload() {
    constexpr std::size_t sizes[] = {16, 16, 32, 64, 200, 600, 1200, 1392, 1440, 1452};
    Bytes result;
    append(result, token_, random_.any(sizes));
    return result;
  }
  Bytes short_payload() {
    Bytes result;
    append(result, token_, 16 + random_.below(500));
    return result;
  }

  std::uint16_t port() {
    constexpr std::uint16_t all[] = {echo_port, echo_port, echo_port, 53, 67, 68,
                                     546,       547,       5353,      9,  80, 40000};
    return random_.any(all);
  }

  // A packet somebody is said to have sent, for ICMP errors.
  Bytes forged_quote() {
    Ip ip{
        .src = odd(), .dst = random_.percent(50) ? honest_source() : odd(), .hops = 3, .id = random_.word()};
    if (random_.percent(50)) std::swap(ip.src, ip.dst);
    Bytes udp;
    put16(udp, port()), put16(udp, port()), put16(udp, 600), put16(udp, 0);
    append(udp, token_, 16 + random_.below(500));
    return ip_packet(ip, udp);
  }

  Bytes transport(Ip& ip) {
    Bytes l4;
    std::size_t what = random_.below(100);
    if (what < 50) {
      ip.protocol = 17;
      Bytes body = payload();
      put16(l4, 40000 + random_.below(16)), put16(l4, port());
      put16(l4, static_cast<unsigned>(8 + body.size())), put16(l4, 0);
      put(l4, body);
    } else if (what < 62) {
      ip.protocol = 6;
      constexpr std::uint8_t flags[] = {0x02, 0x10, 0x12, 0x04, 0x18, 0x00, 0x29, 0xff};
      put16(l4, 40000 + random_.below(16)), put16(l4, port());
      for (int i = 0; i < 4; ++i) put16(l4, random_.word());
      put(l4, Bytes{0x50, random_.any(flags), 0x20, 0, 0, 0, 0, 0});
      put(l4, payload());
    } else if (what < 90) {
      ip.protocol = v6_ ? 58 : 1;
      l4 = icmp();
    } else {
      constexpr std::uint8_t protocols[] = {4, 41, 47, 50, 51, 132, 2, 103, 0, 59, 255, 33, 136};
      ip.protocol = random_.percent(80) ? random_.any(protocols) : random_.byte();
      bool tunnel = ip.protocol == 4 || ip.protocol == 41;
      l4 = tunnel ? forged_quote() : payload();
    }
    finish(l4, ip.protocol, ip.src, ip.dst);
    if (random_.percent(2) && l4.size() > 8)
      l4[random_.below(8)] = random_.byte();  // a wrong checksum, mostly
    return l4;
  }

  Bytes icmp() {
    constexpr std::uint8_t errors4[] = {3, 3, 4, 5, 5, 11, 12}, errors6[] = {1, 2, 3, 4, 137};
    constexpr std::uint8_t others4[] = {0, 9, 10, 13, 17, 42},
                           others6[] = {129, 130, 131, 133, 134, 139, 143};
    Bytes l4;
    std::size_t what = random_.below(10);
    if (what < 4) {  // an echo request
      l4 = {static_cast<std::uint8_t>(v6_ ? 128 : 8),    0, 0, 0, 0x12,
            static_cast<std::uint8_t>(random_.below(8)), 0, 1};
      put(l4, payload());
    } else if (what < 7) {
      l4 = {v6_ ? random_.any(errors6) : random_.any(errors4),
            static_cast<std::uint8_t>(random_.below(6)),
            0,
            0,
            0,
            0,
            2,
            0};
      if (l4[0] == 137) put(l4, random_.any(special(true))), put(l4, any_place().machine[1]);
      put(l4, forged_quote());
    } else if (v6_ && what < 9) {  // neighbour discovery, for anybody
      l4 = {static_cast<std::uint8_t>(random_.percent(50) ? 135 : 136), 0, 0, 0, 0x60, 0, 0, 0};
      put(l4, odd());
      put(l4, Bytes{static_cast<std::uint8_t>(1 + random_.below(2)), 1});
      put(l4, guest_.mac());
      put(l4, short_payload());
    } else {
      l4 = {v6_ ? random_.any(others6) : random_.any(others4), 0, 0, 0, 0, 0, 0, 0};
      put(l4, short_payload());
    }
    return l4;
  }

  // IPv4: record route, time stamp, router alert, source routes, nonsense.
  Bytes options() {
    Bytes result;
    switch (random_.below(5)) {
      case 0:
      case 1: {  // loose and strict source route
        std::size_t ways = 1 + random_.below(2);
        result = {static_cast<std::uint8_t>(random_.percent(50) ? 131 : 137),
                  static_cast<std::uint8_t>(3 + 4 * ways), 4};
        for (std::size_t i = 0; i < ways; ++i) put(result, any_place().machine[0]);
        break;
      }
      case 2:
        result = {7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0};
        break;
      case 3:
        result = {148, 4, 0, 0};
        break;
      default:
        for (std::size_t i = 1 + random_.below(20); i > 0; --i) result.push_back(random_.byte());
    }
    result.resize(std::min<std::size_t>((result.size() + 3) / 4 * 4, 40));
    return result;
  }

  // IPv6: one header before `next`.
  Bytes extension(std::uint8_t type, std::uint8_t next, const Address& to) {
    Bytes result{next, 0};
    switch (type) {
      case 43: {  // segments: where it shall go on to
        constexpr std::uint8_t kinds[] = {0, 2, 3, 4, 4, 255};
        result = {next, 2, random_.any(kinds), 1, 0, 0, 0, 0};
        put(result, random_.percent(80) ? any_place().machine[1] : to);
        return result;
      }
      case 44:  // an atomic fragment
        put(result, Bytes{0, 0, 0, 0, 0, random_.byte()});
        return result;
      case 51:
        result[1] = 1;
        result.resize(12);
        return result;
      default: {  // options, some that nobody knows: to be answered
        constexpr std::uint8_t kinds[] = {1, 1, 5, 0xc2, 0x1e, 0x5e, 0x9e, 0xde};
        put(result, Bytes{random_.any(kinds), 4, 0, 0, 0, 0});
        return result;
      }
    }
  }

  Bytes extensions(Ip& ip) {
    constexpr std::uint8_t types[] = {0, 43, 43, 44, 51, 60, 60, 135};
    Bytes result;
    for (std::size_t count = random_.percent(90) ? 1 + random_.below(3) : 8; count > 0; --count) {
      std::uint8_t type = random_.any(types);
      Bytes front = extension(type, ip.protocol, ip.dst);
      put(front, result);
      result = std::move(front);
      ip.protocol = type;
    }
    return result;
  }

  std::vector<Bytes> whole(Ip& ip, const Bytes& l4) {
    if (!random_.percent(15)) return {ip_packet(ip, l4)};
    Bytes chain;
    if (v6_) {
      chain = extensions(ip);
    } else {
      ip.options = options();
    }
    put(chain, l4);
    return {ip_packet(ip, chain)};
  }

  std::vector<Bytes> fragments(Ip ip, const Bytes& l4) {
    std::size_t cut = std::min(l4.size() / 2, (1 + random_.below(60)) * 8) / 8 * 8;
    // The second one may lie over the first, and may come first or alone.
    std::size_t from = random_.percent(10) && cut >= 16 ? cut - 8 : cut;
    Bytes first(l4.begin(), l4.begin() + static_cast<long>(cut)),
        second(l4.begin() + static_cast<long>(from), l4.end());
    std::uint8_t protocol = ip.protocol;
    auto piece = [&](const Bytes& body, std::size_t at, bool more) {
      auto field = static_cast<unsigned>(v6_ ? at | unsigned{more} : at / 8 | (more ? 0x2000U : 0U));
      if (!v6_) {
        ip.fragment = static_cast<std::uint16_t>(field);
        return ip_packet(ip, body);
      }
      Bytes chain{protocol, 0};
      put16(chain, field), put16(chain, 0), put16(chain, ip.id);
      put(chain, body);
      ip.protocol = 44;
      return ip_packet(ip, chain);
    };
    std::vector<Bytes> result{piece(first, 0, true), piece(second, from, false)};
    if (random_.percent(15)) std::swap(result[0], result[1]);
    if (random_.percent(15)) result.erase(result.begin());
    return result;
  }

  Mac group_mac(const Address& to) const {
    if (v6_) return {0x33, 0x33, to.raw[12], to.raw[13], to.raw[14], to.raw[15]};
    return {0x01, 0x00, 0x5e, static_cast<std::uint8_t>(to.raw[1] & 0x7f), to.raw[2], to.raw[3]};
  }

  Mac to_mac(const Address& to) {
    const Place& home = place(2 + shot_.guest / 2);
    if (random_.percent(80)) {
      bool group = v6_ ? to.raw[0] == 0xff : to.raw[0] >= 224;
      return group && random_.percent(70) ? group_mac(to) : home.host_mac;
    }
    switch (random_.below(4)) {
      case 0:
        return {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
      case 1:
        return group_mac(to);
      case 2:
        return any_place().host_mac;
      default:
        return any_place().machine_mac;
    }
  }

  // Ethernet, tags and the type.
  Bytes link(const Address& to) {
    Bytes result;
    put(result, to_mac(to));
    put(result, random_.percent(96) ? guest_.mac() : any_place().machine_mac);
    if (random_.percent(30)) {
      constexpr unsigned types[] = {0x8100, 0x8100, 0x8100, 0x88a8, 0x88a8, 0x9100};
      constexpr unsigned ids[] = {0, 0, 0, 0, 0, 1, 42, 4095};
      std::size_t count = random_.percent(60) ? 1 : 2 + random_.below(2);
      for (; count > 0; --count) {
        put16(result, random_.any(types));
        put16(result, random_.any(ids) | static_cast<unsigned>(random_.below(16) << 12));
      }
    }
    unsigned ip = v6_ ? 0x86dd : 0x0800;
    if (random_.percent(94)) {
      put16(result, ip);
      return result;
    }
    switch (random_.below(5)) {
      case 0:  // MPLS, the bottom of the stack
        put16(result, random_.percent(50) ? 0x8847 : 0x8848), put16(result, 0), put16(result, 0x0140);
        break;
      case 1:  // a PPPoE session
        put16(result, 0x8864), put16(result, 0x1100), put16(result, 1), put16(result, 64);
        put16(result, v6_ ? 0x57 : 0x21);
        break;
      case 2:  // LLC and SNAP
        put16(result, 64), put(result, Bytes{0xaa, 0xaa, 3, 0, 0, 0}), put16(result, ip);
        break;
      case 3:  // the other family's
        put16(result, v6_ ? 0x0800 : 0x86dd);
        break;
      default: {
        constexpr unsigned types[] = {0x6558, 0x88e5, 0x8863, 0x0806, 0x88cc, 0x8906, 0x22f3, 0x9000, 0xffff};
        put16(result, random_.any(types));
      }
    }
    return result;
  }

  void damage(VirtioFrame& sent) {
    Bytes& frame = sent.frame;
    if (random_.percent(6)) {  // bytes of the headers
      for (std::size_t times = 1 + random_.below(3); times > 0; --times)
        frame[12 + random_.below(std::min<std::size_t>(frame.size() - 12, 60))] = random_.byte();
    }
    if (random_.percent(2)) append(frame, token_, 16 + random_.below(100));       // behind the packet
    if (random_.percent(2)) frame.resize(20 + random_.below(frame.size() - 20));  // cut off
    if (!guest_.tap && frame.size() > longest) frame.resize(longest);
  }

  // A tap's reader may leave the checksum or the cutting to the host.
  void offload(VirtioFrame& sent, std::size_t l4_size) {
    constexpr std::uint8_t types[] = {0, 0, 1, 3, 4, 5, 0x81};
    if (sent.frame.size() < l4_size + 20) return;
    sent.header.flags = VirtioHeader::needs_csum;
    sent.header.csum_start = static_cast<std::uint16_t>(sent.frame.size() - l4_size);
    sent.header.csum_offset = random_.percent(50) ? 6 : 16;
    sent.header.gso_type = random_.any(types);
    if (sent.header.gso_type == 0) return;
    append(sent.frame, token_, random_.below(6000));
    sent.header.gso_size = static_cast<std::uint16_t>(500 + random_.below(1000));
    sent.header.hdr_len = static_cast<std::uint16_t>(sent.header.csum_start + 20);
  }

  Random random_;
  Guest guest_{};
  Token token_;
  bool v6_ = false;
  Shot shot_;
};

}  // namespace

Shot shot(std::uint64_t seed, std::uint32_t number) {
  return Maker(seed, number).make();
}

VirtioFrame honest(std::size_t index, std::uint32_t number, const Mac& to_mac, const Address& to) {
  Guest from = guest(index);
  Ip ip{.src = from.network->host(from.number(), to.v6), .dst = to};
  Bytes udp;
  put16(udp, 39000), put16(udp, echo_port), put16(udp, 8 + 64), put16(udp, 0);
  append(udp, {.guest = static_cast<std::uint8_t>(index), .number = number}, 64);
  finish(udp, 17, ip.src, ip.dst);
  VirtioFrame result;
  put(result.frame, to_mac);
  put(result.frame, from.mac());
  put16(result.frame, to.v6 ? 0x86dd : 0x0800);
  put(result.frame, ip_packet(ip, udp));
  return result;
}

}  // namespace vnet::hostile
