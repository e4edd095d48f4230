// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <utility>

namespace vnet {

// What the program's exit code tells a script (the command line's promise).
enum class ErrorKind {
  Failed = 1,    // something on the host refused; what was changed has been undone
  Invalid = 2,   // usage or configuration; nothing was touched
  NotFound = 3,  // no such network or interface
};

// One line for a person: what failed, and where it helps the next step. `file` and `line` are set for
// errors in a configuration file and are printed as FILE:LINE in front.
struct Error {
  ErrorKind kind = ErrorKind::Failed;
  std::string message;
  std::string file;
  int line = 0;

  // "while doing X: message"; the outermost context comes first.
  Error within(const std::string& context) && {
    message = context + ": " + message;
    return std::move(*this);
  }
};

template <typename T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> failed(std::string message) {
  return std::unexpected(Error{ErrorKind::Failed, std::move(message), {}, 0});
}
inline std::unexpected<Error> invalid(std::string message) {
  return std::unexpected(Error{ErrorKind::Invalid, std::move(message), {}, 0});
}
inline std::unexpected<Error> not_found(std::string message) {
  return std::unexpected(Error{ErrorKind::NotFound, std::move(message), {}, 0});
}

// "opening /x: Permission denied": errno as words. Call right after the failing system call.
std::unexpected<Error> system_error(const std::string& action);
std::unexpected<Error> system_error(const std::string& action, int error_number);

}  // namespace vnet

// Hand an error up, or go on with the value.
#define VNET_CONCAT_(a, b) a##b
#define VNET_CONCAT(a, b) VNET_CONCAT_(a, b)
#define VNET_TRY(expr)                                                                                   \
  do {                                                                                                   \
    if (auto vnet_result = (expr); !vnet_result) return std::unexpected(std::move(vnet_result).error()); \
  } while (false)
#define VNET_ASSIGN(decl, expr)                                                     \
  auto VNET_CONCAT(vnet_result_, __LINE__) = (expr);                                \
  if (!VNET_CONCAT(vnet_result_, __LINE__))                                         \
    return std::unexpected(std::move(VNET_CONCAT(vnet_result_, __LINE__)).error()); \
  decl = std::move(*VNET_CONCAT(vnet_result_, __LINE__))
