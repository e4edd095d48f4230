// SPDX-License-Identifier: GPL-2.0-or-later
// libvirt's messages: a length, a header, and XDR behind it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vnet::rpc {

inline constexpr std::uint32_t network_program = 0x20008086, keepalive_program = 0x6b656570;
inline constexpr std::uint32_t program_version = 1;

enum class MessageType : std::uint32_t { Call = 0, Reply = 1, Event = 2 };  // others are never used here
enum class Status : std::uint32_t { Ok = 0, Error = 1 };

struct Header {
  std::uint32_t program = network_program, version = program_version;
  std::int32_t procedure = 0;
  MessageType type = MessageType::Call;
  std::uint32_t serial = 0;
  Status status = Status::Ok;
};

inline constexpr std::size_t header_bytes = 28;  // the length included

struct Message {
  Header header;
  std::string_view payload;
  std::size_t bytes = 0;  // of all of it
};

enum class Framing { Whole, Partial, Broken };
// The message at the front of what has come in. Broken: no message can begin so, or it is longer than `most`.
Framing take_message(std::string_view received, std::size_t most, Message& message);

std::string make_message(const Header& header, std::string_view payload);

}  // namespace vnet::rpc
