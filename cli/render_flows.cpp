// SPDX-License-Identifier: GPL-2.0-or-later
// Sessions, and what they use (--usage), as text and JSON.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/flows.h"
#include "cli/render.h"
#include "cli/text.h"

namespace vnet::cli {
namespace {

std::string percent(std::uint64_t part, std::uint64_t whole) {
  return whole ? fmt::format("{:.1f}%", 100.0 * static_cast<double>(part) / static_cast<double>(whole)) : "-";
}

Json endpoint_json(const Endpoint& endpoint) {
  return {{"address", endpoint.address.text()}, {"port", endpoint.port}};
}

}  // namespace

std::string flows_text(const std::vector<SessionInfo>& flows) {
  Table table({"Proto", "State", "Inside", "Outside", "Translated as", "Age", "Packets out/in",
               "Bytes out/in", "bit/s"},
              {false, false, false, false, false, true, true, true, true});
  for (const auto& flow : flows) {
    bool ports = flow.inside.port || flow.outside.port;
    bool same = flow.translated.address == flow.inside.address && flow.translated.port == flow.inside.port;
    table.add({flow.protocol, flow.state, flow.inside.text(ports),
               flow.state == "mapping" ? "*" : flow.outside.text(ports && flow.is_flow()),
               same ? "-" : flow.translated.text(ports), duration(flow.age_seconds),
               fmt::format("{}/{}", flow.out_packets, flow.in_packets),
               fmt::format("{}/{}", flow.out_bytes, flow.in_bytes), short_number(flow.bits_per_second)});
  }
  return table.text();
}

Json flows_json(const std::vector<SessionInfo>& flows) {
  Json all = Json::array();
  for (const auto& flow : flows)
    all.push_back({{"network", flow.network},
                   {"interface", flow.interface},
                   {"protocol", flow.protocol},
                   {"state", flow.state},
                   {"inbound", flow.inbound},
                   {"inside", endpoint_json(flow.inside)},
                   {"outside", endpoint_json(flow.outside)},
                   {"translated", endpoint_json(flow.translated)},
                   {"age", flow.age_seconds},
                   {"idle", flow.idle_seconds},
                   {"timeout", flow.timeout_seconds},
                   {"out_packets", flow.out_packets},
                   {"out_bytes", flow.out_bytes},
                   {"in_packets", flow.in_packets},
                   {"in_bytes", flow.in_bytes},
                   {"bits_per_second", flow.bits_per_second}});
  return all;
}

std::string usage_text(const Usage& usage) {
  Table networks({"Network", "Sessions", "Max", "Used"}, {false, true, true, true});
  for (const auto& network : usage.stats.networks)
    networks.add({printable(network.network), std::to_string(network.sessions),
                  std::to_string(network.max_sessions), percent(network.sessions, network.max_sessions)});
  Table ports({"Port", "Network", "Sessions", "Max", "Used"}, {false, false, true, true, true});
  for (const auto& port : usage.stats.ports)
    ports.add({printable(port.interface), printable(port.network), std::to_string(port.sessions),
               std::to_string(port.max_sessions), percent(port.sessions, port.max_sessions)});
  Table pools({"Translated to", "Proto", "Network", "Sessions", "Ports", "Of", "Busiest destination",
               "Its ports", "Used"},
              {false, false, false, true, true, true, false, true, true});
  for (const auto& pool : usage.pools)
    pools.add({pool.address.text(), pool.protocol, printable(pool.network), std::to_string(pool.sessions),
               std::to_string(pool.ports_in_use), std::to_string(pool.ports),
               pool.busiest.text(pool.busiest.port), std::to_string(pool.busiest_sessions),
               percent(pool.busiest_sessions, pool.ports)});
  const Allocations& made = usage.allocations;
  std::string out = networks.text();
  for (const Table* table : {&ports, &pools})
    if (!table->empty()) out += "\n" + table->text();
  return out +
         fmt::format(
             "\nPorts chosen so far: {}, of which {} ({}) the guest's own; {} further tries; {} times none "
             "was found\n",
             made.bindings(), made.by_retries[0], percent(made.by_retries[0], made.bindings()),
             made.retries(), made.exhausted);
}

Json usage_json(const Usage& usage) {
  Json json{{"networks", Json::array()}, {"ports", Json::array()}, {"pools", Json::array()}};
  for (const auto& network : usage.stats.networks)
    json["networks"].push_back({{"network", network.network},
                                {"sessions", network.sessions},
                                {"max_sessions", network.max_sessions}});
  for (const auto& port : usage.stats.ports)
    json["ports"].push_back({{"interface", port.interface},
                             {"network", port.network},
                             {"sessions", port.sessions},
                             {"max_sessions", port.max_sessions}});
  for (const auto& pool : usage.pools)
    json["pools"].push_back({{"network", pool.network},
                             {"address", pool.address.text()},
                             {"protocol", pool.protocol},
                             {"sessions", pool.sessions},
                             {"ports_in_use", pool.ports_in_use},
                             {"ports", pool.ports},
                             {"busiest", endpoint_json(pool.busiest)},
                             {"busiest_sessions", pool.busiest_sessions}});
  const Allocations& made = usage.allocations;
  json["allocations"] = {{"bindings", made.bindings()},
                         {"retries", made.retries()},
                         {"exhausted", made.exhausted},
                         {"by_retries", made.by_retries}};
  return json;
}

}  // namespace vnet::cli
