// SPDX-License-Identifier: GPL-2.0-or-later
// What is asked for: by a command, a hypervisor's hook, or `run`, which follows the host.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "loader/base/error.h"
#include "loader/model/network.h"
#include "loader/model/port_config.h"

namespace vnet {

struct Define {
  Network network;        // as parsed: what libvirt fills in is not there yet
  std::string file_name;  // for messages; may be ""
};
struct Create {  // started without being stored
  Network network;
};
struct Undefine {
  std::string name;
};
struct Start {
  std::string name;
};
struct Up {                        // define and start; idempotent
  std::optional<Network> network;  // nullopt: the user's own `default`, or the built-in one
  std::string file_name;
};
// A running network becomes what another definition says, and goes on running.
struct Apply {
  std::string name;
  std::optional<Network> active;      // nullopt: the stored definition, or definition
  std::optional<Network> definition;  // to be stored; nullopt: what is stored stays
  std::string file_name = {};         // of definition, for messages
};
// The same, of a change to what is there when the lock is held: of the running network, of what is stored, or
// of both. Neither: of the running network where it runs, else of what is stored.
struct Update {
  std::string name;
  std::function<Result<Network>(const Network&)> change;
  bool live = false, config = false;
  std::string done = {};  // "Network lab forwards tcp/80"; "": "Updated network lab"
};
struct Stop {
  std::string name;
};
struct Autostart {
  std::string name;
  bool enable = true;
};
struct Attach {  // all to one network, or none
  std::vector<PortRequest> requests;
};
struct AttachMembers {  // the same for every guest's interface in the network's bridge
  PortRequest request;
};
struct SetPort {
  PortRequest request;
};
struct Detach {
  std::string interface;
};
struct Block {
  std::vector<Prefix> prefixes;
};
struct Unblock {
  std::vector<Prefix> prefixes;
};
// A hypervisor's hook: as Attach, of one port, and without a look at the others.
struct PlugIn {
  PortRequest request;
};
// Ports whose interface does not exist any more; one that has been made anew under its name is another one.
struct ForgetGone {
  std::optional<std::string> interface;  // nullopt: all
};
// Programs and maps of all that runs become this build's.
struct Upgrade {};
// Follow what has changed without a command: interfaces that come and go, bridges that went away.
struct Follow {
  std::set<std::string> start;  // networks to be started as well
};

using Intent =
    std::variant<Define, Create, Undefine, Start, Up, Apply, Update, Stop, Autostart, Attach, AttachMembers,
                 SetPort, Detach, Block, Unblock, PlugIn, ForgetGone, Upgrade, Follow>;

}  // namespace vnet
