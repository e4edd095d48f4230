// SPDX-License-Identifier: GPL-2.0-or-later
// The frames that hostile guests send.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/hostile/layout.h"
#include "tests/hostile/token.h"
#include "tests/support/virtio_frame.h"

namespace vnet::hostile {

struct Shot {
  std::size_t guest = 0;
  std::vector<test::VirtioFrame> frames;  // fragments: several
};

// The same for the same seed and number, whatever was made before.
Shot shot(std::uint64_t seed, std::uint32_t number);

// UDP to the responder's port with nothing wrong about it.
test::VirtioFrame honest(std::size_t guest, std::uint32_t number, const Mac& to_mac, const Address& to);

}  // namespace vnet::hostile
