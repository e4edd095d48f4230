// SPDX-License-Identifier: GPL-2.0-or-later
// Frames for the eye: one line a layer, and comparisons whose failure shows the layer that differs.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/packet.h"

namespace vnet::test {

// "Ipv4 192.168.122.10 > 203.0.113.1 ttl 64 id 0 DF length 40 protocol 6 checksum 0x1234" and so on.
std::vector<std::string> describe_layers(const Bytes& frame);
std::string describe(const Bytes& frame);  // the same, one line each

testing::AssertionResult compare_packets(const char* expected_text, const char* actual_text,
                                         const Bytes& expected, const Bytes& actual);

}  // namespace vnet::test

#define EXPECT_PACKET_EQ(expected, actual) \
  EXPECT_PRED_FORMAT2(::vnet::test::compare_packets, expected, actual)
#define ASSERT_PACKET_EQ(expected, actual) \
  ASSERT_PRED_FORMAT2(::vnet::test::compare_packets, expected, actual)
