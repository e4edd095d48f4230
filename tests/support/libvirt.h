// SPDX-License-Identifier: GPL-2.0-or-later
// The real libvirtd in a network namespace, with mounts of its own: nothing of the machine's libvirt is
// touched.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "tests/support/namespace.h"
#include "tests/support/virtual_machine.h"

namespace vnet::test {

struct DomainOptions {
  std::string name;
  std::string interface;  // the <interface> element
};

// A configuration of its own, below `folder`, as libvirt_mounts() puts it in the place of the machine's.
// environment: "NAME=VALUE ..." for the project's hook.
void write_libvirt_folder(const std::filesystem::path& folder, const std::string& environment);
std::string libvirt_mounts(const std::filesystem::path& folder);  // a shell line that ends in `&& `
std::string libvirt_domain_file(const std::filesystem::path& folder, const MachineImage& image,
                                const DomainOptions& options);

class Libvirt {
 public:
  static std::string missing();  // why it cannot be had here; "" when it can

  // Its files go to `folder`. environment: "NAME=VALUE ..." for the project's hook.
  // daemon_environment: the same, for libvirtd.
  Libvirt(const Namespace& where, std::filesystem::path folder, const std::string& environment,
          std::string daemon_environment = "");
  ~Libvirt();  // ends its guests, too

  void start();  // waits until it answers; throws std::runtime_error
  void stop() { daemon_.reset(); }
  void restart();
  void restart(const std::string& daemon_environment);
  Output virsh(const Argv& words, std::chrono::milliseconds limit = std::chrono::seconds(60)) const;
  std::string must(const Argv& words) const;  // what it printed; throws std::runtime_error
  std::string log() const;

  std::string domain_file(const MachineImage& image, const DomainOptions& options) const;
  std::unique_ptr<VirtualMachine> machine(const std::string& name) const;
  // Names of the host's interfaces of a guest, as libvirt tells them.
  std::string interface_of(const std::string& domain, const std::string& mac) const;

 private:
  const Namespace* where_;
  std::filesystem::path folder_;
  std::string environment_;
  std::unique_ptr<Background> daemon_;
};

}  // namespace vnet::test
