// SPDX-License-Identifier: GPL-2.0-or-later
// The host's FRR, and what of it is ours: read, and made what it should be. Nothing is stored in frr.conf:
// what a restart of FRR takes away is given again.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "loader/base/error.h"
#include "loader/services/frr_config.h"
#include "loader/services/frr_vty.h"

namespace vnet {

class Frr {
 public:
  // folder: of the daemons' sockets. NotFound: there is no bgpd.
  static Result<Frr> open(const std::filesystem::path& folder);

  const FrrConfig& config() const { return config_; }
  // By daemon: "bgpd: network 10.9.0.0/24 route-map vnet-bpf".
  std::vector<std::string> commands(const FrrConfig& wanted) const;
  Result<void> give(const FrrConfig& wanted);
  // Whether BGP has the prefix as its own, and its route stands.
  Result<bool> announces(const Prefix& prefix);

 private:
  Frr(std::filesystem::path folder, FrrVty bgp) : folder_(std::move(folder)), bgp_(std::move(bgp)) {}
  Result<void> read();

  std::filesystem::path folder_;
  FrrVty bgp_;
  std::optional<FrrVty> static_;  // staticd, or mgmtd; only host routes need it
  FrrConfig config_;
};

}  // namespace vnet
