// SPDX-License-Identifier: GPL-2.0-or-later
// A network's dnsmasq configuration, line for line what libvirt's driver writes for the same XML, so that
// guests see the same answers. Pure: no file is touched.
#pragma once

#include <string>

#include "loader/model/network.h"

namespace vnet {

struct DnsmasqPaths {
  std::string pid_file, hostsfile, addnhosts;
};

struct DnsmasqFiles {
  bool needed = false;  // false: nothing to serve (no <ip>, or DNS off and neither DHCP nor TFTP)
  std::string conf;
  std::string hostsfile;  // static leases
  std::string addnhosts;  // <dns><host>
};

DnsmasqFiles dnsmasq_files(const Network& network, const DnsmasqPaths& paths);

}  // namespace vnet
