// SPDX-License-Identifier: GPL-2.0-or-later
// What the routers outside are to be told: a network's subnet, or the address of one of its guests.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loader/model/address.h"

namespace vnet {

struct Announcement {
  Prefix prefix;
  std::string network, gateway;  // gateway: the interface behind which it is
  std::string port;              // whose address it is; "": a subnet
  std::uint32_t as = 0;          // that the network names; 0: none
  bool asked = false;            // the network has <announce>: nothing else is ever announced
  bool is_host() const { return !port.empty(); }
  auto operator<=>(const Announcement&) const = default;
};

// What has become of it in FRR.
enum class AnnouncedState {
  NotAsked,
  Announced,
  ByOthers,  // the administrator's own configuration announces it
  NoRoute,   // FRR has been given it, but knows no route there: it announces nothing
  Missing,
  Refused,  // FRR is not there, or not as the network wants it
};
const char* announced_state_name(AnnouncedState state);

struct AnnouncedInfo : Announcement {
  AnnouncedState state = AnnouncedState::NotAsked;
  std::string why;  // where it is Refused
};

struct AnnouncedView {
  std::vector<AnnouncedInfo> all;
  std::vector<Prefix> stale;  // ours in FRR, and nothing that runs asks for it
  std::string no_frr;         // why FRR could not be asked; "": it was
};

}  // namespace vnet
