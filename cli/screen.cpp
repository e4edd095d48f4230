// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/screen.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>

#include "cli/text.h"
#include "loader/model/drop_reason.h"

namespace vnet::cli {
namespace {

constexpr std::size_t row_columns = 78;  // fits into 80 columns
constexpr std::size_t shown_drops = 5;   // above the ports; the detail of a port shows all

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

double sort_value(const Rate& rate, SortBy sort) {
  if (sort == SortBy::Received) return rate.rx_bits;
  return sort == SortBy::Sent ? rate.tx_bits : rate.drops;
}

// Returns pointers, so that sorting a thousand entries copies none.
template <typename Entry, typename Wanted>
std::vector<const Entry*> chosen(const std::vector<Entry>& entries, SortBy sort, Wanted wanted) {
  std::vector<const Entry*> all;
  for (const auto& entry : entries)
    if (wanted(entry)) all.push_back(&entry);
  std::ranges::stable_sort(all, {}, [](const Entry* entry) -> const std::string& { return entry->name; });
  if (sort != SortBy::Name)
    std::ranges::stable_sort(all, std::greater<>{},
                             [&](const Entry* entry) { return sort_value(entry->rate, sort); });
  return all;
}

std::string column(const std::string& text, std::size_t width) {
  auto clean = printable(text);
  if (clean.size() > width) clean = clean.substr(0, width - 1) + "~";
  return fmt::format("{:<{}}", clean, width);
}

std::string of_limit(std::uint32_t sessions, std::uint32_t limit) {
  auto count = [](std::uint32_t n) { return n < 1000 ? std::to_string(n) : short_number(n); };
  return count(sessions) + "/" + count(limit);
}

std::string words(const Rate& rate) {
  return fmt::format("rx {} pkt/s {} bit/s  tx {} pkt/s {} bit/s  drops {}/s", short_number(rate.rx_packets),
                     short_number(rate.rx_bits), short_number(rate.tx_packets), short_number(rate.tx_bits),
                     short_number(rate.drops));
}

// Fills a screen row by row. Only visible rows are formatted.
class Composer {
 public:
  Composer(const Rates& rates, const History& history, View& view)
      : rates_(rates), history_(history), view_(view) {}

  Screen overview() {
    head();
    auto has = [&](const std::string& name) { return name.find(view_.filter) != std::string::npos; };
    auto networks =
        chosen(rates_.networks, view_.sort, [&](const NetworkRate& one) { return has(one.name); });
    auto uplinks = chosen(rates_.uplinks, view_.sort, [&](const UplinkRate& one) { return has(one.name); });
    auto ports = chosen(rates_.ports, view_.sort,
                        [&](const PortRate& one) { return has(one.name) || has(one.network); });
    for (const auto* port : ports) screen_.ports.push_back(port->name);
    place(networks.size(), uplinks.size(), ports.size());
    if (!networks.empty()) heading("NETWORK", "ports, sessions");
    for (const auto* one : networks)
      row(
          History::network(one->name), one->name,
          [&] { return fmt::format("{}, {}", one->ports, of_limit(one->sessions, one->max_sessions)); },
          one->rate);
    if (!uplinks.empty()) heading("UPLINK", "");
    for (const auto* one : uplinks)
      row(
          History::uplink(one->name), one->name, [] { return std::string(); }, one->rate);
    drops(rates_.drops, shown_drops, false);
    if (!ports.empty()) heading("PORT", "network");
    for (const auto* one : ports)
      row(
          History::port(one->name), one->name, [&] { return one->network; }, one->rate,
          one->name == view_.selected);
    if (at_ == 0)
      add([&] { return Line{view_.filter.empty() ? "No network is active." : "Nothing of that name."}; });
    screen_.foot = {"q quit  s sort  / filter  p pause  r reset  arrows: a port, Enter: its detail", true};
    foot();
    return std::move(screen_);
  }

  Screen detail(const PortRate& port) {
    head();
    for (const auto* one : chosen(rates_.ports, view_.sort, [](const PortRate&) { return true; }))
      screen_.ports.push_back(one->name);
    auto line = [&](const std::string& text, bool emphasis = false) {
      add([&] { return Line{text, emphasis}; });
    };
    auto direction = [&](const char* name, double packets, double bits, std::uint64_t all_packets,
                         std::uint64_t all_bytes, Direction direction) {
      line(fmt::format("{}  {:>8} pkt/s  {:>8} bit/s  {} packets, {} bytes", name, short_number(packets),
                       short_number(bits), all_packets, all_bytes));
      line(spark_line(History::port(port.name), direction, "   "));
    };
    view_.scroll = std::min(view_.scroll, port.drops.size());
    line(fmt::format("PORT {} of network {} (totals since it was attached)", printable(port.name),
                     printable(port.network)),
         true);
    direction("rx", port.rate.rx_packets, port.rate.rx_bits, port.counters.rx_packets, port.counters.rx_bytes,
              Direction::Received);
    direction("tx", port.rate.tx_packets, port.rate.tx_bits, port.counters.tx_packets, port.counters.tx_bytes,
              Direction::Sent);
    line(fmt::format("{} of at most {} sessions", port.sessions, port.max_sessions));
    if (port.drops.empty()) line("Nothing has been dropped.");
    drops(port.drops, port.drops.size(), true);
    screen_.foot = {"q quit  Esc back  up, down other ports  p pause", true};
    foot();
    return std::move(screen_);
  }

 private:
  void head() {
    auto line = [&](std::string text, bool emphasis = false) {
      if (screen_.head.size() + 2 < view_.rows) screen_.head.push_back({std::move(text), emphasis});
    };
    line(fmt::format("vnet-bpf  {}  every {:g} s  sort: {}{}{}", clock_text(rates_.time), view_.seconds,
                     sort_word(view_.sort),
                     view_.filter.empty() ? "" : fmt::format("  filter: {}", printable(view_.filter)),
                     view_.paused ? "  PAUSED" : ""),
         true);
    line(view_.error.empty() ? "total  " + words(rates_.total) : printable(view_.error));
    line(spark_line(History::total(), Direction::Received, "rx "));
    line(spark_line(History::total(), Direction::Sent, "tx "));
    line("");
    height_ = view_.rows > screen_.head.size() + 1 ? view_.rows - screen_.head.size() - 1 : 0;
  }

  // The last minute and its peak.
  std::string spark_line(const std::string& key, Direction direction, const char* label) const {
    return fmt::format("{}{}  peak {}", label, history_.sparkline(key, direction, 60, view_.unicode),
                       short_number(history_.peak(key, direction)));
  }

  // The number of rows is known beforehand, so the scroll position is corrected before any is formatted.
  void place(std::size_t networks, std::size_t uplinks, std::size_t ports) {
    std::size_t rows = 0;
    auto section = [&](std::size_t entries) {
      if (entries) rows += (rows ? 2 : 1) + entries;
    };
    section(networks);
    section(uplinks);
    section(std::min(rates_.drops.size(), shown_drops));
    section(ports);
    auto selected = std::ranges::find(screen_.ports, view_.selected);
    if (selected == screen_.ports.end()) view_.selected.clear();
    // When the terminal grows, take back what was scrolled to keep the selected port visible.
    if (view_.follow && height_ > view_.height)
      view_.scroll -= std::min(view_.scroll, height_ - view_.height);
    view_.height = height_;
    view_.scroll = std::min(view_.scroll, rows > height_ ? rows - height_ : 0);
    if (!view_.follow || view_.selected.empty() || !height_) return;
    std::size_t at = rows - ports + static_cast<std::size_t>(selected - screen_.ports.begin());
    if (at < view_.scroll) view_.scroll = at;
    if (at >= view_.scroll + height_) view_.scroll = at - height_ + 1;
  }

  template <typename Make>
  void add(Make make) {
    if (at_ >= view_.scroll && at_ < view_.scroll + height_) screen_.body.push_back(make());
    ++at_;
  }

  void heading(const char* name, const char* detail) {
    if (at_) add([] { return Line{}; });
    add([&] {
      return Line{
          fmt::format("{:<16} {:<17} {:>8} {:>8} {:>8} {:>8} {:>7}{}", name, detail, "rx pkt/s", "rx bit/s",
                      "tx pkt/s", "tx bit/s", "drops/s", spark_columns() ? "  last minute" : ""),
          true};
    });
  }

  // The width of the sparkline behind each row; 0 on a narrow terminal.
  std::size_t spark_columns() const {
    return view_.columns > row_columns + 14 ? std::min<std::size_t>(view_.columns - row_columns - 3, 60) : 0;
  }

  template <typename Detail>
  void row(const std::string& key, const std::string& name, Detail detail, const Rate& rate,
           bool selected = false) {
    add([&] {
      std::string text =
          fmt::format("{} {} {:>8} {:>8} {:>8} {:>8} {:>7}", column(name, 16), column(detail(), 17),
                      short_number(rate.rx_packets), short_number(rate.rx_bits),
                      short_number(rate.tx_packets), short_number(rate.tx_bits), short_number(rate.drops));
      if (auto width = spark_columns())
        text += "  " + history_.sparkline(key, Direction::Both, width, view_.unicode);
      return Line{text, false, selected};
    });
  }

  void drops(const std::vector<DropRate>& all, std::size_t most, bool meaning) {
    if (all.empty()) return;
    if (at_) add([] { return Line{}; });
    add([&] {
      return Line{fmt::format("{:<20} {:>8} {:>14}{}", "DROPPED BECAUSE", "drops/s", "since start",
                              meaning             ? "  meaning"
                              : all.size() > most ? "  (the most frequent)"
                                                  : ""),
                  true};
    });
    for (std::size_t i = 0; i < std::min(all.size(), most); ++i)
      add([&] {
        std::string text = fmt::format("{} {:>8} {:>14}", column(all[i].reason, 20),
                                       short_number(all[i].per_second), all[i].total);
        return Line{meaning ? text + "  " + meaning_of(all[i].reason) : text};
      });
  }

  static std::string meaning_of(const std::string& word) {
    for (unsigned reason = 1; reason < VNET_DROP_MAX; ++reason)
      if (word == reason_word(reason)) return reason_meaning(reason);
    return "";
  }

  void foot() {
    if (view_.typing)
      screen_.foot.text = fmt::format("filter: {}_  (Enter keep, Esc clear)", printable(view_.filter));
    for (auto* lines : {&screen_.head, &screen_.body})
      for (auto& line : *lines) line.text = cut_columns(line.text, view_.columns);
    screen_.foot.text = cut_columns(screen_.foot.text, view_.columns);
  }

  const Rates& rates_;
  const History& history_;
  View& view_;
  Screen screen_;
  std::size_t height_ = 0;  // of the body
  std::size_t at_ = 0;      // index of the next row of the body, visible or not
};

}  // namespace

std::string clock_text(double seconds) {
  time_t when = static_cast<time_t>(seconds);
  tm parts{};
  char text[16] = "";
  if (localtime_r(&when, &parts)) strftime(text, sizeof(text), "%H:%M:%S", &parts);
  return text;
}

std::string cut_columns(const std::string& text, std::size_t columns) {
  std::size_t seen = 0;
  for (std::size_t i = 0; i < text.size(); ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80 && ++seen > columns) return text.substr(0, i);
  return text;
}

Screen compose(const Rates& rates, const History& history, View& view) {
  if (view.detail) {
    auto port = std::ranges::find(rates.ports, view.selected, &PortRate::name);
    if (port != rates.ports.end()) return Composer(rates, history, view).detail(*port);
    view.detail = false;  // the port has been detached
  }
  return Composer(rates, history, view).overview();
}

std::string plain_lines(const Rates& rates) {
  std::string out, time = clock_text(rates.time);
  for (const auto& network : rates.networks)
    out += fmt::format("{} network {}  {}  sessions {}/{}\n", time, printable(network.name),
                       words(network.rate), network.sessions, network.max_sessions);
  for (const auto& port : rates.ports)
    out += fmt::format("{} port {} ({})  {}\n", time, printable(port.name), printable(port.network),
                       words(port.rate));
  for (const auto& uplink : rates.uplinks)
    out += fmt::format("{} uplink {}  {}\n", time, printable(uplink.name), words(uplink.rate));
  for (const auto& drop : rates.drops)
    if (drop.per_second > 0)
      out += fmt::format("{} dropped {}  {}/s\n", time, drop.reason, short_number(drop.per_second));
  return out;
}

}  // namespace vnet::cli
