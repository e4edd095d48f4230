// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/inside.h"

#include <fcntl.h>
#include <sched.h>

#include <cerrno>
#include <exception>
#include <system_error>
#include <thread>

#include "loader/base/fd.h"

namespace vnet::test {

void run_inside(const Namespace& where, const std::function<void()>& body) {
  std::exception_ptr problem;
  std::thread([&] {
    try {
      Fd net(::open(("/run/netns/" + where.name()).c_str(), O_RDONLY | O_CLOEXEC));
      if (!net || ::setns(net.get(), CLONE_NEWNET) != 0) {
        throw std::system_error(errno, std::generic_category(), "entering " + where.name());
      }
      body();
    } catch (...) {
      problem = std::current_exception();
    }
  }).join();
  if (problem) std::rethrow_exception(problem);
}

}  // namespace vnet::test
