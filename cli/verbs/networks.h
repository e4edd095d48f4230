// SPDX-License-Identifier: GPL-2.0-or-later
// define, undefine, start, stop, autostart, up, apply; list, show, leases.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/action.h"
#include "cli/input.h"

namespace vnet::cli::verbs {

struct DefineOptions {
  std::string file;
  Input xml;

  std::vector<Option> list();
  Result<void> load();
};
Result<Intent> define(const DefineOptions& options);

struct UpOptions {
  std::optional<std::string> file;
  std::optional<Input> xml;  // nullopt: the built-in network

  std::vector<Option> list();
  Result<void> load();
};
Result<Intent> up(const UpOptions& options);

struct ApplyOptions {
  std::string network;
  std::optional<std::string> file;
  std::optional<Input> xml;  // nullopt: the stored definition

  std::vector<Option> list();
  Result<void> load();
};
Result<Intent> apply(const ApplyOptions& options);

struct NetworkOptions {
  std::string network;

  std::vector<Option> list();
};
Result<Intent> undefine(const NetworkOptions& options);
Result<Intent> start(const NetworkOptions& options);
Result<Intent> stop(const NetworkOptions& options);
Result<void> leases(Host& host, const Common& common, const NetworkOptions& options);

struct AutostartOptions {
  std::string network;
  bool disable = false;

  std::vector<Option> list();
};
Result<Intent> autostart(const AutostartOptions& options);

struct ListOptions {
  bool all = false;

  std::vector<Option> list();
};
Result<void> list(Host& host, const Common& common, const ListOptions& options);

struct ShowOptions {
  std::string network;
  bool xml = false, inactive = false;

  std::vector<Option> list();
  Result<void> check(const Common& common) const;
};
Result<void> show(Host& host, const Common& common, const ShowOptions& options);

}  // namespace vnet::cli::verbs
