// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/simulated_host.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "loader/config/network_xml.h"
#include "loader/plan/network_rules.h"
#include "loader/plan/port_rules.h"
#include "loader/plan/subnets.h"
#include "loader/services/dnsmasq_config.h"

namespace vnet::test {
namespace {

Network parsed(const std::string& xml) {
  auto network = parse_network(xml, "a test");
  if (!network) ADD_FAILURE() << network.error().message;
  return network ? *network : Network{};
}

// Replaces what has the same key, or adds it.
template <typename T, typename Projection>
void put(std::vector<T>& all, const T& value, Projection key) {
  auto known = std::ranges::find(all, std::invoke(key, value), key);
  if (known == all.end())
    all.push_back(value);
  else
    *known = value;
}

const std::string& name_of(const ActiveNetwork& active) {
  return active.record.name;
}

struct Effect {
  SimulatedHost& host;
  Snapshot& s = host.snapshot;

  void save(const NetworkRecord& record) {
    put(s.active, ActiveNetwork{record, parsed(record.xml)}, name_of);
    std::ranges::sort(s.active, {}, name_of);
  }
  void save(const PortRecord& record) { put(s.ports, record, &PortRecord::interface); }
  void save(const UplinkRecord& record) { put(s.uplinks, record, &UplinkRecord::interface); }
  const LinkInfo* bridge(const Network& network) { return s.link(network.bridge); }
  bool is_there(const PortRecord& record) {
    const LinkInfo* link = s.link(record.interface);
    return link && link->ifindex == record.ifindex;
  }
  void forget_entry(std::uint16_t slot) {
    s.entries.erase(slot);
    std::erase_if(s.subnets, [&](const auto& subnet) { return subnet.second == slot; });
  }

  void operator()(const StoreDefinition& c) {
    put(s.definitions, parsed(c.xml), &Network::name);
    std::ranges::sort(s.definitions, {}, &Network::name);
  }
  void operator()(const RemoveDefinition& c) {
    std::erase_if(s.definitions, [&](const Network& network) { return network.name == c.path.stem(); });
    s.autostart.erase(c.path.stem());
  }
  void operator()(const SetAutostart& c) {
    if (c.enable)
      s.autostart.insert(c.name);
    else
      s.autostart.erase(c.name);
  }
  void operator()(const BlockPrefix& c) { s.blocked.insert(c.prefix); }
  void operator()(const UnblockPrefix& c) { s.blocked.erase(c.prefix); }

  void operator()(const ClaimNetwork& c) {
    s.datapath = true;
    EXPECT_FALSE(c.record.complete);
    save(c.record);
    for (auto& port : s.ports)
      if (port.network == c.record.name) port.settled = false;
  }
  void operator()(const CompleteNetwork& c) { save(c.record); }
  void operator()(const LeaveNetwork& c) { save(c.record); }
  void operator()(const ForgetNetwork& c) {
    std::erase_if(s.active, [&](const ActiveNetwork& active) { return active.record.name == c.name; });
    if (c.last) s.datapath = false;
    forget_all(c.name);
  }

  void operator()(const CreateBridge& c) {
    if (bridge(c.network)) return;
    host.add_link(
        {.name = c.network.bridge, .kind = "bridge", .mac = *c.network.mac, .mtu = 1500, .ethernet = true});
  }
  void operator()(const DeleteBridge& c) { host.remove_link(c.bridge); }
  void operator()(const AttachGateway& c) {
    ASSERT_TRUE(bridge(c.network));
    int ifindex = bridge(c.network)->ifindex;
    s.entries[c.slot] = {.bridge = ifindex, .flags = 0, .entered = true};
    s.devices[ifindex] = VNET_DEVICE_GATEWAY;
    std::erase_if(s.subnets, [&](const auto& subnet) { return subnet.second == c.slot; });
    for (const auto& prefix : prefixes_of(c.network)) s.subnets.emplace_back(prefix, c.slot);
    s.guarded_networks.insert(c.network.name);
    note_all(c.network);
  }
  void operator()(const ReattachGateway& c) {
    s.devices[c.ifindex] = VNET_DEVICE_GATEWAY;
    s.guarded_networks.insert(c.network.name);
  }
  void operator()(const UnloadGateway& c) {
    if (auto entry = s.entries.find(c.slot); entry != s.entries.end()) s.devices.erase(entry->second.bridge);
    s.guarded_networks.erase(c.network.name);
    forget_entry(c.slot);
  }
  void operator()(const GiveAddresses& c) {
    auto& link = host.link(c.network.bridge);
    link.up = true;
    for (const auto& ip : c.network.ips) {
      s.addresses[link.ifindex].push_back({.prefix = ip.gateway, .permanent = true});
      s.routes.push_back(
          {.family = ip.gateway.address.family, .destination = ip.gateway.network(), .oif = link.ifindex});
    }
  }
  void operator()(const AddRoute& c) {
    s.routes.push_back({.family = c.route.gateway.family,
                        .destination = c.route.destination.network(),
                        .oif = bridge(c.network)->ifindex,
                        .gateway = c.route.gateway});
  }
  void operator()(const FollowAddresses& c) {
    NetworkRecord record = s.network(c.active.network.name)->record;
    record.added = c.added;
    save(record);
    forget_entry(record.slot);
    s.entries[record.slot] = {.bridge = c.gateway, .flags = 0, .entered = true};
    for (const auto& prefix : prefixes_of(c.active.network)) s.subnets.emplace_back(prefix, record.slot);
    for (const auto& one : c.added)
      if (one.refused.empty()) s.subnets.emplace_back(one.address.network(), record.slot);
  }
  void operator()(const PutUpSocketRedirect&) { s.socket_redirect = true; }
  void operator()(const TakeDownSocketRedirect&) { s.socket_redirect = false; }
  void operator()(const SetHostAddresses& c) {
    for (const auto& address : c.removed) s.host_addresses.erase(address);
    s.host_addresses.insert(c.added.begin(), c.added.end());
  }
  void operator()(const SetPasses& c) {
    for (auto& state : s.passes)
      if (state.table == c.table) state.rules = c.rules, state.in_place = true;
  }
  void operator()(const SetZone& c) {
    s.firewalld->zone_of.erase(c.bridge);
    if (!c.zone.empty()) s.firewalld->zone_of[c.bridge] = c.zone;
  }
  void operator()(const SetLinkNames& c) {
    s.resolver->erase(c.bridge);
    if (!c.names.servers.empty() && s.link(c.bridge)) (*s.resolver)[c.bridge] = c.names;
  }
  void operator()(const StartDnsmasq& c) {
    EXPECT_TRUE(s.services.insert(c.network.name).second);
    serve(c.network);
  }
  void operator()(const StopDnsmasq& c) {
    s.services.erase(c.network);
    host.made.erase("dnsmasq of " + c.network);
  }
  void operator()(const EnableForwarding& c) {
    s.changed_sysctls.emplace(c.sysctl, s.sysctl(c.sysctl));
    s.sysctls[c.sysctl] = "1";
  }
  void operator()(const RestoreSysctl& c) {
    s.sysctls[c.sysctl] = c.value;
    s.changed_sysctls.erase(c.sysctl);
  }

  void operator()(const ChangeDefinition& c) {
    EXPECT_TRUE(c.record.complete);
    EXPECT_FALSE(c.record.before.empty());
    save(c.record);
  }
  void operator()(const LoadProgramsAnew& c) { note("programs", c.network, program_flags(c.network)); }
  void operator()(const WriteNetworkEntry& c) {
    note("entry", c.network, c.network.settings.max_sessions);
    note("NAT", c.network, c.network.nat.ports ? c.network.nat.ports->start : 0);
  }
  void operator()(const AddPortForward& c) { host.made["forward " + forward_line(c.forward)] = c.network; }
  void operator()(const RemovePortForward& c) { host.made.erase("forward " + forward_line(c.forward)); }
  void operator()(const EnterSubnet& c) {
    if (!std::ranges::count(s.subnets, std::pair(c.subnet, c.slot))) s.subnets.emplace_back(c.subnet, c.slot);
  }
  void operator()(const LeaveSubnet& c) { std::erase(s.subnets, std::pair(c.subnet, c.slot)); }
  void operator()(const AddGatewayAddress& c) {
    int ifindex = bridge(c.network)->ifindex;
    auto& addresses = s.addresses[ifindex];
    if (std::ranges::count(addresses, c.address, &AddressInfo::prefix)) return;
    addresses.push_back({.prefix = c.address, .permanent = true});
    s.routes.push_back(
        {.family = c.address.address.family, .destination = c.address.network(), .oif = ifindex});
  }
  void operator()(const RemoveGatewayAddress& c) {
    int ifindex = bridge(c.network)->ifindex;
    std::erase_if(s.addresses[ifindex], [&](const AddressInfo& info) { return info.prefix == c.address; });
    std::erase_if(s.routes, [&](const RouteInfo& route) {
      return route.oif == ifindex && route.destination == c.address.network() && !route.gateway;
    });
  }
  void operator()(const RemoveRoute& c) {
    std::erase_if(s.routes, [&](const RouteInfo& route) {
      return route.destination == c.route.destination.network() && route.gateway == c.route.gateway;
    });
  }
  void operator()(const SetSpanningTree& c) { host.made["tree of " + c.bridge] = c.stp ? "on" : "off"; }
  void operator()(const SetGatewayMtu& c) { host.link(c.bridge).mtu = c.mtu; }
  void serve(const Network& network) {
    auto files = dnsmasq_files(network, {}, "");
    host.made["dnsmasq of " + network.name] = files.conf + files.hostsfile + files.addnhosts;
  }
  void operator()(const ReloadDnsmasq& c) {
    EXPECT_EQ(dnsmasq_files(c.network, {}, "").conf, dnsmasq_files(c.previous, {}, "").conf);
    serve(c.network);
  }
  void operator()(const RestartDnsmasq& c) {
    s.services.insert(c.network.name);
    serve(c.network);
  }
  void operator()(const RefreshPort& c) { judge(c.record, c.network); }
  void operator()(const EndSessions&) {}

  void note(const std::string& what, const Network& network, std::uint64_t value) {
    host.made[what + " of " + network.name] = std::to_string(value);
  }
  void note_all(const Network& network) {
    note("programs", network, program_flags(network));
    note("entry", network, network.settings.max_sessions);
    note("NAT", network, network.nat.ports ? network.nat.ports->start : 0);
    std::erase_if(host.made, [&](const auto& one) {
      return one.first.starts_with("forward ") && one.second == network.name;
    });
    for (const auto& forward : network.settings.port_forwards)
      host.made["forward " + forward_line(forward)] = network.name;
    host.made["tree of " + network.bridge] = network.stp ? "on" : "off";
  }
  void forget_all(const std::string& network) {
    std::erase_if(host.made, [&](const auto& one) {
      return one.first.ends_with(" of " + network) || one.second == network;
    });
  }
  void judge(const PortRecord& record, const Network& network) {
    host.made["rules of " + record.interface] = std::to_string(port_flags(record, network).value_or(0));
  }

  void operator()(const LoadBridged& c) {
    s.entries[c.slot] = {.bridge = bridge(c.network)->ifindex, .flags = c.flags, .entered = true};
    note_all(c.network);
  }
  void operator()(const UnloadBridged& c) { forget_entry(c.slot); }
  void operator()(const SetBridgedFlags& c) { s.entries[c.slot].flags = c.flags; }
  void attach(const UplinkRecord& record) {
    save(record);
    s.guarded_uplinks.insert(record.interface);
    s.uplinks_with_xdp.insert(record.interface);
  }
  void detach(const UplinkRecord& record) {
    std::erase_if(s.uplinks, [&](const UplinkRecord& one) { return one.interface == record.interface; });
    s.guarded_uplinks.erase(record.interface);
    s.uplinks_with_xdp.erase(record.interface);
    s.devices.erase(record.ifindex);
    s.uplink_addresses.erase(record.ifindex);
  }
  void operator()(const AttachMember& c) { attach(c.record); }
  void operator()(const DetachMember& c) { detach(c.record); }

  void operator()(const AttachParent& c) {
    ParentRecord record = c.record;
    auto& link = host.link(record.interface);
    record.mac = link.mac;
    if (const ParentRecord* before = s.parent(record.interface)) record.own_mac = before->own_mac;
    link.promiscuous = link.up = true;
    put(s.parents, record, &ParentRecord::interface);
    s.guarded_parents.insert(record.interface);
  }
  void operator()(const DetachParent& c) {
    std::erase_if(s.parents, [&](const ParentRecord& one) { return one.interface == c.record.interface; });
    s.guarded_parents.erase(c.record.interface);
  }
  void operator()(const EnterDirect& c) {
    s.entries[c.slot] = {.bridge = 0, .flags = 0, .entered = true};
    note_all(c.network);
  }
  void operator()(const RemoveDirect& c) { forget_entry(c.slot); }

  void operator()(const AttachUplink& c) {
    attach(c.record);
    s.devices[c.record.ifindex] = VNET_DEVICE_UPLINK;
    s.uplink_addresses[c.record.ifindex] = c.addresses;
  }
  void operator()(const DetachUplink& c) { detach(c.record); }
  void operator()(const NoteUplink& c) { save(c.record); }
  void operator()(const NoteUplinkAddresses& c) { s.uplink_addresses[c.record.ifindex] = c.addresses; }
  void operator()(const TrustVrf& c) { s.devices[c.ifindex] = VNET_DEVICE_VRF; }
  void operator()(const DistrustVrf& c) { s.devices.erase(c.ifindex); }
  void operator()(const PutUpFence&) { s.fence = true; }
  void operator()(const TakeDownFence&) { s.fence = false; }

  void operator()(const GuardPort& c) {
    EXPECT_FALSE(c.record.settled);
    EXPECT_EQ(c.fresh, !s.port(c.record.interface));
    save(c.record);
    s.guarded_ports.insert(c.record.interface);
    judge(c.record, c.active.network);
  }
  void operator()(const SetPortMtu& c) { host.link(c.record.interface).mtu = c.mtu; }
  void settle(PortRecord record) {
    host.link(record.interface).up = record.plugged;
    record.settled = true;
    save(record);
  }
  void operator()(const PlugPort& c) {
    host.link(c.record.interface).master = bridge(c.active.network)->ifindex;
    settle(c.record);
  }
  void operator()(const ShowPort&) {}
  void operator()(const GiveMac& c) {
    for (auto& parent : s.parents)
      if (parent.interface == c.record.parent && !parent.own_mac)
        parent.own_mac = host.link(c.record.parent).mac;
    host.link(c.record.parent).mac = *c.record.mac;
  }
  void operator()(const PlugDirectPort& c) { settle(c.record); }
  void operator()(const ChangePort& c) {
    EXPECT_EQ(c.before.slot, c.after.slot);
    save(c.after);
    judge(c.after, s.network(c.after.network)->network);
    if (is_there(c.after)) host.link(c.after.interface).up = c.after.plugged;
  }
  void operator()(const TakePortDown& c) {
    PortRecord record = c.record;
    record.leaving = true;
    save(record);
    EXPECT_TRUE(c.ours || !is_there(record) || host.link(record.interface).master);
    if (c.ours) host.link(record.interface).up = false;
  }
  void operator()(const UnplugPort& c) {
    if (c.record.enslaved_by_us) host.link(c.record.interface).master = 0;
  }
  void operator()(const UnplugDirectPort& c) {
    for (auto& parent : s.parents) {
      if (parent.interface != c.record.parent || !parent.own_mac) continue;
      host.link(parent.interface).mac = *parent.own_mac;
      parent.own_mac = std::nullopt;
    }
  }
  void operator()(const UnguardPort& c) {
    std::erase_if(s.ports, [&](const PortRecord& port) { return port.interface == c.record.interface; });
    s.guarded_ports.erase(c.record.interface);
    s.xdp_targets.erase(c.record.ifindex);
    host.made.erase("rules of " + c.record.interface);
  }
  // What is replaced is kept until all of it is.
  Outdated& upgrading() {
    s.outdated.begun = true;
    return s.outdated;
  }
  void operator()(const MoveMaps& c) {
    EXPECT_EQ(c.from, s.outdated.layout);
    upgrading().layout = VNET_ABI_VERSION;
  }
  void operator()(const CopyRest&) { EXPECT_EQ(unsigned{VNET_ABI_VERSION}, s.outdated.layout); }
  void operator()(const UpgradeNetwork& c) {
    EXPECT_TRUE(bridge(c.network));
    EXPECT_EQ(1U, upgrading().networks.erase(c.network.name));
  }
  void operator()(const UpgradeParent& c) { EXPECT_EQ(1U, upgrading().parents.erase(c.record.interface)); }
  void operator()(const UpgradeUplink& c) { EXPECT_EQ(1U, upgrading().uplinks.erase(c.record.interface)); }
  void operator()(const UpgradeLimit& c) { EXPECT_EQ(1U, upgrading().limits.erase(c.record.interface)); }
  void operator()(const UpgradeFence&) { upgrading().fence = false; }
  void operator()(const UpgradeSocketRedirect&) { upgrading().socket_redirect = false; }
  void operator()(const FinishUpgrade&) {
    s.outdated.begun = false;
    EXPECT_EQ(Outdated{}, s.outdated);
  }
  void operator()(const SetXdpTarget& c) {
    if (c.deliver)
      s.xdp_targets.insert(c.record.ifindex);
    else
      s.xdp_targets.erase(c.record.ifindex);
  }
};

}  // namespace

SimulatedHost::SimulatedHost() {
  add_link({.name = "lo", .mtu = 65536, .up = true});
  for (int number = 0; number < 4; ++number)
    add_link({.name = "eth" + std::to_string(number),
              .mac = {{2, 0, 0, 0, 1, static_cast<std::uint8_t>(number)}},
              .mtu = 1500,
              .up = true,
              .ethernet = true});
  int bridge = add_link({.name = "br0", .kind = "bridge", .mtu = 1500, .up = true, .ethernet = true});
  link("eth3").master = bridge;
  for (int number = 1; number <= 6; ++number)
    add_link({.name = "g" + std::to_string(number),
              .kind = "tun",
              .mtu = 1500,
              .ethernet = true,
              .tun_type = "tap"});
  int uplink = link("eth0").ifindex;
  snapshot.routes.push_back(
      {.destination = std::nullopt, .oif = uplink, .gateway = Address::parse("192.0.2.1")});
  snapshot.default_links = {uplink};
  snapshot.addresses[uplink].push_back({.prefix = *Prefix::parse("192.0.2.2/24"), .permanent = true});
  snapshot.sysctls = {{"net.ipv4.ip_forward", "0"}, {"net.ipv6.conf.all.forwarding", "0"}};
  snapshot.definitions_folder = "/definitions";
  snapshot.autostart_folder = "/definitions/autostart";
}

void SimulatedHost::add_services() {
  for (auto [family, hook] : {std::pair{"ip", "forward"}, {"ip6", "forward"}, {"inet", "input"}})
    snapshot.passes.push_back({.table = {family, "filter", hook}, .policies = {{"policy"}}, .rules = {}});
  snapshot.firewalld = Firewalld{.zones = {own_zone, "internal"}, .zone_of = {}};
  snapshot.resolver.emplace();
}

void SimulatedHost::apply(const Change& change) {
  std::visit(Effect{*this}, change);
}

void SimulatedHost::apply(const std::vector<Step>& steps, std::size_t count) {
  for (std::size_t i = 0; i < std::min(count, steps.size()); ++i) apply(steps[i].change);
}

void SimulatedHost::define(const std::string& xml) {
  std::vector<std::string> taken;
  for (const auto& other : snapshot.definitions) taken.push_back(other.bridge);
  apply(StoreDefinition{"", format_network(complete(parsed(xml), taken))});
}

Result<Plan> SimulatedHost::run(const Intent& intent) {
  VNET_ASSIGN(auto plan, make_plan(snapshot, intent));
  apply(plan.steps);
  return plan;
}

bool SimulatedHost::follow() {
  for (int round = 0; round < 8; ++round) {
    auto plan = run(Follow{});
    if (!plan || plan->empty()) return plan.has_value();
  }
  return false;
}

int SimulatedHost::add_link(LinkInfo link) {
  link.ifindex = ++last_ifindex_;
  snapshot.links.push_back(link);
  return link.ifindex;
}

// With it go its addresses, routes, programs and the entries that the kernel takes away.
void SimulatedHost::remove_link(const std::string& name) {
  const LinkInfo* known = snapshot.link(name);
  if (!known) return;
  if (snapshot.resolver) snapshot.resolver->erase(name);
  int ifindex = known->ifindex;
  for (auto& other : snapshot.links)
    if (other.master == ifindex) other.master = 0;
  snapshot.addresses.erase(ifindex);
  snapshot.devices.erase(ifindex);
  snapshot.xdp_targets.erase(ifindex);
  std::erase_if(snapshot.routes, [&](const RouteInfo& route) { return route.oif == ifindex; });
  std::erase(snapshot.default_links, ifindex);
  snapshot.guarded_ports.erase(name);
  snapshot.guarded_uplinks.erase(name);
  snapshot.guarded_parents.erase(name);
  for (const auto& active : snapshot.active)
    if (active.network.bridge == name) snapshot.guarded_networks.erase(active.network.name);
  std::erase_if(snapshot.links, [&](const LinkInfo& link) { return link.name == name; });
}

LinkInfo& SimulatedHost::link(const std::string& name) {
  auto found = std::ranges::find(snapshot.links, name, &LinkInfo::name);
  if (found == snapshot.links.end()) throw std::out_of_range("no simulated interface " + name);
  return *found;
}

std::string SimulatedHost::exposed() const {
  for (const auto& port : snapshot.ports) {
    const LinkInfo* link = snapshot.link(port.interface);
    bool reachable =
        link && link->ifindex == port.ifindex && link->up && (link->master || !port.parent.empty());
    if (reachable && !snapshot.guarded_ports.contains(port.interface))
      return port.interface + " is up, and unguarded";
  }
  for (const auto& [record, network] : snapshot.active) {
    const LinkInfo* bridge = has_gateway(network) ? snapshot.link(network.bridge) : nullptr;
    if (!bridge || !bridge->up) continue;
    if (!snapshot.guarded_networks.contains(network.name)) return network.bridge + " is up, and unguarded";
    if (!snapshot.fence) return network.bridge + " is up, and there is no fence";
  }
  return "";
}

}  // namespace vnet::test
