// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/apply/announce.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "loader/apply/port_addresses.h"
#include "loader/base/files.h"
#include "loader/bpf/map_address.h"
#include "loader/plan/announce.h"
#include "loader/services/frr.h"
#include "loader/services/leases.h"

namespace vnet {
namespace {

// There while FRR may have something of ours.
std::filesystem::path mark(const System& system) {
  return system.dirs.runtime() / "announced";
}

bool has_mark(const System& system) {
  std::error_code error;
  return std::filesystem::exists(mark(system), error);
}

bool asks(const NetworkRecord& record) {
  return record.xml.contains("announce");
}

// Configured, leased or claimed: what the programs hold to be the port's.
std::multimap<std::uint16_t, Address> held_addresses(System& system) {
  std::multimap<std::uint16_t, Address> all;
  if (!system.datapath) return all;
  const auto now = tick_now();
  system.datapath->maps().addresses.for_each([&](const vnet_address_key& key, const vnet_address& value) {
    const bool ended = value.until && static_cast<std::int32_t>(now - value.until) > 0;
    if (key.slot == value.port && !ended) all.emplace(key.slot, to_address(key.addr));
  });
  return all;
}

// A port without filters has no addresses there.
Result<void> add_leases(System& system, const ActiveNetwork& active, const PortRecord& port,
                        std::vector<GuestAddress>& guests) {
  VNET_ASSIGN(auto text, read_file(system.dirs.leases() / (active.record.name + ".leases")));
  if (!text || !port.mac) return {};
  const auto now = static_cast<std::uint64_t>(std::time(nullptr));
  for (const auto& lease : parse_leases(*text, active.network))
    if (lease.mac == port.mac && (!lease.expiry || lease.expiry > now))
      guests.push_back({port.interface, lease.ip});
  return {};
}

Result<std::vector<GuestAddress>> guests_of(System& system, const ActiveNetwork& active) {
  std::vector<GuestAddress> guests;
  if (!active.network.settings.announce || !active.network.settings.announce->hosts) return guests;
  VNET_ASSIGN(auto ports, system.records.ports());
  const auto held = held_addresses(system);
  for (const auto& port : ports) {
    if (port.network != active.record.name || !port.plugged || port.leaving) continue;
    VNET_ASSIGN(auto link, system.netlink.find_link(port.interface));
    if (!link || link->ifindex != port.ifindex || !link->up) continue;
    for (const auto& address : port.ips) guests.push_back({port.interface, address});
    const auto [first, last] = held.equal_range(port.slot);
    for (auto one = first; one != last; ++one) guests.push_back({port.interface, one->second});
    if (port.ips.empty()) VNET_TRY(add_leases(system, active, port, guests));
  }
  return guests;
}

Result<void> judge(AnnouncedInfo& info, Frr* frr, const std::string& no_frr) {
  info.state = AnnouncedState::Refused;
  if (!frr) {
    info.why = no_frr;
    return {};
  }
  info.why = why_not(frr->config(), info);
  if (!info.why.empty()) return {};
  const auto& config = frr->config();
  const bool routed = !info.is_host() || config.routes.contains({info.prefix, info.gateway});
  if (config.foreign.contains(info.prefix) && routed) {
    info.state = AnnouncedState::ByOthers;
  } else if (!config.networks.contains(info.prefix) || !routed) {
    info.state = AnnouncedState::Missing;
  } else {
    VNET_ASSIGN(bool announced, frr->announces(info.prefix));
    info.state = announced ? AnnouncedState::Announced : AnnouncedState::NoRoute;
  }
  return {};
}

// NotFound is for what the user has named.
std::unexpected<Error> no_frr(Error error) {
  error.kind = ErrorKind::Failed;
  return std::unexpected(std::move(error));
}

}  // namespace

Result<std::vector<Announcement>> read_announcements(System& system) {
  std::vector<Announcement> all;
  VNET_ASSIGN(auto networks, active_networks(system));
  for (const auto& active : networks) {
    VNET_ASSIGN(bool runs, is_running(system, active));
    if (!runs) continue;
    VNET_ASSIGN(auto guests, guests_of(system, active));
    std::ranges::move(announcements(active.network, active.record.added, guests), std::back_inserter(all));
  }
  return all;
}

Result<AnnouncedView> read_announced(System& system) {
  AnnouncedView view;
  VNET_ASSIGN(auto all, read_announcements(system));
  auto frr = Frr::open(system.dirs.frr());
  if (!frr) view.no_frr = frr.error().message;
  FrrConfig wanted;
  if (frr) {
    wanted = wanted_config(frr->config(), all);
    view.stale = stale_prefixes(frr->config(), wanted);
  }
  for (auto& one : all) {
    AnnouncedInfo info{std::move(one), AnnouncedState::NotAsked, ""};
    if (info.asked) VNET_TRY(judge(info, frr ? &*frr : nullptr, view.no_frr));
    view.all.push_back(std::move(info));
  }
  return view;
}

Result<bool> may_be_announced(System& system) {
  if (has_mark(system)) return true;
  VNET_ASSIGN(auto records, system.records.networks());
  return std::ranges::any_of(records, asks);
}

Result<std::vector<std::string>> plan_announcements(System& system) {
  VNET_ASSIGN(auto all, read_announcements(system));
  auto frr = Frr::open(system.dirs.frr());
  if (!frr) return no_frr(std::move(frr).error());
  return frr->commands(wanted_config(frr->config(), all));
}

Result<std::vector<std::string>> give_announcements(System& system) {
  VNET_ASSIGN(auto all, read_announcements(system));
  std::erase_if(all, [](const Announcement& one) { return !one.asked; });
  auto frr = Frr::open(system.dirs.frr());
  if (!frr) {
    if (!all.empty() || frr.error().kind != ErrorKind::NotFound) return no_frr(std::move(frr).error());
    // What it had of ours has gone with it.
    VNET_TRY(remove_file(mark(system)));
    return std::vector<std::string>{};
  }
  const auto wanted = wanted_config(frr->config(), all);
  const bool any = !wanted.networks.empty() || !wanted.routes.empty();
  auto commands = frr->commands(wanted);
  if (any && !has_mark(system)) VNET_TRY(write_file(mark(system), ""));
  if (!commands.empty()) VNET_TRY(frr->give(wanted));
  if (!any) VNET_TRY(remove_file(mark(system)));
  for (const auto& one : all)
    if (auto why = why_not(frr->config(), one); !why.empty())
      return failed(fmt::format("network {} is not announced: {}", one.network, why));
  return commands;
}

}  // namespace vnet
