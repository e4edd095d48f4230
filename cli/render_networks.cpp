// SPDX-License-Identifier: GPL-2.0-or-later
// Networks, their leases and the block list as text and JSON.
#include <fmt/format.h>
#include <time.h>

#include <nlohmann/json.hpp>

#include "cli/render.h"
#include "cli/text.h"

namespace vnet::cli {
namespace {

const char* state_word(const NetworkSummary& network) {
  if (!network.active) return "inactive";
  return network.unguarded.empty() ? "active" : "active, unguarded";
}

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

std::string local_time(std::int64_t seconds) {
  if (seconds == 0) return "never";
  time_t when = static_cast<time_t>(seconds);
  tm parts{};
  char text[32] = "";
  if (!localtime_r(&when, &parts) || !strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts)) return "-";
  return text;
}

const char* family_word(Family family) {
  return family == Family::V4 ? "ipv4" : "ipv6";
}

}  // namespace

std::string list_text(const std::vector<NetworkSummary>& networks) {
  Table table({"Name", "State", "Mode", "Gateway", "Ports", "Autostart"}, {false, false, false, false, true});
  for (const auto& network : networks)
    table.add({printable(network.name), state_word(network), mode_name(network.mode),
               or_dash(network.gateway), std::to_string(network.ports), network.autostart ? "yes" : "no"});
  return table.text();
}

Json list_json(const std::vector<NetworkSummary>& networks) {
  Json all = Json::array();
  for (const auto& network : networks) all.push_back(network_json(network));
  return all;
}

std::string show_text(const NetworkDetails& details) {
  const Network& network = details.network;
  std::string out;
  auto line = [&](const char* what, const std::string& value) {
    out += fmt::format("{:<15} {}\n", what, or_dash(value));
  };
  auto yes_no = [](bool yes) { return std::string(yes ? "yes" : "no"); };
  line("Name:", details.summary.name);
  line("UUID:", details.summary.uuid);
  line("Active:", yes_no(details.summary.active));
  for (const auto& where : details.summary.unguarded) line("Unguarded:", where);
  line("Autostart:", yes_no(details.summary.autostart));
  line("Bridge:", details.summary.gateway);
  line("Mode:", mode_name(details.summary.mode));
  for (const auto& ip : network.ips) {
    line("Address:", ip.gateway.text());
    for (const auto& range : ip.ranges) line("DHCP range:", range.start.text() + " - " + range.end.text());
  }
  for (const auto& [address, refused] : details.added)
    line("Added address:",
         address.text() + (refused.empty() ? "" : fmt::format(" (not its guests' subnet: {})", refused)));
  if (network.domain) line("Domain:", network.domain->name);
  if (network.mtu) line("MTU:", std::to_string(*network.mtu));
  for (const auto& group : network.portgroups)
    if (takes_any_mac(network, group.name)) line("Guests' MACs:", "any in portgroup " + group.name);
  if (takes_any_mac(network, "")) line("Guests' MACs:", "any");
  for (const auto& forward : network.settings.port_forwards) line("Port forward:", forward_line(forward));
  if (network.settings.nat_mapping == NatMapping::EndpointIndependent)
    line("UDP mapping:", fmt::format("{}, filtering {}", nat_mapping_name(network.settings.nat_mapping),
                                     nat_filtering_name(network.settings.nat_filtering)));
  if (const auto& timeouts = network.settings.timeouts; timeouts != Timeouts{})
    line("Timeouts:", fmt::format("tcp {} s, udp {} s, icmp {} s, other {} s", timeouts.tcp, timeouts.udp,
                                  timeouts.icmp, timeouts.other));
  if (network.settings.mac_nat != MacNat::Off) line("MAC NAT:", mac_nat_name(network.settings.mac_nat));
  if (const auto& announce = network.settings.announce)
    line("Announced:", fmt::format("subnets{}{}", announce->hosts ? " and guests' addresses" : "",
                                   announce->as ? fmt::format(", by AS {}", announce->as) : ""));
  line("Ports:", std::to_string(details.summary.ports));
  if (!details.summary.active) return out;
  line("Uplinks:", fmt::format("{}", fmt::join(details.uplinks, ", ")));
  for (const auto& [uplink, how] : details.xdp) line("XDP:", fmt::format("{}: {}", uplink, how));
  for (const auto& [port, why] : details.xdp_ports)
    if (!why.empty()) line("Not by XDP:", fmt::format("{}: {}", port, why));
  for (const auto& route : details.routes) line("Others' route:", route);
  if (details.shortcut)
    line("Shortcut:", *details.shortcut ? "yes" : "no: frames are filtered in the bridge");
  line("dnsmasq:", details.dnsmasq_running ? "running" : "not running");
  line("Sessions:", fmt::format("{} of {}", details.sessions, network.settings.max_sessions));
  return out;
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
  json["port_forwards"] = Json::array();
  for (const auto& forward : network.settings.port_forwards)
    json["port_forwards"].push_back(forward_line(forward));
  json["shortcut"] = details.shortcut ? Json(*details.shortcut) : Json();
  json["guard"] = {{"mac", takes_any_mac(network, "") ? "any" : "fixed"}};
  json["dnsmasq"] = details.dnsmasq_running;
  json["host_firewall"] = host_firewall_name(network.settings.host_firewall);
  json["sessions"] = details.sessions;
  json["max_sessions"] = network.settings.max_sessions;
  json["max_sessions_per_port"] = network.settings.max_sessions_per_port;
  json["nat"] = masquerades(network) ? Json{{"mapping", nat_mapping_name(network.settings.nat_mapping)},
                                            {"filtering", nat_filtering_name(network.settings.nat_filtering)}}
                                     : Json();
  const auto& timeouts = network.settings.timeouts;
  json["timeouts"] = {
      {"tcp", timeouts.tcp}, {"udp", timeouts.udp}, {"icmp", timeouts.icmp}, {"other", timeouts.other}};
  json["mac_nat"] = mac_nat_name(network.settings.mac_nat);
  const auto& announce = network.settings.announce;
  json["announce"] =
      announce ? Json{{"bgp", announce->as ? Json(announce->as) : Json()}, {"hosts", announce->hosts}}
               : Json();
  return json;
}

std::string leases_text(const std::vector<LeaseEntry>& leases) {
  Table table({"Expiry Time", "MAC address", "Protocol", "IP address", "Hostname", "Client ID or DUID"});
  for (const auto& lease : leases)
    table.add({local_time(lease.expiry), lease.mac ? lease.mac->text() : "-", family_word(lease.ip.family),
               fmt::format("{}/{}", lease.ip.text(), lease.prefix_length), or_dash(lease.hostname),
               or_dash(lease.client_id)});
  return table.text();
}

Json leases_json(const std::vector<LeaseEntry>& leases) {
  Json all = Json::array();
  for (const auto& lease : leases)
    all.push_back({{"expiry", lease.expiry},
                   {"mac", lease.mac ? Json(lease.mac->text()) : Json()},
                   {"protocol", family_word(lease.ip.family)},
                   {"ip", lease.ip.text()},
                   {"prefix", lease.prefix_length},
                   {"hostname", lease.hostname},
                   {"client_id", lease.client_id}});
  return all;
}

std::string forwards_text(const std::vector<ForwardInfo>& forwards) {
  Table table({"Network", "State", "Protocol", "Port", "Listen", "To", "From", "Sessions"});
  for (const auto& [network, active, forward, sessions] : forwards) {
    std::vector<std::string> from;
    for (const auto& prefix : forward.from) from.push_back(prefix.text());
    const auto to = forward.to.text(), ports = range_text(forward.to_ports());
    table.add({network, active ? "active" : "inactive", forward.proto, range_text(forward.ports),
               forward.listen ? forward.listen->text() : "*",
               fmt::format(fmt::runtime(forward.to.family == Family::V6 ? "[{}]:{}" : "{}:{}"), to, ports),
               or_dash(fmt::format("{}", fmt::join(from, ","))), std::to_string(sessions)});
  }
  return table.text();
}

Json forwards_json(const std::vector<ForwardInfo>& forwards) {
  Json all = Json::array();
  for (const auto& [network, active, forward, sessions] : forwards) {
    Json from = Json::array();
    for (const auto& prefix : forward.from) from.push_back(prefix.text());
    all.push_back({{"network", network},
                   {"active", active},
                   {"protocol", forward.proto},
                   {"port", range_text(forward.ports)},
                   {"listen", forward.listen ? Json(forward.listen->text()) : Json()},
                   {"to", forward.to.text()},
                   {"to_port", range_text(forward.to_ports())},
                   {"from", std::move(from)},
                   {"sessions", sessions}});
  }
  return all;
}

std::string blocked_text(const std::vector<Prefix>& prefixes) {
  std::string out;
  for (const auto& prefix : prefixes) out += prefix.text() + "\n";
  return out;
}

Json blocked_json(const std::vector<Prefix>& prefixes) {
  Json all = Json::array();
  for (const auto& prefix : prefixes)
    all.push_back({{"prefix", prefix.text()}, {"family", family_word(prefix.address.family)}});
  return all;
}

}  // namespace vnet::cli
