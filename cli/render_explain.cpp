// SPDX-License-Identifier: GPL-2.0-or-later
// The path of a packet (explain) as text and JSON.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/render.h"
#include "cli/text.h"

namespace vnet::cli {
namespace {

// For a group frame: who receives it, and why others do not.
std::string copies(const Explanation& told) {
  std::vector<std::string> whom;
  for (const auto& each : told.reaches)
    whom.push_back(each == "host"           ? "the host itself"
                   : each == told.interface ? "the wire by " + printable(each)
                                            : "the guest at " + printable(each));
  std::string rest =
      told.reason.empty() ? "" : fmt::format("; nobody else: {} ({})", told.reason, told.meaning);
  return fmt::format("It goes to {}{}", fmt::join(whom, ", "), rest);
}

std::string conclusion(const Explanation& told) {
  std::string packet = printable(told.arrives.text()), where = printable(told.interface);
  switch (told.fate) {
    case Fate::Guest:
      return fmt::format("It reaches the guest at {}: {}", or_dash(where), packet);
    case Fate::Host:
      return fmt::format("It reaches the host itself: {}", packet);
    case Fate::Outside:
      return fmt::format("It leaves by {}: {}", where, packet);
    case Fate::Dropped:
      return fmt::format("It is dropped at {}: {} ({})", where, told.reason, told.meaning);
    case Fate::Refused:
      return fmt::format("It is refused at {}, and the sender told so: {} ({})", where, told.reason,
                         told.meaning);
    case Fate::Flooded:
      return told.reaches.empty() ? fmt::format("It goes to every port of {}", where) : copies(told);
    default:
      return "It goes nowhere";
  }
}

Json endpoint_json(const std::optional<Endpoint>& endpoint, const std::optional<std::uint16_t>& port) {
  if (!endpoint) return {};
  return {{"address", endpoint->address.text()}, {"port", port.value_or(endpoint->port)}};
}

Json packet_json(const PacketView& packet) {
  auto mac = [](const std::optional<Mac>& mac) { return mac ? Json(mac->text()) : Json(); };
  return {{"text", packet.text()},
          {"protocol", packet.protocol},
          {"source", endpoint_json(packet.source, packet.echo_id)},
          {"destination", endpoint_json(packet.destination, std::nullopt)},
          {"source_mac", mac(packet.source_mac)},
          {"destination_mac", mac(packet.destination_mac)},
          {"ttl", packet.ttl}};
}

}  // namespace

std::string explain_text(const Explanation& told) {
  std::string out = printable(told.sent.text()) + "\n\n";
  for (const auto& step : told.steps) {
    out += fmt::format("{:<16} {:<12} {}\n", step.where, printable(step.interface), step.verdict);
    for (const auto& detail : step.details) out += "    " + printable(detail) + "\n";
  }
  out += "\n" + conclusion(told) + "\n";
  if (!told.cause.empty()) out += "Because of: " + printable(told.cause) + "\n";
  for (const auto& note : told.notes) out += "Note: " + printable(note) + "\n";
  return out;
}

Json explain_json(const Explanation& told) {
  Json json{{"packet", packet_json(told.sent)}, {"steps", Json::array()}};
  for (const auto& step : told.steps)
    json["steps"].push_back({{"where", step.where},
                             {"interface", step.interface},
                             {"verdict", step.verdict},
                             {"details", step.details}});
  json["fate"] = fate_word(told.fate);
  json["interface"] = told.interface;
  json["reaches"] = told.reaches;
  json["reason"] = told.reason;
  json["meaning"] = told.meaning;
  json["cause"] = told.cause;
  json["arrives"] = packet_json(told.arrives);
  json["notes"] = told.notes;
  return json;
}

}  // namespace vnet::cli
