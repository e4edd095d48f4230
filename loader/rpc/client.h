// SPDX-License-Identifier: GPL-2.0-or-later
// Asks a libvirt daemon about networks, one call after the other. As root on a local socket: no
// authentication is asked for there.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "loader/base/error.h"
#include "loader/base/fd.h"
#include "loader/rpc/values.h"

namespace vnet::rpc {

class Client {
 public:
  // With the networks' connection opened.
  static Result<Client> connect(const std::filesystem::path& socket);

  Result<std::uint64_t> library_version();  // 9000000 is 9.0.0
  Result<std::vector<Net>> networks();      // active and inactive
  Result<std::string> inactive_xml(const Net& net);
  Result<bool> is_active(const Net& net) { return flag(Ask::NetworkIsActive, net); }
  Result<bool> is_persistent(const Net& net) { return flag(Ask::NetworkIsPersistent, net); }
  Result<bool> autostart(const Net& net) { return flag(Ask::NetworkGetAutostart, net); }
  Result<std::vector<LeaseRow>> leases(const Net& net);
  Result<std::vector<std::string>> port_xmls(const Net& net);

  Result<void> start(const Net& net) { return change(Ask::NetworkCreate, net); }
  Result<void> destroy(const Net& net) { return change(Ask::NetworkDestroy, net); }

 private:
  // The protocol's numbers.
  enum class Ask : std::int32_t {
    ConnectOpen = 1,
    NetworkCreate = 39,
    NetworkDestroy = 42,
    NetworkGetXmlDesc = 43,
    NetworkGetAutostart = 44,
    AuthList = 66,
    NetworkIsActive = 152,
    NetworkIsPersistent = 153,
    ConnectGetLibVersion = 157,
    ConnectListAllNetworks = 283,
    NetworkGetDhcpLeases = 341,
    NetworkListAllPorts = 404,
    NetworkPortGetXmlDesc = 409,
  };

  explicit Client(Fd socket) : socket_(std::move(socket)) {}

  Result<std::string> call(Ask procedure, const std::string& arguments);
  Result<bool> flag(Ask procedure, const Net& net);
  Result<void> change(Ask procedure, const Net& net);
  Result<void> open();

  Fd socket_;
  std::string received_;
  std::uint32_t serial_ = 0;
};

}  // namespace vnet::rpc
