// SPDX-License-Identifier: GPL-2.0-or-later
// The benchmark's traffic tool: one measurement per call, one line of JSON. tests/bench/bench calls it.
#include <bpf/libbpf.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>

#include "tests/bench/programs.h"
#include "tests/bench/rate.h"
#include "tests/bench/sockets.h"
#include "tests/bench/taps.h"
#include "tests/bench/tools.h"

using namespace vnet::bench;

int main(int argc, char** argv) {
  CLI::App app("Traffic for the benchmark");
  app.require_subcommand(1);

  RateOptions rate;
  auto* on_rate = app.add_subcommand("rate", "60-byte UDP frames a second");
  auto* on_tap_rate = app.add_subcommand("tap-rate", "the same, written into a tap");
  for (auto* on : {on_rate, on_tap_rate}) {
    on->add_option("--from", rate.from, "NAMESPACE:INTERFACE that sends")->required();
    on->add_option("--to", rate.to, "NAMESPACE:INTERFACE that counts and drops");
    on->add_option("--tap-to", rate.tap_to, "NAMESPACE:INTERFACE of the tap that is read, instead");
    on->add_option("--source-mac", rate.source_mac)->required();
    on->add_option("--target-mac", rate.target_mac)->required();
    on->add_option("--source", rate.source)->required();
    on->add_option("--target", rate.target)->required();
    on->add_option("--flows", rate.flows)->check(CLI::Range(1, 1 << 20));
    on->add_option("--seconds", rate.seconds);
    on->add_option("--warm-up", rate.warm_up);
    on->add_option("--cpu", rate.cpu);
  }
  on_rate->add_flag("--answers", rate.answers, "the same flows, from their far end");
  on_rate->add_option("--hooks", rate.hooks, "NAMESPACE:INTERFACE whose programs are timed");

  SocketOptions sockets;
  auto* on_sockets = app.add_subcommand("sockets", "round trips, connections, bulk data");
  on_sockets->add_option("--client", sockets.client, "its namespace")->required();
  on_sockets->add_option("--server", sockets.server, "its namespace")->required();
  on_sockets->add_option("--address", sockets.address)->required();
  on_sockets->add_option("--port", sockets.port, "the server's");
  on_sockets
      ->add_option("--kind", sockets.kind, "tcp-rr, udp-rr, udp-worst, connect, udp-connect, bulk, bulk-down")
      ->required();
  on_sockets->add_option("--seconds", sockets.seconds);
  on_sockets->add_option("--warm-up", sockets.warm_up);

  std::vector<std::string> pairs;
  bool peer = false;
  auto* on_redirect = app.add_subcommand("redirect", "a program that only redirects, until killed");
  on_redirect->add_option("pairs", pairs, "FROM TO, each NAMESPACE:INTERFACE")->required();
  on_redirect->add_flag("--peer", peer, "straight into the other end of the target's pair");

  std::vector<std::string> ends;
  auto* on_relay = app.add_subcommand("relay", "guests between their taps, until killed");
  on_relay->add_option("pairs", ends, "TAP TAP, each NAMESPACE:INTERFACE")->required();

  CLI11_PARSE(app, argc, argv);
  libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
  try {
    if (*on_rate) std::cout << measure_rate(rate) << "\n";
    if (*on_tap_rate) std::cout << measure_tap_rate(rate) << "\n";
    if (*on_sockets) std::cout << measure_sockets(sockets) << "\n";
    if (*on_redirect) redirect_until_killed(pairs, peer);
    if (*on_relay) relay_until_killed(ends);
    return 0;
  } catch (const std::exception& e) {
    std::cerr << "traffic: " << e.what() << "\n";
    return 1;
  }
}
