// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/bus/events.h"

#include <systemd/sd-bus.h>

#include <algorithm>

namespace vnet {
namespace {

constexpr const char* signals[] = {
    "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',"
    "arg0='org.fedoraproject.FirewallD1'",
    "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='org.freedesktop.resolve1'",
    "type='signal',interface='org.fedoraproject.FirewallD1',member='Reloaded'",
    "type='signal',interface='org.fedoraproject.FirewallD1.zone'"};

int note(sd_bus_message*, void* any, sd_bus_error*) {
  *static_cast<bool*>(any) = true;
  return 0;
}

}  // namespace

std::optional<BusEvents> BusEvents::open() {
  auto bus = Bus::open();
  if (!bus) return std::nullopt;
  auto any = std::make_unique<bool>(false);
  bool follows = std::ranges::all_of(signals, [&](const char* signal) {
    return sd_bus_add_match(bus->get(), nullptr, signal, note, any.get()) >= 0;
  });
  if (!follows) return std::nullopt;
  return BusEvents(std::move(*bus), std::move(any));
}

int BusEvents::fd() const {
  return sd_bus_get_fd(bus_.get());
}

std::optional<bool> BusEvents::drain() {
  *any_ = false;
  int more = 1;
  while (more > 0) more = sd_bus_process(bus_.get(), nullptr);
  if (more < 0) return std::nullopt;
  return *any_;
}

}  // namespace vnet
