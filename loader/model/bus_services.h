// SPDX-License-Identifier: GPL-2.0-or-later
// What the host's services on D-Bus know of gateways: firewalld and systemd-resolved.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "loader/model/address.h"

namespace vnet {

// The zone that gateways are in unless their networks' XML or the administrator says otherwise.
inline constexpr const char* own_zone = "vnet-bpf";

struct Firewalld {
  std::set<std::string> zones;
  std::map<std::string, std::string> zone_of;  // by interface; those in none are not there
};

// <domain register='yes'>: whom systemd-resolved asks for names of the domain.
struct LinkNames {
  std::vector<Address> servers;
  std::string domain;  // asked for there, and never searched
  bool operator==(const LinkNames&) const = default;
};

}  // namespace vnet
