// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/model/port_forward.h"

#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>

namespace vnet {
namespace {

std::optional<std::uint16_t> parse_port(std::string_view text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < 1 || number > 65535)
    return std::nullopt;
  return static_cast<std::uint16_t>(number);
}

}  // namespace

std::optional<PortRange> parse_port_range(std::string_view text) {
  const auto dash = text.find('-');
  const auto start = parse_port(text.substr(0, dash));
  const auto end = dash == std::string_view::npos ? start : parse_port(text.substr(dash + 1));
  if (!start || !end || *start > *end) return std::nullopt;
  return PortRange{*start, *end};
}

std::string range_text(const PortRange& range) {
  return range.start == range.end ? fmt::format("{}", range.start)
                                  : fmt::format("{}-{}", range.start, range.end);
}

PortRange PortForward::to_ports() const {
  return {to_port, static_cast<std::uint16_t>(to_port + (ports.end - ports.start))};
}

const std::vector<std::string>& forward_protocols() {
  static const std::vector<std::string> all{"tcp", "udp", "sctp"};
  return all;
}

std::uint8_t protocol_number(const std::string& proto) {
  if (proto == "tcp") return IPPROTO_TCP;
  return proto == "udp" ? IPPROTO_UDP : IPPROTO_SCTP;
}

std::string forward_text(const PortForward& forward) {
  std::string text = fmt::format("{}/{}", forward.proto, range_text(forward.ports));
  return forward.listen ? text + " at " + forward.listen->text() : text;
}

std::string forward_line(const PortForward& forward) {
  const auto to = forward.to.text();
  return fmt::format("{} to {}:{}", forward_text(forward),
                     forward.to.family == Family::V6 ? "[" + to + "]" : to, range_text(forward.to_ports()));
}

bool do_overlap(const PortForward& a, const PortForward& b) {
  return a.proto == b.proto && a.to.family == b.to.family && a.ports.start <= b.ports.end &&
         b.ports.start <= a.ports.end && (!a.listen || !b.listen || *a.listen == *b.listen);
}

bool is_in_the_way(const HostSocket& socket, const PortForward& forward) {
  if (socket.protocol != forward.proto || socket.port < forward.ports.start ||
      socket.port > forward.ports.end)
    return false;
  if (forward.listen) return socket.covers(*forward.listen);
  if (socket.is_everywhere()) return socket.covers(Address{forward.to.family});
  if (socket.address.family != forward.to.family || socket.address.is_link_local()) return false;
  // Of the loopback network only the one address is led away.
  const bool loopback = socket.address.family == Family::V4 && socket.address.bytes[0] == 127;
  if (loopback && socket.address != *Address::parse("127.0.0.1")) return false;
  constexpr std::uint16_t services[] = {53, 67, 69, 547};
  return !(std::ranges::count(services, socket.port) && socket.process == "dnsmasq");
}

Result<void> check_forward(const PortForward& forward) {
  const unsigned more = forward.ports.end - forward.ports.start;
  if (forward.to_port + more > 65535)
    return invalid(fmt::format("{} ports from {} on go beyond 65535", more + 1, forward.to_port));
  if (forward.listen && forward.listen->family != forward.to.family)
    return invalid(
        fmt::format("{} and {} are of different families", forward.listen->text(), forward.to.text()));
  if (forward.listen && (forward.listen->is_multicast() || *forward.listen == Address{forward.to.family}))
    return invalid(fmt::format("{} is no address of a host", forward.listen->text()));
  for (const auto& prefix : forward.from)
    if (prefix.address.family != forward.to.family)
      return invalid(fmt::format("{} and {} are of different families", prefix.text(), forward.to.text()));
  return {};
}

const PortForward* forward_for(const std::vector<PortForward>& forwards, const std::string& proto,
                               const Address& host, std::uint16_t port) {
  const auto found = std::ranges::find_if(forwards, [&](const PortForward& one) {
    return one.proto == proto && one.to.family == host.family && one.ports.start <= port &&
           port <= one.ports.end && (!one.listen || *one.listen == host);
  });
  return found == forwards.end() ? nullptr : &*found;
}

}  // namespace vnet
