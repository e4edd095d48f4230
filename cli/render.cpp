// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/render.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

namespace vnet::cli {
namespace {

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

std::string mac_text(const std::optional<Mac>& mac) { return mac ? mac->text() : ""; }

std::string joined(const std::vector<Address>& addresses) {
  std::string text;
  for (const auto& address : addresses) text += (text.empty() ? "" : ",") + address.text();
  return text;
}

std::string drops_line(const Counters& counters) {
  std::string text;
  for (const auto& [reason, count] : counters.drops) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", reason, count);
  return text;
}

std::vector<std::string> counter_cells(const Counters& c) {
  return {std::to_string(c.rx_packets), std::to_string(c.rx_bytes), std::to_string(c.tx_packets),
          std::to_string(c.tx_bytes), std::to_string(c.dropped())};
}

Json counters_json(const Counters& c) {
  Json drops = Json::object();
  for (const auto& [reason, count] : c.drops) drops[reason] = count;
  return {{"rx_packets", c.rx_packets}, {"rx_bytes", c.rx_bytes}, {"tx_packets", c.tx_packets}, {"tx_bytes", c.tx_bytes}, {"drops", drops}};
}

Json endpoint_json(const Endpoint& endpoint) { return {{"address", endpoint.address.text()}, {"port", endpoint.port}}; }

bool has_ports(const SessionInfo& flow) { return flow.protocol == "tcp" || flow.protocol == "udp" || flow.protocol.starts_with("icmp"); }

}  // namespace

std::string table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> width(header.size());
  for (std::size_t i = 0; i < header.size(); ++i) {
    width[i] = header[i].size();
    for (const auto& row : rows) width[i] = std::max(width[i], or_dash(row[i]).size());
  }
  auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (std::size_t i = 0; i < cells.size(); ++i)
      text += i + 1 == cells.size() ? or_dash(cells[i]) : fmt::format("{:<{}}  ", or_dash(cells[i]), width[i]);
    return text + "\n";
  };
  std::string text = line(header);
  for (const auto& row : rows) text += line(row);
  return text;
}

std::string human_bytes(double bytes) {
  constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < std::size(units)) bytes /= 1024, ++unit;
  return unit ? fmt::format("{:.1f} {}", bytes, units[unit]) : fmt::format("{:.0f} B", bytes);
}

std::string human_rate(double per_second, const char* unit) {
  constexpr const char* prefixes[] = {"", "k", "M", "G", "T"};
  std::size_t prefix = 0;
  while (per_second >= 1000 && prefix + 1 < std::size(prefixes)) per_second /= 1000, ++prefix;
  return prefix ? fmt::format("{:.1f} {}{}", per_second, prefixes[prefix], unit) : fmt::format("{:.0f} {}", per_second, unit);
}

const char* inbound_word(Inbound inbound) {
  constexpr const char* words[] = {"accept", "established", "drop"};
  return words[static_cast<int>(inbound)];
}

std::string networks_text(const std::vector<NetworkSummary>& networks) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& n : networks)
    rows.push_back({n.name, n.active ? "active" : "inactive", mode_name(n.mode), n.gateway, std::to_string(n.ports), n.autostart ? "yes" : "no"});
  return table({"Name", "State", "Mode", "Gateway", "Ports", "Autostart"}, rows);
}

std::string ports_text(const std::vector<PortInfo>& ports) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& p : ports)
    rows.push_back({p.interface, p.type, p.source, p.model, mac_text(p.mac), joined(p.ips), p.up ? "up" : "down"});
  return table({"Interface", "Type", "Source", "Model", "MAC", "IP", "State"}, rows);
}

std::string leases_text(const std::vector<LeaseEntry>& leases) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& l : leases)
    rows.push_back({l.expiry ? fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::localtime(static_cast<std::time_t>(l.expiry))) : "never",
                    mac_text(l.mac), l.ip.family == Family::V4 ? "ipv4" : "ipv6", fmt::format("{}/{}", l.ip.text(), l.prefix_length),
                    l.hostname, l.client_id});
  return table({"Expiry Time", "MAC address", "Protocol", "IP address", "Hostname", "Client ID or DUID"}, rows);
}

std::string flows_text(const std::vector<SessionInfo>& flows) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& f : flows) {
    bool ports = has_ports(f);
    rows.push_back({f.protocol, f.state, f.inside.text(ports), f.outside.text(ports), f.translated.text(ports),
                    fmt::format("{}s", f.age_seconds), std::to_string(f.out_packets), human_bytes(static_cast<double>(f.out_bytes)),
                    std::to_string(f.in_packets), human_bytes(static_cast<double>(f.in_bytes))});
  }
  return table({"Protocol", "State", "Inside", "Outside", "Translated as", "Age", "Out packets", "Out bytes", "In packets", "In bytes"}, rows);
}

std::string stats_text(const Stats& stats) {
  std::vector<std::vector<std::string>> rows;
  std::string drops;
  auto add = [&](const char* kind, const std::string& name, const Counters& counters) {
    auto cells = counter_cells(counters);
    cells.insert(cells.begin(), {kind, name});
    rows.push_back(std::move(cells));
    if (!counters.drops.empty()) drops += fmt::format("  {} {}: {}\n", kind, name, drops_line(counters));
  };
  for (const auto& n : stats.networks) add("network", n.network, n.counters);
  for (const auto& p : stats.ports) add("port", p.interface, p.counters);
  for (const auto& u : stats.uplinks) add("uplink", u.interface, u.counters);
  std::string text = table({"What", "Name", "RX packets", "RX bytes", "TX packets", "TX bytes", "Dropped"}, rows);
  for (const auto& n : stats.networks) text += fmt::format("Sessions of {}: {} of {}\n", n.network, n.sessions, n.max_sessions);
  if (!drops.empty()) text += "Dropped, by reason:\n" + drops;
  return text;
}

std::string details_text(const NetworkDetails& details) {
  const auto& n = details.network;
  std::string text;
  auto line = [&](const char* name, const std::string& value) { text += fmt::format("{:<16}{}\n", std::string(name) + ":", or_dash(value)); };
  line("Name", n.name);
  line("UUID", n.uuid);
  line("State", details.summary.active ? "active" : "inactive");
  line("Autostart", details.summary.autostart ? "yes" : "no");
  line("Mode", mode_name(n.mode));
  line("Gateway", n.bridge);
  std::string addresses, uplinks;
  for (const auto& ip : n.ips) addresses += (addresses.empty() ? "" : ", ") + ip.gateway.text();
  for (const auto& uplink : details.uplinks) uplinks += (uplinks.empty() ? "" : ", ") + uplink;
  line("Addresses", addresses);
  line("Uplinks", uplinks);
  line("Ports", std::to_string(details.summary.ports));
  line("Sessions", fmt::format("{} of {} ({} per port)", details.sessions, n.settings.max_sessions, n.settings.max_sessions_per_port));
  line("Host firewall", n.settings.host_firewall == HostFirewall::Honor ? "honored for new flows" : "bypassed");
  line("dnsmasq", details.dnsmasq_running ? "running" : "not running");
  return text;
}

Json networks_json(const std::vector<NetworkSummary>& networks) {
  Json all = Json::array();
  for (const auto& n : networks)
    all.push_back({{"name", n.name}, {"uuid", n.uuid}, {"mode", mode_name(n.mode)}, {"state", n.active ? "active" : "inactive"},
                   {"gateway", n.gateway}, {"autostart", n.autostart}, {"ports", n.ports}});
  return all;
}

Json ports_json(const std::vector<PortInfo>& ports) {
  Json all = Json::array();
  for (const auto& p : ports) {
    Json ips = Json::array();
    for (const auto& ip : p.ips) ips.push_back(ip.text());
    all.push_back({{"interface", p.interface}, {"network", p.network}, {"type", p.type}, {"source", p.source}, {"model", p.model},
                   {"mac", p.mac ? Json(p.mac->text()) : Json(nullptr)}, {"ips", ips}, {"state", p.up ? "up" : "down"},
                   {"filters", p.filters}, {"inbound", inbound_word(p.inbound)}, {"allow", p.allow}, {"isolated", p.isolated}});
  }
  return all;
}

Json leases_json(const std::vector<LeaseEntry>& leases) {
  Json all = Json::array();
  for (const auto& l : leases)
    all.push_back({{"expiry", l.expiry}, {"mac", l.mac ? Json(l.mac->text()) : Json(nullptr)},
                   {"protocol", l.ip.family == Family::V4 ? "ipv4" : "ipv6"}, {"ip", l.ip.text()}, {"prefix", l.prefix_length},
                   {"hostname", l.hostname}, {"client_id", l.client_id}});
  return all;
}

Json flows_json(const std::vector<SessionInfo>& flows) {
  Json all = Json::array();
  for (const auto& f : flows)
    all.push_back({{"protocol", f.protocol}, {"state", f.state}, {"network", f.network}, {"inside", endpoint_json(f.inside)},
                   {"outside", endpoint_json(f.outside)}, {"translated", endpoint_json(f.translated)}, {"inbound", f.inbound},
                   {"age", f.age_seconds}, {"idle", f.idle_seconds}, {"out_packets", f.out_packets}, {"out_bytes", f.out_bytes},
                   {"in_packets", f.in_packets}, {"in_bytes", f.in_bytes}});
  return all;
}

Json stats_json(const Stats& stats) {
  Json all{{"time", stats.time}, {"networks", Json::array()}, {"ports", Json::array()}, {"uplinks", Json::array()}};
  auto with = [](Json head, const Counters& counters) {
    head.update(counters_json(counters));
    return head;
  };
  for (const auto& n : stats.networks)
    all["networks"].push_back(with({{"network", n.network}, {"ports", n.ports}, {"sessions", n.sessions}, {"max_sessions", n.max_sessions}}, n.counters));
  for (const auto& p : stats.ports)
    all["ports"].push_back(with({{"interface", p.interface}, {"network", p.network}, {"sessions", p.sessions}}, p.counters));
  for (const auto& u : stats.uplinks) all["uplinks"].push_back(with({{"interface", u.interface}}, u.counters));
  return all;
}

Json details_json(const NetworkDetails& details) {
  Json all = networks_json({details.summary})[0];
  all["addresses"] = Json::array();
  for (const auto& ip : details.network.ips) all["addresses"].push_back(ip.gateway.text());
  all["uplinks"] = details.uplinks;
  all["sessions"] = details.sessions;
  all["max_sessions"] = details.network.settings.max_sessions;
  all["dnsmasq"] = details.dnsmasq_running;
  all["host_firewall"] = details.network.settings.host_firewall == HostFirewall::Honor ? "honor" : "bypass";
  return all;
}

}  // namespace vnet::cli
