// SPDX-License-Identifier: GPL-2.0-or-later
// One network of each mode, for SimulatedHost.
#pragma once

#include <map>
#include <string>

namespace vnet::test {

inline const std::map<std::string, std::string>& network_samples() {
  static const std::map<std::string, std::string> all{
      {"nat",
       "<network><name>nat</name><forward mode='nat'/>"
       "<ip address='10.1.0.1' prefix='24'><dhcp><range start='10.1.0.2' "
       "end='10.1.0.9'/></dhcp></ip></network>"},
      {"route",
       "<network><name>route</name><forward mode='route' dev='eth0'/><ip address='10.2.0.1' prefix='24'/>"
       "<ip family='ipv6' address='fd00:2::1' prefix='64'/></network>"},
      {"open",
       "<network><name>open</name><forward mode='open'/><ip address='10.3.0.1' prefix='24'/></network>"},
      {"isolated", "<network><name>isolated</name><ip address='10.4.0.1' prefix='24'/></network>"},
      {"bridge", "<network><name>bridge</name><forward mode='bridge'/><bridge name='br0'/></network>"},
      {"direct",
       "<network><name>direct</name><forward mode='private'><interface dev='eth1'/></forward></network>"}};
  return all;
}

}  // namespace vnet::test
