// SPDX-License-Identifier: GPL-2.0-or-later
// hook libvirt NAME OPERATION ...: called by packaging/libvirt/hooks/qemu with the domain XML on standard
// input. It must not call libvirt, nor write to standard output, which libvirt would take for XML. It fails
// only for a guest that starts with a <filterref> that cannot be applied.
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
