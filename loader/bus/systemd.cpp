// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/bus/systemd.h"

#include <fmt/format.h>
#include <systemd/sd-bus.h>

#include <chrono>
#include <cstdint>
#include <map>

namespace vnet {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* systemd_name = "org.freedesktop.systemd1";
// libvirtd takes its time to end with many guests; systemd gives up before.
constexpr std::chrono::seconds job_patience{120};

constexpr BusMethod of_systemd(const char* name) {
  return {systemd_name, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", name};
}

int append_names(sd_bus_message* message, const std::vector<std::string>& names) {
  int error = sd_bus_message_open_container(message, 'a', "s");
  for (const auto& name : names)
    if (error >= 0) error = sd_bus_message_append(message, "s", name.c_str());
  return error < 0 ? error : sd_bus_message_close_container(message);
}

// The jobs that end while we wait, by their paths.
class Jobs {
 public:
  static Result<Jobs> watch(sd_bus* bus) {
    Jobs jobs;
    int error =
        sd_bus_match_signal(bus, &jobs.slot_, systemd_name, "/org/freedesktop/systemd1",
                            "org.freedesktop.systemd1.Manager", "JobRemoved", removed, jobs.ended_.get());
    if (error < 0) return system_error("waiting for systemd", -error);
    return jobs;
  }
  Jobs(Jobs&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)), ended_(std::move(other.ended_)) {}
  Jobs& operator=(Jobs&&) = delete;
  ~Jobs() { sd_bus_slot_unref(slot_); }

  // "done", or why not.
  Result<std::string> wait(sd_bus* bus, const std::string& job) const {
    const auto deadline = Clock::now() + job_patience;
    while (!ended_->contains(job)) {
      auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline - Clock::now());
      if (left.count() <= 0) return "timeout";
      int did = sd_bus_process(bus, nullptr);
      if (did == 0) did = sd_bus_wait(bus, static_cast<std::uint64_t>(left.count()));
      if (did < 0) return system_error("waiting for systemd", -did);
    }
    return ended_->at(job);
  }

 private:
  using Ended = std::map<std::string, std::string>;
  Jobs() : ended_(std::make_unique<Ended>()) {}
  static int removed(sd_bus_message* message, void* ended, sd_bus_error*) {
    std::uint32_t id = 0;
    const char *path = nullptr, *unit = nullptr, *result = nullptr;
    if (sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) > 0)
      (*static_cast<Ended*>(ended))[path] = result;
    return 0;
  }

  sd_bus_slot* slot_ = nullptr;
  std::unique_ptr<Ended> ended_;
};

}  // namespace

std::optional<Systemd> Systemd::open() {
  auto bus = Bus::open();
  if (!bus || !bus->serves(systemd_name)) return std::nullopt;
  return Systemd(std::move(*bus));
}

Result<UnitStates> Systemd::states(const std::vector<std::string>& units) {
  VNET_ASSIGN(auto answer, bus_.call(of_systemd("ListUnitsByNames"),
                                     [&](sd_bus_message* message) { return append_names(message, units); }));
  UnitStates states;
  for (const auto& unit : units) states[unit];
  if (int error = sd_bus_message_enter_container(answer.get(), 'a', "(ssssssouso)"); error < 0)
    return system_error("reading systemd's units", -error);
  const char *name = nullptr, *loaded = nullptr, *active = nullptr, *unused = nullptr;
  std::uint32_t job = 0;
  while (sd_bus_message_read(answer.get(), "(ssssssouso)", &name, &unused, &loaded, &active, &unused, &unused,
                             &unused, &job, &unused, &unused) > 0)
    if (auto unit = states.find(name); unit != states.end())
      unit->second.active = active == std::string("active") || active == std::string("reloading") ||
                            active == std::string("activating");
  for (auto& [unit, state] : states) {
    // An error: there is no such file.
    auto file = bus_.call(of_systemd("GetUnitFileState"), [&](sd_bus_message* message) {
      return sd_bus_message_append(message, "s", unit.c_str());
    });
    if (const char* word = nullptr; file && sd_bus_message_read(file->get(), "s", &word) > 0)
      state.file = word;
  }
  return states;
}

Result<std::optional<int>> Systemd::main_pid(const std::string& service) {
  auto loaded = bus_.call(of_systemd("GetUnit"), [&](sd_bus_message* message) {
    return sd_bus_message_append(message, "s", service.c_str());
  });
  const char* path = nullptr;
  if (!loaded || sd_bus_message_read(loaded->get(), "o", &path) <= 0) return std::nullopt;
  VNET_ASSIGN(auto answer,
              bus_.property(systemd_name, path, "org.freedesktop.systemd1.Service", "MainPID", "u"));
  std::uint32_t pid = 0;
  sd_bus_message_read(answer.get(), "u", &pid);
  return pid ? std::optional(static_cast<int>(pid)) : std::nullopt;
}

Result<void> Systemd::job(const char* method, const std::string& unit) {
  // Signals come to those only that have subscribed; a second time is no harm.
  VNET_TRY(bus_.call(of_systemd("Subscribe"), [](sd_bus_message*) { return 0; }));
  VNET_ASSIGN(auto jobs, Jobs::watch(bus_.get()));
  VNET_ASSIGN(auto answer, bus_.call(of_systemd(method), [&](sd_bus_message* message) {
    return sd_bus_message_append(message, "ss", unit.c_str(), "replace");
  }));
  const char* path = nullptr;
  if (int error = sd_bus_message_read(answer.get(), "o", &path); error < 0)
    return system_error("reading systemd's answer", -error);
  VNET_ASSIGN(auto result, jobs.wait(bus_.get(), path));
  if (result == "done" || result == "skipped") return {};
  return failed(fmt::format("{} of {}: {}; systemctl status {} and journalctl -u {} tell more", method, unit,
                            result, unit, unit));
}

Result<void> Systemd::change_files(const char* method, const std::string& unit, bool force) {
  VNET_TRY(bus_.call(of_systemd(method), [&](sd_bus_message* message) {
    int error = append_names(message, {unit});
    if (error >= 0) error = sd_bus_message_append(message, "b", 0);  // not until the next boot only
    return error < 0 || !force ? error : sd_bus_message_append(message, "b", 0);
  }));
  return {};
}

Result<void> Systemd::enable(const std::string& unit) {
  return change_files("EnableUnitFiles", unit, true);
}
Result<void> Systemd::disable(const std::string& unit) {
  return change_files("DisableUnitFiles", unit, false);
}
Result<void> Systemd::mask(const std::string& unit) {
  return change_files("MaskUnitFiles", unit, true);
}
Result<void> Systemd::unmask(const std::string& unit) {
  return change_files("UnmaskUnitFiles", unit, false);
}

Result<void> Systemd::reload() {
  VNET_TRY(bus_.call(of_systemd("Reload"), [](sd_bus_message*) { return 0; }));
  return {};
}

}  // namespace vnet
