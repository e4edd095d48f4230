// SPDX-License-Identifier: GPL-2.0-or-later
// A port of the host's that is a guest's (<vnet:portForward>, `vnet-bpf forward`).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loader/base/error.h"
#include "loader/model/address.h"
#include "loader/model/host_socket.h"

namespace vnet {

struct PortRange {
  std::uint16_t start = 0, end = 0;  // closed interval, host byte order
  bool operator==(const PortRange&) const = default;
};

// "8080" or "8000-8010"; nullopt: neither, or not from 1 to 65535 in order.
std::optional<PortRange> parse_port_range(std::string_view text);
std::string range_text(const PortRange& range);

struct PortForward {
  std::string proto;              // tcp, udp or sctp
  PortRange ports;                // the host's
  std::optional<Address> listen;  // the host's; nullopt: each of them
  Address to;
  std::uint16_t to_port = 0;  // of the first port; the others follow
  std::vector<Prefix> from;   // whom it is for; empty: everybody
  bool operator==(const PortForward&) const = default;

  PortRange to_ports() const;
};

const std::vector<std::string>& forward_protocols();  // as --proto takes them
std::uint8_t protocol_number(const std::string& proto);

// "tcp/8080", "tcp/8000-8010 at 203.0.113.2"
std::string forward_text(const PortForward& forward);
// The same, and where to: "tcp/8080 to 192.168.122.10:80"
std::string forward_line(const PortForward& forward);
// Of the same protocol and family: is there a packet that both are for?
bool do_overlap(const PortForward& a, const PortForward& b);
// Does the host's socket wait for what the forward leads away? A network's own DNS, DHCP and TFTP do not.
bool is_in_the_way(const HostSocket& socket, const PortForward& forward);
// What does not fit together in itself: a message without a subject.
Result<void> check_forward(const PortForward& forward);
// The one that a connection to this address and port of the host's is for; nullptr: none.
const PortForward* forward_for(const std::vector<PortForward>& forwards, const std::string& proto,
                               const Address& host, std::uint16_t port);

}  // namespace vnet
