// SPDX-License-Identifier: GPL-2.0-or-later
// One element of a definition that is added, changed or deleted, in the words of `virsh net-update`.
#pragma once

#include <string>

namespace vnet {

enum class UpdateCommand { AddLast, AddFirst, Modify, Delete };

struct SectionUpdate {
  UpdateCommand command = UpdateCommand::AddLast;
  std::string section;    // "ip-dhcp-host", "vnet:portForward"
  std::string xml;        // the one element
  std::string file_name;  // for errors in it
  int parent_index = -1;  // of the <ip> that it is in; -1: the one with <dhcp>, else the first
};

}  // namespace vnet
