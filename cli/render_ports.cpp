// SPDX-License-Identifier: GPL-2.0-or-later
// Attached interfaces as text and JSON.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/render.h"
#include "cli/text.h"

namespace vnet::cli {
namespace {

std::string join_addresses(const std::vector<Address>& addresses) {
  std::string all;
  for (const auto& address : addresses) all += (all.empty() ? "" : ",") + address.text();
  return or_dash(all);
}

const char* state_word(const PortInfo& port) {
  if (!port.attached) return "unattached";
  if (!port.unguarded.empty()) return "unguarded";
  return port.up ? "up" : "down";
}

std::string mac_text(const PortInfo& port) {
  if (port.any_mac) return "any";
  return port.mac ? port.mac->text() : "-";
}

Json mac_json(const PortInfo& port) {
  if (port.any_mac) return "any";
  return port.mac ? Json(port.mac->text()) : Json();
}

std::string vlan_text(const PortInfo& port) {
  if (!port.vlan) return "-";
  std::string text;
  for (const auto& tag : port.vlan->tags)
    text += fmt::format("{}{}{}", text.empty() ? "" : ",", tag.id, tag.native ? " (native)" : "");
  return text + (port.vlan_held ? "" : " (not applied)");
}

Json vlan_json(const PortInfo& port) {
  if (!port.vlan) return {};
  Json json{{"trunk", port.vlan->trunk}, {"applied", port.vlan_held}, {"tags", Json::array()}};
  for (const auto& tag : port.vlan->tags) {
    json["tags"].push_back(tag.id);
    if (tag.native) json["native"] = tag.id;
  }
  return json;
}

// In kB/s, as in the domain XML.
std::string bandwidth_text(const PortInfo& port) {
  std::string text;
  if (!port.bandwidth) return "-";
  if (port.bandwidth->inbound) text += fmt::format("in {} ", port.bandwidth->inbound->average);
  if (port.bandwidth->outbound) text += fmt::format("out {} ", port.bandwidth->outbound->average);
  return text + "kB/s";
}

Json rate_json(const std::optional<Bandwidth>& rate) {
  if (!rate) return {};
  return {{"average", rate->average}, {"peak", rate->peak}, {"burst", rate->burst}};
}

}  // namespace

// Columns for properties that few guests have appear only when one has them.
std::string ports_text(const std::vector<PortInfo>& ports) {
  std::vector<std::string> head{"Interface", "Type", "Source", "Model", "MAC", "IP", "State"};
  bool vlans = std::ranges::any_of(ports, [](const PortInfo& port) { return port.vlan.has_value(); });
  bool rates = std::ranges::any_of(ports, [](const PortInfo& port) { return port.bandwidth.has_value(); });
  bool only = std::ranges::any_of(ports, &PortInfo::ip_only);
  if (only) head.emplace_back("IP only");
  if (vlans) head.emplace_back("VLAN");
  if (rates) head.emplace_back("Bandwidth");
  Table table(head);
  for (const auto& port : ports) {
    std::vector<std::string> row{printable(port.interface), port.type,      or_dash(port.source),
                                 or_dash(port.model),       mac_text(port), join_addresses(port.ips),
                                 state_word(port)};
    if (only) row.emplace_back(port.ip_only ? "yes" : "no");
    if (vlans) row.push_back(vlan_text(port));
    if (rates) row.push_back(bandwidth_text(port));
    table.add(row);
  }
  return table.text();
}

Json ports_json(const std::vector<PortInfo>& ports) {
  Json all = Json::array();
  for (const auto& port : ports) {
    Json json{{"interface", port.interface}, {"network", port.network}, {"type", port.type},
              {"source", port.source},       {"model", port.model},     {"mac", mac_json(port)}};
    json["ips"] = Json::array();
    for (const auto& ip : port.ips) json["ips"].push_back(ip.text());
    json["ip_only"] = port.ip_only;
    json["state"] = port.up ? "up" : "down";
    if (!port.attached) json["attached"] = false;
    if (!port.unguarded.empty()) json["unguarded"] = port.unguarded;
    json["filters"] = port.filters;
    json["inbound"] = inbound_name(port.inbound);
    json["allow"] = port.allow;
    json["isolated"] = port.isolated;
    json["vlan"] = vlan_json(port);
    json["bandwidth"] = port.bandwidth ? Json{{"inbound", rate_json(port.bandwidth->inbound)},
                                              {"outbound", rate_json(port.bandwidth->outbound)}}
                                       : Json();
    all.push_back(std::move(json));
  }
  return all;
}

}  // namespace vnet::cli
