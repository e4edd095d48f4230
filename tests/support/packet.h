// SPDX-License-Identifier: GPL-2.0-or-later
// Packets written as they are read, outermost layer first:
//
//   Ethernet{} / Ipv4{.src = "192.168.122.10", .dst = "203.0.113.1"} / Tcp{.src_port = 4711, .dst_port = 80}
//   Ethernet{} / Ipv4{...} / Icmp{.type = 3, .code = 1} / quoted(sent)
//
// Lengths, protocol numbers and checksums are filled in unless a layer names them. Shares no code with the
// product, nor with the oracle that judges packets.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace vnet::test {

using Bytes = std::vector<std::uint8_t>;

struct Ethernet {
  std::string src = "02:00:00:00:00:01";
  std::string dst = "02:00:00:00:00:02";
  std::optional<std::uint16_t> type;
};

struct Vlan {
  std::uint16_t id = 0;
  std::uint8_t priority = 0;
  std::uint16_t tpid = 0x8100;  // 0x88a8: an outer (service) tag
  std::optional<std::uint16_t> type;
};

struct Arp {
  std::uint16_t operation = 1;  // 1 request, 2 reply
  std::string sender_mac = "02:00:00:00:00:01";
  std::string sender_ip = "0.0.0.0";
  std::string target_mac = "00:00:00:00:00:00";
  std::string target_ip = "0.0.0.0";
};

struct Ipv4 {
  std::string src = "192.168.122.10";
  std::string dst = "203.0.113.1";
  std::uint8_t ttl = 64;
  std::uint16_t id = 0;
  bool dont_fragment = false;
  bool more_fragments = false;
  std::uint16_t fragment_offset = 0;  // in bytes, a multiple of 8
  Bytes options;                      // padded with zeros to a multiple of 4
  std::uint8_t tos = 0;
  std::optional<std::uint8_t> protocol;
  std::optional<std::uint8_t> header_words;  // IHL
  std::optional<std::uint16_t> length;       // total length
  std::optional<std::uint16_t> checksum;
};

struct Ipv6 {
  std::string src = "fd00:122::10";
  std::string dst = "2001:db8:113::1";
  std::uint8_t hop_limit = 64;
  std::uint8_t traffic_class = 0;
  std::uint32_t flow_label = 0;
  std::optional<std::uint8_t> next_header;
  std::optional<std::uint16_t> length;  // payload length
};

struct Ipv6HopByHop {
  Bytes options;  // padded with PadN to fill the header
  std::optional<std::uint8_t> next_header;
};

struct Ipv6Fragment {
  std::uint32_t id = 0;
  std::uint16_t offset = 0;  // in bytes, a multiple of 8
  bool more = false;
  std::optional<std::uint8_t> next_header;
};

// How a TCP or UDP checksum is filled in. Partial: the pseudo-header's sum alone, as a sender leaves it that
// counts on checksum offload (CHECKSUM_PARTIAL).
enum class Checksum { Full, Partial };

struct Tcp {
  std::uint16_t src_port = 40000;
  std::uint16_t dst_port = 80;
  std::string flags = "S";  // of F S R P A U E C
  std::uint32_t seq = 0;
  std::uint32_t ack = 0;
  std::uint16_t window = 64240;
  Bytes options;  // padded with zeros to a multiple of 4
  Checksum fill = Checksum::Full;
  std::optional<std::uint16_t> checksum;
};

struct Udp {
  std::uint16_t src_port = 40000;
  std::uint16_t dst_port = 53;
  Checksum fill = Checksum::Full;
  std::optional<std::uint16_t> length;
  std::optional<std::uint16_t> checksum;
};

struct Icmp {
  std::uint8_t type = 8;
  std::uint8_t code = 0;
  std::uint16_t id = 0;
  std::uint16_t seq = 0;
  std::uint16_t mtu = 0;  // type 3 code 4; shares its bytes with seq
  std::optional<std::uint16_t> checksum;
};

struct Icmpv6 {
  std::uint8_t type = 128;
  std::uint8_t code = 0;
  std::uint16_t id = 0;
  std::uint16_t seq = 0;
  std::uint32_t mtu = 0;  // type 2; shares its bytes with id and seq
  std::optional<std::uint16_t> checksum;
};

struct Payload {
  Bytes bytes;

  explicit Payload(std::string_view text) : bytes(text.begin(), text.end()) {}
  explicit Payload(const char* text) : Payload(std::string_view(text)) {}
  explicit Payload(int size);  // a pattern, so that shifted bytes show
  explicit Payload(Bytes raw) : bytes(std::move(raw)) {}
};

using Layer = std::variant<Ethernet, Vlan, Arp, Ipv4, Ipv6, Ipv6HopByHop, Ipv6Fragment, Tcp, Udp, Icmp,
                           Icmpv6, Payload>;

template <typename T>
concept LayerType = std::constructible_from<Layer, T> && !std::same_as<std::remove_cvref_t<T>, Layer>;

class Packet {
 public:
  Packet() = default;
  template <LayerType T>
  Packet(T layer) : layers_{Layer(std::move(layer))} {}  // NOLINT: layers read as packets

  // The frame as it goes over the wire. Throws std::invalid_argument for addresses that are none.
  Bytes bytes() const;
  operator Bytes() const { return bytes(); }  // NOLINT: so that a Packet goes wherever bytes are wanted

  const std::vector<Layer>& layers() const { return layers_; }

  // A copy in which the outermost T is changed: sent.with<Ipv4>([](Ipv4& ip) { ip.ttl -= 1; })
  template <typename T>
  Packet with(const std::function<void(T&)>& change) const {
    Packet copy = *this;
    for (Layer& layer : copy.layers_) {
      if (T* found = std::get_if<T>(&layer)) {
        change(*found);
        return copy;
      }
    }
    throw std::invalid_argument("the packet has no such layer");
  }

  // From the layer `from` on, e.g. packet.inside(1) without its Ethernet header.
  Packet inside(std::size_t from) const;

  friend Packet operator/(Packet outer, const Packet& inner);

 private:
  std::vector<Layer> layers_;
};

Packet operator/(Packet outer, const Packet& inner);

// What an ICMP error carries of the packet that caused it: from its IP header on, at most `limit` bytes. The
// default is as much as routers send (RFC 1812); 28 is the IPv4 header and the eight bytes that RFC 792 asks
// for.
Payload quoted(const Packet& packet, std::size_t limit = 548);
Payload quoted(const Bytes& frame, std::size_t limit = 548);

// The body of a neighbour solicitation (option 1) or advertisement (option 2) behind Icmpv6{.type = 135 or
// 136}.
Payload neighbor_target(const std::string& ip, int option = 0, const std::string& mac = "00:00:00:00:00:00");

// The frames that an IP packet becomes on a link with that MTU, the checksum being that of the whole
// datagram.
std::vector<Bytes> fragments(const Packet& packet, std::size_t mtu, std::uint32_t id = 1);

}  // namespace vnet::test
