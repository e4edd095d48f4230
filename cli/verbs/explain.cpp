// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs/explain.h"

#include "cli/endpoint.h"
#include "cli/render.h"

namespace vnet::cli::verbs {

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
