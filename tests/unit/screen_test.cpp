// SPDX-License-Identifier: GPL-2.0-or-later
// The live screen without a terminal: what it shows, and what keys do to it.
#include "cli/screen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace vnet::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

Rates many_ports(int count) {
  Rates rates;
  rates.time = 1000;
  rates.networks.push_back({"lab", static_cast<unsigned>(count), 1234, {}, 262144});
  rates.uplinks.push_back({"eth0", {}});
  for (int i = 0; i < count; ++i) {
    PortRate port{.name = "vnet" + std::to_string(i), .network = i % 2 ? "lab" : "other"};
    port.rate.rx_bits = i;
    port.rate.drops = i == 3 ? 50 : 0;
    rates.ports.push_back(port);
  }
  return rates;
}

std::size_t columns(const std::string& text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](unsigned char c) { return (c & 0xc0) != 0x80; }));
}

std::string text_of(const Screen& screen) {
  std::string text;
  for (const auto* lines : {&screen.head, &screen.body})
    for (const auto& line : *lines) text += (line.selected ? ">" : "") + line.text + "\n";
  return text + screen.foot.text + "\n";
}

class ScreenTest : public testing::Test {
 protected:
  Screen show() {
    Screen screen = compose(rates_, history_, view_);
    EXPECT_LE(screen.head.size() + screen.body.size() + 1, std::max<std::size_t>(view_.rows, 1));
    for (const auto* lines : {&screen.head, &screen.body})
      for (const auto& line : *lines) EXPECT_LE(columns(line.text), view_.columns) << line.text;
    EXPECT_LE(columns(screen.foot.text), view_.columns);
    return screen;
  }
  std::string text() { return text_of(show()); }
  bool press(Key key, char character = 0) { return handle_key(key, character, show(), view_); }
  void type(const std::string& word) {
    for (char c : word) press(Key::Character, c);
  }

  Rates rates_ = many_ports(100);
  History history_;
  View view_;
};

TEST_F(ScreenTest, FitsIntoEveryTerminal) {
  rates_.ports[0].name = "port-with-a-long-name";
  rates_.networks[0].name = "network-with-a-very-long-name";
  rates_.total = {1e12, 1e15, 1e12, 1e15, 1e9};
  rates_.drops = {{"spoofed-mac", 1e9, 1ULL << 60}};
  history_.add(rates_);
  for (std::size_t rows : {1, 2, 3, 5, 10, 24, 60})
    for (std::size_t width : {1, 20, 79, 80, 100, 200}) {
      view_.rows = rows;
      view_.columns = width;
      show();
      view_.selected = "vnet7";
      view_.detail = true;
      show();
      view_.detail = false;
    }
}

TEST_F(ScreenTest, AtEightyColumnsNothingIsCut) {
  for (const auto& line : show().body) EXPECT_LE(line.text.size(), 79U) << line.text;
  EXPECT_THAT(text(), HasSubstr("100, 1.2k/262k"));  // sessions against their limit
  EXPECT_THAT(text(), HasSubstr("q quit"));
}

TEST_F(ScreenTest, SortsByKey) {
  auto first = [&] { return show().ports.front(); };
  EXPECT_EQ("vnet0", first());
  press(Key::Character, 's');
  EXPECT_EQ("vnet99", first());  // rx
  press(Key::Character, 's');
  press(Key::Character, 's');
  EXPECT_EQ("vnet3", first());  // drops
  EXPECT_THAT(text(), HasSubstr("sort: drops"));
  press(Key::Character, 's');
  EXPECT_EQ("vnet0", first());
}

TEST_F(ScreenTest, FiltersByNameAndByNetwork) {
  type("/vnet1");
  EXPECT_THAT(show().foot.text, HasSubstr("filter: vnet1_"));
  EXPECT_EQ(11U, show().ports.size());  // 1, 10 to 19
  type("9");
  EXPECT_EQ(1U, show().ports.size());
  press(Key::Backspace);
  press(Key::Enter);
  EXPECT_THAT(show().foot.text, HasSubstr("q quit"));
  EXPECT_THAT(text(), HasSubstr("filter: vnet1"));
  EXPECT_FALSE(press(Key::Character, 'q'));  // a command again
  press(Key::Escape);
  EXPECT_EQ(100U, show().ports.size());
  type("/lab");
  EXPECT_EQ(50U, show().ports.size());
  type("q!");
  EXPECT_THAT(text(), HasSubstr("Nothing of that name."));
}

TEST_F(ScreenTest, TheSelectedPortStaysVisible) {
  for (int i = 0; i < 30; ++i) press(Key::Down);
  EXPECT_EQ(show().ports[29], view_.selected);
  EXPECT_THAT(text(), HasSubstr(">" + view_.selected + " "));
  press(Key::PageDown);
  EXPECT_THAT(text(), HasSubstr(">" + view_.selected + " "));
  view_.rows = 12;  // a smaller terminal
  EXPECT_THAT(text(), HasSubstr(">" + view_.selected + " "));
  for (int i = 0; i < 100; ++i) press(Key::PageUp);
  EXPECT_EQ(show().ports.front(), view_.selected);
  press(Key::Home);
  EXPECT_THAT(text(), HasSubstr("NETWORK"));
  press(Key::End);
  EXPECT_THAT(text(), HasSubstr(show().ports.back()));
  rates_.ports.erase(rates_.ports.begin(), rates_.ports.end() - 1);
  show();
  EXPECT_EQ("", view_.selected);  // it has gone
}

TEST_F(ScreenTest, ALargerTerminalShowsTheHeadingsAgain) {
  press(Key::Down);
  EXPECT_THAT(text(), HasSubstr("NETWORK"));
  view_.rows = 8;
  EXPECT_THAT(text(), HasSubstr(">" + view_.selected + " "));
  EXPECT_THAT(text(), Not(HasSubstr("NETWORK")));
  view_.rows = 24;
  EXPECT_THAT(text(), HasSubstr(">" + view_.selected + " "));
  EXPECT_THAT(text(), HasSubstr("NETWORK"));
}

TEST_F(ScreenTest, APortsDetail) {
  auto& port = rates_.ports[0];
  port.sessions = 12;
  port.max_sessions = 65536;
  port.counters.rx_packets = 4711;
  port.drops = {{"spoofed-mac", 2, 30}, {"bpdu", 0, 1}};
  press(Key::Enter);  // nothing is selected yet
  EXPECT_FALSE(view_.detail);
  press(Key::Down);
  press(Key::Enter);
  auto detail = text();
  for (const char* part : {"PORT vnet0 of network other", "4711 packets", "12 of at most 65536 sessions",
                           "spoofed-mac ", "the source MAC is not", "bpdu "})
    EXPECT_THAT(detail, HasSubstr(part));
  EXPECT_THAT(detail, Not(HasSubstr("NETWORK")));
  press(Key::Down);
  EXPECT_THAT(text(), HasSubstr("PORT vnet1 of network lab"));
  EXPECT_THAT(text(), HasSubstr("Nothing has been dropped."));
  press(Key::Escape);
  EXPECT_THAT(text(), HasSubstr(">vnet1 "));
  press(Key::Enter);
  rates_.ports.clear();
  EXPECT_THAT(text(), HasSubstr("NETWORK"));  // its port has gone
}

TEST_F(ScreenTest, PauseErrorAndNothing) {
  press(Key::Character, 'p');
  EXPECT_THAT(text(), HasSubstr("PAUSED"));
  press(Key::Character, 'r');
  EXPECT_THAT(text(), Not(HasSubstr("PAUSED")));
  view_.error = "the maps are gone";
  EXPECT_THAT(text(), HasSubstr("the maps are gone"));
  rates_ = {};
  EXPECT_THAT(text(), HasSubstr("No network is active."));
}

TEST_F(ScreenTest, SparklinesWhereThereIsRoom) {
  history_.add(rates_);
  EXPECT_THAT(text(), Not(HasSubstr("last minute")));
  view_.columns = 120;
  EXPECT_THAT(text(), HasSubstr("last minute"));
  EXPECT_THAT(text(), HasSubstr("▁"));
  view_.unicode = false;
  for (char c : text()) EXPECT_GE(c, 0);  // ASCII only
}

// The whole cost of a refresh beside reading the maps: far below a hundredth of a second.
// By hand: --gtest_also_run_disabled_tests --gtest_filter=*CostOfAThousandPorts
TEST_F(ScreenTest, DISABLED_CostOfAThousandPorts) {
  rates_ = many_ports(1000);
  for (int second = 0; second < 60; ++second) {
    rates_.time = 1000 + second;
    history_.add(rates_);
  }
  view_.columns = 200;
  view_.rows = 60;
  view_.sort = SortBy::Received;
  using Clock = std::chrono::steady_clock;
  auto best = Clock::duration::max();
  for (int i = 0; i < 20; ++i) {
    auto begin = Clock::now();
    compose(rates_, history_, view_);
    best = std::min(best, Clock::now() - begin);
  }
  std::printf("a screen of 1,000 ports: %.2f ms\n", std::chrono::duration<double, std::milli>(best).count());
}

TEST(History, TheLastMinute) {
  History history;
  Rates rates;
  for (int second = 0; second < 100; ++second) {
    rates.time = 1000 + second;
    rates.total.rx_bits = second == 30 ? 1e9 : second;  // the peak is longer ago than a minute
    history.add(rates);
  }
  EXPECT_DOUBLE_EQ(99, history.peak(History::total(), Direction::Received));
  EXPECT_DOUBLE_EQ(0, history.peak(History::total(), Direction::Sent));
  std::string line = history.sparkline(History::total(), Direction::Received, 60, false);
  EXPECT_EQ(60U, line.size());
  EXPECT_EQ('#', line.back());
  EXPECT_NE('#', line.front());
  EXPECT_EQ(std::string(60, '_'), history.sparkline(History::total(), Direction::Sent, 60, false));
  EXPECT_EQ(std::string(60, ' '), history.sparkline("port of nobody", Direction::Sent, 60, false));
}

TEST(History, StartsAtTheRight) {
  History history;
  Rates rates;
  rates.time = 5;
  rates.total.tx_bits = 7;
  history.add(rates);
  EXPECT_EQ("         #", history.sparkline(History::total(), Direction::Sent, 10, false));
  EXPECT_EQ("         █", history.sparkline(History::total(), Direction::Both, 10, true));
}

TEST(History, ALateReadingLeavesNoGap) {
  History history;
  Rates rates;
  for (double time : {1000.0, 1001.0, 1003.1, 1004.0}) {
    rates.time = time;
    rates.total.tx_bits = 7;
    history.add(rates);
  }
  EXPECT_EQ("     #####", history.sparkline(History::total(), Direction::Sent, 60, false).substr(50));
}

TEST(PlainLines, SayWhatTheScreenSays) {
  Rates rates = many_ports(1);
  rates.drops = {{"bpdu", 2, 9}, {"link-down", 0, 9}};
  auto text = plain_lines(rates);
  EXPECT_THAT(text, HasSubstr(" network lab  rx 0 pkt/s"));
  EXPECT_THAT(text, HasSubstr("sessions 1234/262144\n"));
  EXPECT_THAT(text, HasSubstr(" port vnet0 (other)"));
  EXPECT_THAT(text, HasSubstr(" uplink eth0"));
  EXPECT_THAT(text, HasSubstr(" dropped bpdu  2.0/s\n"));
  EXPECT_THAT(text, Not(HasSubstr("link-down")));  // not now
}

}  // namespace
}  // namespace vnet::cli
