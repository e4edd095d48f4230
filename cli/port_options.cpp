// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "cli/options.h"
#include "loader/kernel/netlink.h"

namespace vnet::cli {
namespace {

constexpr const char* known_filters[] = {"clean-traffic", "no-mac-spoofing", "no-ip-spoofing",
                                         "no-arp-spoofing"};

Result<Mac> parse_mac(const std::string& text) {
  auto mac = Mac::parse(text);
  if (!mac) return invalid(fmt::format("--mac: '{}' is not a MAC address (like 52:54:00:12:34:56)", text));
  if (mac->is_multicast()) return invalid(fmt::format("--mac: {} is a multicast address", text));
  if (*mac == Mac{}) return invalid("--mac: all zeros is no address");
  return *mac;
}

Result<Address> parse_ip(const std::string& text) {
  auto address = Address::parse(text);
  if (!address) return invalid(fmt::format("--ip: '{}' is not an IP address", text));
  if (address->is_multicast() || *address == Address{} || *address == Address{Family::V6, {}})
    return invalid(fmt::format("--ip: {} is not an address of a guest", text));
  return *address;
}

Result<std::string> parse_filter(const std::string& text) {
  if (std::ranges::find(known_filters, text) == std::end(known_filters))
    return invalid(fmt::format("--filter: '{}' is not one of {}", text, fmt::join(known_filters, ", ")));
  return text;
}

Result<Inbound> parse_inbound(const std::string& text) {
  if (text == "accept") return Inbound::Accept;
  if (text == "established") return Inbound::Established;
  if (text == "drop") return Inbound::Drop;
  return invalid(fmt::format("--inbound: '{}' is not one of accept, established, drop", text));
}

// PROTO/PORT[@CIDR]
Result<std::string> parse_allow(const std::string& text) {
  auto bad = [&](const char* why) {
    return invalid(fmt::format("--allow: '{}': {} (PROTO/PORT[@CIDR], like tcp/22@192.0.2.0/24)", text, why));
  };
  auto slash = text.find('/');
  if (slash == std::string::npos) return bad("no port");
  auto proto = text.substr(0, slash);
  if (proto != "tcp" && proto != "udp") return bad("the protocol is tcp or udp");
  auto at = text.find('@', slash);
  auto port = text.substr(slash + 1, at == std::string::npos ? at : at - slash - 1);
  unsigned number = 0;
  auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc{} || end != port.data() + port.size() || number < 1 || number > 65535)
    return bad("the port is a number from 1 to 65535");
  if (at != std::string::npos && !Prefix::parse(text.substr(at + 1))) return bad("no prefix behind the @");
  return text;
}

Result<std::string> parse_word(const char* option, const std::string& text) {
  bool good =
      !text.empty() && std::ranges::all_of(text, [](unsigned char c) { return c > ' ' && c != 0x7f; });
  if (!good) return invalid(fmt::format("{}: a word without spaces or control characters", option));
  return text;
}

template <typename T>
Result<void> each(const std::vector<std::string>& words, Result<T> (*parse)(const std::string&),
                  std::optional<std::vector<T>>& into) {
  if (words.empty()) return {};
  into.emplace();
  for (const auto& word : words) {
    VNET_ASSIGN(auto value, parse(word));
    if (std::ranges::find(*into, value) == into->end()) into->push_back(std::move(value));
  }
  return {};
}

}  // namespace

Result<PortRequest> to_request(const PortWords& words) {
  if (!valid_interface_name(words.interface))
    return invalid(fmt::format("'{}' cannot be the name of an interface (1 to 15 bytes, no slash or space)",
                               words.interface));
  PortRequest request{.interface = words.interface, .network = words.network};
  if (!words.mac.empty()) {
    VNET_ASSIGN(request.mac, parse_mac(words.mac));
  }
  VNET_TRY(each(words.ips, parse_ip, request.ips));
  VNET_TRY(each(words.filters, parse_filter, request.filters));
  VNET_TRY(each(words.allow, parse_allow, request.allow));
  if (!words.inbound.empty()) {
    VNET_ASSIGN(request.inbound, parse_inbound(words.inbound));
  }
  if (words.isolated) request.isolated = true;
  if (!words.model.empty()) {
    VNET_ASSIGN(request.model, parse_word("--model", words.model));
  }
  if (!words.portgroup.empty()) {
    VNET_ASSIGN(request.portgroup, parse_word("--portgroup", words.portgroup));
  }
  if (!words.link.empty()) {
    if (words.link != "up" && words.link != "down")
      return invalid(fmt::format("--link: '{}' is not one of up, down", words.link));
    request.link_up = words.link == "up";
  }
  return request;
}

}  // namespace vnet::cli
