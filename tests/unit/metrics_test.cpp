// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/metrics.h"
#include "loader/model/drop_reason.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/support/document.h"

namespace vnet::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

Snapshot some_snapshot() {
  Snapshot snapshot;
  snapshot.networks.push_back({.summary = {.name = "lab", .uuid = "u", .gateway = "virbr1", .active = true},
                               .dnsmasq_running = true,
                               .leases = 3});
  snapshot.networks.push_back({.summary = {.name = "off", .mode = Mode::Isolated, .autostart = true}});
  Counters port{.rx_packets = 5,
                .rx_bytes = 123456789012345,
                .tx_packets = 7,
                .tx_bytes = 700,
                .drops = {{"spoofed-mac", 3}}};
  snapshot.stats.networks.push_back({"lab", 1, 2, 100, port});
  snapshot.stats.ports.push_back({"vnet\"0", "lab", 2, port});
  snapshot.stats.uplinks.push_back({"eth0", {.rx_packets = 3, .forwarded = 2}});
  snapshot.allocations.by_retries[0] = 10;
  snapshot.allocations.by_retries[3] = 2;
  snapshot.allocations.by_retries[31] = 1;
  snapshot.allocations.exhausted = 4;
  return snapshot;
}

std::string text_of(const Snapshot& snapshot) {
  return "\n" + metrics_text(to_metrics(snapshot));
}

TEST(Metrics, CountersAndLabels) {
  auto text = text_of(some_snapshot());
  EXPECT_THAT(text, HasSubstr("\nvnet_bpf_up 1\n"));
  EXPECT_THAT(text, HasSubstr("\n# TYPE vnet_bpf_port_receive_bytes_total counter\n"));
  EXPECT_THAT(
      text,
      HasSubstr(
          "\nvnet_bpf_port_receive_bytes_total{network=\"lab\",interface=\"vnet\\\"0\"} 123456789012345\n"));
  EXPECT_THAT(text, HasSubstr("\nvnet_bpf_network_transmit_packets_total{network=\"lab\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("\nvnet_bpf_uplink_receive_packets_total{interface=\"eth0\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("\nvnet_bpf_uplink_xdp_forwarded_packets_total{interface=\"eth0\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("\nvnet_bpf_network_sessions_limit{network=\"lab\"} 100\n"));
  EXPECT_THAT(
      text,
      HasSubstr("\nvnet_bpf_network_info{network=\"lab\",uuid=\"u\",mode=\"nat\",gateway=\"virbr1\"} 1\n"));
}

// An interface may have a name that drives a terminal.
TEST(Metrics, NoLabelHoldsAControlCharacter) {
  Snapshot snapshot = some_snapshot();
  snapshot.stats.ports[0].interface = "\x1b[31m";
  EXPECT_THAT(text_of(snapshot), testing::AllOf(Not(HasSubstr("\x1b")), HasSubstr("\\\\x1b[31m")));
}

TEST(Metrics, AnInactiveNetworkSaysThatAndNoMore) {
  auto text = text_of(some_snapshot());
  EXPECT_THAT(text, HasSubstr("\nvnet_bpf_network_active{network=\"lab\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\nvnet_bpf_network_active{network=\"off\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\nvnet_bpf_network_autostart{network=\"off\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\nvnet_bpf_network_leases{network=\"lab\"} 3\n"));
  EXPECT_THAT(text, Not(HasSubstr("vnet_bpf_network_leases{network=\"off\"}")));
}

// A reason that has not happened is a 0 for networks and uplinks; a port shows only its own.
TEST(Metrics, EveryReasonIsThereFromTheStart) {
  auto text = text_of(some_snapshot());
  for (unsigned reason = 1; reason < VNET_DROP_MAX; ++reason) {
    std::string word = reason_word(reason);
    EXPECT_THAT(text, HasSubstr("\nvnet_bpf_network_dropped_packets_total{network=\"lab\",reason=\"" + word +
                                "\"} " + (word == "spoofed-mac" ? "3" : "0") + "\n"));
    EXPECT_THAT(text, HasSubstr("\nvnet_bpf_uplink_dropped_packets_total{interface=\"eth0\",reason=\"" +
                                word + "\"} 0\n"));
  }
  EXPECT_THAT(text, HasSubstr("interface=\"vnet\\\"0\",reason=\"spoofed-mac\"} 3\n"));
  EXPECT_THAT(text, Not(HasSubstr("interface=\"vnet\\\"0\",reason=\"bpdu\"}")));
}

TEST(Metrics, RetriesAreAHistogram) {
  auto text = text_of(some_snapshot());
  for (const char* line : {"_bucket{le=\"0\"} 10", "_bucket{le=\"2\"} 10", "_bucket{le=\"4\"} 12",
                           "_bucket{le=\"16\"} 12", "_bucket{le=\"+Inf\"} 13", "_count 13", "_sum 37"})
    EXPECT_THAT(text, HasSubstr(std::string("\nvnet_bpf_masquerade_retries") + line + "\n"));
  EXPECT_THAT(text, HasSubstr("\nvnet_bpf_masquerade_exhausted_total 4\n"));
}

TEST(Metrics, AHostThatCannotBeReadIsDown) {
  auto text = "\n" + metrics_text(no_metrics());
  EXPECT_THAT(text, HasSubstr("\nvnet_bpf_up 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("network")));
}

const char* type_word(prometheus::MetricType type) {
  switch (type) {
    case prometheus::MetricType::Counter:
      return "counter";
    case prometheus::MetricType::Gauge:
      return "gauge";
    case prometheus::MetricType::Histogram:
      return "histogram";
    default:
      return "unknown";
  }
}

// Name, type and labels of every family, in the order of the export. The last column is the document's own.
TEST(Metrics, TheDocumentListsThemAndNothingElse) {
  std::vector<std::string> expected, found;
  for (const auto& family : to_metrics(some_snapshot())) {
    std::string labels;
    for (const auto& label : family.metric.front().label) labels += (labels.empty() ? "" : ", ") + label.name;
    expected.push_back("| `" + family.name + "` | " + type_word(family.type) + " | " + labels +
                       (labels.empty() ? "|" : " |"));
  }
  for (const auto& row : test::table_rows("observability.md", "| metric | type | labels | |")) {
    std::size_t end = 0;
    for (int column = 0; column < 3; ++column) end = row.find('|', end + 1);
    found.push_back(row.substr(0, end + 1));
  }
  EXPECT_THAT(found, testing::ElementsAreArray(expected));
}

// The dashboard asks for nothing that is not there.
TEST(Metrics, TheDashboardKnowsOnlyOurMetrics) {
  std::ifstream file(VNET_SOURCE_DIR "/packaging/grafana/vnet-bpf.json");
  auto dashboard = nlohmann::json::parse(file);
  std::set<std::string> known;
  for (const auto& family : to_metrics(some_snapshot())) {
    known.insert(family.name);
    if (family.type == prometheus::MetricType::Histogram)
      for (const char* suffix : {"_bucket", "_sum", "_count"}) known.insert(family.name + suffix);
  }
  std::size_t found = 0;
  for (const auto& panel : dashboard["panels"]) {
    for (const auto& target : panel.value("targets", nlohmann::json::array())) {
      std::string expr = target["expr"];
      for (std::size_t at = expr.find("vnet_bpf_"); at != std::string::npos;
           at = expr.find("vnet_bpf_", at)) {
        auto end = expr.find_first_not_of("abcdefghijklmnopqrstuvwxyz_", at);
        std::string name = expr.substr(at, end - at);
        EXPECT_TRUE(known.contains(name)) << name;
        ++found;
        at = end;
      }
    }
  }
  EXPECT_GE(found, 10U);
}

}  // namespace
}  // namespace vnet::cli
