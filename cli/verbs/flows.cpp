// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs/flows.h"

#include <algorithm>
#include <charconv>

#include "cli/render.h"
#include "cli/watch.h"

namespace vnet::cli::verbs {
namespace {

// nullopt: not a number, or too large.
std::optional<unsigned> parse_number(const std::string& word) {
  unsigned number = 0;
  auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return number;
}

// A number is a port of TCP or UDP, anything else an interface.
Result<void> take_port(FlowFilter& to, const std::string& word) {
  if (word.find_first_not_of("0123456789") != std::string::npos) {
    to.interface = word;
    return {};
  }
  auto number = parse_number(word);
  if (!number || *number == 0 || *number > 65535)
    return invalid("--port: '" + word + "' is neither an interface nor a port from 1 to 65535");
  to.port = static_cast<std::uint16_t>(*number);
  return {};
}

Result<Prefix> parse_address(const std::string& word) {
  auto prefix = Prefix::parse(word);
  if (!prefix) return invalid("--address: '" + word + "' is neither ADDR nor ADDR/LENGTH");
  return *prefix;
}

Result<std::string> parse_protocol(const std::string& word) {
  static const Words names{"tcp", "udp", "icmp", "icmp6"};
  if (std::ranges::find(names, word) != names.end()) return word;
  if (auto number = parse_number(word); number && *number < 256) return word;
  return invalid("--proto: '" + word + "' is neither tcp, udp, icmp, icmp6 nor a number to 255");
}

Result<Usage> usage(Host& host, const std::optional<std::string>& network) {
  Usage all;
  VNET_ASSIGN(all.stats, host.stats(network, std::nullopt));
  VNET_ASSIGN(auto flows, host.flows(network));
  VNET_ASSIGN(auto sizes, host.pool_sizes());
  VNET_ASSIGN(all.allocations, host.allocations());
  all.pools = pool_use(flows, sizes);
  return all;
}

}  // namespace

std::vector<Option> FlowsOptions::list() {
  auto take_port_of = [this](const Words& words) { return take_port(filter, words.back()); };
  return {
      {"--network NET", "Only this network's", into(network), complete_networks},
      {"--port IFACE|PORT", "Only this interface's; or a TCP or UDP port's", {take_port_of}, complete_ports},
      {"--address ADDR[/LENGTH]", "Only with this address (ADDR or ADDR/LENGTH) at any end",
       into(filter.address, parse_address)},
      {"--proto PROTO", "Only tcp, udp, icmp, icmp6 or a number", into(filter.protocol, parse_protocol),
       "tcp udp icmp"},
      Option("--state STATE", "Only new, established, closing or closed; mapping, peer: of UDP ports",
             into(filter.state))
          .only({"new", "established", "closing", "closed", "mapping", "peer"}),
      {"--usage", "What sessions use up: limits, ports to masquerade to, retries", flag_into(usage)},
      watch_option(watch_seconds, "The fastest sessions, every SECONDS (default 1)")};
}

Result<void> FlowsOptions::check(const Common& common) const {
  bool filtered = filter.interface || filter.port || filter.address || filter.protocol || filter.state;
  if (usage && filtered) return invalid("--usage tells of all sessions: only --network goes with it");
  if (watch_seconds && usage) return invalid("--watch and --usage exclude each other");
  if (watch_seconds && common.json) return invalid("--watch and --json exclude each other");
  return {};
}

Result<void> flows(const Common& common, const FlowsOptions& options) {
  if (options.watch_seconds) return watch_flows(common, options);
  VNET_ASSIGN(auto host, open_host(common));
  if (options.usage) return print_facts(usage(host, options.network), common.json);
  VNET_ASSIGN(auto flows, host.flows(options.network));
  print(render(choose_flows(std::move(flows), options.filter), common.json));
  return {};
}

}  // namespace vnet::cli::verbs
