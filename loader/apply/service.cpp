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

}  // namespace

Result<void> remove_dnsmasq_files(System& system, const std::string& network) {
  for (const char* suffix : {".conf", ".hostsfile", ".addnhosts", ".pid"})
    VNET_TRY(remove_file(system.dirs.runtime() / "dnsmasq" / (network + suffix)));
  return {};
}

Result<void> apply(System& system, const StartDnsmasq& change) {
  const Network& network = change.network;
  auto folder = system.dirs.runtime() / "dnsmasq";
  DnsmasqPaths paths{.pid_file = (folder / (network.name + ".pid")).string(),
                     .hostsfile = (folder / (network.name + ".hostsfile")).string(),
                     .addnhosts = (folder / (network.name + ".addnhosts")).string()};
  DnsmasqFiles files = dnsmasq_files(network, paths, network.bridge);
  VNET_TRY(make_folder(folder));
  VNET_TRY(make_folder(system.dirs.leases()));
  if (!files.hostsfile.empty() || !files.addnhosts.empty()) VNET_TRY(check_readable(folder));
  // dnsmasq gives up root and then reads the hosts files again: they are for all to read.
  VNET_TRY(write_file(paths.hostsfile, files.hostsfile, 0644));
  VNET_TRY(write_file(paths.addnhosts, files.addnhosts, 0644));
  VNET_TRY(write_file(folder / (network.name + ".conf"), files.conf, 0600));
  return system.dnsmasq(network.name).start();
}
Result<void> undo(System& system, const StartDnsmasq& change) {
  VNET_TRY(system.dnsmasq(change.network.name).stop());
  return remove_dnsmasq_files(system, change.network.name);
}

Result<void> apply(System& system, const StopDnsmasq& change) {
  return system.dnsmasq(change.network).stop();
}

}  // namespace vnet
