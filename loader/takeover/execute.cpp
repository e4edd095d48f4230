// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/takeover/execute.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "loader/base/files.h"
#include "loader/netlink/netlink.h"
#include "loader/takeover/drivers.h"
#include "loader/takeover/record.h"

namespace vnet::takeover {
namespace {

using namespace std::chrono_literals;

constexpr auto guest_patience = 30s, daemon_patience = 10s;
constexpr auto look_again = 100ms;

const TheirNetwork* network_of(const Plan& plan, const std::string& name) {
  auto found = std::ranges::find(plan.record.networks, name, &TheirNetwork::name);
  return found == plan.record.networks.end() ? nullptr : &*found;
}

}  // namespace

Result<Lock> Operator::lock() const {
  VNET_TRY(dirs_.ensure());
  VNET_ASSIGN(auto lock, Lock::acquire(dirs_.runtime() / "libvirt.lock", "libvirt", 10s));
  // What a run that was killed has left.
  for (const auto& folder :
       {dirs_.leases().parent_path(), dirs_.leases(), std::filesystem::path(libvirt::drop_in).parent_path()})
    remove_unfinished_files(folder);
  return lock;
}

Result<void> Operator::carry_out(const Plan& plan, const std::function<void(const Step&)>& tell) {
  for (const auto& step : plan.steps) {
    tell(step);
    if (auto done = carry_out(step, plan); !done)
      return std::unexpected(std::move(done).error().within(text(step)));
  }
  return {};
}

Result<void> Operator::carry_out(const Step& step, const Plan& plan) {
  const auto& subject = step.subject;
  const auto* before = network_of(plan, subject);
  switch (step.what) {
    case Do::Note:
      return save_record(dirs_, plan.record);
    case Do::Finish: {
      Record done = plan.record;
      done.phase = Phase::Taken;
      return save_record(dirs_, done);
    }
    case Do::Forget:
      return remove_record(dirs_);
    case Do::Define: {
      VNET_ASSIGN(auto network, read_network(before->xml, subject, nullptr));
      return intend(vnet::Define{std::move(network), ""});
    }
    case Do::ImportLeases:
      return import_leases(subject, plan);
    case Do::WriteDriver:
      return write_driver_files();
    case Do::RemoveDriver:
      return remove_driver_files(plan.record.had_drop_in_folder);
    case Do::Enable:
      return systemd_.enable(subject);
    case Do::Disable:
      return systemd_.disable(subject);
    case Do::Mask:
      return systemd_.mask(subject);
    case Do::Unmask:
      return systemd_.unmask(subject);
    case Do::Reload:
      return systemd_.reload();
    case Do::StartUnit:
      return systemd_.start(subject);
    case Do::StopUnit:
      return systemd_.stop(subject);
    case Do::RestartUnit:
      return systemd_.restart(subject);
    case Do::Autostart:
      return intend(vnet::Autostart{subject, true});
    case Do::NoAutostart:
      return intend(vnet::Autostart{subject, false});
    case Do::StartOurs:
      return intend(vnet::Start{subject});
    case Do::StopOurs:
      return intend(vnet::Stop{subject});
    case Do::StopTheirs:
    case Do::StartTheirs:
      return change_theirs(step, plan);
    case Do::Undefine:
      return forget(subject);
    case Do::Await:
      return await(subject);
    case Do::BringUp:
      return bring_up(subject);
  }
  return {};
}

Result<void> Operator::intend(const Intent& intent) {
  VNET_ASSIGN(auto transaction, host_.begin("libvirt"));
  VNET_TRY(transaction.run(intent));
  return {};
}

// Whether it is there already, or gone, is looked at now: a daemon that has been restarted meanwhile may have
// started those that it starts at boot.
Result<void> Operator::change_theirs(const Step& step, const Plan& plan) {
  const auto deadline = std::chrono::steady_clock::now() + daemon_patience;
  auto client = rpc::Client::connect(socket_of(plan.record.kind));
  while (!client && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(look_again);
    client = rpc::Client::connect(socket_of(plan.record.kind));
  }
  if (!client) return std::unexpected(std::move(client).error());
  VNET_ASSIGN(auto networks, client->networks());
  auto net = std::ranges::find(networks, step.subject, &rpc::Net::name);
  const bool starts = step.what == Do::StartTheirs;
  if (net == networks.end())
    return starts ? failed("libvirt does not have it any more: virsh net-define gives it back")
                  : Result<void>{};
  VNET_ASSIGN(bool active, client->is_active(*net));
  if (active == starts) return {};
  return starts ? client->start(*net) : client->destroy(*net);
}

Result<void> Operator::import_leases(const std::string& name, const Plan& plan) {
  VNET_TRY(make_folder(dirs_.leases()));
  return write_file(dirs_.leases() / (name + ".leases"),
                    fmt::format("{}\n", fmt::join(network_of(plan, name)->leases, "\n")));
}

Result<void> Operator::forget(const std::string& name) {
  if (auto done = intend(vnet::Undefine{name}); !done && done.error().kind != ErrorKind::NotFound)
    return done;
  return remove_file(dirs_.leases() / (name + ".leases"));
}

// A guest with an interface of its own to a direct network has no port of ours; to be announced is all there.
Result<bool> Operator::has_come(const std::string& guest) {
  VNET_ASSIGN(auto ports, host_.ports(std::nullopt));
  if (std::ranges::any_of(ports, [&](const PortInfo& port) { return port.guest == guest && port.attached; }))
    return true;
  VNET_ASSIGN(auto known, host_.known_networks());
  VNET_ASSIGN(auto announced, host_.guest_ports());
  return std::ranges::any_of(announced, [&](const GuestPort& port) {
    auto network = std::ranges::find(known, port.network, &KnownNetwork::name);
    return port.request.guest == guest && network != known.end() && network->active &&
           is_direct(*network->active);
  });
}

Result<void> Operator::await(const std::string& guest) {
  const auto deadline = std::chrono::steady_clock::now() + guest_patience;
  while (true) {
    VNET_ASSIGN(bool come, has_come(guest));
    if (come) return {};
    if (std::chrono::steady_clock::now() > deadline)
      return failed("it has not come in 30 s: journalctl -u vnet-bpf -u vnet-bpf-serve tells more");
    std::this_thread::sleep_for(look_again);
  }
}

// Once its hypervisor has put it into a bridge. A guest that has ended meanwhile has none.
Result<void> Operator::bring_up(const std::string& interface) {
  VNET_ASSIGN(auto netlink, Netlink::open());
  const auto deadline = std::chrono::steady_clock::now() + guest_patience;
  while (true) {
    VNET_ASSIGN(auto link, netlink.find_link(interface));
    if (!link) return {};
    if (link->master) return netlink.set_up(link->ifindex);
    if (std::chrono::steady_clock::now() > deadline)
      return failed("libvirt has not put it into a bridge in 30 s: virsh domiflist and journalctl tell more");
    std::this_thread::sleep_for(look_again);
  }
}

}  // namespace vnet::takeover
