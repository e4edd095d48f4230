// SPDX-License-Identifier: GPL-2.0-or-later
// libvirt status, as text and JSON.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/render.h"
#include "cli/text.h"
#include "loader/takeover/takeover.h"

namespace vnet::cli {
namespace {

const char* server_word(NetworkServer server) {
  if (server == NetworkServer::None) return "none";
  return server == NetworkServer::Libvirt ? "libvirt" : "vnet-bpf";
}
const char* kind_word(LibvirtKind kind) {
  if (kind == LibvirtKind::None) return "none";
  return kind == LibvirtKind::Monolithic ? "monolithic" : "modular";
}
const char* state_word(const takeover::Facts& facts) {
  if (!facts.record) return "off";
  return facts.record->phase == takeover::Phase::Taken ? "on" : "interrupted";
}
std::string version_text(std::uint64_t version) {
  if (!version) return "";
  return fmt::format("{}.{}.{}", version / 1000000, version / 1000 % 1000, version % 1000);
}
bool is_supported(const takeover::Facts& facts) {
  return facts.host.kind == LibvirtKind::Modular || has_tried_libvirt(facts.version);
}

struct Row {
  std::string name, uuid;
  bool active, autostart;
  std::vector<std::string> guests;
};
// Those that libvirt's clients see.
std::vector<Row> networks(const takeover::Facts& facts) {
  std::vector<Row> rows;
  if (facts.host.server == NetworkServer::Libvirt)
    for (const auto& net : facts.theirs)
      rows.push_back({net.name, net.uuid, net.active, net.autostart, net.guests});
  if (facts.host.server == NetworkServer::VnetBpf)
    for (const auto& net : facts.ours)
      rows.push_back({net.name, net.uuid, net.active, net.autostart, net.guests});
  return rows;
}

std::string driver_text(const takeover::Facts& facts) {
  if (facts.driver.empty()) return "not installed";
  if (!facts.version) return facts.driver;
  return facts.driver + (is_supported(facts) ? "" : " (does not support this version of libvirt)");
}

}  // namespace

std::string libvirt_text(const takeover::Facts& facts) {
  std::string out =
      fmt::format("{:<16}{}\n{:<16}{}\n{:<16}{}\n{:<16}{}\n", "Server:", server_word(facts.host.server),
                  "Host:", kind_word(facts.host.kind), "Taken over:", state_word(facts),
                  "libvirt:", facts.version ? version_text(facts.version) : "does not answer");
  if (facts.host.kind == LibvirtKind::Monolithic)
    out += fmt::format("{:<16}{}\n", "Network driver:", printable(driver_text(facts)));
  Table units({"Unit", "Enabled", "Active"}), rows({"Name", "State", "Autostart", "Guests"});
  for (const auto& [name, unit] : facts.host.units)
    if (unit.exists()) units.add({name, unit.file, unit.active ? "active" : "inactive"});
  for (const auto& row : networks(facts))
    rows.add({printable(row.name), row.active ? "active" : "inactive", row.autostart ? "yes" : "no",
              or_dash(fmt::format("{}", fmt::join(row.guests, ", ")))});
  if (!units.empty()) out += "\n" + units.text();
  if (!rows.empty()) out += "\n" + rows.text();
  return out;
}

Json libvirt_json(const takeover::Facts& facts) {
  Json json{{"server", server_word(facts.host.server)},
            {"kind", kind_word(facts.host.kind)},
            {"state", state_word(facts)},
            {"libvirt_version", version_text(facts.version)},
            {"driver", facts.driver},
            {"driver_supports_version", is_supported(facts)},
            {"units", Json::array()},
            {"networks", Json::array()}};
  for (const auto& [name, unit] : facts.host.units)
    if (unit.exists())
      json["units"].push_back({{"unit", name}, {"enabled", unit.file}, {"active", unit.active}});
  for (const auto& row : networks(facts))
    json["networks"].push_back({{"name", row.name},
                                {"uuid", row.uuid},
                                {"active", row.active},
                                {"autostart", row.autostart},
                                {"guests", row.guests}});
  return json;
}

std::string render(const takeover::Facts& facts, bool json) {
  return json ? document(libvirt_json(facts)) : libvirt_text(facts);
}

}  // namespace vnet::cli
