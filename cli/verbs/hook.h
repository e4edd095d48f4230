// SPDX-License-Identifier: GPL-2.0-or-later
// hook libvirt NAME OPERATION ...: called by packaging/libvirt/hooks/qemu with the domain's XML on standard
// input. It may not call libvirt, writes nothing to standard output (which would be taken for XML), and lets
// every guest start but one whose <filterref> cannot be kept.
#pragma once

#include <string>
#include <vector>

#include "cli/action.h"

namespace vnet::cli::verbs {

struct HookOptions {
  std::vector<std::string> words;  // libvirt, then the hook's arguments

  std::vector<Option> list();
  Result<void> check(const Common& common) const;
};
Result<void> hook(Host& host, const Common& common, const HookOptions& options);

}  // namespace vnet::cli::verbs
