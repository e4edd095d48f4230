// SPDX-License-Identifier: GPL-2.0-or-later
// The verbs that change something: each gathers the facts, and returns what would be done.
#include "loader/engine/host.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "loader/base/files.h"
#include "loader/config/network_xml.h"
#include "loader/engine/host_state.h"
#include "loader/plan/direct.h"
#include "loader/plan/modes.h"
#include "loader/plan/xdp_target.h"

namespace vnet {

std::string network_xml(const Network& network) {
  return format_network(network);
}

Host::Host(std::unique_ptr<State> state) : state_(std::move(state)) {}
Host::Host(Host&&) noexcept = default;
Host& Host::operator=(Host&&) noexcept = default;
Host::~Host() = default;

Result<Host> Host::open(std::optional<std::filesystem::path> state_dir, bool verbose) {
  set_libbpf_verbose(verbose);
  VNET_ASSIGN(auto netlink, Netlink::open());
  auto state = std::make_unique<State>(StateDir(std::move(state_dir)), std::move(netlink));
  VNET_ASSIGN(state->context.datapath, Datapath::open(state->context.dirs.pins()));
  return Host(std::move(state));
}

Result<Lock> Host::lock(const std::string& verb) {
  VNET_TRY(state_->context.dirs.ensure());
  VNET_ASSIGN(auto lock, state_->context.dirs.lock(verb));
  state_->context.records.sweep();
  state_->context.slots.reset();
  // What another command has made or removed while we waited.
  VNET_ASSIGN(state_->context.datapath, Datapath::open(state_->context.dirs.pins()));
  return lock;
}

Result<std::optional<Network>> Host::State::definition(const std::string& name) {
  auto path = definition_path(name);
  VNET_ASSIGN(auto text, read_file(path));
  if (!text) return std::nullopt;
  VNET_ASSIGN(auto network, parse_network(*text, path.string()));
  return network;
}

Result<std::vector<Network>> Host::State::definitions() {
  std::vector<Network> all;
  std::error_code error;
  if (!std::filesystem::exists(context.dirs.definitions(), error)) return all;
  VNET_ASSIGN(auto files, list_files(context.dirs.definitions(), ".xml"));
  for (const auto& file : files) {
    VNET_ASSIGN(auto text, read_file(context.dirs.definitions() / file));
    if (!text) continue;
    VNET_ASSIGN(auto network, parse_network(*text, (context.dirs.definitions() / file).string()));
    all.push_back(std::move(network));
  }
  std::ranges::sort(all, {}, &Network::name);
  return all;
}

// Every mutating command mends what has died or changed since the last one.
Result<std::vector<Task>> Host::State::heal_tasks() {
  std::vector<Task> tasks;
  VNET_ASSIGN(auto active, active_networks(context));
  std::vector<Network> networks;
  for (const auto& [record, network] : active) {
    networks.push_back(network);
    VNET_ASSIGN(auto bridge, context.netlink.find_link(network.bridge));
    if (!record.complete || !bridge) continue;  // `start` or `stop` finish what was interrupted
    tasks.push_back(
        {"dnsmasq of " + network.name, [this, network] { return plan_dnsmasq(context, network); }});
    if (network.mode == Mode::Bridge)
      tasks.push_back({"bridge " + network.bridge, [this, network, slot = record.slot] {
                         return plan_bridged_heal(context, network, slot);
                       }});
    else
      tasks.push_back({"gateway " + network.bridge, [this, one = ActiveNetwork{record, network}] {
                         return plan_gateway_heal(context, one);
                       }});
  }
  if (networks.empty()) return tasks;
  tasks.push_back({"uplinks", [this, networks] { return plan_uplinks(context, networks); }});
  tasks.push_back({"fence", [this, networks] { return plan_fence_heal(context, networks); }});
  tasks.push_back({"XDP's targets", [this, active] { return plan_targets(context, active); }});
  tasks.push_back({"direct attachment", [this, networks] { return heal_parents(context, networks); }});
  return tasks;
}

Result<Plan> Host::State::heal(const std::set<std::string>& except_ports) {
  Plan plan;
  VNET_ASSIGN(auto tasks, heal_tasks());
  VNET_ASSIGN(auto active, active_networks(context));
  VNET_ASSIGN(auto ports, port_heal_tasks(context, active));
  std::erase_if(ports, [&](const Task& task) {
    return std::ranges::any_of(except_ports,
                               [&](const std::string& port) { return task.about == "port " + port; });
  });
  std::ranges::move(ports, std::back_inserter(tasks));
  for (const auto& task : tasks) {
    VNET_ASSIGN(auto part, task.plan());
    plan.append(std::move(part));
  }
  // All are planned before the first is carried out: what an nft table says would be of the uplinks before.
  std::vector<Network> networks;
  for (const auto& one : active) networks.push_back(one.network);
  if (!plan.empty() && fence_is_written_down() && std::ranges::any_of(networks, has_gateway))
    plan_fence(plan, context, networks);
  return plan;
}

namespace {

// The definition as it will be stored: with libvirt's defaults written in, or what a redefinition keeps.
Result<Network> completed(Network network, const std::vector<Network>& others) {
  std::vector<std::string> taken;
  for (const auto& other : others) {
    if (other.name == network.name) {
      if (!network.uuid.empty() && network.uuid != other.uuid)
        return invalid(fmt::format("network '{}' already exists with uuid {}", network.name, other.uuid));
      network.uuid = other.uuid;
      if (network.bridge.empty()) network.bridge = other.bridge;
      if (!network.mac) network.mac = other.mac;
      continue;
    }
    if (!network.uuid.empty() && network.uuid == other.uuid)
      return invalid(fmt::format("network '{}' is already defined with uuid {}", other.name, other.uuid));
    taken.push_back(other.bridge);
    if (!network.bridge.empty() && network.bridge == other.bridge && network.mode != Mode::Bridge)
      return invalid(
          fmt::format("bridge name '{}' already in use by network '{}'", network.bridge, other.name));
  }
  return complete(std::move(network), taken);
}

}  // namespace

Result<Plan> Host::define(const std::string& xml, const std::string& file_name) {
  VNET_ASSIGN(auto parsed, parse_network(xml, file_name));
  VNET_ASSIGN(auto others, state_->definitions());
  VNET_ASSIGN(auto network, completed(std::move(parsed), others));
  return state_->plan_define(network, file_name);
}

Plan Host::State::plan_define(const Network& network, const std::string& file_name) {
  Plan plan;
  auto path = definition_path(network.name);
  plan.add(fmt::format("store {}", path.string()),
           [path, text = format_network(network)] { return write_file(path, text, 0644); });
  plan.done = file_name.empty() ? fmt::format("Network {} defined", network.name)
                                : fmt::format("Network {} defined from {}", network.name, file_name);
  return plan;
}

Result<Plan> Host::undefine(const std::string& name) {
  VNET_ASSIGN(auto network, state_->definition(name));
  if (!network) return not_found(fmt::format("no network with matching name '{}'", name));
  Plan plan;
  auto link = state_->autostart_path(name);
  plan.add(fmt::format("remove {}", state_->definition_path(name).string()),
           [link, path = state_->definition_path(name)]() -> Result<void> {
             VNET_TRY(remove_file(link));
             return remove_file(path);
           });
  plan.done = fmt::format("Network {} has been undefined", name);
  return plan;
}

Result<Plan> Host::start(const std::string& name) {
  VNET_ASSIGN(auto network, state_->definition(name));
  if (!network) return not_found(fmt::format("no network with matching name '{}'", name));
  VNET_ASSIGN(bool running, state_->is_active(name));
  if (running) return failed(fmt::format("network {} is already active", name));
  VNET_ASSIGN(auto plan, state_->heal());
  VNET_ASSIGN(auto start, plan_start(state_->context, *network));
  plan.append(std::move(start));
  return plan;
}

Result<bool> Host::State::is_active(const std::string& name) {
  VNET_ASSIGN(auto active, active_network(context, name));
  if (!active || !active->record.complete) return false;
  if (active->network.mode == Mode::Direct) return is_direct_up(context, active->record);
  // A reboot, or somebody's `ip link delete`, leaves a record without a bridge: `start` makes it again.
  VNET_ASSIGN(auto bridge, context.netlink.find_link(active->network.bridge));
  return bridge.has_value();
}

Result<Plan> Host::stop(const std::string& name) {
  VNET_ASSIGN(auto active, active_network(state_->context, name));
  if (!active) {
    VNET_ASSIGN(auto network, state_->definition(name));
    if (!network) return not_found(fmt::format("no network with matching name '{}'", name));
    return failed(fmt::format("network '{}' is not active", name));
  }
  return plan_stop(state_->context, *active);
}

Result<Plan> Host::autostart(const std::string& name, bool enable) {
  VNET_ASSIGN(auto network, state_->definition(name));
  if (!network) return not_found(fmt::format("no network with matching name '{}'", name));
  Plan plan;
  auto link = state_->autostart_path(name);
  std::error_code error;
  bool is = std::filesystem::is_symlink(link, error);
  plan.done = fmt::format("Network {} {}marked as autostarted", name, enable ? "" : "un");
  if (is == enable) return plan;
  if (enable)
    plan.add(fmt::format("link {}", link.string()), [link, name]() -> Result<void> {
      std::error_code error;
      std::filesystem::create_symlink("../" + name + ".xml", link, error);
      if (error) return failed(fmt::format("linking {}: {}", link.string(), error.message()));
      return {};
    });
  else
    plan.add(fmt::format("remove {}", link.string()), [link] { return remove_file(link); });
  return plan;
}

Result<Plan> Host::up(const std::optional<std::string>& xml, const std::string& file_name) {
  VNET_ASSIGN(auto others, state_->definitions());
  Network network = default_network();
  if (xml) {
    VNET_ASSIGN(network, parse_network(*xml, file_name));
  } else if (auto known = std::ranges::find(others, network.name, &Network::name); known != others.end()) {
    network = *known;  // the user's own `default` is not overwritten by the built-in one
  }
  VNET_ASSIGN(network, completed(std::move(network), others));
  Plan plan;
  VNET_ASSIGN(auto before, state_->definition(network.name));
  if (!before || format_network(*before) != format_network(network))
    plan = state_->plan_define(network, xml ? file_name : "");
  VNET_ASSIGN(bool running, state_->is_active(network.name));
  if (running) {
    VNET_ASSIGN(auto active, active_network(state_->context, network.name));
    if (format_network(active->network) != format_network(network))
      return failed(
          fmt::format("network {} is active with another definition; stop it first (vnet-bpf stop {})",
                      network.name, network.name));
    VNET_ASSIGN(auto heal, state_->heal());
    plan.append(std::move(heal));
    plan.done = fmt::format("Network {} is already up", network.name);
    return plan;
  }
  VNET_ASSIGN(auto heal, state_->heal());
  plan.append(std::move(heal));
  VNET_ASSIGN(auto start, plan_start(state_->context, network));
  plan.append(std::move(start));
  return plan;
}

Result<Plan> Host::attach(const std::vector<PortRequest>& requests) {
  std::set<std::string> named;
  for (const auto& request : requests) named.insert(request.interface);
  VNET_ASSIGN(auto plan, state_->heal(named));
  VNET_ASSIGN(auto known, state_->context.records.ports());
  for (const auto& request : requests) {
    VNET_ASSIGN(auto attach, plan_attach(state_->context, request, known));
    plan.append(std::move(attach));
  }
  if (requests.size() > 1)
    plan.done = fmt::format("{} interfaces attached to network {}", requests.size(), requests[0].network);
  return plan;
}

Result<Plan> Host::attach_members(const PortRequest& request) {
  VNET_ASSIGN(auto active, need_active(state_->context, request.network));
  VNET_ASSIGN(auto names, guests_in_bridge(state_->context, active.network));
  std::vector<PortRequest> requests(names.size(), request);
  for (std::size_t i = 0; i < names.size(); ++i) requests[i].interface = names[i];
  VNET_ASSIGN(auto plan, attach(requests));
  if (names.empty())
    plan.done =
        fmt::format("Network {}: no guest's interface is in {}", request.network, active.network.bridge);
  return plan;
}

Result<Plan> Host::set(const PortRequest& request) {
  VNET_ASSIGN(auto plan, state_->heal());
  VNET_ASSIGN(auto set, plan_set(state_->context, request));
  plan.append(std::move(set));
  return plan;
}

Result<Plan> Host::block(const std::vector<Prefix>& prefixes) {
  return plan_block(state_->context, true, prefixes);
}
Result<Plan> Host::unblock(const std::vector<Prefix>& prefixes) {
  return plan_block(state_->context, false, prefixes);
}

Result<Plan> Host::detach(const std::string& interface) {
  VNET_ASSIGN(auto record, state_->context.records.port(interface));
  if (!record) return not_found(fmt::format("{} is not attached to any network", interface));
  VNET_ASSIGN(auto plan, state_->heal({interface}));
  VNET_ASSIGN(auto detach, plan_detach(state_->context, *record));
  plan.append(std::move(detach));
  return plan;
}

}  // namespace vnet
