// SPDX-License-Identifier: GPL-2.0-or-later
// attach, detach, set; ports.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/action.h"

namespace vnet::cli::verbs {

struct AttachOptions {
  std::vector<std::string> interfaces;
  std::optional<std::string> all_members;  // instead: all interfaces of guests in the bridge of this network
  PortRequest port;                        // for each of them

  std::vector<Option> list();
  Result<void> check(const Common& common) const;
  std::vector<PortRequest> requests() const;  // each interface once
};
Result<Intent> attach(const AttachOptions& options);

struct DetachOptions {
  std::string interface;

  std::vector<Option> list();
};
Result<Intent> detach(const DetachOptions& options);

struct SetOptions {
  std::vector<std::string> interfaces;
  PortRequest port;

  std::vector<Option> list();
  Result<void> check(const Common& common) const;
};
Result<Intent> set(const SetOptions& options);

struct PortsOptions {
  std::optional<std::string> network;

  std::vector<Option> list();
};
Result<void> ports(Host& host, const Common& common, const PortsOptions& options);

}  // namespace vnet::cli::verbs
