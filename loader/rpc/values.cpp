// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/rpc/values.h"

#include <bit>

namespace vnet::rpc {
namespace {

Parameter decode_parameter(XdrReader& in) {
  Parameter parameter{.field = in.string(), .value = 0};
  switch (in.u32()) {
    case 1:
      parameter.value = static_cast<std::int32_t>(in.u32());
      break;
    case 2:
      parameter.value = in.u32();
      break;
    case 3:
      parameter.value = static_cast<std::int64_t>(in.u64());
      break;
    case 4:
      parameter.value = in.u64();
      break;
    case 5:
      parameter.value = std::bit_cast<double>(in.u64());
      break;
    case 6:
      parameter.value = in.boolean();
      break;
    case 7:
      parameter.value = in.string();
      break;
    default:
      in.fail();
  }
  return parameter;
}

}  // namespace

template <>
Net decode(XdrReader& in) {
  Net net;
  net.name = in.string();
  net.uuid = in.uuid();
  return net;
}

template <>
std::optional<Net> decode(XdrReader& in) {
  return in.boolean() ? std::optional(decode<Net>(in)) : std::nullopt;
}

template <>
Port decode(XdrReader& in) {
  Port port;
  port.net = decode<Net>(in);
  port.uuid = in.uuid();
  return port;
}

template <>
Parameters decode(XdrReader& in) {
  constexpr std::size_t least = 12;  // an empty name, a type and a value
  Parameters all;
  for (auto left = in.count(most_parameters, least); left && in.ok(); --left)
    all.push_back(decode_parameter(in));
  return all;
}

void encode(XdrWriter& out, const std::optional<std::string>& text) {
  out.u32(text.has_value());
  if (text) out.string(*text);
}

void encode(XdrWriter& out, const Net& net) {
  out.string(net.name);
  out.uuid(net.uuid);
}

void encode(XdrWriter& out, const Port& port) {
  encode(out, port.net);
  out.uuid(port.uuid);
}

void encode(XdrWriter& out, const LeaseRow& lease) {
  out.string(lease.interface);
  out.u64(static_cast<std::uint64_t>(lease.expiry));
  encode(out, lease.type);
  encode(out, lease.mac);
  encode(out, lease.iaid);
  out.string(lease.address);
  out.u32(lease.prefix);
  encode(out, lease.hostname);
  encode(out, lease.client_id);
}

void encode(XdrWriter& out, const Parameter& parameter) {
  out.string(parameter.field);
  out.u32(static_cast<std::uint32_t>(parameter.value.index()) + 1);
  std::visit(
      [&](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::string>)
          out.string(value);
        else if constexpr (std::is_same_v<T, double>)
          out.u64(std::bit_cast<std::uint64_t>(value));
        else if constexpr (sizeof(T) == 8)
          out.u64(static_cast<std::uint64_t>(value));
        else
          out.u32(static_cast<std::uint32_t>(value));
      },
      parameter.value);
}

void encode(XdrWriter& out, const Fault& fault) {
  constexpr std::int32_t level_error = 2, none = -1;
  encode(out, static_cast<std::int32_t>(fault.code));
  encode(out, static_cast<std::int32_t>(fault.domain));
  encode(out, std::optional(fault.message));
  encode(out, level_error);
  out.u32(0);  // no guest
  encode(out, std::optional(fault.message));
  encode(out, std::optional<std::string>());
  encode(out, std::optional<std::string>());
  encode(out, none);
  encode(out, none);
  out.u32(0);  // no network
}

std::string uuid_text(const Uuid& uuid) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += {digits[uuid[i] >> 4], digits[uuid[i] & 15]};
  }
  return text;
}

std::optional<Uuid> parse_uuid(std::string_view text) {
  Uuid uuid{};
  std::size_t digits = 0;
  for (char c : text) {
    if (c == '-' || c == ' ' || c == '\n') continue;
    int value = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (value < 0 || digits == 32) return std::nullopt;
    auto& byte = uuid[digits / 2];
    byte = static_cast<std::uint8_t>(byte << 4 | value);
    ++digits;
  }
  return digits == 32 ? std::optional(uuid) : std::nullopt;
}

}  // namespace vnet::rpc
