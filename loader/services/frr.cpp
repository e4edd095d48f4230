// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/services/frr.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace vnet {
namespace {

constexpr const char* running_config = "show running-config";

// From FRR 9.1 on mgmtd has staticd's configuration.
Result<FrrVty> connect_static(const std::filesystem::path& folder) {
  auto daemon = FrrVty::connect(folder, "mgmtd");
  if (daemon || daemon.error().kind != ErrorKind::NotFound) return daemon;
  return FrrVty::connect(folder, "staticd");
}

}  // namespace

Result<Frr> Frr::open(const std::filesystem::path& folder) {
  VNET_ASSIGN(auto bgp, FrrVty::connect(folder, "bgpd"));
  Frr frr(folder, std::move(bgp));
  if (auto daemon = connect_static(folder))
    frr.static_ = std::move(*daemon);
  else if (daemon.error().kind != ErrorKind::NotFound)
    return std::unexpected(std::move(daemon).error());
  VNET_TRY(frr.read());
  return frr;
}

Result<void> Frr::read() {
  config_ = {};
  VNET_ASSIGN(auto bgp, bgp_.ask(running_config));
  read_bgp_config(bgp, config_);
  if (!static_) return {};
  VNET_ASSIGN(auto routes, static_->ask(running_config));
  read_static_config(routes, config_);
  return {};
}

std::vector<std::string> Frr::commands(const FrrConfig& wanted) const {
  std::vector<std::string> all;
  for (const auto& command : static_commands(config_, wanted)) all.push_back("staticd: " + command);
  for (const auto& command : bgp_commands(config_, wanted)) all.push_back("bgpd: " + command);
  return all;
}

Result<void> Frr::give(const FrrConfig& wanted) {
  const auto routes = static_commands(config_, wanted);
  if (!routes.empty()) {
    // Its error says what to do.
    if (!static_) {
      VNET_ASSIGN(static_, connect_static(folder_));
    }
    VNET_TRY(static_->configure(routes));
  }
  VNET_TRY(bgp_.configure(bgp_commands(config_, wanted)));
  return read();
}

Result<bool> Frr::announces(const Prefix& prefix) {
  VNET_ASSIGN(auto text,
              bgp_.ask(fmt::format("show bgp {} unicast {} json",
                                   prefix.address.family == Family::V4 ? "ipv4" : "ipv6", prefix.text())));
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("paths") || !json["paths"].is_array()) return false;
  return std::ranges::any_of(json["paths"], [](const nlohmann::json& path) {
    return path.is_object() && path.value("sourced", false) && path.value("valid", false);
  });
}

}  // namespace vnet
