// SPDX-License-Identifier: GPL-2.0-or-later
// The system's D-Bus, by sd-bus. Services there are asked only if they run in this network namespace: they
// know its interfaces alone, and are never started by being asked.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "loader/base/error.h"

struct sd_bus;
struct sd_bus_message;

namespace vnet {

struct BusClose {
  void operator()(sd_bus* bus) const;
};
struct MessageUnref {
  void operator()(sd_bus_message* message) const;
};
using BusMessage = std::unique_ptr<sd_bus_message, MessageUnref>;

struct BusMethod {
  const char *service, *path, *interface, *name;
};

class Bus {
 public:
  // nullopt: there is none.
  static std::optional<Bus> open();

  bool serves(const char* service);
  // append: sd_bus_message_append() and the like; negative: an error.
  Result<BusMessage> call(const BusMethod& method, const std::function<int(sd_bus_message*)>& append);
  // Of the property's value; the message stands before what is in its variant, whose type is `type`.
  Result<BusMessage> property(const char* service, const std::string& path, const char* interface,
                              const char* name, const char* type);

  sd_bus* get() const { return bus_.get(); }

 private:
  explicit Bus(sd_bus* bus) : bus_(bus) {}
  std::unique_ptr<sd_bus, BusClose> bus_;
};

}  // namespace vnet
