// SPDX-License-Identifier: GPL-2.0-or-later
// Honest frames first, then the hostile ones, and what the sniffers say of both.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>

#include "tests/hostile/ground.h"
#include "tests/hostile/responder.h"
#include "tests/hostile/shot.h"

namespace vnet::hostile {

struct Options {
  std::uint64_t seed = 20260101;
  std::uint32_t frames = 200'000;
  std::uint32_t from = 0;         // the first one's number
  std::chrono::seconds limit{0};  // 0: none
};

class Run {
 public:
  explicit Run(const Options& options);

  bool honest_are_seen();  // else the sniffers are blind, and silence says nothing; prints what is missing
  void shoot();
  bool report();  // true: nothing was seen where it must not be

 private:
  struct Finding {
    std::uint64_t count = 0;
    std::string example;
  };

  void expect_masquerade_to_lan();
  void listen();
  void hear(std::size_t place, std::span<const std::uint8_t> frame);

  Options options_;
  Ground ground_;
  Responder responder_;
  std::set<std::uint32_t> honest_seen_;
  std::array<std::array<std::uint64_t, place_count>, guest_count> heard_{};
  std::map<std::string, Finding> findings_;
  std::uint64_t sent_ = 0, refused_ = 0;
  std::chrono::duration<double> took_{0};
};

}  // namespace vnet::hostile
