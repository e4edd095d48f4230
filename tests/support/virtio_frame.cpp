// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/virtio_frame.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "tests/support/describe.h"
#include "tests/support/oracle.h"

namespace vnet::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

unsigned be16(const Bytes& bytes, std::size_t at) {
  return bytes.at(at) * 256U + bytes.at(at + 1);
}
std::uint32_t be32(const Bytes& bytes, std::size_t at) {
  return be16(bytes, at) << 16 | be16(bytes, at + 2);
}

struct Place {
  int version = 0;  // of IP; 0: something else
  unsigned protocol = 0;
  std::size_t ip = 0, l4 = 0, end = 0;
};

// Where the outermost IP packet and its payload begin. Fragments and IPv6 extension headers have no payload
// here that could be offloaded.
Place locate(const Bytes& frame) {
  std::size_t at = 12;
  while (at + 4 <= frame.size() && (be16(frame, at) == 0x8100 || be16(frame, at) == 0x88a8)) at += 4;
  if (at + 2 > frame.size()) return {};
  unsigned type = be16(frame, at);
  Place place{.ip = at + 2};
  if (type == 0x0800 && place.ip + 20 <= frame.size()) {
    place.version = 4;
    place.protocol = frame[place.ip + 9];
    place.l4 = place.ip + (frame[place.ip] & 15U) * 4U;
    place.end = std::min<std::size_t>(frame.size(), place.ip + be16(frame, place.ip + 2));
  } else if (type == 0x86dd && place.ip + 40 <= frame.size()) {
    place.version = 6;
    place.protocol = frame[place.ip + 6];
    place.l4 = place.ip + 40;
    place.end = std::min<std::size_t>(frame.size(), place.l4 + be16(frame, place.ip + 4));
  }
  return place;
}

std::string mac_text(const Bytes& frame, std::size_t at) {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", frame[at], frame[at + 1], frame[at + 2],
                     frame[at + 3], frame[at + 4], frame[at + 5]);
}

std::string address_text(int family, const std::uint8_t* raw) {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(family, raw, text, sizeof text);
  return text;
}

std::uint16_t checksum_offset(unsigned protocol) {
  if (protocol == IPPROTO_TCP) return 16;
  if (protocol == IPPROTO_UDP) return 6;
  throw std::invalid_argument("only TCP and UDP checksums can be left to others");
}

}  // namespace

VirtioFrame plain(const Packet& packet) {
  VirtioFrame result{.frame = packet.bytes()};
  result.header.num_buffers = 1;
  return result;
}

VirtioFrame partial(const Packet& packet) {
  Place place = locate(packet.bytes());
  Packet unfinished;
  if (place.protocol == IPPROTO_UDP) {
    unfinished = packet.with<Udp>([](Udp& udp) { udp.fill = Checksum::Partial, udp.checksum.reset(); });
  } else if (place.protocol == IPPROTO_TCP) {
    unfinished = packet.with<Tcp>([](Tcp& tcp) { tcp.fill = Checksum::Partial, tcp.checksum.reset(); });
  }
  VirtioFrame result = plain(unfinished);
  result.header.flags = VirtioHeader::needs_csum;
  result.header.csum_start = static_cast<std::uint16_t>(place.l4);
  result.header.csum_offset = checksum_offset(place.protocol);
  return result;
}

VirtioFrame super_frame(const Packet& packet, std::uint16_t gso_size) {
  VirtioFrame result = partial(packet);
  Place place = locate(result.frame);
  if (place.protocol != IPPROTO_TCP) throw std::invalid_argument("only TCP is cut into segments");
  result.header.gso_type = place.version == 4 ? VirtioHeader::gso_tcp4 : VirtioHeader::gso_tcp6;
  result.header.gso_size = gso_size;
  result.header.hdr_len = static_cast<std::uint16_t>(place.l4 + (result.frame.at(place.l4 + 12) >> 4) * 4U);
  return result;
}

Bytes completed(const VirtioFrame& frame) {
  Bytes result = frame.frame;
  if (!frame.needs_checksum()) return result;
  std::size_t start = frame.header.csum_start, field = start + frame.header.csum_offset;
  if (field + 2 > result.size()) throw std::out_of_range("the header points behind the frame's end");
  std::uint32_t sum = 0;
  for (std::size_t at = start; at < result.size(); at += 2) {
    sum += result[at] * 256U + (at + 1 < result.size() ? result[at + 1] : 0U);
    sum = (sum & 0xffff) + (sum >> 16);
  }
  std::uint32_t value = sum == 0xffff ? 0xffff : ~sum & 0xffff;  // zero would say that there is none
  result[field] = static_cast<std::uint8_t>(value >> 8);
  result[field + 1] = static_cast<std::uint8_t>(value);
  return result;
}

testing::AssertionResult is_sound(const VirtioFrame& frame) {
  Place place = locate(frame.frame);
  auto wrong = [&](const std::string& what) {
    return testing::AssertionFailure() << what << "\n" << describe(frame);
  };
  if (frame.needs_checksum()) {
    if (place.protocol != IPPROTO_TCP && place.protocol != IPPROTO_UDP) {
      return wrong("a checksum is to be completed of what is neither TCP nor UDP");
    }
    if (frame.header.csum_start != place.l4) return wrong("csum_start is not where the TCP or UDP header is");
    if (frame.header.csum_offset != checksum_offset(place.protocol)) return wrong("csum_offset is wrong");
  }
  if (frame.is_gso()) {
    if (!frame.needs_checksum()) return wrong("to be cut, but no checksum to be completed");
    if (frame.header.gso_size == 0) return wrong("to be cut into pieces of no bytes");
    int type = frame.header.gso_type & ~VirtioHeader::gso_ecn;
    if (place.protocol == IPPROTO_TCP &&
        type != (place.version == 4 ? VirtioHeader::gso_tcp4 : VirtioHeader::gso_tcp6)) {
      return wrong("gso_type does not fit to the IP version");
    }
  }
  testing::AssertionResult result = is_sound(completed(frame));
  return result ? result : result << "\n" << describe(frame);
}

Fields fields(const Bytes& frame) {
  Fields found;
  if (frame.size() < 14) return found;
  found.dst_mac = mac_text(frame, 0);
  found.src_mac = mac_text(frame, 6);
  Place place = locate(frame);
  if (place.version == 0) return found;
  const std::uint8_t* ip = frame.data() + place.ip;
  bool v4 = place.version == 4;
  found.src = address_text(v4 ? AF_INET : AF_INET6, ip + (v4 ? 12 : 8));
  found.dst = address_text(v4 ? AF_INET : AF_INET6, ip + (v4 ? 16 : 24));
  found.protocol = static_cast<std::uint8_t>(place.protocol);
  std::size_t body = place.l4;
  if (place.protocol == IPPROTO_UDP && place.l4 + 8 <= place.end) {
    body = place.l4 + 8;
    found.l4_checksum = static_cast<std::uint16_t>(be16(frame, place.l4 + 6));
  } else if (place.protocol == IPPROTO_TCP && place.l4 + 20 <= place.end) {
    body = place.l4 + (frame[place.l4 + 12] >> 4) * 4U;
    found.seq = be32(frame, place.l4 + 4);
    found.ack = be32(frame, place.l4 + 8);
    found.l4_checksum = static_cast<std::uint16_t>(be16(frame, place.l4 + 16));
    for (unsigned bit = 0; bit < 8; ++bit) {
      if (frame[place.l4 + 13] >> bit & 1) found.tcp_flags += "FSRPAUEC"[bit];
    }
  } else {
    return found;
  }
  found.src_port = static_cast<std::uint16_t>(be16(frame, place.l4));
  found.dst_port = static_cast<std::uint16_t>(be16(frame, place.l4 + 2));
  if (body <= place.end) {
    found.payload.assign(frame.begin() + static_cast<std::ptrdiff_t>(body),
                         frame.begin() + static_cast<std::ptrdiff_t>(place.end));
  }
  return found;
}

std::string describe(const VirtioFrame& frame) {
  const VirtioHeader& header = frame.header;
  return fmt::format("virtio flags {} gso_type {} gso_size {} hdr_len {} csum_start {} csum_offset {}\n{}",
                     header.flags, header.gso_type, header.gso_size, header.hdr_len, header.csum_start,
                     header.csum_offset, describe(frame.frame));
}

std::optional<VirtioFrame> first_match(const std::function<std::optional<VirtioFrame>(milliseconds)>& next,
                                       const FrameTest& test, milliseconds limit) {
  std::string others;
  auto deadline = Clock::now() + limit;
  for (auto left = limit; left.count() > 0; left = std::chrono::ceil<milliseconds>(deadline - Clock::now())) {
    std::optional<VirtioFrame> frame = next(left);
    if (!frame) continue;
    if (test(*frame)) return frame;
    if (others.size() < 8000) others += describe(*frame) + "\n";
  }
  ADD_FAILURE() << "the expected frame did not arrive within " << limit.count() << " ms; these did:\n"
                << others;
  return std::nullopt;
}

void no_match(const std::function<std::optional<VirtioFrame>(milliseconds)>& next, const FrameTest& test,
              milliseconds window) {
  auto deadline = Clock::now() + window;
  for (auto left = window; left.count() > 0;
       left = std::chrono::ceil<milliseconds>(deadline - Clock::now())) {
    std::optional<VirtioFrame> frame = next(left);
    if (frame && test(*frame)) {
      ADD_FAILURE() << "a frame arrived that must not:\n" << describe(*frame);
      return;
    }
  }
}

Bytes tcp_payload(const std::function<std::optional<VirtioFrame>(milliseconds)>& next, const FrameTest& test,
                  std::uint32_t seq, std::size_t size, milliseconds limit) {
  Bytes result(size);
  std::vector<bool> there(size);
  std::size_t missing = size;
  auto deadline = Clock::now() + limit;
  while (missing > 0) {
    auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) break;
    std::optional<VirtioFrame> frame = next(left);
    if (!frame || !test(*frame)) continue;
    EXPECT_TRUE(is_sound(*frame));
    Fields found = fields(frame->frame);
    for (std::size_t i = 0; i < found.payload.size(); ++i) {
      std::size_t at = static_cast<std::uint32_t>(found.seq - seq) + i;
      if (at >= size) {
        ADD_FAILURE() << "a byte behind the stream's end:\n" << describe(*frame);
        return result;
      }
      result[at] = found.payload[i];
      if (!there[at]) there[at] = true, --missing;
    }
  }
  EXPECT_EQ(missing, 0U) << "of " << size << " bytes did not arrive within " << limit.count() << " ms";
  return result;
}

}  // namespace vnet::test
