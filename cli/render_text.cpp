// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <time.h>

#include "cli/render.h"
#include "cli/text.h"

namespace vnet::cli {
namespace {

std::string join_addresses(const std::vector<Address>& addresses) {
  std::string all;
  for (const auto& address : addresses) all += (all.empty() ? "" : ",") + address.text();
  return or_dash(all);
}

std::string local_time(std::int64_t seconds) {
  if (seconds == 0) return "never";
  time_t when = static_cast<time_t>(seconds);
  tm parts{};
  char text[32] = "";
  if (!localtime_r(&when, &parts) || !strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts)) return "-";
  return text;
}

const std::vector<bool> counter_columns{false, false, true, true, true, true, true};

void add_counters(Table& table, const std::string& name, const std::string& network,
                  const Counters& counters) {
  table.add({printable(name), or_dash(network), std::to_string(counters.rx_packets),
             std::to_string(counters.rx_bytes), std::to_string(counters.tx_packets),
             std::to_string(counters.tx_bytes), std::to_string(counters.dropped())});
}

void add_drops(Table& table, const std::string& where, const Counters& counters) {
  for (const auto& [reason, count] : counters.drops)
    table.add({printable(where), reason, std::to_string(count)});
}

const char* state_word(const NetworkSummary& network) {
  if (!network.active) return "inactive";
  return network.unguarded.empty() ? "active" : "active, unguarded";
}

const char* state_word(const PortInfo& port) {
  if (!port.attached) return "unattached";
  if (!port.unguarded.empty()) return "unguarded";
  return port.up ? "up" : "down";
}

}  // namespace

std::string list_text(const std::vector<NetworkSummary>& networks) {
  Table table({"Name", "State", "Mode", "Gateway", "Ports", "Autostart"}, {false, false, false, false, true});
  for (const auto& network : networks)
    table.add({printable(network.name), state_word(network), mode_name(network.mode),
               or_dash(network.gateway), std::to_string(network.ports), network.autostart ? "yes" : "no"});
  return table.text();
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

std::string leases_text(const std::vector<LeaseEntry>& leases) {
  Table table({"Expiry Time", "MAC address", "Protocol", "IP address", "Hostname", "Client ID or DUID"});
  for (const auto& lease : leases)
    table.add({local_time(lease.expiry), lease.mac ? lease.mac->text() : "-",
               lease.ip.family == Family::V4 ? "ipv4" : "ipv6",
               fmt::format("{}/{}", lease.ip.text(), lease.prefix_length), or_dash(lease.hostname),
               or_dash(lease.client_id)});
  return table.text();
}

std::string blocked_text(const std::vector<Prefix>& prefixes) {
  std::string out;
  for (const auto& prefix : prefixes) out += prefix.text() + "\n";
  return out;
}

namespace {

std::string mac_text(const PortInfo& port) {
  if (port.any_mac) return "any";
  return port.mac ? port.mac->text() : "-";
}

std::string vlan_text(const PortInfo& port) {
  if (!port.vlan) return "-";
  std::string text;
  for (const auto& tag : port.vlan->tags)
    text += fmt::format("{}{}{}", text.empty() ? "" : ",", tag.id, tag.native ? " (native)" : "");
  return text + (port.vlan_held ? "" : " (not applied)");
}

// kB/s, as in the domain's XML.
std::string bandwidth_text(const PortInfo& port) {
  std::string text;
  if (!port.bandwidth) return "-";
  if (port.bandwidth->inbound) text += fmt::format("in {} ", port.bandwidth->inbound->average);
  if (port.bandwidth->outbound) text += fmt::format("out {} ", port.bandwidth->outbound->average);
  return text + "kB/s";
}

}  // namespace

// What few guests have is shown when one has it.
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

std::string stats_text(const Stats& stats) {
  Table networks(
      {"Network", "Ports", "Sessions", "Max", "RX packets", "RX bytes", "TX packets", "TX bytes", "Drops"},
      {false, true, true, true, true, true, true, true, true});
  Table ports({"Port", "Network", "RX packets", "RX bytes", "TX packets", "TX bytes", "Drops"},
              counter_columns);
  Table uplinks({"Uplink", "Network", "RX packets", "RX bytes", "TX packets", "TX bytes", "Drops"},
                counter_columns);
  Table drops({"Where", "Reason", "Packets"}, {false, false, true});
  for (const auto& network : stats.networks) {
    const Counters& c = network.counters;
    networks.add({printable(network.network), std::to_string(network.ports), std::to_string(network.sessions),
                  std::to_string(network.max_sessions), std::to_string(c.rx_packets),
                  std::to_string(c.rx_bytes), std::to_string(c.tx_packets), std::to_string(c.tx_bytes),
                  std::to_string(c.dropped())});
    add_drops(drops, network.network, c);
  }
  for (const auto& port : stats.ports) {
    add_counters(ports, port.interface, port.network, port.counters);
    add_drops(drops, port.interface, port.counters);
  }
  for (const auto& uplink : stats.uplinks) {
    add_counters(uplinks, uplink.interface, "", uplink.counters);
    add_drops(drops, uplink.interface, uplink.counters);
  }
  std::string out;
  for (const Table* table : {&networks, &ports, &uplinks, &drops})
    if (!table->empty()) out += (out.empty() ? "" : "\n") + table->text();
  return out.empty() ? networks.text() : out;
}

}  // namespace vnet::cli
