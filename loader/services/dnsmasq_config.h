// SPDX-License-Identifier: GPL-2.0-or-later
// dnsmasq's configuration for a network: the same options, in the same order, as libvirt's.
#pragma once

#include <string>

#include "loader/model/network.h"

namespace vnet {

struct DnsmasqPaths {
  std::string pid_file;    // empty: no pid-file= line
  std::string lease_file;  // empty: no dhcp-leasefile= line, because it is given on the command line
  std::string hostsfile;
  std::string addnhosts;
};

struct DnsmasqFiles {
  std::string conf, hostsfile, addnhosts;
  bool needed = false;  // false: nothing for dnsmasq to do, do not start it
};

DnsmasqFiles dnsmasq_files(const Network& network, const DnsmasqPaths& paths, const std::string& bridge);

}  // namespace vnet
