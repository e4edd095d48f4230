// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/state/port_json.h"

#include <nlohmann/json.hpp>

namespace vnet {
namespace {

using nlohmann::json;

// By their types.
template <typename T>
json to_json(const T& plain) {
  return plain;
}
template <typename T>
void from_json(const json& j, T& plain) {
  plain = j.get<T>();
}

json to_json(const std::optional<Mac>& mac) {
  return mac ? mac->text() : "";
}
void from_json(const json& j, std::optional<Mac>& mac) {
  mac = Mac::parse(j.get<std::string>());
}

json to_json(const std::vector<Address>& addresses) {
  json j = json::array();
  for (const auto& address : addresses) j.push_back(address.text());
  return j;
}
void from_json(const json& j, std::vector<Address>& addresses) {
  for (const auto& text : j)
    if (auto address = Address::parse(text.get<std::string>())) addresses.push_back(*address);
}

json to_json(const std::optional<bool>& flag) {
  return flag ? json(*flag) : json();
}
void from_json(const json& j, std::optional<bool>& flag) {
  if (!j.is_null()) flag = j.get<bool>();
}

json to_json(const std::optional<Inbound>& inbound) {
  return inbound ? json(inbound_name(*inbound)) : json();
}
void from_json(const json& j, std::optional<Inbound>& inbound) {
  for (auto each : {Inbound::Accept, Inbound::Established, Inbound::Drop})
    if (j.is_string() && j.get<std::string>() == inbound_name(each)) inbound = each;
}

json to_json(const std::optional<BandwidthPair>& pair) {
  if (!pair) return {};
  json j = json::object();
  for (auto [way, rate] : {std::pair{"inbound", &pair->inbound}, {"outbound", &pair->outbound}})
    if (*rate) j[way] = {(*rate)->average, (*rate)->peak, (*rate)->burst};
  return j;
}
void from_json(const json& j, std::optional<BandwidthPair>& pair) {
  if (j.is_null()) return;
  pair.emplace();
  for (auto [way, rate] : {std::pair{"inbound", &pair->inbound}, {"outbound", &pair->outbound}})
    if (j.contains(way)) *rate = Bandwidth{j.at(way).at(0), j.at(way).at(1), j.at(way).at(2)};
}

json to_json(const std::optional<Vlan>& vlan) {
  if (!vlan) return {};
  json tags = json::array();
  for (const auto& tag : vlan->tags) tags.push_back({tag.id, tag.native, tag.native_tagged});
  return {{"trunk", vlan->trunk}, {"tags", tags}};
}
void from_json(const json& j, std::optional<Vlan>& vlan) {
  if (j.is_null()) return;
  vlan = Vlan{.trunk = j.at("trunk")};
  for (const auto& tag : j.at("tags"))
    vlan->tags.push_back({.id = tag.at(0), .native = tag.at(1), .native_tagged = tag.at(2)});
}

}  // namespace

void write_port_config(nlohmann::json& json, const PortConfig& config) {
  for_each_port_field([&](const auto& field) { json[field.key] = to_json(config.*field.setting); });
}

void read_port_config(const nlohmann::json& json, PortConfig& config) {
  for_each_port_field([&](const auto& field) {
    if (json.contains(field.key)) from_json(json.at(field.key), config.*field.setting);
  });
}

}  // namespace vnet
