// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/firewall/match.h"

#include <algorithm>

namespace vnet {
namespace {

using Json = nlohmann::json;

// A value of the packet against one of a rule. nullopt: not to be told.
std::optional<bool> name_is(const std::string& name, const Json& wanted) {
  if (!wanted.is_string() || name.empty()) return std::nullopt;
  std::string pattern = wanted.get<std::string>();
  if (pattern.starts_with("@")) return std::nullopt;
  if (pattern.ends_with("*")) return name.starts_with(pattern.substr(0, pattern.size() - 1));
  return name == pattern || (pattern == "icmpv6" && name == "ipv6-icmp");
}

std::optional<bool> address_is(const Address& address, const Json& wanted) {
  auto within = [&](const std::string& text, std::optional<unsigned> length) -> std::optional<bool> {
    auto parsed = Address::parse(text);
    if (!parsed) return std::nullopt;
    if (parsed->family != address.family) return false;
    return Prefix{*parsed, length.value_or(parsed->bits())}.contains(address);
  };
  if (wanted.is_string()) return within(wanted.get<std::string>(), std::nullopt);
  if (!wanted.is_object()) return std::nullopt;
  if (auto prefix = wanted.find("prefix"); prefix != wanted.end() && prefix->is_object())
    return within(text_of(*prefix, "addr"), prefix->value("len", 0U));
  if (auto range = wanted.find("range"); range != wanted.end() && range->is_array() && range->size() == 2 &&
                                         (*range)[0].is_string() && (*range)[1].is_string()) {
    auto first = Address::parse((*range)[0].get<std::string>());
    auto last = Address::parse((*range)[1].get<std::string>());
    if (first && last) return *first <= address && address <= *last;
  }
  return std::nullopt;
}

std::optional<bool> number_is(unsigned number, const Json& wanted) {
  if (wanted.is_number_unsigned()) return number == wanted.get<unsigned>();
  if (!wanted.is_object()) return std::nullopt;
  auto range = wanted.find("range");
  if (range == wanted.end() || !range->is_array() || range->size() != 2 ||
      !std::ranges::all_of(*range, [](const Json& end) { return end.is_number_unsigned(); }))
    return std::nullopt;
  return (*range)[0].get<unsigned>() <= number && number <= (*range)[1].get<unsigned>();
}

// One value, or any of a list (how nft writes an anonymous set).
template <typename Is>
std::optional<bool> any_of(const Json& right, Is is) {
  const Json* list = &right;
  if (right.is_object())
    if (auto set = right.find("set"); set != right.end()) list = &*set;
  if (!list->is_array()) return is(*list);
  std::optional<bool> result = false;
  for (const auto& value : *list) {
    auto one = is(value);
    if (one == true) return true;
    if (!one) result = std::nullopt;
  }
  return result;
}

const char* family_word(const ProbePacket& packet) {
  return packet.source.family == Family::V4 ? "ipv4" : "ipv6";
}

// A name that the packet has for what a rule asks; "": not known.
struct NameOf {
  const char *kind, *key;
  std::string (*name)(const ProbePacket&);
};
constexpr NameOf names[] = {
    {"meta", "iifname", [](const ProbePacket& packet) { return packet.in; }},
    {"meta", "iif", [](const ProbePacket& packet) { return packet.in; }},
    {"meta", "oifname", [](const ProbePacket& packet) { return packet.out; }},
    {"meta", "oif", [](const ProbePacket& packet) { return packet.out; }},
    {"meta", "nfproto", [](const ProbePacket& packet) { return std::string(family_word(packet)); }},
    {"meta", "l4proto", [](const ProbePacket& packet) { return packet.protocol; }},
    {"ct", "state", [](const ProbePacket& packet) { return packet.state; }},
    {"ct", "direction",
     [](const ProbePacket& packet) { return std::string(packet.state == "new" ? "original" : ""); }},
};

std::optional<bool> field_is(const Json& payload, const Json& right, const ProbePacket& packet) {
  std::string field = text_of(payload, "field");
  auto address = [&](const std::optional<Address>& of) {
    return any_of(right, [&](const Json& one) { return of ? address_is(*of, one) : std::optional<bool>(); });
  };
  auto number = [&](std::optional<unsigned> of) {
    return any_of(right, [&](const Json& one) { return of ? number_is(*of, one) : std::optional<bool>(); });
  };
  if (field == "saddr") return address(packet.source);
  if (field == "daddr") return address(packet.destination);
  if (field == "dport") return number(packet.port);
  if (field == "sport") return number(packet.source_port);
  if (field == "protocol" || field == "nexthdr")
    return any_of(right, [&](const Json& one) { return name_is(packet.protocol, one); });
  return std::nullopt;
}

std::optional<bool> left_is(const Json& left, const Json& right, const ProbePacket& packet) {
  if (!left.is_object()) return std::nullopt;
  for (const NameOf& each : names)
    if (auto of = left.find(each.kind); of != left.end() && text_of(*of, "key") == each.key)
      return any_of(right, [&](const Json& one) { return name_is(each.name(packet), one); });
  if (auto payload = left.find("payload"); payload != left.end()) return field_is(*payload, right, packet);
  if (auto ct = left.find("ct"); ct != left.end() && text_of(*ct, "key") == "status" && right == "dnat")
    return packet.turned;
  const Json flags =
      left.contains("fib") && left["fib"].is_object() ? left["fib"].value("flags", Json()) : Json();
  if ((flags == "daddr" || flags == Json{"daddr"}) && text_of(left["fib"], "result") == "type")
    return any_of(right, [&](const Json& one) { return name_is(packet.destination_type, one); });
  return std::nullopt;
}

// A header that the packet has not: such a condition does not hold, whatever it asks.
std::optional<bool> has_header(const Json& left, const ProbePacket& packet) {
  auto payload = left.is_object() ? left.find("payload") : left.end();
  if (!left.is_object() || payload == left.end()) return true;
  std::string protocol = text_of(*payload, "protocol");
  if (protocol == "ip" || protocol == "ip6")
    return (protocol == "ip") == (packet.source.family == Family::V4);
  if (packet.protocol.empty()) return std::nullopt;
  if (protocol == "th") return packet.protocol == "tcp" || packet.protocol == "udp";
  return name_is(packet.protocol, protocol);
}

}  // namespace

std::string text_of(const Json& object, const char* key) {
  auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

std::optional<bool> holds(const Json& match, const ProbePacket& packet) {
  if (!match.contains("left") || !match.contains("right")) return std::nullopt;
  auto there = has_header(match["left"], packet);
  if (there != true) return there;
  auto is = left_is(match["left"], match["right"], packet);
  std::string op = text_of(match, "op");
  if (!is || op == "==" || op == "in") return is;
  return op == "!=" ? std::optional(!*is) : std::nullopt;
}

std::optional<Json> looked_up(const Json& vmap, const ProbePacket& packet) {
  if (!vmap.contains("key") || !vmap.contains("data")) return std::nullopt;
  const Json& data = vmap["data"];
  if (!data.is_object() || !data.contains("set") || !data["set"].is_array()) return std::nullopt;
  for (const Json& entry : data["set"]) {
    if (!entry.is_array() || entry.size() != 2) return std::nullopt;
    auto is = left_is(vmap["key"], entry[0], packet);
    if (!is) return std::nullopt;
    if (*is) return entry[1];
  }
  return Json();
}

}  // namespace vnet
