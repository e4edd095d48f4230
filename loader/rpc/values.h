// SPDX-License-Identifier: GPL-2.0-or-later
// What libvirt's network calls carry, and how each kind is written: decode() and encode() by type.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "loader/rpc/xdr.h"

namespace vnet::rpc {

struct Nothing {};

struct Net {
  std::string name;
  Uuid uuid{};
};
struct Port {
  Net net;
  Uuid uuid{};
};
struct Parameter {  // libvirt's typed parameter: the alternatives in the order of its types, from 1 on
  std::string field;
  std::variant<std::int32_t, std::uint32_t, std::int64_t, std::uint64_t, double, bool, std::string> value;
};
using Parameters = std::vector<Parameter>;
struct LeaseRow {
  std::string interface;
  std::int64_t expiry = 0;
  std::int32_t type = 0;  // 0: IPv4, 1: IPv6
  std::optional<std::string> mac, iaid;
  std::string address;
  std::uint32_t prefix = 0;
  std::optional<std::string> hostname, client_id;
};
template <typename T>
struct Counted {  // a list that may have been asked for its length only
  std::vector<T> items;
  std::uint32_t count = 0;
};
struct ParameterList {
  Parameters items;
  std::int32_t count = 0;
};

// libvirt's virErrorNumber, as far as it is answered here.
enum class Code : std::int32_t {
  Internal = 1,
  NoSupport = 3,
  NoConnect = 5,
  InvalidArgument = 8,
  OperationFailed = 9,
  Xml = 27,
  OperationDenied = 29,
  System = 38,
  Rpc = 39,
  NoNetwork = 43,
  OperationInvalid = 55,
  ConfigUnsupported = 67,
  OperationUnsupported = 84,
  PortExists = 106,
  NoPort = 107,
  NoMetadata = 111,
};
enum class Domain : std::int32_t { None = 0, Rpc = 7, Network = 19 };

struct Fault {
  Code code;
  std::string message;  // begins as libvirt's does: scripts look for that
  Domain domain = Domain::Network;
};
template <typename T>
using Reply = std::expected<T, Fault>;
inline std::unexpected<Fault> fault(Code code, std::string message, Domain domain = Domain::Network) {
  return std::unexpected(Fault{code, std::move(message), domain});
}

// What the elements of a list must be able to be, at least.
inline constexpr std::uint32_t most_parameters = 64;

template <typename T>
T decode(XdrReader& in);
template <>
inline std::int32_t decode(XdrReader& in) {
  return static_cast<std::int32_t>(in.u32());
}
template <>
inline std::uint32_t decode(XdrReader& in) {
  return in.u32();
}
template <>
inline std::string decode(XdrReader& in) {
  return in.string();
}
template <>
inline Uuid decode(XdrReader& in) {
  return in.uuid();
}
template <>
inline std::optional<std::string> decode(XdrReader& in) {
  return in.boolean() ? std::optional(in.string()) : std::nullopt;
}
template <>
Net decode(XdrReader& in);
template <>
std::optional<Net> decode(XdrReader& in);
template <>
Port decode(XdrReader& in);
template <>
Parameters decode(XdrReader& in);

inline void encode(XdrWriter&, const Nothing&) {}
inline void encode(XdrWriter& out, std::int32_t value) {
  out.u32(static_cast<std::uint32_t>(value));
}
inline void encode(XdrWriter& out, std::uint32_t value) {
  out.u32(value);
}
inline void encode(XdrWriter& out, std::uint64_t value) {
  out.u64(value);
}
inline void encode(XdrWriter& out, const std::string& text) {
  out.string(text);
}
void encode(XdrWriter& out, const std::optional<std::string>& text);
void encode(XdrWriter& out, const Net& net);
void encode(XdrWriter& out, const Port& port);
void encode(XdrWriter& out, const LeaseRow& lease);
void encode(XdrWriter& out, const Parameter& parameter);
void encode(XdrWriter& out, const Fault& fault);  // libvirt's error
template <typename T>
void encode(XdrWriter& out, const std::vector<T>& list) {
  out.u32(static_cast<std::uint32_t>(list.size()));
  for (const auto& item : list) encode(out, item);
}
template <typename T>
void encode(XdrWriter& out, const Counted<T>& list) {
  encode(out, list.items);
  out.u32(list.count);
}
inline void encode(XdrWriter& out, const ParameterList& list) {
  encode(out, list.items);
  encode(out, list.count);
}

std::string uuid_text(const Uuid& uuid);  // lower case, with dashes
std::optional<Uuid> parse_uuid(std::string_view text);

}  // namespace vnet::rpc
