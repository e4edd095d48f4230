// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/bus/bus.h"

#include <fmt/format.h>
#include <systemd/sd-bus.h>

#include <cstdint>

#include "loader/os/process.h"

namespace vnet {
namespace {

// firewalld answers nobody while it writes its rules.
constexpr std::uint64_t patience_us = 10'000'000;

constexpr BusMethod of_bus(const char* name) {
  return {"org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", name};
}

}  // namespace

void BusClose::operator()(sd_bus* bus) const {
  sd_bus_flush_close_unref(bus);
}
void MessageUnref::operator()(sd_bus_message* message) const {
  sd_bus_message_unref(message);
}

std::optional<Bus> Bus::open() {
  sd_bus* bus = nullptr;
  if (sd_bus_open_system(&bus) < 0) return std::nullopt;
  Bus opened(bus);
  sd_bus_set_method_call_timeout(bus, patience_us);
  return opened;
}

bool Bus::serves(const char* service) {
  auto answer = call(of_bus("GetConnectionUnixProcessID"),
                     [&](sd_bus_message* message) { return sd_bus_message_append(message, "s", service); });
  std::uint32_t pid = 0;
  return answer && sd_bus_message_read(answer->get(), "u", &pid) > 0 &&
         is_in_this_network(static_cast<pid_t>(pid));
}

Result<BusMessage> Bus::call(const BusMethod& method, const std::function<int(sd_bus_message*)>& append) {
  const auto what = [&] { return fmt::format("{} of {}", method.name, method.service); };
  sd_bus_message *asked = nullptr, *answer = nullptr;
  int error = sd_bus_message_new_method_call(bus_.get(), &asked, method.service, method.path,
                                             method.interface, method.name);
  BusMessage question(asked);
  if (error >= 0) error = sd_bus_message_set_auto_start(asked, 0);
  if (error >= 0) error = append(asked);
  if (error < 0) return system_error(what(), -error);
  sd_bus_error said = SD_BUS_ERROR_NULL;
  error = sd_bus_call(bus_.get(), asked, 0, &said, &answer);
  std::string why = said.message ? said.message : "";
  sd_bus_error_free(&said);
  if (error >= 0) return BusMessage(answer);
  if (why.empty()) return system_error(what(), -error);
  return failed(what() + ": " + why);
}

Result<BusMessage> Bus::property(const char* service, const std::string& path, const char* interface,
                                 const char* name, const char* type) {
  VNET_ASSIGN(auto answer, call({service, path.c_str(), "org.freedesktop.DBus.Properties", "Get"},
                                [&](sd_bus_message* message) {
                                  return sd_bus_message_append(message, "ss", interface, name);
                                }));
  if (int error = sd_bus_message_enter_container(answer.get(), 'v', type); error < 0)
    return system_error(fmt::format("{} of {}", name, service), -error);
  return answer;
}

}  // namespace vnet
