// SPDX-License-Identifier: GPL-2.0-or-later
// A guest's port that moves between hosts.
#include "loader/apply/port_state.h"
#include "loader/engine/host_state.h"
#include "loader/state/port_file.h"

namespace vnet {

Result<std::string> Host::export_port(const std::string& interface) {
  VNET_ASSIGN(auto state, read_port_state(state_->system, interface));
  return format_port_state(state);
}

Result<PortState> read_port(std::string_view text, const std::string& file_name) {
  return parse_port_state(text, file_name);
}

Result<Plan> Host::plan_import(const PortState& state) {
  return plan(Attach{{request_of(state)}});
}

// Unplugged until all of it is there: its first packet finds its addresses.
Result<Plan> Transaction::import_port(const PortState& state) {
  auto request = request_of(state);
  const bool plugged = request.link_up.value_or(true);
  request.link_up = false;
  VNET_ASSIGN(auto plan, run(Attach{{request}}));
  auto given = give_port_state(host_->state_->system, state);
  if (!given) {
    (void)run(Detach{state.interface});
    return std::unexpected(std::move(given).error());
  }
  if (plugged) VNET_TRY(run(SetPort{{.interface = state.interface, .network = {}, .link_up = true}}));
  return plan;
}

}  // namespace vnet
