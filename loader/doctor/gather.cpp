// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "loader/apply/announce.h"
#include "loader/apply/guards.h"
#include "loader/apply/read_outdated.h"
#include "loader/apply/system.h"
#include "loader/apply/xdp_target.h"
#include "loader/base/files.h"
#include "loader/bus/firewalld.h"
#include "loader/bus/libvirt_daemons.h"
#include "loader/bus/resolved.h"
#include "loader/config/network_xml.h"
#include "loader/doctor/facts.h"
#include "loader/os/host_sockets.h"
#include "loader/os/inotify.h"
#include "loader/os/process.h"
#include "loader/os/sysctl.h"
#include "loader/plan/port_rules.h"

namespace vnet {
namespace {

bool in_initial_mounts() {
  struct stat ours {
  }, first{};
  return ::stat("/proc/self/ns/mnt", &ours) == 0 && ::stat("/proc/1/ns/mnt", &first) == 0 &&
         ours.st_ino == first.st_ino;
}

Result<std::vector<Network>> defined_networks(System& system) {
  std::vector<Network> all;
  VNET_ASSIGN(auto files, list_files(system.dirs.definitions(), ".xml"));
  for (const auto& file : files) {
    VNET_ASSIGN(auto text, read_file(system.dirs.definitions() / file));
    if (!text) continue;
    auto network = parse_network(*text, (system.dirs.definitions() / file).string());
    if (network) all.push_back(std::move(*network));
  }
  return all;
}

// Those that run, those that could be started, and on a fresh host the one that `up` would make.
Result<std::vector<CheckedNetwork>> gather_networks(System& system,
                                                    std::map<std::string, std::string>& ip_only) {
  std::vector<CheckedNetwork> all;
  VNET_ASSIGN(auto active, active_networks(system));
  VNET_ASSIGN(auto ports, system.records.ports());
  for (auto& [record, network] : active) {
    CheckedNetwork facts{.network = std::move(network), .active = true};
    facts.dnsmasq_running = system.dnsmasq(record.name).running();
    for (const auto& port : ports) {
      if (port.network != record.name) continue;
      facts.ports.push_back(port.interface);
      if (auto note = ip_only_note(port, facts.network); !note.empty()) ip_only[port.interface] = note;
    }
    all.push_back(std::move(facts));
  }
  VNET_ASSIGN(auto defined, defined_networks(system));
  for (auto& network : defined)
    if (std::ranges::none_of(all, [&](const auto& known) { return known.network.name == network.name; }))
      all.push_back({.network = std::move(network)});
  if (all.empty()) all.push_back({.network = default_network()});
  return all;
}

Result<std::vector<std::string>> gather_uplinks(System& system, const HostFacts& facts) {
  std::set<std::string> names;
  VNET_ASSIGN(auto records, system.records.uplinks());
  for (const auto& record : records) names.insert(record.interface);
  VNET_ASSIGN(auto defaults, system.netlink.default_route_links());
  for (int index : defaults)
    if (const auto* link = facts.link(index); link && link->link.name != "lo") names.insert(link->link.name);
  for (const auto& network : facts.networks)
    for (const auto& device : network.network.devices)
      if (facts.link(device)) names.insert(device);
  return std::vector<std::string>{names.begin(), names.end()};
}

Result<void> gather_xdp(System& system, HostFacts& facts) {
  VNET_ASSIGN(auto records, system.records.uplinks());
  for (const auto& record : records) {
    if (!system.datapath || record.xdp.mode == XdpMode::Off) continue;
    auto state = system.datapath->uplink_xdp(record.interface, record.ifindex);
    if (state.how == XdpHow::Link) facts.xdp_alone.push_back(record.interface);
    if (state.how == XdpHow::Not)
      facts.xdp_missing[record.interface] =
          record.xdp_why.empty() ? "somebody has taken it away" : record.xdp_why;
    if (!record.xdp.no_forward.empty()) facts.xdp_no_forward[record.interface] = record.xdp.no_forward;
    if (record.xdp.mode == XdpMode::Forward && state.generic)
      facts.xdp_no_forward[record.interface] = "it is generic there, and forwarding takes native XDP";
  }
  for (const auto& checked : facts.networks) {
    if (!checked.active) continue;
    VNET_ASSIGN(auto ports, describe_targets(system, checked.network));
    for (const auto& [port, why] : ports)
      if (!why.empty()) facts.xdp_no_port[why].push_back(port);
  }
  return {};
}

std::vector<std::vector<std::string>> sysctls_of_interest(const HostFacts& facts) {
  std::vector<std::vector<std::string>> keys{{"net", "ipv4", "ip_forward"},
                                             {"net", "ipv6", "conf", "all", "forwarding"},
                                             {"net", "ipv4", "conf", "all", "rp_filter"},
                                             {"net", "bridge", "bridge-nf-call-iptables"},
                                             {"net", "bridge", "bridge-nf-call-ip6tables"}};
  for (const auto& uplink : facts.uplinks) {
    keys.push_back({"net", "ipv4", "conf", uplink, "rp_filter"});
    keys.push_back({"net", "ipv6", "conf", uplink, "accept_ra"});
  }
  for (const auto& network : facts.networks)
    keys.push_back({"net", "ipv4", "conf", network.network.bridge, "forwarding"});
  return keys;
}

// sysctl(8) takes slashes for dots; needed where an interface's name has one.
std::string sysctl_word(const std::vector<std::string>& parts) {
  bool dotted = std::ranges::any_of(parts, [](const auto& part) { return part.contains('.'); });
  return fmt::format("{}", fmt::join(parts, dotted ? "/" : "."));
}

std::vector<std::string> legacy_tables() {
  std::vector<std::string> all;
  for (const char* file : {"ip_tables_names", "ip6_tables_names"}) {
    auto text = read_file(std::string("/proc/self/net/") + file);
    if (!text || !*text) continue;
    std::istringstream words(**text);
    for (std::string word; words >> word;)
      all.push_back((file[2] == '6' ? "ip6tables " : "iptables ") + word);
  }
  return all;
}

}  // namespace

std::string conf_sysctl(const char* family, const std::string& interface, const char* name) {
  return sysctl_word({"net", family, "conf", interface, name});
}

const LinkFacts* HostFacts::link(const std::string& name) const {
  auto it = std::ranges::find_if(links, [&](const LinkFacts& facts) { return facts.link.name == name; });
  return it == links.end() ? nullptr : &*it;
}

const LinkFacts* HostFacts::link(int ifindex) const {
  auto it =
      std::ranges::find_if(links, [&](const LinkFacts& facts) { return facts.link.ifindex == ifindex; });
  return it == links.end() ? nullptr : &*it;
}

std::string HostFacts::sysctl(const std::string& name) const {
  auto it = sysctls.find(name);
  return it == sysctls.end() ? "" : it->second;
}

Result<HostFacts> gather_facts(System& system) {
  HostFacts facts;
  facts.kernel = gather_kernel();
  facts.bpffs = system.dirs.bpffs();
  facts.bpffs_mounted = system.dirs.bpffs_mounted();
  facts.initial_mounts = in_initial_mounts();
  VNET_ASSIGN(facts.networks, gather_networks(system, facts.ip_only));
  VNET_ASSIGN(facts.links, gather_links(system.netlink));
  VNET_ASSIGN(facts.routes, system.netlink.routes());
  VNET_ASSIGN(facts.uplinks, gather_uplinks(system, facts));
  VNET_TRY(gather_xdp(system, facts));
  VNET_ASSIGN(auto missing, missing_guards(system));
  for (const auto& guard : missing) facts.unguarded.push_back(guard.interface + " " + guard.what);
  VNET_ASSIGN(auto outdated, read_outdated(system));
  if (system.datapath) facts.layout = outdated.layout;
  facts.upgrade_interrupted = outdated.begun;
  facts.outdated = what_is_outdated(outdated);
  VNET_ASSIGN(auto strangers, unattached_members(system));
  for (const auto& stranger : strangers) facts.unattached.push_back(stranger.link.name);
  for (const auto& parts : sysctls_of_interest(facts)) {
    VNET_ASSIGN(auto value, read_sysctl(SysctlKey(parts)));
    if (value) facts.sysctls[sysctl_word(parts)] = *value;
  }
  VNET_ASSIGN(facts.ephemeral, ephemeral_port_range());
  VNET_ASSIGN(facts.ruleset, read_ruleset());
  facts.legacy_tables = legacy_tables();
  std::vector<std::string> gateways;
  for (const auto& checked : facts.networks)
    if (has_gateway(checked.network)) gateways.push_back(checked.network.bridge);
  facts.firewalld = read_firewalld(gateways);
  facts.resolved = read_link_names({}).has_value();
  if (auto systemd = Systemd::open())
    if (auto libvirt = read_libvirt_host(*systemd)) facts.libvirt = std::move(*libvirt);
  facts.sockets = host_sockets([&](const HostSocket& socket) {
    return socket.port == 53 || socket.port == 67 ||
           std::ranges::any_of(facts.networks, [&](const CheckedNetwork& checked) {
             return std::ranges::any_of(
                 checked.network.settings.port_forwards,
                 [&](const PortForward& forward) { return is_in_the_way(socket, forward); });
           });
  });
  VNET_ASSIGN(facts.announced, read_announced(system));
  facts.inotify_limit = inotify_limit();
  facts.inotify_used = inotify_used();
  facts.dnsmasq_installed = find_program("dnsmasq").has_value();
  facts.distribution = this_distribution();
  return facts;
}

}  // namespace vnet
