// SPDX-License-Identifier: GPL-2.0-or-later
// What the host counts, as Prometheus metrics. Names and labels are a promise: docs/observability.md.
#pragma once

#include <prometheus/metric_family.h>

#include <map>
#include <string>
#include <vector>

#include "loader/host.h"

namespace vnet::cli {

// A network beyond its counters.
struct NetworkFacts {
  NetworkSummary summary;
  bool dnsmasq_running = false;
  std::size_t leases = 0;
};

struct Snapshot {
  std::vector<NetworkFacts> networks;  // inactive ones too
  Stats stats;
  Allocations allocations;
};

std::vector<prometheus::MetricFamily> to_metrics(const Snapshot& snapshot);
// What is said when the host could not be read: vnet_bpf_up 0 and nothing stale.
std::vector<prometheus::MetricFamily> no_metrics();
std::string metrics_text(const std::vector<prometheus::MetricFamily>& families);

}  // namespace vnet::cli
