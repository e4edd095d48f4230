// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs/doctor.h"

#include <algorithm>

#include "cli/render.h"
#include "loader/doctor/doctor.h"

namespace vnet::cli::verbs {

Result<void> doctor(Host& host, const Common& common, const NoOptions&) {
  VNET_ASSIGN(auto findings, host.doctor());
  print(render(findings, common.json));
  auto problems = std::ranges::count(findings, Severity::Problem, &Finding::severity);
  if (problems)
    return failed(std::to_string(problems) + (problems == 1 ? " problem" : " problems") + " on this host");
  return {};
}

}  // namespace vnet::cli::verbs
