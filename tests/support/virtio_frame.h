// SPDX-License-Identifier: GPL-2.0-or-later
// Frames with what a virtio_net_hdr says about them: checksums yet to be completed, segments yet to be cut.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "tests/support/packet.h"

namespace vnet::test {

// virtio_net_hdr_v1 of the virtio specification, little endian as on the machines this is built for: the
// kernel's header has a member named `class` and is no C++. The first ten bytes are the older header.
struct VirtioHeader {
  static constexpr std::uint8_t needs_csum = 1;                                            // flags
  static constexpr std::uint8_t gso_none = 0, gso_tcp4 = 1, gso_tcp6 = 4, gso_ecn = 0x80;  // gso_type
  static constexpr std::size_t old_size = 10;

  std::uint8_t flags = 0;
  std::uint8_t gso_type = gso_none;
  std::uint16_t hdr_len = 0;
  std::uint16_t gso_size = 0;
  std::uint16_t csum_start = 0;
  std::uint16_t csum_offset = 0;
  std::uint16_t num_buffers = 0;
};
static_assert(sizeof(VirtioHeader) == 12);

struct VirtioFrame {
  VirtioHeader header{};
  Bytes frame;

  bool needs_checksum() const { return header.flags & VirtioHeader::needs_csum; }
  bool is_gso() const { return header.gso_type != VirtioHeader::gso_none; }
};

// As it is, no help wanted.
VirtioFrame plain(const Packet& packet);

// CHECKSUM_PARTIAL: the TCP or UDP checksum is left to whoever sends the frame on. Replaces what the layer
// says of its checksum.
VirtioFrame partial(const Packet& packet);

// A TCP segment bigger than any link's, to be cut into pieces of `gso_size` bytes.
VirtioFrame super_frame(const Packet& packet, std::uint16_t gso_size = 1448);

// The frame as a receiver reads it that does what the header asks for: the checksum completed, not cut.
Bytes completed(const VirtioFrame& frame);

// Sound once completed; the header has to point to the TCP or UDP checksum, and fit to the frame's family.
testing::AssertionResult is_sound(const VirtioFrame& frame);

// What the outermost IP packet of a frame carries, found again without the packet it was built from. Empty
// strings and zeros where the frame is something else.
struct Fields {
  std::string src_mac, dst_mac;
  std::string src, dst;
  std::uint8_t protocol = 0;
  std::uint16_t src_port = 0, dst_port = 0;
  std::uint32_t seq = 0, ack = 0;
  std::uint16_t l4_checksum = 0;
  std::string tcp_flags;  // of F S R P A U E C, in this order
  Bytes payload;
};
Fields fields(const Bytes& frame);

std::string describe(const VirtioFrame& frame);

using FrameTest = std::function<bool(const VirtioFrame&)>;

// The first frame that passes, or a test failure that lists what came instead. `next` gives the next frame
// that arrives within the time it is told.
std::optional<VirtioFrame> first_match(
    const std::function<std::optional<VirtioFrame>(std::chrono::milliseconds)>& next, const FrameTest& test,
    std::chrono::milliseconds limit);
void no_match(const std::function<std::optional<VirtioFrame>(std::chrono::milliseconds)>& next,
              const FrameTest& test, std::chrono::milliseconds window);

// The payload of one TCP stream from `seq` on, put together from whole or cut frames, each of which has to be
// sound. Ends when `size` bytes are there or with a test failure.
Bytes tcp_payload(const std::function<std::optional<VirtioFrame>(std::chrono::milliseconds)>& next,
                  const FrameTest& test, std::uint32_t seq, std::size_t size,
                  std::chrono::milliseconds limit = std::chrono::seconds(3));

}  // namespace vnet::test
