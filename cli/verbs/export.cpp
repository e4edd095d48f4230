// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs/export.h"

#include <sys/signalfd.h>

#include <charconv>
#include <csignal>
#include <cstdio>

#include "cli/http_server.h"
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

std::string page(const Common& common) {
  auto snapshot = take_snapshot(common);
  if (snapshot) return metrics_text(to_metrics(*snapshot));
  std::fprintf(stderr, "%s\n", error_line(snapshot.error()).c_str());
  return metrics_text(no_metrics());
}

// Checks ADDR:PORT or [ADDR]:PORT.
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

// Serves until SIGTERM, SIGINT or SIGHUP.
Result<void> serve(const Common& common, const std::string& listen) {
  VNET_ASSIGN(auto address, listen_address(listen));
  sigset_t ends;
  sigemptyset(&ends);
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&ends, signal);
  if (sigprocmask(SIG_BLOCK, &ends, nullptr) < 0) return system_error("blocking signals");
  Fd end(::signalfd(-1, &ends, SFD_CLOEXEC));
  if (!end) return system_error("waiting for signals");
  VNET_ASSIGN(auto server, HttpServer::listen(address));
  std::fprintf(stderr, "serving http://%s/metrics\n", address.c_str());
  return server.serve([&] { return page(common); }, end.get());
}

}  // namespace

Result<void> export_metrics(const Common& common, const ExportOptions& options) {
  if (options.listen) return serve(common, *options.listen);
  VNET_ASSIGN(auto snapshot, take_snapshot(common));
  auto text = metrics_text(to_metrics(snapshot));
  if (options.textfile) return write_file(*options.textfile, text);
  print(text);
  return {};
}

}  // namespace vnet::cli::verbs
