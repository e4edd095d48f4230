// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/takeover/record.h"

#include <nlohmann/json.hpp>

#include "loader/base/files.h"

namespace vnet::takeover {
namespace {

using nlohmann::json;

constexpr mode_t record_mode = 0600;

std::filesystem::path file_of(const StateDir& dirs) {
  return dirs.leases().parent_path() / "libvirt.json";
}

json to_json(const TheirNetwork& net) {
  return {{"name", net.name},
          {"uuid", net.uuid},
          {"xml", net.xml},
          {"active", net.active},
          {"autostart", net.autostart},
          {"guests", net.guests},
          {"leases", net.leases},
          {"was_defined", net.was_defined},
          {"had_autostart", net.had_autostart}};
}

TheirNetwork network_from(const json& j) {
  return {.name = j.at("name"),
          .uuid = j.at("uuid"),
          .xml = j.at("xml"),
          .active = j.at("active"),
          .autostart = j.at("autostart"),
          .guests = j.at("guests"),
          .leases = j.at("leases"),
          .was_defined = j.at("was_defined"),
          .had_autostart = j.at("had_autostart")};
}

Record record_from(const json& j) {
  Record record{
      .phase = j.at("phase"), .kind = j.at("kind"), .had_drop_in_folder = j.at("had_drop_in_folder")};
  for (const auto& [name, unit] : j.at("units").items())
    record.units[name] = {unit.at("file"), unit.at("active")};
  for (const auto& net : j.at("networks")) record.networks.push_back(network_from(net));
  record.guests = j.at("guests").get<std::vector<std::string>>();
  record.interfaces = j.at("interfaces").get<std::vector<std::string>>();
  return record;
}

}  // namespace

Result<std::optional<Record>> read_record(const StateDir& dirs) {
  const auto file = file_of(dirs);
  VNET_ASSIGN(auto text, read_file(file));
  if (!text) return std::nullopt;
  try {
    return record_from(json::parse(*text));
  } catch (const json::exception&) {
    return failed(file.string() +
                  " cannot be read: restore it from a backup, or undo by hand (docs/libvirt.md)");
  }
}

Result<void> save_record(const StateDir& dirs, const Record& record) {
  json j{{"phase", record.phase},
         {"kind", record.kind},
         {"had_drop_in_folder", record.had_drop_in_folder},
         {"guests", record.guests},
         {"interfaces", record.interfaces},
         {"units", json::object()},
         {"networks", json::array()}};
  for (const auto& [name, unit] : record.units)
    j["units"][name] = {{"file", unit.file}, {"active", unit.active}};
  for (const auto& net : record.networks) j["networks"].push_back(to_json(net));
  VNET_TRY(make_folder(file_of(dirs).parent_path()));
  return write_file(file_of(dirs), j.dump(2) + "\n", record_mode);
}

Result<void> remove_record(const StateDir& dirs) {
  return remove_file(file_of(dirs));
}

}  // namespace vnet::takeover
