// SPDX-License-Identifier: GPL-2.0-or-later
// vnet-bpf in the place of libvirt's own networks, and back: `vnet-bpf libvirt`. What stands is read, and
// what is left to do follows from it and from the record of how the host was before; so an interrupted run is
// finished by the next one. The record is written before the first change and removed after the last one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loader/base/error.h"
#include "loader/model/libvirt_host.h"

namespace vnet::takeover {

// One of libvirt's networks, as libvirt had it.
struct TheirNetwork {
  std::string name, uuid, xml;  // xml: of the stored definition
  bool active = false, autostart = false, persistent = true;
  std::vector<std::string> guests;  // that run on it, by name
  std::vector<std::string> leases;  // lines for dnsmasq's lease file

  // What vnet-bpf had under its name before; without `defined`: nothing.
  bool was_defined = false, had_autostart = false;
};

enum class Phase : std::uint8_t { Taking, Taken, GivingBack };

struct Record {
  Phase phase = Phase::Taking;
  LibvirtKind kind = LibvirtKind::None;
  UnitStates units;  // vnet-bpf's, and those that are masked
  bool had_drop_in_folder = false;
  std::vector<TheirNetwork> networks;
  std::vector<std::string> guests;      // to be moved back
  std::vector<std::string> interfaces;  // of theirs, to be brought up again
};

struct OurNetwork {
  std::string name, uuid;
  bool defined = false, active = false, autostart = false;
  bool edited = false;  // since it was imported
  std::vector<std::string> guests;
  std::vector<std::string> interfaces;  // that are up
};

struct Facts {
  LibvirtHost host;
  std::uint64_t version = 0;         // of libvirt; 0: it does not answer, and
  std::string silence;               // why
  std::vector<TheirNetwork> theirs;  // what libvirt answers, where its own driver does
  std::vector<OurNetwork> ours;
  std::optional<Record> record;
  std::string driver;  // our driver for libvirtd; "": not installed
  bool has_driver_files = false, driver_files_are_whole = false, has_drop_in_folder = false;
};

// Kinds of steps; what each says of itself is a row in plan.cpp, what it does one in execute.cpp.
enum class Do : std::uint8_t {
  Note,    // the record: how the host was, and which way it goes
  Finish,  // the record: vnet-bpf serves
  Define,
  ImportLeases,
  WriteDriver,
  RemoveDriver,
  Enable,
  Disable,
  Mask,
  Unmask,
  Reload,
  StartUnit,
  StopUnit,
  RestartUnit,
  Autostart,
  NoAutostart,
  StopTheirs,
  StartTheirs,
  StartOurs,
  StopOurs,
  Undefine,
  Await,
  BringUp,
  Forget,
};

struct Step {
  Do what = Do::Note;
  std::string subject;  // a network or a unit
  bool operator==(const Step&) const = default;
};
struct Plan {
  Record record;
  std::vector<Step> steps;         // empty: nothing is to do
  std::vector<std::string> notes;  // for the user, after it
};

// Pure. Failed: why it cannot be, and what helps.
Result<Plan> plan_enable(const Facts& facts, bool live);
Result<Plan> plan_disable(const Facts& facts, bool live);
std::string text(const Step& step);

}  // namespace vnet::takeover
