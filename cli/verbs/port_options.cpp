// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs/port_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "loader/model/link.h"
#include "loader/model/port_rules.h"

namespace vnet::cli::verbs {
namespace {

Result<void> take_mac(PortRequest& to, const std::string& word) {
  to.any_mac = word == "any";
  if (*to.any_mac) return {};
  to.mac = Mac::parse(word);
  if (!to.mac)
    return invalid("--mac: '" + word + "' is neither a MAC address (like 52:54:00:12:34:56) nor any");
  if (to.mac->is_multicast()) return invalid("--mac: " + word + " is a multicast address");
  if (*to.mac == Mac{}) return invalid("--mac: all zeros is no address");
  return {};
}

Result<Address> parse_ip(const std::string& word) {
  auto address = Address::parse(word);
  if (!address) return invalid("--ip: '" + word + "' is not an IP address");
  if (address->is_multicast() || *address == Address{} || *address == Address{Family::V6, {}})
    return invalid("--ip: " + word + " is not an address of a guest");
  return *address;
}

Result<std::string> parse_filter(const std::string& word) {
  VNET_TRY(parse_filters({word}));
  return word;
}

Result<Inbound> parse_inbound(const std::string& word) {
  for (auto inbound : {Inbound::Accept, Inbound::Established})
    if (word == inbound_name(inbound)) return inbound;
  return Inbound::Drop;  // the last of the choices
}

Result<std::string> parse_allow(const std::string& word) {
  VNET_TRY(parse_allow_rule(word));
  return word;
}

Words split_at_commas(const std::string& text) {
  Words words(1);
  for (char c : text) {
    if (c == ',')
      words.emplace_back();
    else
      words.back() += c;
  }
  return words;
}

Result<std::uint64_t> parse_number(const char* option, const std::string& word, std::uint64_t max) {
  std::uint64_t number = 0;
  auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc{} || end != word.data() + word.size() || number > max)
    return invalid(fmt::format("{}: '{}' is not a number from 0 to {}", option, word, max));
  return number;
}

// AVG[,PEAK[,BURST]]
Target rate_into(const char* option, std::optional<BandwidthRequest>& to,
                 std::optional<std::optional<Bandwidth>> BandwidthRequest::*direction) {
  return {[option, &to, direction](const Words& words) -> Result<void> {
    if (!to) to.emplace();
    auto& rate = (*to).*direction;
    rate.emplace();
    if (words.back() == "none") return {};
    constexpr std::uint64_t max = 100'000'000;
    std::array<std::uint64_t, 3> numbers{};
    auto parts = split_at_commas(words.back());
    if (parts.size() > numbers.size())
      return invalid(fmt::format("{}: '{}' is not AVG[,PEAK[,BURST]]", option, words.back()));
    for (std::size_t i = 0; i < parts.size(); ++i) {
      VNET_ASSIGN(numbers[i], parse_number(option, parts[i], max));
    }
    auto [average, peak, burst] = numbers;
    if (!average) return invalid(fmt::format("{}: the average is at least 1 kB/s; none: no limit", option));
    if (peak && peak < average)
      return invalid(fmt::format("{}: the peak is below the average; 0: no peak", option));
    *rate = Bandwidth{average, peak, burst};
    return {};
  }};
}

Result<unsigned> parse_tag(const char* option, const std::string& word) {
  VNET_ASSIGN(auto tag, parse_number(option, word, 4094));
  if (!tag) return invalid(std::string(option) + ": VLANs are numbered from 1 to 4094");
  return static_cast<unsigned>(tag);
}

Target vlan_into(std::optional<std::optional<Vlan>>& to) {
  return {[&to](const Words& words) -> Result<void> {
    to.emplace();
    if (words.back() == "none") return {};
    VNET_ASSIGN(auto id, parse_tag("--vlan", words.back()));
    *to = Vlan{.trunk = false, .tags = {{.id = id}}};
    return {};
  }};
}

// Both options make one <vlan trunk='yes'>, in whichever order they come.
Target trunk_into(const char* option, std::optional<std::optional<Vlan>>& to, bool native) {
  return {[option, native, &to](const Words& words) -> Result<void> {
    if (!to || !*to) to = Vlan{.trunk = true, .tags = {}};
    auto& tags = (*to)->tags;
    for (const auto& word : split_at_commas(words.back())) {
      VNET_ASSIGN(auto id, parse_tag(option, word));
      auto known = std::ranges::find(tags, id, &VlanTag::id);
      if (known == tags.end()) known = tags.insert(known, {.id = id});
      known->native |= native;
    }
    if (std::ranges::count(tags, true, &VlanTag::native) > 1) return invalid("--vlan-native: one VLAN only");
    return {};
  }};
}

Target name_into(const char* option, std::optional<std::string>& to) {
  return {[option, &to](const Words& words) -> Result<void> {
    bool good = std::ranges::all_of(words.back(), [](unsigned char c) { return c > ' ' && c != 0x7f; });
    if (!good) return invalid(std::string(option) + ": a word without spaces or control characters");
    to = words.back();
    return {};
  }};
}

}  // namespace

std::vector<Option> port_options(PortRequest& to) {
  return {
      {"--mac MAC",
       "The guest's MAC address, the only one allowed; any: whatever it sends from; default: learned",
       {[&to](const Words& words) { return take_mac(to, words.back()); }}},
      {"--ip ADDR", "An address of the guest (repeatable); none: no fixed ones", into(to.ips, parse_ip)},
      {"--ip-only", "No IPv6 address that the guest makes up beside --ip", flag_into(to.ip_only)},
      Option("--no-ip-only", "These, too, where the network advertises a prefix",
             flag_into(to.ip_only, false))
          .instead_of({"--ip-only"}),
      {"--filter NAME",
       "What the guest may not send (repeatable): clean-traffic, no-mac-spoofing, no-ip-spoofing, "
       "no-arp-spoofing, no-ipv6-spoofing, no-ip-multicast; allow-dhcp-server; none: no filter",
       into(to.filters, parse_filter), join(filter_names(), " ") + " none"},
      Option("--inbound POLICY",
             "What may reach the guest: accept (all), established (answers) or drop (nothing)",
             into(to.inbound, parse_inbound))
          .only({"accept", "established", "drop"}),
      {"--allow PROTO/PORT[@CIDR]", "PROTO/PORT[@CIDR] let in all the same (repeatable); none: no rule",
       into(to.allow, parse_allow)},
      {"--isolated", "No traffic with other isolated ports", flag_into(to.isolated)},
      Option("--no-isolated", "Traffic with every port", flag_into(to.isolated, false))
          .instead_of({"--isolated"}),
      {"--model NAME", "The guest's network card, for display", name_into("--model", to.model)},
      {"--guest NAME", "The guest's name, for display", name_into("--guest", to.guest)},
      {"--portgroup NAME", "Port group of the network", name_into("--portgroup", to.portgroup)},
      {"--bandwidth-in AVG[,PEAK[,BURST]]",
       "What the guest may receive: kB/s, kB/s, KiB at once; none: no limit of its own",
       rate_into("--bandwidth-in", to.bandwidth, &BandwidthRequest::inbound)},
      {"--bandwidth-out AVG[,PEAK[,BURST]]", "What the guest may send; none: no limit of its own",
       rate_into("--bandwidth-out", to.bandwidth, &BandwidthRequest::outbound)},
      {"--vlan TAG", "The guest's VLAN, whose tag it does not see; none: no VLAN of its own",
       vlan_into(to.vlan)},
      Option("--vlan-trunk TAG,TAG,...", "VLANs that the guest uses by their tags",
             trunk_into("--vlan-trunk", to.vlan, false))
          .instead_of({"--vlan"}),
      Option("--vlan-native TAG", "The VLAN of what a trunk's guest sends without a tag",
             trunk_into("--vlan-native", to.vlan, true))
          .instead_of({"--vlan"}),
  };
}

Result<std::string> parse_interface(const std::string& word) {
  if (!valid_interface_name(word))
    return invalid("'" + word + "' cannot be the name of an interface (1 to 15 bytes, no slash or space)");
  return word;
}

}  // namespace vnet::cli::verbs
