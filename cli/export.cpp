// SPDX-License-Identifier: GPL-2.0-or-later
// `export`: the counters in the Prometheus text format: once to stdout or a file, or served.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>

#include "cli/metrics.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "loader/kernel/files.h"

namespace vnet::cli {
namespace {

// Anew each time: networks, and the maps themselves, come and go while we serve.
Result<Snapshot> take_snapshot(const Options& options) {
  VNET_ASSIGN(auto host, Host::open(options.state_dir, options.verbose));
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
  explicit Collector(const Options& options) : options_(options) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    auto snapshot = take_snapshot(options_);
    if (snapshot) return to_metrics(*snapshot);
    std::fprintf(stderr, "%s\n", error_line(snapshot.error()).c_str());
    return no_metrics();
  }

 private:
  Options options_;
};

// ADDR:PORT or [ADDR]:PORT, as the HTTP server wants it.
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
    return invalid(
        fmt::format("--listen: '{}' is not ADDR:PORT (127.0.0.1:9437, [::1]:9437, 0.0.0.0:9437)", text));
  return text;
}

// Until SIGTERM or SIGINT. The signals are blocked before the server's threads are made, so that they
// come here and nowhere else.
Result<void> serve(const Options& options) {
  VNET_ASSIGN(auto address, listen_address(*options.listen));
  sigset_t ends;
  sigemptyset(&ends);
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&ends, signal);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // a scraper that has gone
  auto collector = std::make_shared<Collector>(options);
  std::unique_ptr<prometheus::Exposer> server;
  try {
    server = std::make_unique<prometheus::Exposer>(address, 2);
    server->RegisterCollectable(collector);
  } catch (const std::exception&) {  // the library's only way to say it, and it does not say why
    return failed(fmt::format(
        "cannot listen on {}: not an address of this host, or the port is taken (ss -ltnp)", address));
  }
  std::fprintf(stderr, "serving http://%s/metrics\n", address.c_str());
  int signal = 0;
  sigwait(&ends, &signal);
  return {};
}

}  // namespace

Result<void> export_metrics(const Options& options) {
  if (options.listen) return serve(options);
  VNET_ASSIGN(auto snapshot, take_snapshot(options));
  auto text = metrics_text(to_metrics(snapshot));
  if (options.textfile) return write_file(*options.textfile, text);
  print(text);
  return {};
}

}  // namespace vnet::cli
