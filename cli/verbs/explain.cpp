// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs/explain.h"

#include <algorithm>
#include <charconv>

#include "cli/render.h"

namespace vnet::cli::verbs {
namespace {

struct Place {
  Address address;
  std::optional<std::uint16_t> port;
};

// ADDR, ADDR:PORT, [ADDR]:PORT
Result<Place> parse_place(const std::string& option, const std::string& text) {
  auto wrong = [&] {
    return invalid(option + ": '" + text + "' is not ADDR[:PORT] (as 192.0.2.1:80 or [2001:db8::1]:80)");
  };
  std::string address = text, port;
  if (text.starts_with("[")) {
    auto end = text.find(']');
    if (end == std::string::npos) return wrong();
    address = text.substr(1, end - 1);
    if (end + 1 < text.size()) {
      if (text[end + 1] != ':' || end + 2 == text.size()) return wrong();
      port = text.substr(end + 2);
    }
  } else if (std::ranges::count(text, ':') == 1) {
    address = text.substr(0, text.find(':'));
    port = text.substr(text.find(':') + 1);
    if (port.empty()) return wrong();
  }
  auto parsed = Address::parse(address);
  if (!parsed) return wrong();
  Place place{*parsed, std::nullopt};
  if (port.empty()) return place;
  std::uint16_t number = 0;
  auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size()) return wrong();
  place.port = number;
  return place;
}

}  // namespace

std::vector<Option> ExplainOptions::list() {
  auto take_to = [this](const Words& words) -> Result<void> {
    VNET_ASSIGN(auto place, parse_place("--to", words.back()));
    question.to = place.address;
    question.to_port = place.port;
    return {};
  };
  auto take_from = [this](const Words& words) -> Result<void> {
    VNET_ASSIGN(auto place, parse_place("--from", words.back()));
    question.from = place.address;
    question.from_port = place.port;
    return {};
  };
  return {
      Option("--port IFACE",
             "Where it comes in: a port, an uplink, a bridge's or direct network's interface, or a "
             "gateway (the host)",
             into(question.interface), complete_ports)
          .required(),
      Option("--to ADDR[:PORT]", "ADDR[:PORT] that it is sent to", {take_to}).required(),
      {"--from ADDR[:PORT]", "ADDR[:PORT] of the sender; default: the guest's, or the host's", {take_from}},
      Option("--proto PROTO", "tcp (a SYN), udp or icmp (an echo request)", into(question.protocol))
          .only({"tcp", "udp", "icmp"})};
}

Result<void> ExplainOptions::check(const Common&) const {
  bool has_ports = question.protocol == "tcp" || question.protocol == "udp";
  if (question.protocol == "icmp" && question.to_port) return invalid("--to: icmp has no ports");
  if (has_ports && !question.to_port)
    return invalid("--to: " + question.protocol + " needs a port, as in " +
                   Endpoint{question.to, 80}.text(true));
  if (question.from && question.from->family != question.to.family)
    return invalid("--from and --to are not of the same family");
  return {};
}

Result<void> explain(Host& host, const Common& common, const ExplainOptions& options) {
  return print_facts(host.explain(options.question), common.json);
}

}  // namespace vnet::cli::verbs
