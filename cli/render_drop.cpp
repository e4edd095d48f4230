// SPDX-License-Identifier: GPL-2.0-or-later
// A dropped packet as a line of text, as JSON, and as the comment in a capture.
#include <fmt/format.h>
#include <time.h>

#include <nlohmann/json.hpp>

#include "cli/render.h"
#include "cli/text.h"
#include "loader/model/drop_reason.h"

namespace vnet::cli {
namespace {

std::string clock_time(std::uint64_t ns) {
  auto when = static_cast<time_t>(ns / 1'000'000'000);
  tm parts{};
  if (!localtime_r(&when, &parts)) return "-";
  return fmt::format("{:02}:{:02}:{:02}.{:06}", parts.tm_hour, parts.tm_min, parts.tm_sec,
                     ns % 1'000'000'000 / 1000);
}

Json endpoint_json(const std::optional<Endpoint>& endpoint) {
  if (!endpoint) return {};
  return {{"address", endpoint->address.text()}, {"port", endpoint->port}};
}

// "NETFILTER_DROP", "NOT_SPECIFIED in ip_error"
std::string kernel_cause(const Drop& drop) {
  return drop.kernel_reason + (drop.kernel_function.empty() ? "" : " in " + drop.kernel_function);
}

std::string line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string drop_text(const Drop& drop) {
  // The owner of the packet. At a port's own hooks that is the interface once more.
  std::string who = or_dash(drop.network);
  if (!drop.port.empty()) who += "/" + printable(drop.port);
  std::string text =
      fmt::format("{} {:<16} {:<15} {:<10} {:<15} {}, {} bytes", clock_time(drop.time_ns), drop.reason,
                  drop.hook, printable(drop.interface), who, printable(drop.packet.text()), drop.length);
  return drop.kernel_reason.empty() ? text : text + " (" + kernel_cause(drop) + ")";
}

Json drop_json(const Drop& drop) {
  const PacketView& packet = drop.packet;
  Json json{{"time", static_cast<double>(drop.time_ns) / 1e9},
            {"reason", drop.reason},
            {"hook", drop.hook},
            {"interface", drop.interface},
            {"network", drop.network},
            {"port", drop.port},
            {"length", drop.length},
            {"protocol", packet.protocol},
            {"source", endpoint_json(packet.source)},
            {"destination", endpoint_json(packet.destination)},
            {"source_mac", packet.source_mac ? Json(packet.source_mac->text()) : Json()},
            {"destination_mac", packet.destination_mac ? Json(packet.destination_mac->text()) : Json()}};
  if (packet.vlan) json["vlan"] = *packet.vlan;
  if (!packet.tcp_flags.empty()) json["tcp_flags"] = packet.tcp_flags;
  if (packet.icmp_type) {
    json["icmp_type"] = *packet.icmp_type;
    json["icmp_code"] = *packet.icmp_code;
  }
  if (packet.later_fragment) json["later_fragment"] = true;
  if (!drop.kernel_reason.empty()) json["kernel_reason"] = drop.kernel_reason;
  if (!drop.kernel_function.empty()) json["kernel_function"] = drop.kernel_function;
  return json;
}

std::string drop_line(const Drop& drop, bool json) {
  return json ? line(drop_json(drop)) : drop_text(drop) + "\n";
}

std::string not_shown_line(std::uint64_t count, std::uint64_t rate, bool json) {
  if (json) return line({{"not_shown", count}});
  return fmt::format("... {} more were dropped and not shown (--rate {})\n", count, rate);
}

std::string drop_comment(const Drop& drop) {
  std::string comment = drop.reason;
  if (auto number = reason_number(drop.reason)) comment += fmt::format(": {}", reason_meaning(*number));
  if (!drop.kernel_reason.empty()) comment += ": " + kernel_cause(drop);
  comment += fmt::format(" (at {}", drop.hook);
  if (!drop.network.empty()) comment += ", network " + drop.network;
  if (!drop.port.empty()) comment += ", port " + drop.port;
  return comment + ")";
}

}  // namespace vnet::cli
