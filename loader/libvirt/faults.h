// SPDX-License-Identifier: GPL-2.0-or-later
// Errors in libvirt's codes, and with the words that its clients' scripts look for.
#pragma once

#include <string>

#include "loader/base/error.h"
#include "loader/rpc/values.h"

namespace vnet::libvirt {

// "Requested operation is not valid: network 'x' is not active": the words of the code before the text.
std::unexpected<rpc::Fault> refuse(rpc::Code code, const std::string& text);
// An error of the library's; failed: the code for what the host has refused.
std::unexpected<rpc::Fault> fault_of(const Error& error, rpc::Code failed = rpc::Code::Internal);
// Refuses flags beside these; function: libvirt's name of the call.
rpc::Reply<rpc::Nothing> check_flags(std::uint32_t flags, std::uint32_t known, const char* function);

}  // namespace vnet::libvirt

// As VNET_TRY and VNET_ASSIGN, for calls that give a Result where a Reply is wanted.
#define VNET_REPLY_TRY(expr)                                                           \
  do {                                                                                 \
    if (auto vnet_result = (expr); !vnet_result) return fault_of(vnet_result.error()); \
  } while (false)
#define VNET_REPLY_ASSIGN(decl, expr)                                                                     \
  auto VNET_CONCAT(vnet_result_, __LINE__) = (expr);                                                      \
  if (!VNET_CONCAT(vnet_result_, __LINE__)) return fault_of(VNET_CONCAT(vnet_result_, __LINE__).error()); \
  decl = std::move(*VNET_CONCAT(vnet_result_, __LINE__))
