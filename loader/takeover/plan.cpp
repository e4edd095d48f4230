// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>

#include "loader/bus/libvirt_daemons.h"
#include "loader/takeover/takeover.h"

namespace vnet::takeover {
namespace {

struct Row {
  Do what;
  const char* text;  // {}: the subject
};
constexpr Row rows[] = {
    {Do::Note, "Write down how the host was, for the way back"},
    {Do::Finish, "Write down that vnet-bpf serves"},
    {Do::Define, "Define network {}, as libvirt has it"},
    {Do::ImportLeases, "Take over the leases of network {}"},
    {Do::WriteDriver, "Write the drop-in for libvirtd.service and the folder of drivers that it names"},
    {Do::RemoveDriver, "Remove the drop-in for libvirtd.service and the folder of drivers"},
    {Do::Enable, "Enable {}"},
    {Do::Disable, "Disable {}"},
    {Do::Mask, "Mask {}"},
    {Do::Unmask, "Unmask {}"},
    {Do::Reload, "Reload systemd's units"},
    {Do::StartUnit, "Start {}"},
    {Do::StopUnit, "Stop {}"},
    {Do::RestartUnit, "Restart {}; guests run on"},
    {Do::Autostart, "Start network {} at boot"},
    {Do::NoAutostart, "Start network {} at boot no longer"},
    {Do::StopTheirs, "Stop libvirt's network {}"},
    {Do::StartTheirs, "Start libvirt's network {}"},
    {Do::StartOurs, "Start network {} of vnet-bpf's"},
    {Do::StopOurs, "Stop network {} of vnet-bpf's"},
    {Do::Undefine, "Forget network {}, as it was imported, and its leases"},
    {Do::Await, "Wait until guest {} is on its network"},
    {Do::BringUp, "Bring interface {} up"},
    {Do::Forget, "Forget how the host was"},
};

UnitState unit(const UnitStates& units, const std::string& name) {
  auto found = units.find(name);
  return found == units.end() ? UnitState{} : found->second;
}

const OurNetwork* ours_of(const Facts& facts, const std::string& name) {
  auto found = std::ranges::find(facts.ours, name, &OurNetwork::name);
  return found == facts.ours.end() ? nullptr : &*found;
}
const TheirNetwork* network_of(const std::vector<TheirNetwork>& networks, const std::string& name) {
  auto found = std::ranges::find(networks, name, &TheirNetwork::name);
  return found == networks.end() ? nullptr : &*found;
}

bool is_ours(const Facts& facts) {
  return facts.host.server == NetworkServer::VnetBpf;
}

// What this host lacks for vnet-bpf to serve.
Result<void> check_host(const Facts& facts) {
  if (facts.host.kind == LibvirtKind::None)
    return failed(
        "no daemon of libvirt's is enabled or active here (libvirtd, or virtqemud and virtnetworkd): install "
        "libvirt, or start it");
  for (const auto& name : own_units(facts.host.kind))
    if (!unit(facts.host.units, name).exists())
      return failed(name +
                    " is not installed where systemd looks: make install, or the package, installs it");
  if (facts.host.kind == LibvirtKind::Modular) return {};
  if (facts.driver.empty())
    return failed(
        "vnet-bpf's network driver for libvirtd is not installed: it is built where libvirt's headers are "
        "(libvirt-dev, libvirt-devel)");
  if (facts.version && !has_tried_libvirt(facts.version))
    return failed(fmt::format(
        "libvirt {}.{}.{} is not among the versions that the network driver for libvirtd has been tried with "
        "(docs/libvirt.md); with `vnet-bpf run` and bridges guests can be served without it "
        "(docs/migrating.md)",
        facts.version / 1000000, facts.version / 1000 % 1000, facts.version % 1000));
  return {};
}

Result<void> check_networks(const Facts& facts, bool live) {
  for (const auto& net : facts.theirs) {
    if (net.active && !net.persistent)
      return failed(fmt::format(
          "libvirt's network {0} is not stored, and would be lost: virsh net-destroy {0}, or virsh "
          "net-dumpxml {0} | virsh net-define /dev/stdin",
          net.name));
    for (const auto& our : facts.ours)
      if ((our.name == net.name) != (our.uuid == net.uuid))
        return failed(
            fmt::format("vnet-bpf has network {} with UUID {}, and libvirt network {} with UUID {}: undefine "
                        "or rename one "
                        "of them",
                        our.name, our.uuid, net.name, net.uuid));
    if (net.active && !net.guests.empty() && !live)
      return failed(fmt::format(
          "{} {} network {}: shut down, or move with --live, which costs some seconds without a network",
          fmt::join(net.guests, ", "), net.guests.size() == 1 ? "uses" : "use", net.name));
  }
  return {};
}

// What vnet-bpf has under the name of a network of libvirt's.
void note_before(const Facts& facts, TheirNetwork& net) {
  const auto* our = ours_of(facts, net.name);
  if (!our || !our->defined) return;
  net.was_defined = true;
  net.had_autostart = our->autostart;
}

Record record_of(const Facts& facts) {
  Record record{
      .kind = facts.host.kind, .had_drop_in_folder = facts.has_drop_in_folder, .networks = facts.theirs};
  for (const auto* names : {&own_units(record.kind), &replaced_units(record.kind)})
    for (const auto& name : *names) record.units[name] = unit(facts.host.units, name);
  for (auto& net : record.networks) note_before(facts, net);
  return record;
}

// What libvirt has got since an interrupted run has written it.
void complete(const Facts& facts, Record& record) {
  for (const auto& net : facts.theirs) {
    auto known = std::ranges::find(record.networks, net.name, &TheirNetwork::name);
    if (known == record.networks.end()) {
      record.networks.push_back(net);
      note_before(facts, record.networks.back());
    } else if (net.active) {
      known->active = true;
      known->guests = net.guests;
    }
  }
}

class Steps {
 public:
  void add(Do what, const std::string& subject = {}) { steps_.push_back({what, subject}); }
  void add_if(bool needed, Do what, const std::string& subject = {}) {
    if (needed) add(what, subject);
  }
  std::vector<Step> take() { return std::move(steps_); }

 private:
  std::vector<Step> steps_;
};

// Daemons that run and hold guests, or have the driver loaded.
void restart_hypervisors(const Facts& facts, Steps& steps) {
  for (const auto& name : hypervisor_services(facts.host.kind))
    steps.add_if(unit(facts.host.units, name).active, Do::RestartUnit, name);
}

bool stands(const Facts& facts, const Record& record) {
  if (record.phase != Phase::Taken || !is_ours(facts)) return false;
  if (record.kind == LibvirtKind::Monolithic && !facts.driver_files_are_whole) return false;
  for (const auto& name : replaced_units(record.kind))
    if (const auto now = unit(facts.host.units, name); now.exists() && !now.masked()) return false;
  return std::ranges::all_of(own_units(record.kind), [&](const std::string& name) {
    const auto now = unit(facts.host.units, name);
    return now.file == "static" || (now.enabled() && now.active);
  });
}

void unite(std::vector<std::string>& names, const std::vector<std::string>& more) {
  names.insert(names.end(), more.begin(), more.end());
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
}

std::vector<std::string> guests_of(const std::vector<TheirNetwork>& networks) {
  std::vector<std::string> all;
  for (const auto& net : networks)
    if (net.active) unite(all, net.guests);
  return all;
}

}  // namespace

std::string text(const Step& step) {
  const auto* row = std::ranges::find(rows, step.what, &Row::what);
  return fmt::format(fmt::runtime(row->text), step.subject);
}

Result<Plan> plan_enable(const Facts& facts, bool live) {
  if (facts.record && stands(facts, *facts.record)) return Plan{.record = *facts.record};
  VNET_TRY(check_host(facts));
  if (!facts.record && (is_ours(facts) || facts.has_driver_files))
    return failed(
        "vnet-bpf has been set up here by hand, and how the host was before is not known: undo that first "
        "(docs/libvirt.md)");
  if (!is_ours(facts) && !facts.silence.empty() && !unit(facts.host.units, "virtnetworkd.service").masked())
    return failed(facts.silence + "; start libvirt first: its own networks are stopped by it");
  if (!is_ours(facts)) VNET_TRY(check_networks(facts, live));

  Plan plan{.record = facts.record ? *facts.record : record_of(facts)};
  plan.record.phase = Phase::Taking;
  complete(facts, plan.record);
  const auto& units = facts.host.units;
  const auto kind = plan.record.kind;
  Steps steps;
  steps.add(Do::Note);
  for (const auto& net : plan.record.networks) {
    const auto* our = ours_of(facts, net.name);
    steps.add_if(!our || !our->defined, Do::Define, net.name);
    steps.add_if(!net.was_defined && !net.leases.empty() && (!our || !our->active), Do::ImportLeases,
                 net.name);
  }
  steps.add_if(kind == LibvirtKind::Monolithic && !facts.driver_files_are_whole, Do::WriteDriver);
  for (const auto& name : own_units(kind))
    steps.add_if(unit(units, name).file == "disabled", Do::Enable, name);
  for (const auto& name : replaced_units(kind))
    steps.add_if(unit(units, name).exists() && !unit(units, name).masked(), Do::Mask, name);
  steps.add(Do::Reload);
  // Before any of the networks is to be started at boot: those that have been stopped stay so.
  steps.add_if(!unit(units, "vnet-bpf.service").active, Do::StartUnit, "vnet-bpf.service");
  for (const auto& net : plan.record.networks) {
    const auto* our = ours_of(facts, net.name);
    steps.add_if(net.autostart && (!our || !our->autostart), Do::Autostart, net.name);
  }
  // From here on there is no network, until the daemon has been restarted.
  for (const auto& net : facts.theirs) steps.add_if(net.active, Do::StopTheirs, net.name);
  for (const auto& name : replaced_units(kind)) steps.add_if(unit(units, name).active, Do::StopUnit, name);
  for (const auto& net : plan.record.networks) {
    const auto* our = ours_of(facts, net.name);
    steps.add_if(net.active && (!our || !our->active), Do::StartOurs, net.name);
  }
  for (const auto& name : own_units(kind))
    steps.add_if(name.ends_with(".socket") && !unit(units, name).active, Do::StartUnit, name);
  const auto guests = guests_of(plan.record.networks);
  if (kind == LibvirtKind::Modular ? !guests.empty() : !is_ours(facts)) restart_hypervisors(facts, steps);
  for (const auto& guest : guests) steps.add(Do::Await, guest);
  steps.add(Do::Finish);
  plan.steps = steps.take();
  return plan;
}

Result<Plan> plan_disable(const Facts& facts, bool live) {
  if (!facts.record) {
    if (is_ours(facts) || facts.has_driver_files)
      return failed(
          "vnet-bpf has been set up here by hand, and how the host was before is not known: docs/libvirt.md "
          "says "
          "how that is undone");
    return Plan{};
  }
  Plan plan{.record = *facts.record};
  Record& record = plan.record;
  for (const auto& our : facts.ours) {
    const bool known = network_of(record.networks, our.name) != nullptr;
    if (!our.guests.empty() && !known)
      return failed(fmt::format(
          "{0} {1} network {2}, which libvirt does not have: shut down, or move to one that it has",
          fmt::join(our.guests, ", "), our.guests.size() == 1 ? "uses" : "use", our.name));
    if (!our.guests.empty() && !live)
      return failed(fmt::format(
          "{} {} network {}: shut down, or move with --live, which costs some seconds without a network",
          fmt::join(our.guests, ", "), our.guests.size() == 1 ? "uses" : "use", our.name));
    if (known) unite(record.guests, our.guests);
    if (known) unite(record.interfaces, our.interfaces);
    if (!known && our.defined)
      plan.notes.push_back(fmt::format(
          "network {0} stays vnet-bpf's: libvirt does not have it (vnet-bpf show {0} --xml | virsh "
          "net-define /dev/stdin gives it to libvirt)",
          our.name));
  }
  // They may be between the two.
  if (record.phase == Phase::Taking) unite(record.guests, guests_of(record.networks));
  record.phase = Phase::GivingBack;
  const auto& units = facts.host.units;
  Steps steps;
  steps.add(Do::Note);
  steps.add_if(facts.has_driver_files, Do::RemoveDriver);
  for (const auto& [name, before] : record.units) {
    const auto now = unit(units, name);
    steps.add_if(now.masked() && !before.masked(), Do::Unmask, name);
    steps.add_if(now.enabled() && before.file == "disabled", Do::Disable, name);
  }
  steps.add(Do::Reload);
  for (const auto& net : record.networks)
    if (const auto* our = ours_of(facts, net.name)) {
      steps.add_if(our->autostart && !net.had_autostart, Do::NoAutostart, net.name);
      steps.add_if(our->active, Do::StopOurs, net.name);
    }
  for (const auto& name : own_units(record.kind))
    steps.add_if(unit(units, name).active && !unit(record.units, name).active, Do::StopUnit, name);
  for (const auto& name : replaced_units(record.kind)) {
    // Sockets start the service when it is needed.
    const bool waits = name.ends_with(".service") && unit(record.units, "virtnetworkd.socket").active;
    steps.add_if(!waits && !unit(units, name).active && unit(record.units, name).active, Do::StartUnit, name);
  }
  if (record.kind == LibvirtKind::Monolithic && is_ours(facts)) restart_hypervisors(facts, steps);
  for (const auto& net : record.networks) steps.add_if(net.active, Do::StartTheirs, net.name);
  // It puts taps back into their bridges when it starts, and into those that are there by then.
  if (!record.guests.empty()) restart_hypervisors(facts, steps);
  // It leaves them as they are otherwise, and our networks took them down when they were stopped.
  for (const auto& interface : record.interfaces) steps.add(Do::BringUp, interface);
  for (const auto& net : record.networks) {
    const auto* our = ours_of(facts, net.name);
    if (!our || net.was_defined) continue;
    if (our->edited)
      plan.notes.push_back(fmt::format(
          "network {0} has been changed since it was libvirt's: vnet-bpf keeps that definition (vnet-bpf "
          "undefine {0} forgets it)",
          net.name));
    else
      steps.add(Do::Undefine, net.name);
  }
  steps.add(Do::Forget);
  plan.steps = steps.take();
  return plan;
}

}  // namespace vnet::takeover
