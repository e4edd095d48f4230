// SPDX-License-Identifier: GPL-2.0-or-later
// What `run` sees to: the same plans as the commands', for what has changed without a command.
#include <fmt/format.h>

#include <iterator>

#include "loader/base/files.h"
#include "loader/engine/host_state.h"
#include "loader/plan/modes.h"

namespace vnet {
namespace {

// The bridge that the network's programs were attached to; 0: not known.
int bridge_of(Context& context, const NetworkRecord& record) {
  if (!context.datapath) return 0;
  auto entry = context.datapath->maps().networks.get(record.slot);
  return entry ? static_cast<int>(entry->gateway_ifindex) : 0;
}

Result<Plan> plan_again(Context& context, const ActiveNetwork& active) {
  VNET_ASSIGN(auto plan, plan_start(context, active.network));
  plan.done = fmt::format("Network {} started again: its bridge {} had gone", active.network.name,
                          active.network.bridge);
  return plan;
}

// A bridge that went away. Ours is made again; the host's own is waited for.
Result<void> add_bridge_task(std::vector<Task>& tasks, Context& context, const ActiveNetwork& active) {
  const Network& network = active.network;
  if (!active.record.complete || network.mode == Mode::Direct) return {};
  VNET_ASSIGN(auto bridge, context.netlink.find_link(network.bridge));
  bool same = bridge && bridge->ifindex == bridge_of(context, active.record);
  if (same) return {};
  Task task{"network " + network.name, [&context, active] { return plan_again(context, active); }};
  if (network.mode == Mode::Bridge && !bridge)
    task.plan = [network]() -> Result<Plan> {
      return failed(fmt::format("network {}: the host's bridge {} has gone; waiting for it to come back",
                                network.name, network.bridge));
    };
  if (network.mode != Mode::Bridge && bridge)
    task.plan = [network]() -> Result<Plan> {
      return failed(
          fmt::format("network {}: somebody has made another {}; remove it (ip link delete {}) or stop "
                      "the network (vnet-bpf stop {})",
                      network.name, network.bridge, network.bridge, network.name));
    };
  tasks.push_back(std::move(task));
  return {};
}

}  // namespace

Result<Lock> Host::run_lock() {
  return state_->context.dirs.run_lock();
}

Result<std::set<std::string>> Host::autostart_networks() {
  VNET_ASSIGN(auto files, list_files(state_->context.dirs.autostart(), ".xml"));
  std::set<std::string> names;
  for (const auto& file : files) names.insert(file.substr(0, file.size() - 4));
  return names;
}

Result<std::vector<Task>> Host::tasks(std::set<std::string>& wanted) {
  std::vector<Task> tasks;
  for (auto name = wanted.begin(); name != wanted.end();) {
    VNET_ASSIGN(bool running, state_->is_active(*name));
    name = running ? wanted.erase(name) : std::next(name);
  }
  for (const auto& name : wanted)
    tasks.push_back({"network " + name, [this, name]() -> Result<Plan> {
                       VNET_ASSIGN(auto network, state_->definition(name));
                       if (!network)
                         return not_found(fmt::format("no network with matching name '{}'", name));
                       return plan_start(state_->context, *network);
                     }});
  VNET_ASSIGN(auto active, active_networks(state_->context));
  for (const auto& network : active)
    if (!wanted.contains(network.network.name)) VNET_TRY(add_bridge_task(tasks, state_->context, network));
  VNET_ASSIGN(auto heal, state_->heal_tasks());
  std::ranges::move(heal, std::back_inserter(tasks));
  VNET_ASSIGN(auto ports, port_tasks(state_->context, active));
  std::ranges::move(ports, std::back_inserter(tasks));
  return tasks;
}

Result<std::vector<pid_t>> Host::service_pids() {
  VNET_ASSIGN(auto records, state_->context.records.networks());
  std::vector<pid_t> pids;
  for (const auto& record : records)
    if (auto pid = state_->context.dnsmasq(record.name).pid()) pids.push_back(*pid);
  return pids;
}

}  // namespace vnet
