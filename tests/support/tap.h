// SPDX-License-Identifier: GPL-2.0-or-later
// A tap as a hypervisor opens it. Only here does it show what the kernel's own metadata (checksums to be
// completed, segments to be cut) became on the way: a veth's receiver believes it.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "loader/base/fd.h"
#include "tests/support/namespace.h"
#include "tests/support/virtio_frame.h"

namespace vnet::test {

struct TapOptions {
  bool vnet_hdr = true;
  int header_size = 12;  // 10: without num_buffers, as before virtio 1.0
  bool offload = true;   // the reader takes unfinished checksums, TCP super-frames and, where known, UDP ones
  bool address_chatter = false;  // the host side's own IPv6 (router solicitations and the like)
};

class Tap {
 public:
  // Made in `where`, up. Gone with the object.
  Tap(const Namespace& where, const std::string& name, const TapOptions& options = {});

  const std::string& name() const { return name_; }
  const TapOptions& options() const { return options_; }
  bool udp_segmentation() const { return udp_segmentation_; }  // the kernel took the reader's word for it

  // Throws std::system_error when the kernel refuses the frame, std::logic_error when the frame needs a
  // header and the tap has none.
  void send(const VirtioFrame& frame) const;
  void send(const Packet& packet) const { send(plain(packet)); }

  std::optional<VirtioFrame> receive(std::chrono::milliseconds limit) const;
  std::optional<VirtioFrame> expect_frame(const FrameTest& test,
                                          std::chrono::milliseconds limit = std::chrono::seconds(3)) const;
  void expect_no_frame(const FrameTest& test,
                       std::chrono::milliseconds window = std::chrono::milliseconds(300)) const;

 private:
  std::string name_;
  TapOptions options_;
  bool udp_segmentation_ = false;
  Fd fd_;
};

}  // namespace vnet::test
