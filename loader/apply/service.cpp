// SPDX-License-Identifier: GPL-2.0-or-later
// DHCP, DNS, router advertisements and TFTP of a network: dnsmasq's files and the process.
#include "loader/apply/service.h"

#include <fmt/format.h>

#include "loader/apply/apply.h"
#include "loader/base/files.h"
#include "loader/services/dnsmasq_config.h"

namespace vnet {
namespace {

// dnsmasq gives up root and then reads the hosts files: it must get through to them. It would go on
// without them and tell only its log.
Result<void> check_readable(const std::filesystem::path& folder) {
  for (auto path = folder; path != path.root_path(); path = path.parent_path()) {
    std::error_code error;
    auto mode = std::filesystem::status(path, error).permissions();
    if (!error && (mode & std::filesystem::perms::others_exec) == std::filesystem::perms::none)
      return failed(fmt::format(
          "dnsmasq, which gives up root, cannot reach its hosts files below {}; run `chmod o+x {}`",
          path.string(), path.string()));
  }
  return {};
}

std::filesystem::path file_of(const System& system, const std::string& network, const char* suffix) {
  return system.dirs.runtime() / "dnsmasq" / (network + suffix);
}

DnsmasqFiles files_of(const System& system, const Network& network) {
  auto path = [&](const char* suffix) { return file_of(system, network.name, suffix).string(); };
  return dnsmasq_files(network,
                       {.pid_file = path(".pid"),
                        .lease_file = "",
                        .hostsfile = path(".hostsfile"),
                        .addnhosts = path(".addnhosts")},
                       network.bridge);
}

Result<void> write_files(System& system, const Network& network) {
  auto folder = system.dirs.runtime() / "dnsmasq";
  DnsmasqFiles files = files_of(system, network);
  VNET_TRY(make_folder(folder));
  VNET_TRY(make_folder(system.dirs.leases()));
  if (!files.hostsfile.empty() || !files.addnhosts.empty()) VNET_TRY(check_readable(folder));
  // dnsmasq gives up root and then reads the hosts files again: they are for all to read.
  VNET_TRY(write_file(file_of(system, network.name, ".hostsfile"), files.hostsfile, 0644));
  VNET_TRY(write_file(file_of(system, network.name, ".addnhosts"), files.addnhosts, 0644));
  return write_file(file_of(system, network.name, ".conf"), files.conf, 0600);
}

// Leases are in a file; a guest that asks in between asks again.
Result<void> restart(System& system, const Network& network) {
  auto dnsmasq = system.dnsmasq(network.name);
  VNET_TRY(write_files(system, network));
  VNET_TRY(dnsmasq.stop());
  return dnsmasq.start();
}

Result<void> reload(System& system, const Network& network) {
  auto dnsmasq = system.dnsmasq(network.name);
  VNET_TRY(write_files(system, network));
  return dnsmasq.running() ? dnsmasq.reload() : dnsmasq.start();
}

}  // namespace

Result<void> remove_dnsmasq_files(System& system, const std::string& network) {
  for (const char* suffix : {".conf", ".hostsfile", ".addnhosts", ".pid"})
    VNET_TRY(remove_file(file_of(system, network, suffix)));
  return {};
}

Result<void> apply(System& system, const StartDnsmasq& change) {
  VNET_TRY(write_files(system, change.network));
  return system.dnsmasq(change.network.name).start();
}
Result<void> undo(System& system, const StartDnsmasq& change) {
  VNET_TRY(system.dnsmasq(change.network.name).stop());
  return remove_dnsmasq_files(system, change.network.name);
}

Result<void> apply(System& system, const StopDnsmasq& change) {
  return system.dnsmasq(change.network).stop();
}

Result<void> apply(System& system, const ReloadDnsmasq& change) {
  return reload(system, change.network);
}
Result<void> undo(System& system, const ReloadDnsmasq& change) {
  return reload(system, change.previous);
}

Result<void> apply(System& system, const RestartDnsmasq& change) {
  VNET_TRY(system.dnsmasq(change.network.name).check(files_of(system, change.network).conf));
  return restart(system, change.network);
}
Result<void> undo(System& system, const RestartDnsmasq& change) {
  VNET_ASSIGN(auto conf, read_file(file_of(system, change.network.name, ".conf")));
  bool untouched = conf == files_of(system, change.previous).conf;
  return untouched && system.dnsmasq(change.network.name).running() ? Result<void>{}
                                                                    : restart(system, change.previous);
}

}  // namespace vnet
