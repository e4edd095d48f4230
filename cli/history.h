// SPDX-License-Identifier: GPL-2.0-or-later
// The last minute of what `stats --watch` has seen, as sparklines.
#pragma once

#include <deque>
#include <map>
#include <string>

#include "loader/observe/rates.h"

namespace vnet::cli {

enum class Direction { Received, Sent, Both };

class History {
 public:
  static constexpr double seconds = 60;

  void add(const Rates& rates);
  // `width` characters, each for an equal part of the last minute, the latest at the right: the mean in bits
  // per second, scaled so that the highest is a full block. A part without a reading repeats the one before
  // it, and is blank where there is none. unicode: eighth blocks, else ASCII.
  std::string sparkline(const std::string& key, Direction direction, std::size_t width, bool unicode) const;
  double peak(const std::string& key, Direction direction) const;

  static std::string total() { return ""; }
  static std::string network(const std::string& name) { return "network " + name; }
  static std::string port(const std::string& name) { return "port " + name; }
  static std::string uplink(const std::string& name) { return "uplink " + name; }

 private:
  struct Sample {
    double time, rx, tx;
    double bits(Direction direction) const;
  };
  void add(const std::string& key, double time, const Rate& rate);

  double latest_ = 0;
  std::map<std::string, std::deque<Sample>> all_;
};

}  // namespace vnet::cli
