// SPDX-License-Identifier: GPL-2.0-or-later
// Addresses of interfaces, and routes.
#include <linux/if_addr.h>

#include <algorithm>
#include <cerrno>

#include "loader/netlink/netlink.h"
#include "loader/netlink/netlink_message.h"

namespace vnet {

using netlink::Answer;
using netlink::Attributes;
using netlink::Message;
using netlink::to_af;

namespace {

using AddressOf = std::pair<int, AddressInfo>;  // the interface's

std::optional<AddressOf> parse_address(nlmsghdr* header, int ifindex, Family family) {
  if (header->nlmsg_type != RTM_NEWADDR) return std::nullopt;
  auto* message = static_cast<const ifaddrmsg*>(nlmsg_data(header));
  auto index = static_cast<int>(message->ifa_index);
  if ((ifindex && index != ifindex) || message->ifa_family != to_af(family)) return std::nullopt;
  Attributes<IFA_MAX> attributes(header, sizeof(*message));
  // On a point-to-point interface IFA_ADDRESS is the other end's.
  auto own = attributes.address(IFA_LOCAL);
  if (!own) own = attributes.address(IFA_ADDRESS);
  if (!own) return std::nullopt;
  std::uint32_t flags = attributes[IFA_FLAGS] ? attributes.u32(IFA_FLAGS) : message->ifa_flags;
  return AddressOf{index,
                   {
                       .prefix = {*own, message->ifa_prefixlen},
                       .permanent = (flags & IFA_F_PERMANENT) != 0,
                       .tentative = (flags & IFA_F_TENTATIVE) != 0,
                       .dad_failed = (flags & IFA_F_DADFAILED) != 0,
                       .scope = message->ifa_scope,
                   }};
}

ifaddrmsg address_header(int ifindex, const Prefix& prefix, unsigned flags) {
  return {.ifa_family = static_cast<std::uint8_t>(to_af(prefix.address.family)),
          .ifa_prefixlen = static_cast<std::uint8_t>(prefix.length),
          .ifa_flags = static_cast<std::uint8_t>(flags),
          .ifa_scope = RT_SCOPE_UNIVERSE,
          .ifa_index = static_cast<std::uint32_t>(ifindex)};
}

// RTA_VIA: a gateway of another family than the route.
std::optional<Address> parse_via(const nlattr* attribute) {
  std::uint16_t family = 0;
  int size = nla_len(attribute) - static_cast<int>(sizeof(family));
  if (size != 4 && size != 16) return std::nullopt;
  auto* data = static_cast<const std::uint8_t*>(nla_data(attribute));
  Address address{.family = size == 4 ? Family::V4 : Family::V6};
  std::memcpy(address.bytes.data(), data + sizeof(family), static_cast<std::size_t>(size));
  return address;
}

std::optional<Address> parse_gateway(const Attributes<RTA_MAX>& attributes) {
  if (attributes[RTA_VIA]) return parse_via(attributes[RTA_VIA]);
  return attributes.address(RTA_GATEWAY);
}

void parse_route(nlmsghdr* header, Family family, std::vector<RouteInfo>& routes) {
  if (header->nlmsg_type != RTM_NEWROUTE) return;
  auto* message = static_cast<const rtmsg*>(nlmsg_data(header));
  if (message->rtm_family != to_af(family) || (message->rtm_flags & RTM_F_CLONED)) return;
  Attributes<RTA_MAX> attributes(header, sizeof(*message));
  RouteInfo route;
  route.family = family;
  if (message->rtm_dst_len > 0) {
    auto destination = attributes.address(RTA_DST);
    if (!destination) return;
    route.destination = Prefix{*destination, message->rtm_dst_len};
  }
  route.oif = static_cast<int>(attributes.u32(RTA_OIF));
  route.gateway = parse_gateway(attributes);
  route.metric = attributes.u32(RTA_PRIORITY);
  route.table = attributes[RTA_TABLE] ? attributes.u32(RTA_TABLE) : message->rtm_table;
  route.protocol = message->rtm_protocol;
  route.type = message->rtm_type;
  const nlattr* multipath = attributes[RTA_MULTIPATH];
  if (!multipath) {
    routes.push_back(route);
    return;
  }
  auto* hop = static_cast<rtnexthop*>(nla_data(multipath));
  int left = nla_len(multipath);
  while (left >= static_cast<int>(sizeof(*hop)) && RTNH_OK(hop, left)) {
    Attributes<RTA_MAX> own(reinterpret_cast<nlattr*>(RTNH_DATA(hop)),
                            hop->rtnh_len - static_cast<int>(RTNH_LENGTH(0)));
    route.oif = hop->rtnh_ifindex;
    route.gateway = parse_gateway(own);
    routes.push_back(route);
    left -= static_cast<int>(RTNH_ALIGN(hop->rtnh_len));
    hop = RTNH_NEXT(hop);
  }
}

std::string route_text(const RouteInfo& route) {
  std::string text = route.destination ? route.destination->text()
                                       : (route.family == Family::V4 ? "default (IPv4)" : "default (IPv6)");
  if (route.gateway) text += " via " + route.gateway->text();
  return text;
}

Message route_message(int type, int flags, const RouteInfo& route, std::uint8_t scope) {
  rtmsg header{.rtm_family = static_cast<std::uint8_t>(to_af(route.family)),
               .rtm_dst_len = static_cast<std::uint8_t>(route.destination ? route.destination->length : 0),
               .rtm_table = static_cast<std::uint8_t>(route.table < 256 ? route.table : RT_TABLE_COMPAT),
               .rtm_protocol = route.protocol,
               .rtm_scope = scope,
               .rtm_type = route.type};
  Message message(type, flags, header);
  if (route.destination) message.put_address(RTA_DST, route.destination->network().address);
  if (route.oif) message.put_u32(RTA_OIF, static_cast<std::uint32_t>(route.oif));
  if (route.gateway && route.gateway->family == route.family) {
    message.put_address(RTA_GATEWAY, *route.gateway);
  } else if (route.gateway) {
    std::array<std::uint8_t, 18> via{};
    auto family = static_cast<std::uint16_t>(to_af(route.gateway->family));
    std::memcpy(via.data(), &family, sizeof(family));
    std::memcpy(via.data() + sizeof(family), route.gateway->bytes.data(), route.gateway->bits() / 8);
    message.put_data(RTA_VIA, via.data(), static_cast<int>(sizeof(family) + route.gateway->bits() / 8));
  }
  if (route.metric) message.put_u32(RTA_PRIORITY, route.metric);
  message.put_u32(RTA_TABLE, route.table);
  return message;
}

// What the kernel makes of a route without a metric.
RouteInfo as_stored(RouteInfo route) {
  if (route.destination) route.destination = route.destination->network();
  if (route.family == Family::V6 && route.metric == 0) route.metric = 1024;
  return route;
}

}  // namespace

namespace {

// ifindex 0: of all interfaces.
Result<std::vector<AddressOf>> list_addresses(nl_sock* socket, int ifindex) {
  std::vector<AddressOf> found;
  for (Family family : {Family::V4, Family::V6}) {
    Message message(RTM_GETADDR, NLM_F_DUMP,
                    ifaddrmsg{.ifa_family = static_cast<std::uint8_t>(to_af(family)),
                              .ifa_index = static_cast<std::uint32_t>(ifindex)});
    Answer answer = netlink::collect(
        socket, message, found, [&](nlmsghdr* header) { return parse_address(header, ifindex, family); });
    if (answer.error == ENODEV) return not_found("no interface with index " + std::to_string(ifindex));
    VNET_TRY(answer.result("listing the addresses of interface " + std::to_string(ifindex)));
  }
  return found;
}

}  // namespace

Result<std::vector<AddressInfo>> Netlink::addresses(int ifindex) {
  VNET_ASSIGN(auto all, list_addresses(socket_.get(), ifindex));
  std::vector<AddressInfo> found;
  for (const auto& [index, info] : all) found.push_back(info);
  return found;
}

Result<std::map<int, std::vector<AddressInfo>>> Netlink::addresses() {
  VNET_ASSIGN(auto all, list_addresses(socket_.get(), 0));
  std::map<int, std::vector<AddressInfo>> found;
  for (const auto& [index, info] : all) found[index].push_back(info);
  return found;
}

Result<void> Netlink::add_address(int ifindex, const Prefix& prefix, AddressOptions options) {
  const bool v4 = prefix.address.family == Family::V4;
  Message message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL,
                  address_header(ifindex, prefix, !v4 && options.nodad ? IFA_F_NODAD : 0));
  message.put_address(IFA_LOCAL, prefix.address);
  message.put_address(IFA_ADDRESS, prefix.address);
  if (v4 && prefix.length <= 30) message.put_address(IFA_BROADCAST, prefix.broadcast());
  Answer answer = netlink::exchange(socket_.get(), message);
  if (answer.ok()) return {};
  if (answer.error == EEXIST) {
    // IPv6 says so for the same address with another prefix length too.
    VNET_ASSIGN(auto present, addresses(ifindex));
    if (std::ranges::any_of(present, [&](const AddressInfo& info) { return info.prefix == prefix; }))
      return {};
  }
  return answer.result("adding address " + prefix.text() + " to " +
                       netlink::link_name(socket_.get(), ifindex));
}

Result<void> Netlink::delete_address(int ifindex, const Prefix& prefix) {
  Message message(RTM_DELADDR, 0, address_header(ifindex, prefix, 0));
  message.put_address(IFA_LOCAL, prefix.address);
  message.put_address(IFA_ADDRESS, prefix.address);
  Answer answer = netlink::exchange(socket_.get(), message);
  if (answer.ok() || answer.error == EADDRNOTAVAIL || answer.error == ENODEV) return {};
  return answer.result("deleting address " + prefix.text() + " from " +
                       netlink::link_name(socket_.get(), ifindex));
}

Result<std::vector<RouteInfo>> Netlink::routes() {
  std::vector<RouteInfo> found;
  for (Family family : {Family::V4, Family::V6}) {
    Message message(RTM_GETROUTE, NLM_F_DUMP, rtmsg{.rtm_family = static_cast<std::uint8_t>(to_af(family))});
    const std::size_t before = found.size();
    VNET_TRY(netlink::dump(
                 socket_.get(), message, [&](nlmsghdr* header) { parse_route(header, family, found); },
                 [&] { found.resize(before); })
                 .result("listing the routes"));
  }
  return found;
}

Result<RouteAnswer> Netlink::route_of(const RouteQuery& query) {
  auto bits = static_cast<std::uint8_t>(query.destination.bits());
  Message message(RTM_GETROUTE, 0,
                  rtmsg{.rtm_family = static_cast<std::uint8_t>(to_af(query.destination.family)),
                        .rtm_dst_len = bits,
                        .rtm_src_len = bits});
  message.put_address(RTA_DST, query.destination);
  message.put_address(RTA_SRC, query.source);
  if (query.iif) message.put_u32(RTA_IIF, static_cast<std::uint32_t>(query.iif));
  RouteAnswer route;
  Answer answer = netlink::exchange(socket_.get(), message, [&](nlmsghdr* header) {
    if (header->nlmsg_type != RTM_NEWROUTE) return;
    auto* found = static_cast<const rtmsg*>(nlmsg_data(header));
    Attributes<RTA_MAX> attributes(header, sizeof(*found));
    route.type = found->rtm_type;
    route.oif = static_cast<int>(attributes.u32(RTA_OIF));
    route.gateway = parse_gateway(attributes);
    // IPv6 says in the answer what IPv4 says as an error.
    if (const nlattr* info = attributes[RTA_CACHEINFO];
        info && nla_len(info) >= static_cast<int>(sizeof(rta_cacheinfo)))
      route.error = -static_cast<int>(static_cast<const rta_cacheinfo*>(nla_data(info))->rta_error);
  });
  if (!answer.ok()) route.error = answer.error;
  if (route.error < 0) route.error = -route.error;
  return route;
}

Result<void> Netlink::add_route(const RouteInfo& route) {
  std::uint8_t scope = RT_SCOPE_UNIVERSE;
  if (route.type == RTN_LOCAL) scope = RT_SCOPE_HOST;
  if (route.type == RTN_UNICAST && !route.gateway) scope = RT_SCOPE_LINK;
  Message message = route_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route, scope);
  Answer answer = netlink::exchange(socket_.get(), message);
  if (answer.ok()) return {};
  if (answer.error == EEXIST) {  // one to this destination: is it this one?
    VNET_ASSIGN(auto present, routes());
    RouteInfo wanted = as_stored(route);
    bool same = std::ranges::any_of(present, [&](RouteInfo other) {
      if (wanted.oif == 0) other.oif = 0;  // the kernel has chosen it
      other.protocol = wanted.protocol;    // who made it does not change where packets go
      return other == wanted;
    });
    if (same) return {};
  }
  return answer.result("adding route " + route_text(route));
}

Result<void> Netlink::delete_route(const RouteInfo& route) {
  // For IPv4, RT_SCOPE_NOWHERE stands for any scope.
  Message message = route_message(RTM_DELROUTE, 0, route, RT_SCOPE_NOWHERE);
  Answer answer = netlink::exchange(socket_.get(), message);
  if (answer.ok() || answer.error == ESRCH || answer.error == ENODEV) return {};
  return answer.result("deleting route " + route_text(route));
}

Result<std::vector<int>> Netlink::default_route_links() {
  VNET_ASSIGN(auto all, routes());
  std::erase_if(all, [](const RouteInfo& route) {
    return route.destination || route.table != RT_TABLE_MAIN || route.type != RTN_UNICAST || route.oif == 0;
  });
  std::ranges::stable_sort(all, {}, &RouteInfo::metric);
  std::vector<int> links;
  for (const RouteInfo& route : all)
    if (std::ranges::find(links, route.oif) == links.end()) links.push_back(route.oif);
  return links;
}

}  // namespace vnet
