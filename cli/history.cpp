// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/history.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace vnet::cli {

double History::Sample::bits(Direction direction) const {
  return direction == Direction::Received ? rx : direction == Direction::Sent ? tx : rx + tx;
}

void History::add(const std::string& key, double time, const Rate& rate) {
  all_[key].push_back({time, rate.rx_bits, rate.tx_bits});
}

void History::add(const Rates& rates) {
  latest_ = rates.time;
  add(total(), rates.time, rates.total);
  for (const auto& one : rates.networks) add(network(one.name), rates.time, one.rate);
  for (const auto& one : rates.ports) add(port(one.name), rates.time, one.rate);
  for (const auto& one : rates.uplinks) add(uplink(one.name), rates.time, one.rate);
  for (auto entry = all_.begin(); entry != all_.end();) {
    auto& samples = entry->second;
    while (!samples.empty() && samples.front().time <= latest_ - seconds) samples.pop_front();
    entry = samples.empty() ? all_.erase(entry) : std::next(entry);
  }
}

double History::peak(const std::string& key, Direction direction) const {
  double highest = 0;
  if (auto samples = all_.find(key); samples != all_.end())
    for (const auto& sample : samples->second) highest = std::max(highest, sample.bits(direction));
  return highest;
}

std::string History::sparkline(const std::string& key, Direction direction, std::size_t width,
                               bool unicode) const {
  constexpr std::array blocks{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  constexpr std::array letters{"_", ".", ":", "-", "=", "+", "*", "#"};
  struct Part {
    double sum = 0;
    unsigned count = 0;
  };
  std::vector<Part> parts(width);
  if (auto samples = all_.find(key); samples != all_.end() && width) {
    for (const auto& sample : samples->second) {
      // Counted from the right, so that the latest reading is in the last part.
      auto back = static_cast<std::size_t>(std::max(0.0, latest_ - sample.time) / seconds *
                                           static_cast<double>(width));
      if (back >= width) continue;
      Part& part = parts[width - 1 - back];
      part.sum += sample.bits(direction);
      ++part.count;
    }
  }
  double highest = 0;
  for (const auto& part : parts)
    if (part.count) highest = std::max(highest, part.sum / part.count);
  std::string text;
  const Part* last = nullptr;
  std::size_t unread = parts.size();  // past the last reading
  while (unread && !parts[unread - 1].count) --unread;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].count) last = &parts[i];
    // No reading in this part: repeat the one before.
    if (!last || i >= unread) {
      text += " ";
      continue;
    }
    const Part& part = *last;
    double share = highest > 0 ? part.sum / part.count / highest : 0;
    auto level = static_cast<std::size_t>(std::ceil(share * 8));
    level = level ? level - 1 : 0;
    text += unicode ? blocks[level] : letters[level];
  }
  return text;
}

}  // namespace vnet::cli
