// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/state/records.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <time.h>

#include <mutex>
#include <nlohmann/json.hpp>

#include "loader/base/files.h"
#include "loader/state/port_json.h"
#include "maps/abi.h"

namespace vnet {
namespace {

using nlohmann::json;

constexpr mode_t record_mode = 0600;

void write(json& j, const NetworkRecord& r) {
  j = {{"name", r.name}, {"slot", r.slot}, {"complete", r.complete}, {"xml", r.xml}};
  j["added"] = json::array();
  for (const auto& [address, refused] : r.added) j["added"].push_back({address.text(), refused});
  j["before"] = r.before;
}
void read(const json& j, NetworkRecord& r) {
  r.name = j.at("name");
  r.slot = j.at("slot");
  r.complete = j.at("complete");
  r.xml = j.at("xml");
  for (const auto& one : j.value("added", json::array()))
    if (auto address = Prefix::parse(one.at(0).get<std::string>())) r.added.push_back({*address, one.at(1)});
  r.before = j.value("before", r.before);
}

void write(json& j, const PortRecord& r) {
  j = {{"interface", r.interface},     {"network", r.network}, {"ifindex", r.ifindex}, {"slot", r.slot},
       {"enslaved", r.enslaved_by_us}, {"settled", r.settled}, {"leaving", r.leaving}, {"parent", r.parent}};
  write_port_config(j, r);
}
void read(const json& j, PortRecord& r) {
  r.interface = j.at("interface");
  r.network = j.at("network");
  r.ifindex = j.at("ifindex");
  r.slot = j.at("slot");
  r.enslaved_by_us = j.at("enslaved");
  r.settled = j.at("settled");
  r.leaving = j.value("leaving", false);
  r.parent = j.at("parent");
  read_port_config(j, r);
  // Before it was written down a MAC was always fixed; it stays so.
  if (!j.contains("any_mac") && r.mac) r.any_mac = false;
}

void write(json& j, const UplinkRecord& r) {
  j = {{"interface", r.interface},
       {"network", r.network},
       {"ifindex", r.ifindex},
       {"slot", r.slot},
       {"xdp", xdp_mode_name(r.xdp.mode)},
       {"xdp_generic", r.xdp.generic},
       {"limits_new_flows", r.xdp.limits_new_flows},
       {"no_forward", r.xdp.no_forward},
       {"distrusts_checksums", r.xdp.distrusts_checksums},
       {"mac", r.xdp.mac ? r.xdp.mac->text() : ""},
       {"xdp_why", r.xdp_why},
       {"primary", r.primary}};
}
void read(const json& j, UplinkRecord& r) {
  r.network = j.value("network", "");
  r.primary = j.value("primary", true);
  std::string mode = j.value("xdp", "off");
  for (auto each : {XdpMode::Filter, XdpMode::Forward})
    if (mode == xdp_mode_name(each)) r.xdp.mode = each;
  r.xdp.generic = j.value("xdp_generic", false);
  r.xdp.limits_new_flows = j.value("limits_new_flows", false);
  r.xdp.no_forward = j.value("no_forward", "");
  r.xdp.distrusts_checksums = j.value("distrusts_checksums", false);
  r.xdp.mac = Mac::parse(j.value("mac", ""));
  r.xdp_why = j.value("xdp_why", "");
  r.interface = j.at("interface");
  r.ifindex = j.at("ifindex");
  r.slot = j.at("slot");
}

void write(json& j, const ParentRecord& r) {
  j = {{"interface", r.interface},
       {"ifindex", r.ifindex},
       {"slot", r.slot},
       {"mac", r.mac.text()},
       {"passthrough", r.passthrough},
       {"was_promiscuous", r.was_promiscuous},
       {"was_up", r.was_up},
       {"own_mac", r.own_mac ? r.own_mac->text() : ""}};
}
void read(const json& j, ParentRecord& r) {
  r.interface = j.at("interface");
  r.ifindex = j.at("ifindex");
  r.slot = j.at("slot");
  r.mac = Mac::parse(j.at("mac").get<std::string>()).value_or(Mac{});
  r.passthrough = j.at("passthrough");
  r.was_promiscuous = j.at("was_promiscuous");
  r.was_up = j.at("was_up");
  r.own_mac = Mac::parse(j.at("own_mac").get<std::string>());
}

void write(json& j, const GuestPort& port) {
  j = {{"uuid", port.uuid}, {"network", port.network}, {"number", port.number}, {"xml", port.xml}};
}
void read(const json& j, GuestPort& port) {
  port.uuid = j.at("uuid");
  port.network = j.at("network");
  port.number = j.at("number");
  port.xml = j.at("xml");
}

// nlohmann speaks in exceptions; they stay here.
template <typename Record>
Result<Record> decode(const std::string& text, const std::filesystem::path& path) {
  try {
    Record record;
    read(json::parse(text), record);
    return record;
  } catch (const json::exception& error) {
    return failed(
        fmt::format("{} is damaged ({}); stop the network, or remove the file", path.string(), error.what()));
  }
}

template <typename Record>
Result<std::optional<Record>> load(const std::filesystem::path& path) {
  VNET_ASSIGN(auto text, read_file(path));
  if (!text) return std::nullopt;
  VNET_ASSIGN(auto record, decode<Record>(*text, path));
  return record;
}

// What a folder held when it was last changed: `stats --watch` asks every second, and there may be a thousand
// records. Each is written by a rename, which the folder's time shows.
template <typename Record>
class Cache {
 public:
  static std::optional<std::vector<Record>> find(const std::filesystem::path& folder,
                                                 const timespec& changed) {
    std::scoped_lock lock(mutex);
    auto entry = all.find(folder);
    if (entry == all.end() || entry->second.changed.tv_sec != changed.tv_sec ||
        entry->second.changed.tv_nsec != changed.tv_nsec)
      return std::nullopt;
    return entry->second.records;
  }
  static void keep(const std::filesystem::path& folder, const timespec& changed,
                   const std::vector<Record>& records) {
    // The clock of file times ticks slowly: another change may share a time that has just been.
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    std::scoped_lock lock(mutex);
    if (now.tv_sec - changed.tv_sec >= 2) all[folder] = {changed, records};
  }

 private:
  struct Entry {
    timespec changed{};
    std::vector<Record> records;
  };
  static inline std::mutex mutex;
  static inline std::map<std::filesystem::path, Entry> all;
};

// damaged: the names of those that cannot be read; without it they are an error.
template <typename Record>
Result<std::vector<Record>> load_all(const std::filesystem::path& folder,
                                     std::vector<std::string>* damaged = nullptr) {
  std::vector<Record> all;
  struct stat before {};
  if (::stat(folder.c_str(), &before)) return all;
  if (auto known = Cache<Record>::find(folder, before.st_mtim)) return std::move(*known);
  VNET_ASSIGN(auto files, list_files(folder, ".json"));
  for (const auto& file : files) {
    auto record = load<Record>(folder / file);
    if (!record && damaged) {
      damaged->push_back(std::filesystem::path(file).stem());
      continue;
    }
    if (!record) return std::unexpected(std::move(record).error());
    if (*record) all.push_back(std::move(**record));
  }
  if (damaged && !damaged->empty()) return all;
  Cache<Record>::keep(folder, before.st_mtim, all);
  return all;
}

// On a full disk the room that was kept for it is used.
Result<void> store_text(const StateDir& dirs, const std::filesystem::path& path, const json& content) {
  VNET_TRY(make_folder(path.parent_path()));
  const std::string text = content.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
  auto stored = write_file(path, text, record_mode);
  if (!stored && dirs.give_up_reserve()) stored = write_file(path, text, record_mode);
  return stored;
}

template <typename Record>
Result<void> store(const StateDir& dirs, const char* folder, const std::string& name, const Record& record) {
  json j;
  write(j, record);
  return store_text(dirs, dirs.runtime() / folder / (name + ".json"), j);
}

}  // namespace

Result<std::vector<NetworkRecord>> Records::networks() const {
  return load_all<NetworkRecord>(dirs_->runtime() / "networks");
}
Result<std::vector<PortRecord>> Records::ports() const {
  std::vector<std::string> damaged;
  return load_all<PortRecord>(dirs_->runtime() / "ports", &damaged);
}
Result<std::vector<std::string>> Records::damaged_ports() const {
  std::vector<std::string> damaged;
  VNET_TRY(load_all<PortRecord>(dirs_->runtime() / "ports", &damaged));
  return damaged;
}
Result<std::vector<UplinkRecord>> Records::uplinks() const {
  return load_all<UplinkRecord>(dirs_->runtime() / "uplinks");
}
Result<std::vector<ParentRecord>> Records::parents() const {
  return load_all<ParentRecord>(dirs_->runtime() / "parents");
}
Result<std::vector<GuestPort>> Records::guest_ports() const {
  std::vector<std::string> damaged;
  return load_all<GuestPort>(dirs_->runtime() / "guest-ports", &damaged);
}
Result<std::optional<NetworkRecord>> Records::network(const std::string& name) const {
  return load<NetworkRecord>(dirs_->runtime() / "networks" / (name + ".json"));
}
Result<std::optional<PortRecord>> Records::port(const std::string& interface) const {
  return load<PortRecord>(dirs_->runtime() / "ports" / (interface + ".json"));
}
Result<std::optional<UplinkRecord>> Records::uplink(const std::string& interface) const {
  return load<UplinkRecord>(dirs_->runtime() / "uplinks" / (interface + ".json"));
}
Result<std::optional<ParentRecord>> Records::parent(const std::string& interface) const {
  return load<ParentRecord>(dirs_->runtime() / "parents" / (interface + ".json"));
}

Result<std::map<std::string, std::string>> Records::sysctls() const {
  auto path = dirs_->runtime() / "sysctls.json";
  VNET_ASSIGN(auto text, read_file(path));
  std::map<std::string, std::string> previous;
  if (!text) return previous;
  try {
    previous = json::parse(*text).get<std::map<std::string, std::string>>();
  } catch (const json::exception& error) {
    return failed(fmt::format("{} is damaged: {}", path.string(), error.what()));
  }
  return previous;
}

Result<void> Records::save(const NetworkRecord& record) const {
  return store(*dirs_, "networks", record.name, record);
}
Result<void> Records::save(const PortRecord& record) const {
  return store(*dirs_, "ports", record.interface, record);
}
Result<void> Records::save(const UplinkRecord& record) const {
  return store(*dirs_, "uplinks", record.interface, record);
}
Result<void> Records::save(const ParentRecord& record) const {
  return store(*dirs_, "parents", record.interface, record);
}
Result<void> Records::save(const GuestPort& port) const {
  return store(*dirs_, "guest-ports", port.uuid, port);
}
Result<void> Records::save_sysctls(const std::map<std::string, std::string>& previous) const {
  auto path = dirs_->runtime() / "sysctls.json";
  if (previous.empty()) return remove_file(path);
  return store_text(*dirs_, path, json(previous));
}
Result<void> Records::remove_network(const std::string& name) const {
  return remove_file(dirs_->runtime() / "networks" / (name + ".json"));
}
Result<void> Records::remove_port(const std::string& interface) const {
  return remove_file(dirs_->runtime() / "ports" / (interface + ".json"));
}
Result<void> Records::remove_uplink(const std::string& interface) const {
  return remove_file(dirs_->runtime() / "uplinks" / (interface + ".json"));
}
Result<void> Records::remove_parent(const std::string& interface) const {
  return remove_file(dirs_->runtime() / "parents" / (interface + ".json"));
}
Result<void> Records::remove_guest_port(const std::string& uuid) const {
  return remove_file(dirs_->runtime() / "guest-ports" / (uuid + ".json"));
}

void Records::sweep() const {
  for (const char* folder : {"networks", "ports", "guest-ports", "uplinks", "parents", "dnsmasq", ""})
    remove_unfinished_files(dirs_->runtime() / folder);
  remove_unfinished_files(dirs_->definitions());
}

Result<std::set<std::uint16_t>> Records::taken_slots() const {
  std::set<std::uint16_t> taken;
  VNET_ASSIGN(auto all_networks, networks());
  VNET_ASSIGN(auto all_ports, ports());
  VNET_ASSIGN(auto all_uplinks, uplinks());
  VNET_ASSIGN(auto all_parents, parents());
  for (const auto& r : all_parents) taken.insert(r.slot);
  for (const auto& r : all_networks) taken.insert(r.slot);
  for (const auto& r : all_ports) taken.insert(r.slot);
  for (const auto& r : all_uplinks) taken.insert(r.slot);
  return taken;
}

}  // namespace vnet
