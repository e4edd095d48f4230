// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/observe/packet_view.h"

#include <fmt/format.h>
#include <linux/if_ether.h>
#include <netinet/in.h>

#include <algorithm>

namespace vnet {
namespace {

// What is left to read; reading past the end gives zeros and says so.
class Cursor {
 public:
  explicit Cursor(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  bool has(std::size_t count) const { return bytes_.size() >= count; }
  std::uint8_t u8(std::size_t at) const { return at < bytes_.size() ? bytes_[at] : 0; }
  std::uint16_t u16(std::size_t at) const { return static_cast<std::uint16_t>(u8(at) << 8 | u8(at + 1)); }
  void skip(std::size_t count) { bytes_ = bytes_.subspan(std::min(count, bytes_.size())); }
  Mac mac(std::size_t at) const {
    Mac mac;
    for (std::size_t i = 0; i < mac.bytes.size(); ++i) mac.bytes[i] = u8(at + i);
    return mac;
  }
  Address address(std::size_t at, Family family) const {
    Address address{.family = family};
    for (std::size_t i = 0; i < address.bits() / 8; ++i) address.bytes[i] = u8(at + i);
    return address;
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

std::string flag_letters(std::uint8_t flags) {
  std::string letters;
  for (int bit = 0; bit < 8; ++bit)
    if (flags >> bit & 1) letters += "FSRPAUEC"[bit];
  return letters;
}

void view_transport(Cursor l4, std::uint8_t protocol, PacketView& view) {
  view.protocol = protocol_word(protocol);
  if (view.later_fragment) return;
  if ((protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) && l4.has(4)) {
    view.source->port = l4.u16(0);
    view.destination->port = l4.u16(2);
    if (protocol == IPPROTO_TCP && l4.has(14)) view.tcp_flags = flag_letters(l4.u8(13));
  } else if ((protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) && l4.has(2)) {
    view.icmp_type = l4.u8(0);
    view.icmp_code = l4.u8(1);
    bool v4 = protocol == IPPROTO_ICMP;
    bool echo =
        v4 ? *view.icmp_type == 8 || *view.icmp_type == 0 : *view.icmp_type == 128 || *view.icmp_type == 129;
    if (echo && l4.has(6)) view.echo_id = l4.u16(4);
  }
}

void view_ipv4(Cursor ip, PacketView& view) {
  if (!ip.has(20)) return;
  view.source = Endpoint{ip.address(12, Family::V4)};
  view.destination = Endpoint{ip.address(16, Family::V4)};
  view.ttl = ip.u8(8);
  view.later_fragment = ip.u16(6) & 0x1fff;
  std::uint8_t protocol = ip.u8(9);
  ip.skip(std::size_t{ip.u8(0) & 0xfU} * 4);
  view_transport(ip, protocol, view);
}

void view_ipv6(Cursor ip, PacketView& view) {
  if (!ip.has(40)) return;
  view.source = Endpoint{ip.address(8, Family::V6)};
  view.destination = Endpoint{ip.address(24, Family::V6)};
  view.ttl = ip.u8(7);
  std::uint8_t protocol = ip.u8(6);
  ip.skip(40);
  for (int headers = 0; headers < 8 && ip.has(8); ++headers) {
    if (protocol == IPPROTO_FRAGMENT) {
      view.later_fragment = ip.u16(2) & 0xfff8;
      protocol = ip.u8(0);
      ip.skip(8);
      if (view.later_fragment) break;
    } else if (protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_DSTOPTS) {
      protocol = ip.u8(0);
      ip.skip(8 + std::size_t{ip.u8(1)} * 8);
    } else {
      break;
    }
  }
  view_transport(ip, protocol, view);
}

void view_arp(Cursor arp, PacketView& view) {
  view.protocol = "arp";
  if (!arp.has(28)) return;
  view.source = Endpoint{arp.address(14, Family::V4)};
  view.destination = Endpoint{arp.address(24, Family::V4)};
}

}  // namespace

PacketView view_packet(std::span<const std::uint8_t> bytes, bool ethernet) {
  PacketView view;
  Cursor at(bytes);
  if (ethernet) {
    if (!at.has(14)) {
      view.protocol = "too short";
      return view;
    }
    view.destination_mac = at.mac(0);
    view.source_mac = at.mac(6);
    at.skip(12);
    while (at.has(4) && (at.u16(0) == ETH_P_8021Q || at.u16(0) == ETH_P_8021AD)) {
      if (!view.vlan) view.vlan = at.u16(2) & 0xfff;
      at.skip(4);
    }
    view.ethertype = at.u16(0);
    at.skip(2);
  } else {
    int version = at.u8(0) >> 4;
    view.ethertype = version == 4 ? ETH_P_IP : version == 6 ? ETH_P_IPV6 : 0;
  }
  if (view.ethertype == ETH_P_IP)
    view_ipv4(at, view);
  else if (view.ethertype == ETH_P_IPV6)
    view_ipv6(at, view);
  else if (view.ethertype == ETH_P_ARP)
    view_arp(at, view);
  if (view.protocol.empty()) view.protocol = fmt::format("0x{:04x}", view.ethertype);
  return view;
}

std::string PacketView::text() const {
  std::string out = protocol;
  bool ports = source && destination && (source->port || destination->port);
  if (source && destination)
    out += fmt::format(" {} > {}", source->text(ports), destination->text(ports));
  else if (source_mac && destination_mac)
    out += fmt::format(" {} > {}", source_mac->text(), destination_mac->text());
  if (!tcp_flags.empty()) out += fmt::format(" [{}]", tcp_flags);
  if (icmp_type) out += fmt::format(" type {} code {}", *icmp_type, *icmp_code);
  if (later_fragment) out += " later fragment";
  if (vlan) out += fmt::format(" vlan {}", *vlan);
  return out;
}

}  // namespace vnet
