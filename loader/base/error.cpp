// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/base/error.h"

#include <cerrno>
#include <cstring>

namespace vnet {

std::unexpected<Error> system_error(const std::string& action, int error_number) {
  return failed(action + ": " + std::strerror(error_number));
}

std::unexpected<Error> system_error(const std::string& action) {
  return system_error(action, errno);
}

}  // namespace vnet
