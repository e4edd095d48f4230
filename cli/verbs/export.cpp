// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs/export.h"

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>

#include "cli/metrics.h"
#include "cli/text.h"
#include "loader/base/files.h"

namespace vnet::cli::verbs {
namespace {

// Opens the host each time: networks and their maps come and go while we serve.
Result<Snapshot> take_snapshot(const Common& common) {
  VNET_ASSIGN(auto host, open_host(common));
  Snapshot snapshot;
  VNET_ASSIGN(auto networks, host.list());
  for (auto& summary : networks) {
    NetworkFacts facts{.summary = std::move(summary)};
    if (facts.summary.active) {
      VNET_ASSIGN(auto details, host.show(facts.summary.name));
      VNET_ASSIGN(auto leases, host.leases(facts.summary.name));
      facts.dnsmasq_running = details.dnsmasq_running;
      facts.leases = leases.size();
    }
    snapshot.networks.push_back(std::move(facts));
  }
  VNET_ASSIGN(snapshot.stats, host.stats(std::nullopt, std::nullopt));
  VNET_ASSIGN(snapshot.allocations, host.allocations());
  return snapshot;
}

class Collector : public prometheus::Collectable {
 public:
  explicit Collector(const Common& common) : common_(common) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    auto snapshot = take_snapshot(common_);
    if (snapshot) return to_metrics(*snapshot);
    std::fprintf(stderr, "%s\n", error_line(snapshot.error()).c_str());
    return no_metrics();
  }

 private:
  Common common_;
};

// Checks ADDR:PORT or [ADDR]:PORT, which the HTTP server takes as it is.
Result<std::string> listen_address(const std::string& text) {
  auto colon = text.rfind(':');
  std::string host = text.substr(0, colon == std::string::npos ? 0 : colon);
  bool brackets = host.starts_with("[") && host.ends_with("]");
  auto address = Address::parse(brackets ? host.substr(1, host.size() - 2) : host);
  unsigned port = 0;
  const char* end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data() + (colon == std::string::npos ? 0 : colon + 1), end, port);
  if (!address || brackets != (address->family == Family::V6) || error != std::errc{} || rest != end ||
      !port || port > 65535)
    return invalid("--listen: '" + text + "' is not ADDR:PORT (127.0.0.1:9437, [::1]:9437, 0.0.0.0:9437)");
  return text;
}

// Serves until SIGTERM or SIGINT. These are blocked before the server starts its threads, so that only
// sigwait() gets them.
Result<void> serve(const Common& common, const std::string& listen) {
  VNET_ASSIGN(auto address, listen_address(listen));
  sigset_t ends;
  sigemptyset(&ends);
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&ends, signal);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // a scraper that closed the connection
  auto collector = std::make_shared<Collector>(common);
  std::unique_ptr<prometheus::Exposer> server;
  try {
    server = std::make_unique<prometheus::Exposer>(address, 2);
    server->RegisterCollectable(collector);
  } catch (const std::exception&) {  // the library throws when it cannot listen, and does not say why
    return failed("cannot listen on " + address +
                  ": not an address of this host, or the port is taken (ss -ltnp)");
  }
  std::fprintf(stderr, "serving http://%s/metrics\n", address.c_str());
  int signal = 0;
  sigwait(&ends, &signal);
  return {};
}

}  // namespace

std::vector<Option> ExportOptions::list() {
  return {{"--listen ADDR:PORT", "Serve them at http://ADDR:PORT/metrics", into(listen)},
          {"--textfile FILE", "Write them to FILE.prom, for node_exporter", into(textfile), complete_files}};
}

Result<void> ExportOptions::check(const Common& common) const {
  if (common.json) return invalid("--json: export prints the Prometheus format; stats --json prints JSON");
  if (listen && textfile) return invalid("--listen and --textfile exclude each other");
  if (textfile && !textfile->ends_with(".prom"))
    return invalid("--textfile: '" + *textfile + "' must end in .prom, or node_exporter does not read it");
  return {};
}

Result<void> export_metrics(const Common& common, const ExportOptions& options) {
  if (options.listen) return serve(common, *options.listen);
  VNET_ASSIGN(auto snapshot, take_snapshot(common));
  auto text = metrics_text(to_metrics(snapshot));
  if (options.textfile) return write_file(*options.textfile, text);
  print(text);
  return {};
}

}  // namespace vnet::cli::verbs
