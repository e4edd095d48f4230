// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "cli/render.h"
#include "cli/verbs.h"

namespace vnet::cli {
namespace {

// The options as they were written; what was not given stays nullopt in the request.
struct PortOptions {
  std::string interface, network, mac, inbound, model, portgroup, link;
  std::vector<std::string> ips, filters, allow;
  bool isolated = false;
  CLI::Option *isolated_option = nullptr, *ips_option = nullptr, *filters_option = nullptr, *allow_option = nullptr,
              *mac_option = nullptr, *inbound_option = nullptr, *model_option = nullptr, *portgroup_option = nullptr,
              *link_option = nullptr;
};

void add_port_options(CLI::App* sub, PortOptions& o) {
  sub->add_option("IFACE", o.interface, "The host's side of the guest's interface (a tap, a veth)")->required();
  o.mac_option = sub->add_option("--mac", o.mac, "The guest's MAC: the only source allowed; without it MACs are learned");
  o.ips_option = sub->add_option("--ip", o.ips, "An address of the guest (repeatable)")->allow_extra_args(false);
  o.filters_option = sub->add_option("--filter", o.filters, "Spoofing filter (repeatable)")->allow_extra_args(false)
                         ->check(CLI::IsMember({"clean-traffic", "no-mac-spoofing", "no-ip-spoofing", "no-arp-spoofing"}));
  o.inbound_option = sub->add_option("--inbound", o.inbound, "Who may open connections to the guest")
                         ->check(CLI::IsMember({"accept", "established", "drop"}));
  o.allow_option = sub->add_option("--allow", o.allow, "Let in although inbound is closed: PROTO/PORT[@CIDR] (repeatable)")->allow_extra_args(false);
  o.isolated_option = sub->add_flag("--isolated", o.isolated, "No traffic with other isolated ports");
  o.model_option = sub->add_option("--model", o.model, "The guest's network card model, to be shown");
  o.portgroup_option = sub->add_option("--portgroup", o.portgroup, "The network's port group");
}

// tcp/22, udp/53@192.0.2.0/24
Result<void> check_allow(const std::string& rule) {
  auto wrong = [&] { return invalid(fmt::format("--allow {}: expected PROTO/PORT[@CIDR], as in tcp/22@192.0.2.0/24", rule)); };
  auto slash = rule.find('/');
  if (slash == std::string::npos) return wrong();
  auto proto = rule.substr(0, slash);
  auto rest = rule.substr(slash + 1);
  auto at = rest.find('@');
  auto port = rest.substr(0, at);
  unsigned number = 0;
  auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if ((proto != "tcp" && proto != "udp") || error != std::errc() || end != port.data() + port.size() || !number || number > 65535)
    return wrong();
  if (at != std::string::npos && !Prefix::parse(rest.substr(at + 1))) return wrong();
  return {};
}

Result<PortRequest> to_request(const PortOptions& o) {
  PortRequest request{.interface = o.interface, .network = o.network};
  if (*o.mac_option) {
    request.mac = Mac::parse(o.mac);
    if (!request.mac) return invalid(fmt::format("--mac {}: not a MAC address (52:54:00:12:34:56)", o.mac));
  }
  if (*o.ips_option) {
    request.ips.emplace();
    for (const auto& text : o.ips) {
      auto address = Address::parse(text);
      if (!address) return invalid(fmt::format("--ip {}: not an IPv4 or IPv6 address", text));
      request.ips->push_back(*address);
    }
  }
  if (*o.filters_option) request.filters = o.filters;
  if (*o.inbound_option)
    request.inbound = o.inbound == "accept" ? Inbound::Accept : o.inbound == "drop" ? Inbound::Drop : Inbound::Established;
  if (*o.allow_option) {
    for (const auto& rule : o.allow) VNET_TRY(check_allow(rule));
    request.allow = o.allow;
  }
  if (*o.isolated_option) request.isolated = o.isolated;
  if (*o.model_option) request.model = o.model;
  if (*o.portgroup_option) request.portgroup = o.portgroup;
  if (o.link_option && *o.link_option) request.link_up = o.link == "up";
  return request;
}

void add_attach(Commands& commands) {
  auto* sub = commands.add("attach", "Plug a guest's interface into a network",
                           "vnet-bpf attach vnet0 --network default --mac 52:54:00:12:34:56");
  auto options = std::make_shared<PortOptions>();
  add_port_options(sub, *options);
  sub->add_option("--network", options->network, "The network's name")->required();
  sub->callback([&commands, options] {
    commands.chosen = [options](Host& host, const Globals& globals) -> Result<void> {
      VNET_ASSIGN(auto request, to_request(*options));
      return carry_out(host, globals, "attach", [&] { return host.attach(request); });
    };
  });
}

void add_set(Commands& commands) {
  auto* sub = commands.add("set", "Change an attached interface", "vnet-bpf set vnet0 --link down");
  auto options = std::make_shared<PortOptions>();
  add_port_options(sub, *options);
  options->link_option = sub->add_option("--link", options->link, "down unplugs, up plugs")->check(CLI::IsMember({"up", "down"}));
  sub->callback([&commands, options] {
    commands.chosen = [options](Host& host, const Globals& globals) -> Result<void> {
      VNET_ASSIGN(auto request, to_request(*options));
      return carry_out(host, globals, "set", [&] { return host.set(request); });
    };
  });
}

void add_detach(Commands& commands) {
  auto* sub = commands.add("detach", "Take an interface out of its network", "vnet-bpf detach vnet0");
  auto interface = std::make_shared<std::string>();
  sub->add_option("IFACE", *interface, "The interface")->required();
  sub->callback([&commands, interface] {
    commands.chosen = [interface](Host& host, const Globals& globals) {
      return carry_out(host, globals, "detach", [&] { return host.detach(*interface); });
    };
  });
}

void add_ports(Commands& commands) {
  auto* sub = commands.add("ports", "The attached interfaces", "vnet-bpf ports --network default");
  auto network = std::make_shared<std::string>();
  sub->add_option("--network", *network, "Only this network's");
  sub->callback([&commands, network] {
    commands.chosen = [network](Host& host, const Globals& globals) -> Result<void> {
      VNET_ASSIGN(auto ports, host.ports(network->empty() ? std::nullopt : std::optional(*network)));
      fmt::print("{}", globals.json ? ports_json(ports).dump(2) + "\n" : ports_text(ports));
      return {};
    };
  });
}

}  // namespace

void add_port_verbs(Commands& commands) {
  add_attach(commands);
  add_detach(commands);
  add_set(commands);
  add_ports(commands);
}

}  // namespace vnet::cli
