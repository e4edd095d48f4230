// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/model/guest.h"

#include <map>

namespace vnet {

std::optional<std::vector<std::string>> filters_like(const std::string& nwfilter) {
  using List = std::vector<std::string>;
  // libvirt's allow-dhcp-server is about a server that the guest may ask; ours would make it one.
  static const std::map<std::string, List> known{{"", {}},
                                                 {"clean-traffic", {"clean-traffic"}},
                                                 {"no-mac-spoofing", {"no-mac-spoofing"}},
                                                 {"no-ip-spoofing", {"no-ip-spoofing"}},
                                                 {"no-arp-spoofing", {"no-arp-spoofing"}},
                                                 {"no-arp-ip-spoofing", {"no-arp-spoofing"}},
                                                 {"no-arp-mac-spoofing", {"no-arp-spoofing"}},
                                                 {"no-ipv6-spoofing", {"no-ipv6-spoofing"}},
                                                 {"no-ip-multicast", {"no-ip-multicast"}},
                                                 {"allow-arp", {}},
                                                 {"allow-dhcp", {}},
                                                 {"allow-dhcp-server", {}},
                                                 {"allow-dhcpv6", {}},
                                                 {"allow-dhcpv6-server", {}},
                                                 {"allow-incoming-ipv4", {}},
                                                 {"allow-incoming-ipv6", {}},
                                                 {"allow-ipv4", {}},
                                                 {"allow-ipv6", {}}};
  auto entry = known.find(nwfilter);
  if (entry == known.end()) return std::nullopt;
  return entry->second;
}

}  // namespace vnet
