// SPDX-License-Identifier: GPL-2.0-or-later
// What the sections of `update` are made of.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "loader/config/update.h"
#include "loader/config/xml_node.h"

namespace vnet {

struct SectionCall {
  UpdateCommand command;
  int parent_index;
  XmlNode parent;  // with the element alone in it: the readers of single elements read that
  XmlNode element;

  bool adds() const { return command == UpdateCommand::AddLast || command == UpdateCommand::AddFirst; }
};

template <typename T>
void insert(std::vector<T>& all, T one, UpdateCommand command) {
  all.insert(command == UpdateCommand::AddFirst ? all.begin() : all.end(), std::move(one));
}

// update_lists.cpp
Result<void> update_dhcp_host(Network& network, const SectionCall& call);
Result<void> update_dhcp_range(Network& network, const SectionCall& call);
Result<void> update_interface(Network& network, const SectionCall& call);
Result<void> update_portgroup(Network& network, const SectionCall& call);
Result<void> update_address(Network& network, const SectionCall& call);
Result<void> update_route(Network& network, const SectionCall& call);
Result<void> update_nat_addresses(Network& network, const SectionCall& call);
Result<void> update_nat_ports(Network& network, const SectionCall& call);
// update_dns.cpp
Result<void> update_dns_host(Network& network, const SectionCall& call);
Result<void> update_dns_txt(Network& network, const SectionCall& call);
Result<void> update_dns_srv(Network& network, const SectionCall& call);
// update_settings.cpp: <vnet:...> in the metadata
Result<void> update_setting(Network& network, const SectionCall& call);

}  // namespace vnet
