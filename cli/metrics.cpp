// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/metrics.h"

#include "cli/text.h"
#include "loader/model/drop_reason.h"

#include <prometheus/text_serializer.h>

#include <limits>
#include <sstream>

namespace vnet::cli {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

// Metric families, in the order in which they are first used.
class Families {
 public:
  void gauge(const std::string& name, const char* help, Labels labels, double value) {
    auto& metric = add(name, help, MetricType::Gauge, std::move(labels));
    metric.gauge.value = value;
  }
  void counter(const std::string& name, const char* help, Labels labels, std::uint64_t value) {
    auto& metric = add(name, help, MetricType::Counter, std::move(labels));
    metric.counter.value = static_cast<double>(value);
  }
  ClientMetric& add(const std::string& name, const char* help, MetricType type, Labels labels) {
    auto [place, is_new] = index_.try_emplace(name, all_.size());
    if (is_new) all_.push_back({name, help, type, {}});
    auto& metric = all_[place->second].metric.emplace_back();
    metric.label = std::move(labels);
    for (auto& label : metric.label) label.value = printable(label.value);
    return metric;
  }
  std::vector<MetricFamily> take() { return std::move(all_); }

 private:
  std::vector<MetricFamily> all_;
  std::map<std::string, std::size_t> index_;
};

// The four traffic counters of a port, network or uplink: vnet_bpf_port_receive_bytes_total and so on.
void add_traffic(Families& to, const std::string& what, const Labels& labels, const Counters& counters) {
  const std::string prefix = "vnet_bpf_" + what + "_";
  bool uplink = what == "uplink";
  to.counter(prefix + "receive_packets_total",
             uplink ? "Packets that came in from outside." : "Packets that guests received.", labels,
             counters.rx_packets);
  to.counter(prefix + "receive_bytes_total",
             uplink ? "Bytes that came in from outside." : "Bytes that guests received.", labels,
             counters.rx_bytes);
  to.counter(prefix + "transmit_packets_total",
             uplink ? "Packets that went outside." : "Packets that guests sent.", labels,
             counters.tx_packets);
  to.counter(prefix + "transmit_bytes_total", uplink ? "Bytes that went outside." : "Bytes that guests sent.",
             labels, counters.tx_bytes);
}

void add_drop(Families& to, const std::string& what, Labels labels, const std::string& reason,
              std::uint64_t count) {
  labels.push_back({"reason", reason});
  to.counter("vnet_bpf_" + what + "_dropped_packets_total", "Packets dropped, by reason.", std::move(labels),
             count);
}

// All reasons, also those at 0: an alert needs an existing series.
void add_all_drops(Families& to, const std::string& what, const Labels& labels, const Counters& counters) {
  for (unsigned reason = 1; reason < VNET_DROP_MAX; ++reason) {
    auto count = counters.drops.find(reason_word(reason));
    add_drop(to, what, labels, reason_word(reason), count == counters.drops.end() ? 0 : count->second);
  }
}

void add_network_facts(Families& to, const NetworkFacts& network) {
  const NetworkSummary& summary = network.summary;
  Labels labels{{"network", summary.name}};
  to.gauge("vnet_bpf_network_info", "A defined network; its facts are the labels.",
           {{"network", summary.name},
            {"uuid", summary.uuid},
            {"mode", mode_name(summary.mode)},
            {"gateway", summary.gateway}},
           1);
  to.gauge("vnet_bpf_network_active", "1: the network is started.", labels, summary.active);
  to.gauge("vnet_bpf_network_autostart", "1: the network is to be started at boot.", labels,
           summary.autostart);
  if (!summary.active) return;
  to.gauge("vnet_bpf_network_dnsmasq_running", "1: the network's DHCP and DNS server runs.", labels,
           network.dnsmasq_running);
  to.gauge("vnet_bpf_network_leases", "DHCP leases on record.", labels, static_cast<double>(network.leases));
}

void add_network_stats(Families& to, const NetworkStats& network) {
  Labels labels{{"network", network.network}};
  to.gauge("vnet_bpf_network_ports", "Interfaces attached to the network.", labels, network.ports);
  to.gauge("vnet_bpf_network_sessions", "Sessions in the table.", labels, network.sessions);
  to.gauge("vnet_bpf_network_sessions_limit", "Sessions that the network may have.", labels,
           network.max_sessions);
  add_traffic(to, "network", labels, network.counters);
  add_all_drops(to, "network", labels, network.counters);
}

void add_allocations(Families& to, const Allocations& allocations) {
  auto& metric = to.add("vnet_bpf_masquerade_retries",
                        "Further ports tried until a binding found a free one; 0: the guest's own was kept.",
                        MetricType::Histogram, {});
  metric.histogram.sample_count = allocations.bindings();
  metric.histogram.sample_sum = static_cast<double>(allocations.retries());
  std::uint64_t sum = 0;
  for (std::size_t n = 0; n < allocations.by_retries.size(); ++n) {
    sum += allocations.by_retries[n];
    if (n && (n & (n - 1))) continue;  // 0 and the powers of two
    metric.histogram.bucket.push_back({sum, static_cast<double>(n)});
  }
  metric.histogram.bucket.push_back({sum, std::numeric_limits<double>::infinity()});
  to.counter("vnet_bpf_masquerade_exhausted_total", "New sessions dropped because no free port was found.",
             {}, allocations.exhausted);
}

void add_head(Families& to, bool up) {
  to.gauge("vnet_bpf_up", "1: the datapath and the records could be read.", {}, up);
  to.gauge("vnet_bpf_build_info", "The exporting program; its version is the label.",
           {{"version", VNET_VERSION}}, 1);
}

}  // namespace

std::vector<MetricFamily> to_metrics(const Snapshot& snapshot) {
  Families all;
  add_head(all, true);
  for (const auto& network : snapshot.networks) add_network_facts(all, network);
  for (const auto& network : snapshot.stats.networks) add_network_stats(all, network);
  for (const auto& port : snapshot.stats.ports) {
    Labels labels{{"network", port.network}, {"interface", port.interface}};
    all.gauge("vnet_bpf_port_sessions", "Sessions of the guest.", labels, port.sessions);
    add_traffic(all, "port", labels, port.counters);
    for (const auto& [reason, count] : port.counters.drops) add_drop(all, "port", labels, reason, count);
  }
  for (const auto& uplink : snapshot.stats.uplinks) {
    Labels labels{{"interface", uplink.interface}};
    add_traffic(all, "uplink", labels, uplink.counters);
    all.counter("vnet_bpf_uplink_xdp_forwarded_packets_total",
                "Packets from outside that XDP gave to their guests.", labels, uplink.counters.forwarded);
    add_all_drops(all, "uplink", labels, uplink.counters);
  }
  add_allocations(all, snapshot.allocations);
  return all.take();
}

std::vector<MetricFamily> no_metrics() {
  Families all;
  add_head(all, false);
  return all.take();
}

std::string metrics_text(const std::vector<MetricFamily>& families) {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families);
  return out.str();
}

}  // namespace vnet::cli
