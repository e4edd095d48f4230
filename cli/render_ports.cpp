// SPDX-License-Identifier: GPL-2.0-or-later
// Attached interfaces as text and JSON.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/render.h"
#include "cli/text.h"

namespace vnet::cli {
namespace {

const char* state_word(const PortInfo& port) {
  if (!port.attached) return "unattached";
  if (!port.unguarded.empty()) return "unguarded";
  return port.up ? "up" : "down";
}

std::string mac_text(const PortInfo& port) {
  if (port.any_mac.value_or(false)) return "any";
  return port.mac ? port.mac->text() : "-";
}

Json mac_json(const PortInfo& port) {
  if (port.any_mac.value_or(false)) return "any";
  return port.mac ? Json(port.mac->text()) : Json();
}

std::string vlan_text(const PortInfo& port) {
  if (!port.vlan) return "-";
  std::string text;
  for (const auto& tag : port.vlan->tags)
    text += fmt::format("{}{}{}", text.empty() ? "" : ",", tag.id, tag.native ? " (native)" : "");
  return text + (port.vlan_held ? "" : " (not applied)");
}

std::string ips_text(const PortInfo& port) {
  std::string all;
  for (const auto& address : port.ips) all += (all.empty() ? "" : ",") + address.text();
  return or_dash(all);
}

Json ips_json(const PortInfo& port) {
  Json all = Json::array();
  for (const auto& ip : port.ips) all.push_back(ip.text());
  return all;
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

Json bandwidth_json(const PortInfo& port) {
  if (!port.bandwidth) return {};
  return {{"inbound", rate_json(port.bandwidth->inbound)}, {"outbound", rate_json(port.bandwidth->outbound)}};
}

// What is shown of a port, in the order of the columns and of the JSON's keys.
struct PortFact {
  const char* key;  // nullptr: text alone
  Json (*json)(const PortInfo&);
  const char* column = nullptr;  // nullptr: JSON alone
  std::string (*text)(const PortInfo&) = nullptr;
  bool (*is_rare)(const PortInfo&) = nullptr;  // the column is there only when this is true of a port
  bool optional_key = false;                   // the key, when the JSON is not null
};

constexpr PortFact port_facts[] = {
    {"interface", [](const PortInfo& port) { return Json(port.interface); }, "Interface",
     [](const PortInfo& port) { return printable(port.interface); }},
    {"network", [](const PortInfo& port) { return Json(port.network); }},
    {"type", [](const PortInfo& port) { return Json(port.type); }, "Type",
     [](const PortInfo& port) { return port.type; }},
    {"source", [](const PortInfo& port) { return Json(port.source); }, "Source",
     [](const PortInfo& port) { return or_dash(port.source); }},
    {"model", [](const PortInfo& port) { return Json(port.model); }, "Model",
     [](const PortInfo& port) { return or_dash(port.model); }},
    {"mac", mac_json, "MAC", mac_text},
    {"ips", ips_json, "IP", ips_text},
    {"ip_only", [](const PortInfo& port) { return Json(port.ip_only); }},
    {"state", [](const PortInfo& port) { return Json(port.up ? "up" : "down"); }, "State",
     [](const PortInfo& port) { return std::string(state_word(port)); }},
    {"attached", [](const PortInfo& port) { return port.attached ? Json() : Json(false); }, nullptr, nullptr,
     nullptr, true},
    {"unguarded", [](const PortInfo& port) { return port.unguarded.empty() ? Json() : Json(port.unguarded); },
     nullptr, nullptr, nullptr, true},
    {nullptr, nullptr, "IP only",
     [](const PortInfo& port) { return std::string(port.ip_only ? "yes" : "no"); },
     [](const PortInfo& port) { return port.ip_only; }},
    {"filters", [](const PortInfo& port) { return Json(port.filters); }},
    {"inbound",
     [](const PortInfo& port) { return Json(inbound_name(port.inbound.value_or(Inbound::Accept))); }},
    {"allow", [](const PortInfo& port) { return Json(port.allow); }},
    {"isolated", [](const PortInfo& port) { return Json(port.isolated.value_or(false)); }},
    {"guest", [](const PortInfo& port) { return Json(port.guest); }, "Guest",
     [](const PortInfo& port) { return or_dash(port.guest); },
     [](const PortInfo& port) { return !port.guest.empty(); }},
    {"guest_uuid", [](const PortInfo& port) { return Json(port.guest_uuid); }},
    {"vlan", vlan_json, "VLAN", vlan_text, [](const PortInfo& port) { return port.vlan.has_value(); }},
    {"bandwidth", bandwidth_json, "Bandwidth", bandwidth_text,
     [](const PortInfo& port) { return port.bandwidth.has_value(); }},
};

}  // namespace

std::string ports_text(const std::vector<PortInfo>& ports) {
  std::vector<const PortFact*> columns;
  std::vector<std::string> head;
  for (const auto& fact : port_facts) {
    if (!fact.column || (fact.is_rare && std::ranges::none_of(ports, fact.is_rare))) continue;
    columns.push_back(&fact);
    head.emplace_back(fact.column);
  }
  Table table(head);
  for (const auto& port : ports) {
    std::vector<std::string> row;
    for (const auto* column : columns) row.push_back(column->text(port));
    table.add(row);
  }
  return table.text();
}

Json ports_json(const std::vector<PortInfo>& ports) {
  Json all = Json::array();
  for (const auto& port : ports) {
    Json json;
    for (const auto& fact : port_facts) {
      if (!fact.key) continue;
      Json value = fact.json(port);
      if (!fact.optional_key || !value.is_null()) json[fact.key] = std::move(value);
    }
    all.push_back(std::move(json));
  }
  return all;
}

}  // namespace vnet::cli
