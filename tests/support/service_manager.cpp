// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/service_manager.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace vnet::test {

ServiceManager::ServiceManager(std::filesystem::path socket)
    : path_(std::move(socket)), socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  if (!socket_) throw std::system_error(errno, std::generic_category(), "a notify socket");
  std::filesystem::remove(path_);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
  if (::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
    throw std::system_error(errno, std::generic_category(), "a notify socket");
}

ServiceManager::~ServiceManager() {
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
}

bool ServiceManager::expect(const std::string& state, std::chrono::milliseconds limit) {
  auto deadline = std::chrono::steady_clock::now() + limit;
  while (true) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd waiting{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) <= 0) return false;
    std::array<char, 512> buffer;
    ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got > 0 && std::string(buffer.data(), static_cast<std::size_t>(got)).find(state) != std::string::npos)
      return true;
  }
}

}  // namespace vnet::test
