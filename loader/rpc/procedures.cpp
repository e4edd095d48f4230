// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/rpc/procedures.h"

#include <algorithm>
#include <tuple>
#include <type_traits>

#include "loader/rpc/session.h"

namespace vnet::rpc {
namespace {

template <typename Owner, typename Result, typename... Args>
struct Signature {
  template <auto Method>
  static std::optional<Call> bind(XdrReader& in) {
    std::tuple<std::decay_t<Args>...> arguments{decode<std::decay_t<Args>>(in)...};  // from left to right
    if (!in.done()) return std::nullopt;
    return [arguments = std::move(arguments)](Session& session, NetworkApi& api) -> Reply<std::string> {
      auto reply = std::apply(
          [&](const auto&... each) {
            if constexpr (std::is_same_v<Owner, Session>)
              return (session.*Method)(each...);
            else
              return (api.*Method)(each...);
          },
          arguments);
      if (!reply) return std::unexpected(std::move(reply).error());
      XdrWriter out;
      encode(out, *reply);
      return out.take();
    };
  }
  static constexpr bool is_network = std::is_same_v<Owner, NetworkApi>;
};

template <typename Owner, typename Result, typename... Args>
Signature<Owner, Result, Args...> signature(Reply<Result> (Owner::*)(Args...));

template <auto Method>
constexpr Procedure row(std::int32_t number, const char* name, Needs needs, bool changes) {
  using Of = decltype(signature(Method));
  return {number, name, needs, changes, Of::is_network, &Of::template bind<Method>};
}
template <auto Method>
constexpr Procedure before(std::int32_t number, const char* name, Needs needs) {
  return row<Method>(number, name, needs, false);
}
template <auto Method>
constexpr Procedure reads(std::int32_t number, const char* name) {
  return row<Method>(number, name, Needs::Opening, false);
}
template <auto Method>
constexpr Procedure changes(std::int32_t number, const char* name) {
  return row<Method>(number, name, Needs::Opening, true);
}

using S = Session;
using N = NetworkApi;

constexpr Procedure table[] = {
    before<&S::open>(1, "CONNECT_OPEN", Needs::Authentication),
    before<&S::close>(2, "CONNECT_CLOSE", Needs::Nothing),
    before<&S::supports_feature>(60, "CONNECT_SUPPORTS_FEATURE", Needs::Authentication),
    before<&S::auth_list>(66, "AUTH_LIST", Needs::Nothing),
    reads<&S::type>(3, "CONNECT_GET_TYPE"),
    reads<&S::hostname>(59, "CONNECT_GET_HOSTNAME"),
    reads<&S::uri>(110, "CONNECT_GET_URI"),
    reads<&S::is_secure>(149, "CONNECT_IS_SECURE"),
    reads<&S::library_version>(157, "CONNECT_GET_LIB_VERSION"),
    reads<&S::register_close_callback>(360, "CONNECT_REGISTER_CLOSE_CALLBACK"),
    reads<&S::unregister_close_callback>(361, "CONNECT_UNREGISTER_CLOSE_CALLBACK"),
    reads<&S::set_identity>(419, "CONNECT_SET_IDENTITY"),
    reads<&S::register_event>(313, "CONNECT_NETWORK_EVENT_REGISTER_ANY"),
    reads<&S::deregister_event>(314, "CONNECT_NETWORK_EVENT_DEREGISTER_ANY"),

    reads<&N::count_active>(52, "CONNECT_NUM_OF_NETWORKS"),
    reads<&N::list_active>(38, "CONNECT_LIST_NETWORKS"),
    reads<&N::count_defined>(50, "CONNECT_NUM_OF_DEFINED_NETWORKS"),
    reads<&N::list_defined>(36, "CONNECT_LIST_DEFINED_NETWORKS"),
    reads<&N::list_all>(283, "CONNECT_LIST_ALL_NETWORKS"),
    reads<&N::lookup_by_name>(46, "NETWORK_LOOKUP_BY_NAME"),
    reads<&N::lookup_by_uuid>(47, "NETWORK_LOOKUP_BY_UUID"),
    reads<&N::xml>(43, "NETWORK_GET_XML_DESC"),
    reads<&N::bridge_name>(45, "NETWORK_GET_BRIDGE_NAME"),
    reads<&N::autostart>(44, "NETWORK_GET_AUTOSTART"),
    reads<&N::is_active>(152, "NETWORK_IS_ACTIVE"),
    reads<&N::is_persistent>(153, "NETWORK_IS_PERSISTENT"),
    reads<&N::leases>(341, "NETWORK_GET_DHCP_LEASES"),
    reads<&N::metadata>(445, "NETWORK_GET_METADATA"),
    reads<&N::ports>(404, "NETWORK_LIST_ALL_PORTS"),
    reads<&N::port_by_uuid>(405, "NETWORK_PORT_LOOKUP_BY_UUID"),
    reads<&N::port_parameters>(407, "NETWORK_PORT_GET_PARAMETERS"),
    reads<&N::port_xml>(409, "NETWORK_PORT_GET_XML_DESC"),

    changes<&N::start>(39, "NETWORK_CREATE"),
    changes<&N::create>(40, "NETWORK_CREATE_XML"),
    changes<&N::create_flags>(437, "NETWORK_CREATE_XML_FLAGS"),
    changes<&N::define>(41, "NETWORK_DEFINE_XML"),
    changes<&N::define_flags>(432, "NETWORK_DEFINE_XML_FLAGS"),
    changes<&N::undefine>(49, "NETWORK_UNDEFINE"),
    changes<&N::destroy>(42, "NETWORK_DESTROY"),
    changes<&N::set_autostart>(48, "NETWORK_SET_AUTOSTART"),
    changes<&N::update>(291, "NETWORK_UPDATE"),
    changes<&N::set_metadata>(444, "NETWORK_SET_METADATA"),
    changes<&N::create_port>(406, "NETWORK_PORT_CREATE_XML"),
    changes<&N::set_port_parameters>(408, "NETWORK_PORT_SET_PARAMETERS"),
    changes<&N::delete_port>(410, "NETWORK_PORT_DELETE"),
};

}  // namespace

std::span<const Procedure> procedures() {
  return table;
}

const Procedure* find_procedure(std::int32_t number) {
  const auto* found = std::ranges::find(table, number, &Procedure::number);
  return found == std::end(table) ? nullptr : found;
}

}  // namespace vnet::rpc
