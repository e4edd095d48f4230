// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/libvirt/faults.h"

#include <fmt/format.h>

namespace vnet::libvirt {
namespace {

using rpc::Code;

const char* words_of(Code code) {
  switch (code) {
    case Code::Internal:
      return "internal error: ";
    case Code::OperationFailed:
      return "operation failed: ";
    case Code::Xml:
      return "XML error: ";
    case Code::NoNetwork:
      return "Network not found: ";
    case Code::OperationInvalid:
      return "Requested operation is not valid: ";
    case Code::ConfigUnsupported:
      return "unsupported configuration: ";
    case Code::OperationUnsupported:
      return "Operation not supported: ";
    case Code::PortExists:
      return "Network port exists already: ";
    case Code::NoPort:
      return "Network port not found: ";
    case Code::NoMetadata:
      return "metadata not found: ";
    case Code::InvalidArgument:
      return "invalid argument: ";
    default:
      return "";
  }
}

}  // namespace

std::unexpected<rpc::Fault> refuse(Code code, const std::string& text) {
  return rpc::fault(code, words_of(code) + text);
}

std::unexpected<rpc::Fault> fault_of(const Error& error, Code failed) {
  auto text = error.line ? fmt::format("line {}: {}", error.line, error.message) : error.message;
  Code code = error.kind == ErrorKind::NotFound  ? Code::NoNetwork
              : error.kind == ErrorKind::Invalid ? (error.line ? Code::Xml : Code::ConfigUnsupported)
                                                 : failed;
  return refuse(code, text);
}

rpc::Reply<rpc::Nothing> check_flags(std::uint32_t flags, std::uint32_t known, const char* function) {
  if (flags & ~known)
    return rpc::fault(Code::InvalidArgument,
                      fmt::format("unsupported flags (0x{:x}) in function {}", flags & ~known, function));
  return rpc::Nothing{};
}

}  // namespace vnet::libvirt
