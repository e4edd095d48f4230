// SPDX-License-Identifier: GPL-2.0-or-later
// What the judge reads of a frame, sent or sniffed. Shares no code with what makes the frames.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "tests/hostile/address.h"

namespace vnet::hostile {

struct View {
  unsigned tags = 0;
  bool ip = false;     // IPv4 or IPv6 under the tags
  bool error = false;  // an ICMP error or redirect
  Address src, dst;
  std::optional<Address> quoted_src, quoted_dst;
};

View view(std::span<const std::uint8_t> frame);

}  // namespace vnet::hostile
