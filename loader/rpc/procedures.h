// SPDX-License-Identifier: GPL-2.0-or-later
// The procedures of libvirt's protocol that are answered, a row each.
#pragma once

#include <functional>
#include <optional>
#include <span>

#include "loader/rpc/network_api.h"

namespace vnet::rpc {

class Session;

// Decoded, and to be made: gives the result as bytes.
using Call = std::function<Reply<std::string>(Session&, NetworkApi&)>;

enum class Needs : std::uint8_t {
  Nothing,         // before the client has authenticated
  Authentication,  // before it has opened the connection
  Opening,
};

// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): in the order in which a row reads.
struct Procedure {
  std::int32_t number;
  const char* name;  // libvirt's, for messages
  Needs needs;
  bool changes;  // refused to readers, and made by the thread that changes
  bool is_network;
  std::optional<Call> (*bind)(XdrReader& in);  // nullopt: not the arguments of this procedure
};

std::span<const Procedure> procedures();
const Procedure* find_procedure(std::int32_t number);

inline constexpr std::int32_t lifecycle_event = 315, metadata_event = 446;

}  // namespace vnet::rpc
