// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>

#include "cli/options.h"
#include "loader/kernel/netlink.h"
#include "loader/model/port_rules.h"

namespace vnet::cli {
namespace {

Result<Mac> parse_mac(const std::string& text) {
  auto mac = Mac::parse(text);
  if (!mac)
    return invalid(
        fmt::format("--mac: '{}' is neither a MAC address (like 52:54:00:12:34:56) nor any", text));
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
  VNET_TRY(parse_filters({text}));
  return text;
}

Result<Inbound> parse_inbound(const std::string& text) {
  if (text == "accept") return Inbound::Accept;
  if (text == "established") return Inbound::Established;
  if (text == "drop") return Inbound::Drop;
  return invalid(fmt::format("--inbound: '{}' is not one of accept, established, drop", text));
}

Result<std::string> parse_allow(const std::string& text) {
  VNET_TRY(parse_allow_rule(text));
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
  if (words == std::vector<std::string>{"none"}) return {};  // takes back what was set before
  for (const auto& word : words) {
    VNET_ASSIGN(auto value, parse(word));
    if (std::ranges::find(*into, value) == into->end()) into->push_back(std::move(value));
  }
  return {};
}

}  // namespace

Result<std::vector<PortRequest>> to_requests(const PortWords& words) {
  PortRequest request{.interface = {}, .network = words.network};
  if (!words.mac.empty()) {
    request.any_mac = words.mac == any_mac;
    if (!*request.any_mac) {
      VNET_ASSIGN(request.mac, parse_mac(words.mac));
    }
  }
  VNET_TRY(each(words.ips, parse_ip, request.ips));
  VNET_TRY(each(words.filters, parse_filter, request.filters));
  VNET_TRY(each(words.allow, parse_allow, request.allow));
  if (!words.inbound.empty()) {
    VNET_ASSIGN(request.inbound, parse_inbound(words.inbound));
  }
  if (words.ip_only) request.ip_only = true;
  if (words.not_ip_only) request.ip_only = false;
  if (words.isolated) request.isolated = true;
  if (words.not_isolated) request.isolated = false;
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
  if (words.interfaces.empty()) return std::vector{request};
  std::vector<PortRequest> requests;
  for (const auto& name : words.interfaces) {
    if (!valid_interface_name(name))
      return invalid(
          fmt::format("'{}' cannot be the name of an interface (1 to 15 bytes, no slash or space)", name));
    if (std::ranges::find(requests, name, &PortRequest::interface) != requests.end()) continue;
    request.interface = name;
    requests.push_back(request);
  }
  return requests;
}

}  // namespace vnet::cli
