// SPDX-License-Identifier: GPL-2.0-or-later
// A fresh network namespace for one test, in the test's own process. Nothing outside is touched.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "loader/base/fd.h"

namespace vnet::test {

class OwnNetwork : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root to make a network namespace";
    before_ = Fd(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(before_);
    if (::unshare(CLONE_NEWNET) < 0)
      GTEST_SKIP() << "cannot make a network namespace: " << std::strerror(errno);
    inside_ = true;
  }
  ~OwnNetwork() override {
    if (inside_) ::setns(before_.get(), CLONE_NEWNET);
  }

 private:
  Fd before_;
  bool inside_ = false;
};

}  // namespace vnet::test

// The value of a Result, or the test ends with its message.
#define ASSERT_OK(expr)                                        \
  do {                                                         \
    auto vnet_outcome = (expr);                                \
    ASSERT_TRUE(vnet_outcome) << vnet_outcome.error().message; \
  } while (false)
