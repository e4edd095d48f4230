// SPDX-License-Identifier: GPL-2.0-or-later
// What holds for a port: its own word, else its network's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loader/base/error.h"
#include "loader/model/records.h"

namespace vnet {

// The port's own, else its portgroup's, and a VLAN then the network's, as libvirt chooses.
std::optional<BandwidthPair> bandwidth_of(const PortRecord& record, const Network& network);
std::optional<Vlan> vlan_of(const PortRecord& record, const Network& network);

// The VLANs that the programs keep apart; nullopt on a bridge of the host's own, which does that itself.
std::optional<Vlan> switched_vlan_of(const PortRecord& record, const Network& network);
// That of what carries no tag; 0: of none.
std::uint16_t untagged_vlan(const std::optional<Vlan>& vlan);

Inbound inbound_of(const PortRecord& record, const Network& network);
bool is_isolated(const PortRecord& record, const Network& network);
bool takes_any_mac(const PortRecord& record, const Network& network);

// The only MAC that the guest may send from, and that no other port may; nullopt: MACs are learned.
std::optional<Mac> fixed_mac(const PortRecord& record, const Network& network);

bool has_fixed(const PortRecord& record, Family family);  // --ip names addresses of the family
bool has_autoconf(const Network& network);                // guests give themselves IPv6 addresses (SLAAC)
// Beside --ip neither leases nor claims count. Where guests give themselves addresses, only with --ip-only:
// the guest would prefer the one that it has made up, and reach no host.
bool is_only_fixed(const PortRecord& record, const Network& network, Family family);
// What --ip-only costs this guest; "": nothing.
std::string ip_only_note(const PortRecord& record, const Network& network);

// Addresses that the port has and no other: --ip, else those of its <host>.
std::vector<Address> fixed_addresses(const PortRecord& record, const Network& network);

// VNET_PORT_F_* of everything that is a setting.
Result<std::uint32_t> port_flags(const PortRecord& record, const Network& network);

// Whether the port's rules are the same with both.
bool same_rules(const PortRecord& record, const Network& before, const Network& after);

}  // namespace vnet
