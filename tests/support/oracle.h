// SPDX-License-Identifier: GPL-2.0-or-later
// A second opinion on frames: parses them from scratch and says what is wrong. Shares no code with the
// packets that tests compose, nor with the product, so that a mistake has to be made twice to stay hidden.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace vnet::test {

// What the TCP or UDP checksum of the outermost IP packet has to be.
enum class L4Sum {
  Full,     // right, as on the wire
  Partial,  // the pseudo header's sum alone: the device or the next hop completes it
};

// Everything that a careful receiver would hold against the frame: lengths, the checksums of IPv4, TCP, UDP,
// ICMP and ICMPv6, and the same inside packets quoted by ICMP errors. Empty: a sound frame.
std::vector<std::string> complaints(const std::vector<std::uint8_t>& frame, L4Sum l4 = L4Sum::Full);

testing::AssertionResult is_sound(const std::vector<std::uint8_t>& frame, L4Sum l4 = L4Sum::Full);

}  // namespace vnet::test

#define EXPECT_SOUND(frame) EXPECT_TRUE(::vnet::test::is_sound(frame))
