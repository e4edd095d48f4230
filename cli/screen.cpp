// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/screen.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>

#include "cli/text.h"

namespace vnet::cli {
namespace {

std::string clock(double seconds) {
  time_t when = static_cast<time_t>(seconds);
  tm parts{};
  char text[16] = "";
  if (localtime_r(&when, &parts)) strftime(text, sizeof(text), "%H:%M:%S", &parts);
  return text;
}

const char* sort_word(SortBy sort) {
  switch (sort) {
    case SortBy::Received:
      return "rx";
    case SortBy::Sent:
      return "tx";
    case SortBy::Drops:
      return "drops";
    default:
      return "name";
  }
}

template <typename Entry>
void sort_entries(std::vector<Entry>& entries, SortBy sort) {
  std::ranges::stable_sort(entries, {}, &Entry::name);
  auto by = [&](double Rate::*field) {
    std::ranges::stable_sort(entries, std::greater<>{},
                             [&](const Entry& entry) { return entry.rate.*field; });
  };
  if (sort == SortBy::Received) by(&Rate::rx_bits);
  if (sort == SortBy::Sent) by(&Rate::tx_bits);
  if (sort == SortBy::Drops) by(&Rate::drops);
}

std::string cut(const std::string& text, std::size_t width) {
  auto clean = printable(text);
  if (clean.size() > width) clean = clean.substr(0, width - 1) + "~";
  return fmt::format("{:<{}}", clean, width);
}

// 78 columns, so that it fits into 80.
std::string row(const std::string& name, const std::string& detail, const Rate& rate) {
  return fmt::format("{} {} {:>8} {:>8} {:>8} {:>8} {:>7}", cut(name, 16), cut(detail, 17),
                     short_number(rate.rx_packets), short_number(rate.rx_bits), short_number(rate.tx_packets),
                     short_number(rate.tx_bits), short_number(rate.drops));
}

std::string heading(const char* name, const char* detail) {
  return fmt::format("{:<16} {:<17} {:>8} {:>8} {:>8} {:>8} {:>7}", name, detail, "rx pkt/s", "rx bit/s",
                     "tx pkt/s", "tx bit/s", "drops/s");
}

std::string words(const Rate& rate) {
  return fmt::format("rx {} pkt/s {} bit/s  tx {} pkt/s {} bit/s  drops {}/s", short_number(rate.rx_packets),
                     short_number(rate.rx_bits), short_number(rate.tx_packets), short_number(rate.tx_bits),
                     short_number(rate.drops));
}

}  // namespace

SortBy next_sort(SortBy sort) {
  switch (sort) {
    case SortBy::Name:
      return SortBy::Received;
    case SortBy::Received:
      return SortBy::Sent;
    case SortBy::Sent:
      return SortBy::Drops;
    default:
      return SortBy::Name;
  }
}

Screen compose(Rates rates, const View& view) {
  sort_entries(rates.networks, view.sort);
  sort_entries(rates.ports, view.sort);
  sort_entries(rates.uplinks, view.sort);
  Screen screen;
  screen.head.push_back({fmt::format("vnet-bpf  {}  every {:g} s  sort: {}{}", clock(rates.time),
                                     view.seconds, sort_word(view.sort), view.paused ? "  PAUSED" : ""),
                         true});
  screen.head.push_back({view.error.empty() ? "total  " + words(rates.total) : printable(view.error)});
  auto section = [&](std::string title) {
    if (!screen.body.empty()) screen.body.push_back({});
    screen.body.push_back({std::move(title), true});
  };
  if (!rates.networks.empty()) section(heading("NETWORK", "ports, sessions"));
  for (const auto& network : rates.networks)
    screen.body.push_back(
        {row(network.name, fmt::format("{}, {}", network.ports, network.sessions), network.rate)});
  if (!rates.ports.empty()) section(heading("PORT", "network"));
  for (const auto& port : rates.ports) screen.body.push_back({row(port.name, port.network, port.rate)});
  if (!rates.uplinks.empty()) section(heading("UPLINK", ""));
  for (const auto& uplink : rates.uplinks) screen.body.push_back({row(uplink.name, "", uplink.rate)});
  if (!rates.drops.empty())
    section(fmt::format("{:<34} {:>8} {:>14}", "DROPPED BECAUSE", "drops/s", "since start"));
  for (const auto& drop : rates.drops)
    screen.body.push_back(
        {fmt::format("{} {:>8} {:>14}", cut(drop.reason, 34), short_number(drop.per_second), drop.total)});
  if (screen.body.empty()) screen.body.push_back({"No network is active."});
  screen.foot = {"q quit  s sort  p pause  arrows, PgUp, PgDn scroll  r reset view", true};
  return screen;
}

std::string plain_lines(const Rates& rates) {
  std::string out, time = clock(rates.time);
  for (const auto& network : rates.networks)
    out += fmt::format("{} network {}  {}\n", time, printable(network.name), words(network.rate));
  for (const auto& port : rates.ports)
    out += fmt::format("{} port {} ({})  {}\n", time, printable(port.name), printable(port.network),
                       words(port.rate));
  for (const auto& uplink : rates.uplinks)
    out += fmt::format("{} uplink {}  {}\n", time, printable(uplink.name), words(uplink.rate));
  return out;
}

}  // namespace vnet::cli
