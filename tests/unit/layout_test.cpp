// SPDX-License-Identifier: GPL-2.0-or-later
// The layouts of the pinned maps, and the steps between them: each version that was released can be left and
// come back to.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "loader/bpf/layouts/layout.h"
#include "loader/bpf/layouts/layout_10.h"
#include "loader/bpf/layouts/steps.h"
#include "loader/bpf/migrate.h"
#include "maps/abi.h"

namespace vnet {
namespace {

constexpr unsigned first_layout = 9;

std::string row(const MapShape& shape) {
  return fmt::format("{} type {} key {} value {} entries {} flags {}", shape.name, shape.type, shape.key,
                     shape.value, shape.entries, shape.flags);
}
std::vector<std::string> rows(std::span<const MapShape> shapes) {
  std::vector<std::string> all;
  for (const auto& shape : shapes) all.push_back(row(shape));
  return all;
}
const MapShape* shape_in(unsigned version, std::string_view map) {
  for (const auto& shape : layout_of(version))
    if (map == shape.name) return &shape;
  return nullptr;
}

// Red: a pinned map has changed. If its version has been released, see "How to change a pinned structure" in
// CONTRIBUTING.md; if not, write the difference into layouts/layout_N.h of VNET_ABI_VERSION.
TEST(Layout, TheNewestIsWhatIsCompiled) {
  ASSERT_EQ(10, VNET_ABI_VERSION) << "compare layout_now() with the new layout's file, here";
  EXPECT_EQ(rows(layout_10), rows(layout_now()));
}

TEST(Layout, EachVersionIsKept) {
  for (unsigned version = first_layout; version <= VNET_ABI_VERSION; ++version)
    EXPECT_FALSE(layout_of(version).empty()) << version;
  EXPECT_TRUE(layout_of(first_layout - 1).empty());
  EXPECT_TRUE(layout_of(VNET_ABI_VERSION + 1).empty());
}

TEST(Layout, EachMapThatChangesHasAStep) {
  for (unsigned version = first_layout; version < VNET_ABI_VERSION; ++version)
    for (const auto& before : layout_of(version)) {
      const MapShape* after = shape_in(version + 1, before.name);
      if (!after || before == *after) continue;
      bool has_step = false;
      for (const auto& step : layout_steps())
        has_step |= step.from == version && before.name == std::string(step.map);
      EXPECT_TRUE(has_step) << row(before) << " becomes " << row(*after);
      EXPECT_EQ(before.key, after->key)
          << before.name << ": keys are not converted; give the map another name";
    }
}

TEST(Layout, EachStepFitsItsMaps) {
  for (const auto& step : layout_steps()) {
    SCOPED_TRACE(fmt::format("{}, {} to {}", step.map, step.from, step.from + 1));
    const MapShape *before = shape_in(step.from, step.map), *after = shape_in(step.from + 1, step.map);
    ASSERT_TRUE(before && after);
    if (!step.up) continue;
    ASSERT_TRUE(step.down);
    EXPECT_EQ(before->value, step.old_value);
    EXPECT_EQ(after->value, step.new_value);
  }
}

// What is taken to the newer version and back is what it was.
void expect_comes_back(const LayoutStep& step, unsigned seed) {
  std::mt19937 random(seed);
  for (int i = 0; i < 100; ++i) {
    std::vector<unsigned char> before(step.old_value), after(step.new_value), again(step.old_value);
    for (auto& byte : before) byte = static_cast<unsigned char>(random());
    step.up(before.data(), after.data());
    step.down(after.data(), again.data());
    ASSERT_EQ(before, again) << step.map;
  }
}

struct Old {
  std::uint32_t a, b;
};
struct New {
  std::uint64_t b;
  std::uint32_t a, extra;
};
void up(const Old& from, New& to) {
  to = {.b = from.b, .a = from.a, .extra = 7};
}
void down(const New& from, Old& to) {
  to = {.a = from.a, .b = static_cast<std::uint32_t>(from.b)};
}

TEST(Layout, AStepConvertsBothWays) {
  auto step = values<up, down, Old, New>(1, "map");
  EXPECT_EQ(sizeof(Old), step.old_value);
  EXPECT_EQ(sizeof(New), step.new_value);
  Old old{3, 5};
  New now{};
  step.up(&old, &now);
  EXPECT_EQ(5U, now.b);
  EXPECT_EQ(3U, now.a);
  EXPECT_EQ(7U, now.extra);
  expect_comes_back(step, 1);
  expect_comes_back(copied<vnet_flow>(1, "map"), 2);
  EXPECT_FALSE(begun_anew(1, "map").up);
  for (const auto& one : layout_steps())
    if (one.up) expect_comes_back(one, one.from);
}

TEST(Layout, OnlyKnownLayoutsAreMoved) {
  EXPECT_TRUE(can_move(first_layout, VNET_ABI_VERSION));
  EXPECT_TRUE(can_move(VNET_ABI_VERSION, first_layout));
  EXPECT_FALSE(can_move(first_layout - 1, VNET_ABI_VERSION));
  EXPECT_FALSE(can_move(VNET_ABI_VERSION + 1, VNET_ABI_VERSION));
  EXPECT_EQ(0U, pinned_layout("/nonexistent"));
}

// The settings say which layout it is; everything else stays the same map unless a step says otherwise.
TEST(Layout, WhatHasNotChangedIsNotCopied) {
  for (unsigned version = first_layout; version < VNET_ABI_VERSION; ++version)
    for (const auto& name : moved_maps(version, VNET_ABI_VERSION)) {
      bool has_step = name == "settings";
      for (const auto& step : layout_steps()) has_step |= step.from >= version && name == step.map;
      EXPECT_TRUE(has_step) << name;
    }
  EXPECT_EQ(std::vector<std::string>{"settings"}, moved_maps(VNET_ABI_VERSION, VNET_ABI_VERSION));
}

}  // namespace
}  // namespace vnet
