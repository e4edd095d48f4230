// SPDX-License-Identifier: GPL-2.0-or-later
// Code of the test itself run inside a namespace, for descriptors that stay there: sockets and taps.
#pragma once

#include <functional>

#include "tests/support/namespace.h"

namespace vnet::test {

// On a thread of its own, so that the test's threads stay where they are. What `body` throws is thrown here.
void run_inside(const Namespace& where, const std::function<void()>& body);

}  // namespace vnet::test
