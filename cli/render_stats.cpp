// SPDX-License-Identifier: GPL-2.0-or-later
// Counters as text and JSON.
#include <nlohmann/json.hpp>

#include "cli/render.h"
#include "cli/text.h"

namespace vnet::cli {
namespace {

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

void add_counters(Json& to, const Counters& counters) {
  to["rx_packets"] = counters.rx_packets;
  to["rx_bytes"] = counters.rx_bytes;
  to["tx_packets"] = counters.tx_packets;
  to["tx_bytes"] = counters.tx_bytes;
  to["drops"] = Json::object();
  for (const auto& [reason, count] : counters.drops) to["drops"][reason] = count;
}

}  // namespace

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

}  // namespace vnet::cli
