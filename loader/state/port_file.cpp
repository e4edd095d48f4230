// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/state/port_file.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "loader/state/port_json.h"

namespace vnet {
namespace {

using nlohmann::json;

constexpr int version = 1;

struct Total {
  const char* key;
  std::uint64_t PortTotals::*member;
};
constexpr Total totals[] = {{"rx_packets", &PortTotals::rx_packets},
                            {"rx_bytes", &PortTotals::rx_bytes},
                            {"tx_packets", &PortTotals::tx_packets},
                            {"tx_bytes", &PortTotals::tx_bytes}};

std::unexpected<Error> no_port(const std::string& file_name, const std::string& why) {
  return std::unexpected(
      Error{ErrorKind::Invalid, "not what `vnet-bpf port export` writes: " + why, file_name, 0});
}

// Throws nlohmann's exceptions.
PortState read(const json& document) {
  PortState state;
  state.interface = document.at("interface");
  state.network = document.at("network");
  read_port_config(document, state);
  for (const auto& one : document.at("addresses")) {
    const auto address = Address::parse(one.at("address").get<std::string>());
    if (!address) continue;
    state.addresses.push_back({*address, one.at("source") == "leased", one.at("seconds")});
  }
  const auto& counters = document.at("counters");
  for (const auto& [key, member] : totals) state.totals.*member = counters.at(key);
  state.totals.drops = counters.at("drops").get<std::map<std::string, std::uint64_t>>();
  return state;
}

}  // namespace

std::string format_port_state(const PortState& state) {
  json document{{"version", version}, {"interface", state.interface}, {"network", state.network}};
  write_port_config(document, state);
  document["addresses"] = json::array();
  for (const auto& [address, leased, seconds] : state.addresses)
    document["addresses"].push_back(
        {{"address", address.text()}, {"source", leased ? "leased" : "claimed"}, {"seconds", seconds}});
  json counters{{"drops", state.totals.drops}};
  for (const auto& [key, member] : totals) counters[key] = state.totals.*member;
  document["counters"] = counters;
  return document.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<PortState> parse_port_state(std::string_view text, const std::string& file_name) {
  try {
    const json document = json::parse(text);
    if (!document.is_object()) return no_port(file_name, "it is no JSON object");
    if (document.value("version", 0) != version)
      return no_port(file_name,
                     fmt::format("version {} is not known, only {}", document.value("version", 0), version));
    return read(document);
  } catch (const json::exception& error) {
    return no_port(file_name, error.what());
  }
}

}  // namespace vnet
