// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/render.h"

namespace vnet::cli {
namespace {

Json network_json(const NetworkSummary& network) {
  Json json{{"name", network.name},
            {"uuid", network.uuid},
            {"mode", mode_name(network.mode)},
            {"state", network.active ? "active" : "inactive"},
            {"gateway", network.gateway},
            {"autostart", network.autostart},
            {"ports", network.ports}};
  if (!network.unguarded.empty()) json["unguarded"] = network.unguarded;
  return json;
}

const char* guard_word(bool any_mac) {
  return any_mac ? "any" : "fixed";
}

void add_counters(Json& to, const Counters& counters) {
  to["rx_packets"] = counters.rx_packets;
  to["rx_bytes"] = counters.rx_bytes;
  to["tx_packets"] = counters.tx_packets;
  to["tx_bytes"] = counters.tx_bytes;
  to["drops"] = Json::object();
  for (const auto& [reason, count] : counters.drops) to["drops"][reason] = count;
}

}  // namespace

Json list_json(const std::vector<NetworkSummary>& networks) {
  Json all = Json::array();
  for (const auto& network : networks) all.push_back(network_json(network));
  return all;
}

Json show_json(const NetworkDetails& details) {
  const Network& network = details.network;
  Json json = network_json(details.summary);
  json["addresses"] = Json::array();
  for (const auto& ip : network.ips) json["addresses"].push_back(ip.gateway.text());
  json["added_addresses"] = Json::array();
  for (const auto& [address, refused] : details.added)
    json["added_addresses"].push_back(
        {{"address", address.text()}, {"refused", refused.empty() ? Json() : Json(refused)}});
  json["mac"] = network.mac ? Json(network.mac->text()) : Json();
  json["mtu"] = network.mtu ? Json(*network.mtu) : Json();
  json["domain"] = network.domain ? Json(network.domain->name) : Json();
  json["uplinks"] = details.uplinks;
  json["xdp"] = Json::object();
  for (const auto& [uplink, how] : details.xdp) json["xdp"][uplink] = how;
  json["xdp_ports"] = Json::object();
  for (const auto& [port, why] : details.xdp_ports)
    json["xdp_ports"][port] = why.empty() ? Json() : Json(why);
  json["routes"] = details.routes;
  json["shortcut"] = details.shortcut ? Json(*details.shortcut) : Json();
  json["guard"] = {{"mac", guard_word(takes_any_mac(network, ""))}};
  json["dnsmasq"] = details.dnsmasq_running;
  json["host_firewall"] = network.settings.host_firewall == HostFirewall::Honor ? "honor" : "bypass";
  json["sessions"] = details.sessions;
  json["max_sessions"] = network.settings.max_sessions;
  json["max_sessions_per_port"] = network.settings.max_sessions_per_port;
  return json;
}

Json leases_json(const std::vector<LeaseEntry>& leases) {
  Json all = Json::array();
  for (const auto& lease : leases)
    all.push_back({{"expiry", lease.expiry},
                   {"mac", lease.mac ? Json(lease.mac->text()) : Json()},
                   {"protocol", lease.ip.family == Family::V4 ? "ipv4" : "ipv6"},
                   {"ip", lease.ip.text()},
                   {"prefix", lease.prefix_length},
                   {"hostname", lease.hostname},
                   {"client_id", lease.client_id}});
  return all;
}

Json blocked_json(const std::vector<Prefix>& prefixes) {
  Json all = Json::array();
  for (const auto& prefix : prefixes)
    all.push_back(
        {{"prefix", prefix.text()}, {"family", prefix.address.family == Family::V4 ? "ipv4" : "ipv6"}});
  return all;
}

namespace {

Json rate_json(const std::optional<Bandwidth>& rate) {
  if (!rate) return {};
  return {{"average", rate->average}, {"peak", rate->peak}, {"burst", rate->burst}};
}

Json mac_json(const PortInfo& port) {
  if (port.any_mac) return "any";
  return port.mac ? Json(port.mac->text()) : Json();
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

}  // namespace

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

Json stats_json(const Stats& stats) {
  Json json{{"time", stats.time},
            {"networks", Json::array()},
            {"ports", Json::array()},
            {"uplinks", Json::array()}};
  for (const auto& network : stats.networks) {
    Json one{{"network", network.network},
             {"ports", network.ports},
             {"sessions", network.sessions},
             {"max_sessions", network.max_sessions}};
    add_counters(one, network.counters);
    json["networks"].push_back(std::move(one));
  }
  for (const auto& port : stats.ports) {
    Json one{{"interface", port.interface},
             {"network", port.network},
             {"sessions", port.sessions},
             {"max_sessions", port.max_sessions}};
    add_counters(one, port.counters);
    json["ports"].push_back(std::move(one));
  }
  for (const auto& uplink : stats.uplinks) {
    Json one;
    one["interface"] = uplink.interface;
    add_counters(one, uplink.counters);
    one["xdp_forwarded"] = uplink.counters.forwarded;
    json["uplinks"].push_back(std::move(one));
  }
  return json;
}

std::string document(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace vnet::cli
