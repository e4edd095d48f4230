// SPDX-License-Identifier: GPL-2.0-or-later
// Raw frames in and out of an interface, as a packet socket has them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "loader/base/fd.h"
#include "tests/support/namespace.h"
#include "tests/support/virtio_frame.h"

namespace vnet::test {

struct RawPortOptions {
  bool vnet_hdr = true;  // frames carry the kernel's metadata; without: only whether the checksum is ready
  bool auxdata = true;
  bool outgoing = false;  // what the interface sends as well
};

struct CapturedFrame : VirtioFrame {
  std::optional<std::uint16_t> vlan_tci;  // the kernel keeps a tag apart from the frame
  bool checksum_ready = true;             // false: CHECKSUM_PARTIAL
  bool checksum_verified = false;         // the kernel or a device has seen that it is right
  bool outgoing = false;
};

class RawPort {
 public:
  // Hears from now on what arrives at `interface`.
  RawPort(const Namespace& where, const std::string& interface, const RawPortOptions& options = {});

  // Throws std::system_error when the kernel refuses the frame.
  void send(const VirtioFrame& frame) const;
  void send(const Packet& packet) const { send(plain(packet)); }

  std::optional<CapturedFrame> receive(std::chrono::milliseconds limit) const;
  std::optional<VirtioFrame> expect_frame(const FrameTest& test,
                                          std::chrono::milliseconds limit = std::chrono::seconds(3)) const;
  void expect_no_frame(const FrameTest& test,
                       std::chrono::milliseconds window = std::chrono::milliseconds(300)) const;

 private:
  std::string interface_;
  RawPortOptions options_;
  Fd fd_;
};

}  // namespace vnet::test
