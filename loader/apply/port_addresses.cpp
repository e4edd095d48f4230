// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/apply/port_addresses.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <set>

#include "loader/apply/port_guard.h"
#include "loader/base/files.h"
#include "loader/bpf/map_address.h"
#include "loader/bpf/shared_maps.h"
#include "loader/model/port_rules.h"
#include "loader/plan/port_rules.h"
#include "loader/services/leases.h"

namespace vnet {
namespace {

vnet_address_key address_key(const Address& address, std::uint16_t slot) {
  return {.addr = from_address(address), .slot = slot, .pad = 0};
}

// The link-local address that an interface makes of its MAC (RFC 4291).
Address link_local(const Mac& mac) {
  const auto& m = mac.bytes;
  Address address{.family = Family::V6};
  address.bytes = {0xfe, 0x80, 0,    0,    0,    0,    0,   0, static_cast<std::uint8_t>(m[0] ^ 2),
                   m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]};
  return address;
}

std::set<Mac> macs_of(SharedMaps& maps, const PortRecord& record, const Network& network) {
  std::set<Mac> all;
  if (record.mac) all.insert(*record.mac);
  if (fixed_mac(record, network)) return all;
  maps.fdb.for_each([&](const vnet_fdb_key& key, const vnet_fdb_entry& entry) {
    if (entry.ifindex != static_cast<__u32>(record.ifindex)) return;
    Mac mac;
    std::copy(std::begin(key.mac), std::end(key.mac), mac.bytes.begin());
    all.insert(mac);
  });
  return all;
}

// What the guest had before its port was guarded; an address that another port holds stays its.
Result<void> seed(SharedMaps& maps, const PortRecord& record, const ActiveNetwork& active,
                  const Address& address, vnet_address value) {
  value.port = record.slot;
  if (is_only_fixed(record, active.network, address.family) ||
      maps.addresses.get(address_key(address, record.slot)))
    return {};
  auto held = maps.addresses.get(address_key(address, active.record.slot));
  if (held && held->port != record.slot) return {};
  VNET_TRY(maps.addresses.set(address_key(address, active.record.slot), value));
  return maps.addresses.set(address_key(address, record.slot), value);
}

Result<void> seed_leases(System& system, SharedMaps& maps, const PortRecord& record,
                         const ActiveNetwork& active, const std::set<Mac>& macs) {
  VNET_ASSIGN(auto text, read_file(system.dirs.leases() / (active.record.name + ".leases")));
  if (!text) return {};
  auto now = static_cast<std::uint64_t>(std::time(nullptr));
  for (const auto& lease : parse_leases(*text, active.network)) {
    if (!lease.mac || !macs.contains(*lease.mac) || (lease.expiry && lease.expiry <= now)) continue;
    vnet_address value{.source = VNET_ADDRESS_LEASED};
    if (lease.expiry)
      value.until =
          tick_now() + static_cast<__u32>(((lease.expiry - now) * 1'000'000'000) >> VNET_TICK_SHIFT) + 1;
    VNET_TRY(seed(maps, record, active, lease.ip, value));
  }
  return {};
}

// Claims like any other; the guest need not look for duplicates again.
Result<void> seed_neighbours(System& system, SharedMaps& maps, const PortRecord& record,
                             const ActiveNetwork& active, const std::set<Mac>& macs) {
  VNET_ASSIGN(auto bridge, system.netlink.find_link(active.network.bridge));
  if (!bridge) return {};
  VNET_ASSIGN(auto neighbours, system.netlink.neighbours(bridge->ifindex));
  __u16 index = 0;
  for (const auto& neighbour : neighbours) {
    const Address& address = neighbour.address;
    bool in_subnet = std::ranges::any_of(
        active.network.ips, [&](const IpConfig& ip) { return ip.gateway.network().contains(address); });
    if (address.family != Family::V6 || !macs.contains(neighbour.mac) || index == VNET_CLAIMS_MAX ||
        !(address.is_link_local() || (in_subnet && has_autoconf(active.network))))
      continue;
    VNET_TRY(seed(maps, record, active, address, {.seen = tick_now(), .source = VNET_ADDRESS_CLAIMED}));
    VNET_TRY(maps.claims.set({.slot = record.slot, .index = index++}, from_address(address)));
  }
  return {};
}

// A year, so that ticks do not wrap.
constexpr std::uint64_t longest_lease = 31'536'000;

// Which guests of the network may have.
bool is_guests(const Address& address, const Network& network) {
  if (address.family == Family::V6 && address.is_link_local()) return true;
  return std::ranges::any_of(network.ips, [&](const IpConfig& ip) {
    return ip.gateway.network().contains(address) && ip.gateway.address != address;
  });
}

std::vector<Address> gateway_addresses(const Network& network) {
  std::vector<Address> own;
  for (const auto& ip : network.ips) own.push_back(ip.gateway.address);
  if (network.mac) own.push_back(link_local(*network.mac));
  return own;
}

Result<void> erase_address(SharedMaps& maps, const vnet_address_key& key, const vnet_address& value) {
  VNET_TRY(maps.addresses.erase(key));
  // The network's entry says whose it is; it may be another's meanwhile.
  std::vector<vnet_address_key> claims;
  maps.addresses.for_each([&](const vnet_address_key& other, const vnet_address& holder) {
    if (holder.port == value.port && other.slot != key.slot &&
        std::equal(std::begin(key.addr.word_be), std::end(key.addr.word_be), std::begin(other.addr.word_be)))
      claims.push_back(other);
  });
  for (const auto& claim : claims) VNET_TRY(maps.addresses.erase(claim));
  return {};
}

}  // namespace

std::uint32_t tick_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  auto ns = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
  return static_cast<std::uint32_t>(ns >> VNET_TICK_SHIFT);
}

Result<void> reserve_gateway(SharedMaps& maps, const Network& network, std::uint16_t slot) {
  for (const auto& address : gateway_addresses(network)) VNET_TRY(reserve_address(maps, slot, address));
  return {};
}

Result<void> reserve_address(SharedMaps& maps, std::uint16_t slot, const Address& address) {
  return maps.addresses.set(address_key(address, slot), {.source = VNET_ADDRESS_FIXED});
}

Result<void> release_address(SharedMaps& maps, const Network& network, std::uint16_t slot,
                             const Address& address) {
  auto held = maps.addresses.get(address_key(address, slot));
  auto defined = gateway_addresses(network);
  bool stays = !held || held->port || std::ranges::find(defined, address) != defined.end();
  return stays ? Result<void>{} : maps.addresses.erase(address_key(address, slot));
}

Result<void> add_addresses(System& system, const PortRecord& record, const ActiveNetwork& active) {
  VNET_ASSIGN(Datapath * datapath, system.need_datapath());
  auto& maps = datapath->maps();
  VNET_TRY(reserve_gateway(maps, active.network, active.record.slot));
  vnet_address fixed{.port = record.slot, .source = VNET_ADDRESS_FIXED};
  for (const auto& address : fixed_addresses(record, active.network)) {
    // Two ports may have the same address by the administrator's will: the network's entry is the first's.
    auto held = maps.addresses.get(address_key(address, active.record.slot));
    if (!held || held->source != VNET_ADDRESS_FIXED)
      VNET_TRY(maps.addresses.set(address_key(address, active.record.slot), fixed));
    // A port that has claimed it meanwhile, or got it by DHCP, has it no longer.
    if (held && held->source != VNET_ADDRESS_FIXED && held->port != record.slot)
      VNET_TRY(maps.addresses.erase(address_key(address, held->port)));
    VNET_TRY(maps.addresses.set(address_key(address, record.slot), fixed));
  }
  if (record.filters.empty()) return {};
  auto macs = macs_of(maps, record, active.network);
  VNET_TRY(seed_leases(system, maps, record, active, macs));
  return seed_neighbours(system, maps, record, active, macs);
}

Result<void> give_addresses(SharedMaps& maps, const PortRecord& record, const ActiveNetwork& active,
                            const std::vector<PortAddress>& addresses) {
  constexpr std::uint64_t second = 1'000'000'000;
  __u16 index = 0;
  for (const auto& [address, leased, seconds] : addresses) {
    if (!is_guests(address, active.network)) continue;
    vnet_address value{.seen = tick_now(), .source = VNET_ADDRESS_CLAIMED};
    if (leased) value = {.source = VNET_ADDRESS_LEASED};
    if (seconds)
      value.until =
          tick_now() + static_cast<__u32>((std::min(seconds, longest_lease) * second) >> VNET_TICK_SHIFT);
    VNET_TRY(seed(maps, record, active, address, value));
    while (!leased && index < VNET_CLAIMS_MAX && maps.claims.get({.slot = record.slot, .index = index}))
      ++index;
    if (!leased && index < VNET_CLAIMS_MAX)
      VNET_TRY(maps.claims.set({.slot = record.slot, .index = index}, from_address(address)));
  }
  return {};
}

Result<void> trim_addresses(SharedMaps& maps, const PortRecord& record, const Network& network) {
  std::vector<vnet_addr> wanted;
  for (const auto& address : fixed_addresses(record, network)) wanted.push_back(from_address(address));
  std::vector<std::pair<vnet_address_key, vnet_address>> gone;
  maps.addresses.for_each([&](const vnet_address_key& key, const vnet_address& value) {
    if (key.slot != record.slot) return;
    bool is_wanted = std::ranges::any_of(wanted, [&](const vnet_addr& addr) {
      return std::equal(std::begin(addr.word_be), std::end(addr.word_be), std::begin(key.addr.word_be));
    });
    auto address = to_address(key.addr);
    bool excluded = is_only_fixed(record, network, address.family) && !address.is_link_local();
    if (!is_wanted && (value.source == VNET_ADDRESS_FIXED || excluded)) gone.emplace_back(key, value);
  });
  for (const auto& [key, value] : gone) VNET_TRY(erase_address(maps, key, value));
  return {};
}

Result<void> forget_addresses(SharedMaps& maps, std::uint16_t slot) {
  std::vector<vnet_address_key> gone;
  maps.addresses.for_each([&](const vnet_address_key& key, const vnet_address& value) {
    if (key.slot == slot || value.port == slot) gone.push_back(key);
  });
  for (const auto& key : gone) VNET_TRY(maps.addresses.erase(key));
  for (__u16 index = 0; index < VNET_CLAIMS_MAX; ++index)
    VNET_TRY(maps.claims.erase({.slot = slot, .index = index}));
  for (__u16 index = 0; index < VNET_DHCP_CLIENTS_MAX; ++index)
    VNET_TRY(maps.dhcp_clients.erase({.slot = slot, .index = index}));
  return {};
}

}  // namespace vnet
