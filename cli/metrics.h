// SPDX-License-Identifier: GPL-2.0-or-later
// The counters as Prometheus metrics. Names and labels are stable: docs/observability.md.
#pragma once

#include <prometheus/metric_family.h>

#include <map>
#include <string>
#include <vector>

#include "loader/engine/host.h"

namespace vnet::cli {

// Facts of a network that are not counters.
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
// For when the host could not be read: vnet_bpf_up 0, and no stale values.
std::vector<prometheus::MetricFamily> no_metrics();
std::string metrics_text(const std::vector<prometheus::MetricFamily>& families);

}  // namespace vnet::cli
