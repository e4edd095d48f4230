// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace vnet::hostile {

// SplitMix64: begins anew for every frame at no cost, so that one frame can be made without those before it.
class Random {
 public:
  Random(std::uint64_t seed, std::uint64_t number) : state_(seed * 0x9e3779b97f4a7c15 ^ number << 20) {
    next();
    next();
  }

  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  std::size_t below(std::size_t limit) { return next() % limit; }
  bool percent(unsigned chance) { return below(100) < chance; }
  std::uint8_t byte() { return static_cast<std::uint8_t>(next()); }
  std::uint16_t word() { return static_cast<std::uint16_t>(next()); }

  template <typename List>
  const auto& any(const List& of) {
    return of[below(of.size())];
  }
  template <typename T, std::size_t n>
  const T& any(const T (&of)[n]) {
    return of[below(n)];
  }

 private:
  std::uint64_t state_;
};

}  // namespace vnet::hostile
