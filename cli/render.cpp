// SPDX-License-Identifier: GPL-2.0-or-later
// Picks between text and JSON.
#include <nlohmann/json.hpp>

#include "cli/render.h"

namespace vnet::cli {

std::string document(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string render(const std::vector<NetworkSummary>& networks, bool json) {
  return json ? document(list_json(networks)) : list_text(networks);
}

std::string render(const NetworkDetails& details, bool json) {
  return json ? document(show_json(details)) : show_text(details);
}

std::string render(const std::vector<LeaseEntry>& leases, bool json) {
  return json ? document(leases_json(leases)) : leases_text(leases);
}

std::string render(const std::vector<ForwardInfo>& forwards, bool json) {
  return json ? document(forwards_json(forwards)) : forwards_text(forwards);
}

std::string render(const std::vector<Prefix>& blocked, bool json) {
  return json ? document(blocked_json(blocked)) : blocked_text(blocked);
}

std::string render(const std::vector<PortInfo>& ports, bool json) {
  return json ? document(ports_json(ports)) : ports_text(ports);
}

std::string render(const AnnouncedView& announced, bool json) {
  return json ? document(announced_json(announced)) : announced_text(announced);
}

std::string render(const Stats& stats, bool json) {
  return json ? document(stats_json(stats)) : stats_text(stats);
}

std::string render(const std::vector<SessionInfo>& flows, bool json) {
  return json ? document(flows_json(flows)) : flows_text(flows);
}

std::string render(const Usage& usage, bool json) {
  return json ? document(usage_json(usage)) : usage_text(usage);
}

std::string render(const std::vector<Finding>& findings, bool json) {
  return json ? document(doctor_json(findings)) : doctor_text(findings);
}

std::string render(const Explanation& told, bool json) {
  return json ? document(explain_json(told)) : explain_text(told);
}

}  // namespace vnet::cli
