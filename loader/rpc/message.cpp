// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/rpc/message.h"

#include "loader/rpc/xdr.h"

namespace vnet::rpc {

Framing take_message(std::string_view received, std::size_t most, Message& message) {
  if (received.size() < 4) return Framing::Partial;
  std::size_t length = XdrReader(received).u32();
  if (length < header_bytes || length > most) return Framing::Broken;
  if (received.size() < length) return Framing::Partial;
  XdrReader in(received.substr(4, header_bytes - 4));
  Header& header = message.header;
  header.program = in.u32();
  header.version = in.u32();
  header.procedure = static_cast<std::int32_t>(in.u32());
  header.type = static_cast<MessageType>(in.u32());
  header.serial = in.u32();
  header.status = static_cast<Status>(in.u32());
  message.payload = received.substr(header_bytes, length - header_bytes);
  message.bytes = length;
  return Framing::Whole;
}

std::string make_message(const Header& header, std::string_view payload) {
  XdrWriter out;
  out.u32(static_cast<std::uint32_t>(header_bytes + payload.size()));
  out.u32(header.program);
  out.u32(header.version);
  out.u32(static_cast<std::uint32_t>(header.procedure));
  out.u32(static_cast<std::uint32_t>(header.type));
  out.u32(header.serial);
  out.u32(static_cast<std::uint32_t>(header.status));
  return out.take().append(payload);
}

}  // namespace vnet::rpc
