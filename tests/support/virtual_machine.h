// SPDX-License-Identifier: GPL-2.0-or-later
// A real guest: a tiny Linux in QEMU on a tap, with virtio-net and all its offloads. vmtest/guest says what
// is in it, vmtest/vmtest builds it. It asks for a lease when it boots.
#pragma once

#include <chrono>
#include <expected>
#include <filesystem>
#include <memory>
#include <string>

#include "loader/base/fd.h"
#include "tests/support/namespace.h"

namespace vnet::test {

struct MachineImage {
  std::filesystem::path kernel, initrd;
};

// Built or from the cache; else why it cannot be had. The package comes from Debian's archive the first time.
std::expected<MachineImage, std::string> machine_image();

std::string kernel_line(const std::string& name);  // what a guest's kernel is told

struct MachineOptions {
  std::string name;  // its host name
  std::string tap;   // there already, up
  std::string mac;
  int queues = 1;  // the tap must be of the same kind
};

class VirtualMachine {
 public:
  // In namespace `where`; its files go to `folder`.
  VirtualMachine(const Namespace& where, const std::filesystem::path& folder, const MachineImage& image,
                 const MachineOptions& options);

  // One that somebody else has started, with a virtio console on that socket.
  VirtualMachine(std::filesystem::path socket, std::filesystem::path console)
      : socket_path_(std::move(socket)), console_path_(std::move(console)) {}

  // Boots until it answers. False when it does not; console() may tell why.
  bool wait_up(std::chrono::seconds limit = std::chrono::seconds(90));
  bool reboot(std::chrono::seconds limit = std::chrono::seconds(90));

  // A line for its shell. What it writes to either output is in `out`.
  Output sh(const std::string& command, std::chrono::seconds limit = std::chrono::seconds(40));

  std::string console() const;

 private:
  bool connected();
  bool wait_for(const std::string& text, std::chrono::steady_clock::time_point deadline);

  std::filesystem::path socket_path_, console_path_;
  std::unique_ptr<Background> qemu_;
  Fd socket_;
  std::string heard_;  // and not yet used
  int number_ = 0;
};

}  // namespace vnet::test
