// SPDX-License-Identifier: GPL-2.0-or-later
// From what stands to what is wanted, in the one order that is safe for all: what goes is taken down before
// its guards are, guards stand before what they guard can be reached, a record is there before what it
// describes, and goes behind it.
#include <algorithm>
#include <iterator>

#include "loader/plan/diff_definition.h"
#include "loader/plan/diff_ports.h"
#include "loader/plan/modes/modes.h"
#include "loader/plan/upgrade.h"

namespace vnet {
namespace {

class Diff {
 public:
  Diff(const Snapshot& snapshot, const Resources& now, const Wanted& wanted)
      : snapshot_(snapshot), now_(now), wanted_(wanted.resources), all_(wanted) {}

  std::vector<Step> run() {
    definitions();
    begin_upgrade(steps_, snapshot_, now_, all_);
    blocked();
    leave_networks();
    for_changed(&DefinitionDiff::close);
    remove_ports(steps_, snapshot_, now_, wanted_);
    detach_interfaces();
    close_networks();
    raise_networks();
    mend_networks();
    uplinks();
    fence();
    socket_redirect();
    firewall();
    open_networks();
    for_changed(&DefinitionDiff::open);
    services();
    link_names();
    add_ports(steps_, snapshot_, now_, all_);
    for_changed(&DefinitionDiff::finish);
    complete_networks();
    forget_networks();
    finish_upgrade(steps_, now_, all_);
    return std::move(steps_);
  }

 private:
  void add(const std::string& about, Change change) { steps_.push_back({about, std::move(change)}); }
  void add(const std::string& about, std::vector<Change> changes) {
    for (auto& change : changes) add(about, std::move(change));
  }
  static std::string about_network(const std::string& name) { return "network " + name; }

  // Uplinks and the fence are of all networks. Those of the first one stand and fall with its start.
  std::string about_uplinks() const {
    bool first = std::ranges::none_of(
        snapshot_.active, [](const ActiveNetwork& active) { return has_gateway(active.network); });
    return first && !all_.restart.empty() ? about_network(*all_.restart.begin()) : "uplinks";
  }

  ActiveNetwork wanted_network(const std::string& name) const {
    const NetworkResource& resource = wanted_.networks.at(name);
    return {.record = {.name = name, .slot = resource.slot, .xml = resource.xml, .added = resource.added},
            .network = all_.networks.at(name)};
  }

  // Networks that stop: among those that stand, and not wanted.
  std::vector<const ActiveNetwork*> stopping() const {
    std::vector<const ActiveNetwork*> all;
    for (const auto& active : snapshot_.active)
      if (!wanted_.networks.contains(active.network.name)) all.push_back(&active);
    return all;
  }

  void definitions() {
    for (const auto& [name, before] : now_.definitions)
      if (!wanted_.definitions.contains(name))
        add(about_network(name), RemoveDefinition{snapshot_.definitions_folder / (name + ".xml"),
                                                  snapshot_.autostart_folder / (name + ".xml")});
    for (const auto& [name, definition] : wanted_.definitions) {
      auto before = now_.definitions.find(name);
      bool known = before != now_.definitions.end();
      if (!known || before->second.xml != definition.xml)
        add(about_network(name),
            StoreDefinition{snapshot_.definitions_folder / (name + ".xml"), definition.xml,
                            known ? std::optional(before->second.xml) : std::nullopt});
      if ((known && before->second.autostart) != definition.autostart)
        add(about_network(name),
            SetAutostart{name, snapshot_.autostart_folder / (name + ".xml"), definition.autostart});
    }
  }

  void blocked() {
    for (const auto& prefix : now_.blocked)
      if (!wanted_.blocked.contains(prefix)) add("block list", UnblockPrefix{prefix});
    for (const auto& prefix : wanted_.blocked)
      if (!now_.blocked.contains(prefix)) add("block list", BlockPrefix{prefix});
  }

  void leave_networks() {
    for (const auto* active : stopping()) {
      NetworkRecord record = active->record;
      record.complete = false;
      add(about_network(active->network.name), LeaveNetwork{std::move(record)});
    }
  }

  // Members and parents; a member that another network or the routes want is attached anew.
  void detach_interfaces() {
    for (const auto& record : snapshot_.uplinks) {
      auto wanted = wanted_.uplinks.find(record.interface);
      bool stays = wanted != wanted_.uplinks.end() && wanted->second.network == record.network;
      if (!stays && !record.network.empty()) add(about_network(record.network), DetachMember{record});
    }
    for (const auto& record : snapshot_.parents)
      if (!wanted_.parents.contains(record.interface))
        add("parent " + record.interface, DetachParent{record});
  }

  void close_networks() {
    for (const auto* active : stopping()) {
      std::vector<Change> changes;
      mode_plan(active->network).close(snapshot_, changes, *active);
      add(about_network(active->network.name), std::move(changes));
    }
  }

  void raise_networks() {
    for (const auto& name : all_.restart) {
      auto active = wanted_network(name);
      std::vector<Change> changes{ClaimNetwork{active.record}};
      mode_plan(active.network).raise(changes, active, wanted_.networks.at(name));
      add(about_network(name), std::move(changes));
    }
  }

  void for_changed(std::vector<Change> (DefinitionDiff::*part)() const) {
    for (const auto& [name, standing] : all_.changed)
      add(about_network(name), (DefinitionDiff(snapshot_, now_, all_, name).*part)());
  }

  void mend_networks() {
    for (const auto& [name, wanted] : wanted_.networks) {
      auto now = now_.networks.find(name);
      if (all_.restart.contains(name) || now == now_.networks.end()) continue;
      std::vector<Change> changes;
      const Network& network = all_.networks.at(name);
      ActiveNetwork active{.record = snapshot_.network(name)->record, .network = network};
      mode_plan(network).mend(snapshot_, changes, active, now->second, wanted);
      add(about_network(name), std::move(changes));
    }
  }

  void uplinks() {
    for (int ifindex : now_.vrfs)
      if (!wanted_.vrfs.contains(ifindex)) add(about_uplinks(), DistrustVrf{ifindex});
    for (const auto& record : snapshot_.uplinks)
      if (auto wanted = wanted_.uplinks.find(record.interface);
          record.network.empty() && (wanted == wanted_.uplinks.end() || !wanted->second.network.empty()))
        add(about_uplinks(), DetachUplink{record});
    for (const auto& [interface, wanted] : wanted_.uplinks) uplink(interface, wanted);
    for (const auto& [interface, wanted] : wanted_.parents) parent(interface, wanted);
    for (int ifindex : wanted_.vrfs)
      if (!now_.vrfs.contains(ifindex))
        add(about_uplinks(), TrustVrf{ifindex, snapshot_.link(ifindex)->name});
  }

  void uplink(const std::string& interface, const UplinkResource& wanted) {
    auto now = now_.uplinks.find(interface);
    bool fresh = now == now_.uplinks.end();
    UplinkRecord record{.interface = interface, .network = wanted.network, .ifindex = wanted.ifindex};
    record.slot = wanted.slot;
    record.xdp = wanted.xdp;
    record.primary = wanted.primary;
    bool stands = !fresh && now->second.network == wanted.network && now->second.ifindex == wanted.ifindex &&
                  now->second.xdp == wanted.xdp && (now->second.guarded || !wanted.guarded);
    if (!wanted.network.empty()) {
      if (!stands)
        add(about_network(wanted.network), AttachMember{all_.networks.at(wanted.network), record, fresh});
      return;
    }
    if (!stands) {
      if (const LinkInfo* link = snapshot_.link(interface)) {
        const UplinkRecord* before = fresh ? nullptr : snapshot_.uplink(interface);
        add(about_uplinks(), AttachUplink{record, *link, wanted.addresses, fresh,
                                          before ? std::optional(*before) : std::nullopt});
      }
      return;
    }
    record.xdp_why = snapshot_.uplink(interface)->xdp_why;
    if (now->second.primary != wanted.primary) add(about_uplinks(), NoteUplink{record});
    if (now->second.addresses != wanted.addresses)
      add(about_uplinks(), NoteUplinkAddresses{record, wanted.addresses});
  }

  void parent(const std::string& interface, const ParentResource& wanted) {
    auto now = now_.parents.find(interface);
    bool known = now != now_.parents.end();
    if (known && now->second == wanted) return;
    std::string network;
    auto comes_with = [&](const std::string& name) {
      if (std::ranges::count(all_.networks.at(name).devices, interface)) network = name;
    };
    for (const auto& name : all_.restart) comes_with(name);
    for (const auto& [name, standing] : all_.changed) comes_with(name);
    ParentRecord record{.interface = interface, .ifindex = wanted.ifindex, .slot = wanted.slot};
    record.passthrough = wanted.passthrough;
    bool shared = std::ranges::any_of(all_.networks, [&](const auto& other) {
      return other.first != network && is_direct(other.second) &&
             std::ranges::count(other.second.devices, interface);
    });
    add("parent " + interface,
        AttachParent{.record = record, .network = network, .fresh = !known, .is_ours = !shared});
  }

  void fence() {
    std::vector<Network> gateways;
    std::set<std::string> before, after;
    for (const auto& active : snapshot_.active)
      if (has_gateway(active.network)) before.insert(active.network.name);
    for (const auto& [name, network] : all_.networks) {
      if (!has_gateway(network)) continue;
      after.insert(name);
      gateways.push_back(network);
    }
    if (!wanted_.fence) {
      if (!before.empty()) add(about_uplinks(), TakeDownFence{});
      return;
    }
    auto starts = [&](const std::string& name) { return after.contains(name); };
    bool changes = before != after || std::ranges::any_of(all_.restart, starts) || !now_.fence ||
                   (snapshot_.fence_is_table && std::ranges::any_of(steps_, &Diff::changes_ways));
    if (changes) add(about_uplinks(), PutUpFence{gateways, !before.empty()});
  }
  static bool changes_ways(const Step& step) {
    return std::holds_alternative<AttachUplink>(step.change) ||
           std::holds_alternative<DetachUplink>(step.change) ||
           std::holds_alternative<WriteNetworkEntry>(step.change) ||
           std::holds_alternative<ReattachGateway>(step.change);
  }

  void socket_redirect() {
    SetHostAddresses change;
    std::ranges::set_difference(wanted_.host_addresses, now_.host_addresses,
                                std::back_inserter(change.added));
    std::ranges::set_difference(now_.host_addresses, wanted_.host_addresses,
                                std::back_inserter(change.removed));
    if (now_.socket_redirect && !wanted_.socket_redirect) add(about_uplinks(), TakeDownSocketRedirect{});
    if (!change.added.empty() || !change.removed.empty()) add(about_uplinks(), std::move(change));
    if (!now_.socket_redirect && wanted_.socket_redirect) add(about_uplinks(), PutUpSocketRedirect{});
  }

  // Before guests can be reached, so that none asks in vain.
  void firewall() {
    for (const auto& [table, now] : now_.passes)
      if (!wanted_.passes.contains(table)) add("firewall", SetPasses{table, {}, now.rules});
    for (const auto& [table, wanted] : wanted_.passes) {
      auto now = now_.passes.find(table);
      bool known = now != now_.passes.end();
      if (known && now->second == wanted) continue;
      add("firewall", SetPasses{table, wanted.rules, known ? now->second.rules : std::vector<PassRule>{}});
    }
    for (const auto& [bridge, now] : now_.zones)
      if (!wanted_.zones.contains(bridge)) add("firewall", SetZone{bridge, "", now});
    for (const auto& [bridge, wanted] : wanted_.zones) {
      auto now = now_.zones.find(bridge);
      std::string before = now == now_.zones.end() ? "" : now->second;
      if (before != wanted) add("firewall", SetZone{bridge, wanted, before});
    }
  }

  void link_names() {
    for (const auto& [bridge, now] : now_.link_names)
      if (!wanted_.link_names.contains(bridge)) add("names", SetLinkNames{bridge, {}});
    for (const auto& [bridge, wanted] : wanted_.link_names)
      if (auto now = now_.link_names.find(bridge); now == now_.link_names.end() || now->second != wanted)
        add("names", SetLinkNames{bridge, wanted});
  }

  void open_networks() {
    for (const auto& name : all_.restart) {
      auto active = wanted_network(name);
      std::vector<Change> changes;
      mode_plan(active.network).open(changes, active);
      add(about_network(name), std::move(changes));
    }
    std::string asks = !all_.restart.empty()   ? *all_.restart.begin()
                       : !all_.changed.empty() ? all_.changed.begin()->first
                                               : "";
    for (const auto& sysctl : wanted_.forwarding)
      if (snapshot_.sysctl(sysctl) != "1" && !asks.empty())
        add(about_network(asks), EnableForwarding{sysctl});
  }

  void services() {
    for (const auto& [name, wanted] : wanted_.networks) {
      auto now = now_.networks.find(name);
      bool runs = now != now_.networks.end() && now->second.dnsmasq;
      if (wanted.dnsmasq && !runs)
        add(all_.restart.contains(name) ? about_network(name) : "dnsmasq of " + name,
            StartDnsmasq{all_.networks.at(name)});
    }
  }

  void complete_networks() {
    for (const auto& name : all_.restart) {
      NetworkRecord record = wanted_network(name).record;
      record.complete = true;
      add(about_network(name), CompleteNetwork{std::move(record)});
    }
  }

  void forget_networks() {
    // Forwarding stays on, as with libvirt: who has come to rely on it meanwhile (Docker, a VPN) says
    // nothing.
    for (const auto* active : stopping())
      add(about_network(active->network.name), ForgetNetwork{active->network.name, wanted_.networks.empty()});
  }

  const Snapshot& snapshot_;
  const Resources& now_;
  const Resources& wanted_;
  const Wanted& all_;
  std::vector<Step> steps_;
};

}  // namespace

std::vector<Step> diff(const Snapshot& snapshot, const Resources& now, const Wanted& wanted) {
  return Diff(snapshot, now, wanted).run();
}

}  // namespace vnet
