// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs/forward.h"

#include "cli/endpoint.h"
#include "cli/render.h"

namespace vnet::cli::verbs {
namespace {

Result<PortRange> parse_ports(const std::string& word) {
  auto ports = parse_port_range(word);
  if (!ports)
    return invalid("--port: '" + word + "' is neither a port from 1 to 65535 nor a range like 8000-8010");
  return *ports;
}

Result<Endpoint> parse_to(const std::string& word) {
  VNET_ASSIGN(auto place, parse_place("--to", word));
  if (place.port == 0) return invalid("--to: '" + word + "': the port is a number from 1 to 65535");
  return Endpoint{place.address, place.port.value_or(0)};
}

Result<Address> parse_listen(const std::string& word) {
  auto address = Address::parse(word);
  if (!address) return invalid("--listen: '" + word + "' is no address");
  return *address;
}

Result<Prefix> parse_from(const std::string& word) {
  auto prefix = Prefix::parse(word);
  if (!prefix) return invalid("--from: '" + word + "' is neither ADDR nor ADDR/LENGTH");
  return prefix->network();
}

PortForward forward_of(const ForwardOptions& options) {
  PortForward forward;
  forward.proto = *options.proto;
  forward.ports = *options.ports;
  forward.listen = options.listen;
  forward.to = options.to->address;
  forward.to_port = options.to->port ? options.to->port : options.ports->start;
  forward.from = options.from;
  return forward;
}

}  // namespace

std::vector<Option> ForwardOptions::list() {
  auto options = std::vector<Option>{
      Option("ACTION", "add, remove or list", into(action)).required().only({"add", "remove", "list"}),
      {"NET", "Name of the network", into(network), complete_networks},
      Option("--proto PROTO", "The protocol", into(proto)).only(forward_protocols()),
      {"--port P[-Q]", "The host's port, or ports", into(ports, parse_ports)},
      {"--to ADDR[:R]", "The guest's address and port, of a range the first; without R the host's",
       into(to, parse_to)},
      {"--listen ADDR", "The host's address; without it all of them", into(listen, parse_listen)},
      {"--from CIDR", "From whom connections are taken; without it from everybody", into(from, parse_from)}};
  for (auto& option : where.list()) options.push_back(std::move(option));
  return options;
}

Result<void> ForwardOptions::check(const Common&) const {
  if (!changes()) {
    if (proto || ports || to || listen || !from.empty() || where.live || where.config)
      return invalid("forward list: takes no option but a NET");
    return {};
  }
  if (!network || !proto || !ports) return invalid("forward " + action + ": name a NET, --proto and --port");
  if (action == "add" && !to) return invalid("forward add: name the guest's address with --to");
  if (action == "remove" && (to || !from.empty()))
    return invalid("forward remove: takes no --to and no --from");
  return action == "add" ? check_forward(forward_of(*this)) : Result<void>{};
}

Result<Intent> forward(const ForwardOptions& options) {
  const std::string name = *options.network;
  Update update{.name = name, .change = {}, .live = options.where.live, .config = options.where.config};
  if (options.action == "add") {
    const auto forward = forward_of(options);
    update.change = [forward](const Network& network) { return add_forward(network, forward); };
    update.done = "Network " + name + " forwards " + forward_line(forward);
  } else {
    PortForward forward;
    forward.proto = *options.proto;
    forward.ports = *options.ports;
    forward.listen = options.listen;
    update.change = [forward](const Network& network) { return remove_forward(network, forward); };
    update.done =
        "Network " + name + " no longer forwards " + forward_text(forward) + ", and what it had let in ends";
  }
  return update;
}

Result<void> forwards(Host& host, const Common& common, const ForwardOptions& options) {
  return print_facts(host.forwards(options.network), common.json);
}

}  // namespace vnet::cli::verbs
