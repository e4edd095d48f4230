// SPDX-License-Identifier: GPL-2.0-or-later
// Switches below /proc/sys of the process's current network namespace.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loader/base/error.h"
#include "loader/model/network.h"

namespace vnet {

// Where a sysctl is. From a dotted name ("net.ipv4.ip_forward"), or from its parts where one may itself
// contain dots, as an interface's name may: {"net", "ipv4", "conf", "br.100", "forwarding"}.
class SysctlKey {
 public:
  SysctlKey(const char* dotted) : SysctlKey(std::string_view(dotted)) {}         // NOLINT: meant to convert
  SysctlKey(const std::string& dotted) : SysctlKey(std::string_view(dotted)) {}  // NOLINT
  SysctlKey(std::string_view dotted);                                            // NOLINT
  SysctlKey(std::initializer_list<std::string> parts) : parts_(parts) {}
  explicit SysctlKey(std::vector<std::string> parts) : parts_(std::move(parts)) {}

  std::string name() const;          // for messages: parts joined by dots
  Result<std::string> path() const;  // Invalid: a part is empty, "." or "..", or has a slash

 private:
  std::vector<std::string> parts_;
};

// Without the trailing newline; nullopt: this kernel or namespace has no such switch.
Result<std::optional<std::string>> read_sysctl(const SysctlKey& key);
// NotFound: no such switch. Failed names the switch and the value: "setting net.ipv4.ip_forward to 1: ...".
Result<void> write_sysctl(const SysctlKey& key, const std::string& value);

// net.ipv4.ip_local_port_range: the ports the host's own sockets take.
Result<PortRange> ephemeral_port_range();

}  // namespace vnet
