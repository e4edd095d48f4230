// SPDX-License-Identifier: GPL-2.0-or-later
// DHCP, DNS, router advertisements and TFTP of a network: dnsmasq's files and the process.
#include <fmt/format.h>

#include "loader/kernel/files.h"
#include "loader/plan/context.h"
#include "loader/services/dnsmasq_config.h"

namespace vnet {

Result<Plan> plan_dnsmasq(Context& context, const Network& network) {
  Plan plan;
  auto folder = context.dirs.runtime() / "dnsmasq";
  DnsmasqPaths paths{.pid_file = (folder / (network.name + ".pid")).string(),
                     .hostsfile = (folder / (network.name + ".hostsfile")).string(),
                     .addnhosts = (folder / (network.name + ".addnhosts")).string()};
  DnsmasqFiles files = dnsmasq_files(network, paths);
  if (!files.needed || context.dnsmasq(network.name).running()) return plan;
  plan.add(
      fmt::format("start dnsmasq on {}", network.bridge),
      [&context, network, files, folder, paths]() -> Result<void> {
        VNET_TRY(make_folder(folder));
        VNET_TRY(make_folder(context.dirs.leases()));
        // dnsmasq gives up root and then reads the hosts files again: they are for all to read.
        VNET_TRY(write_file(paths.hostsfile, files.hostsfile, 0644));
        VNET_TRY(write_file(paths.addnhosts, files.addnhosts, 0644));
        VNET_TRY(write_file(folder / (network.name + ".conf"), files.conf, 0600));
        return context.dnsmasq(network.name).start();
      },
      [&context, name = network.name] { (void)context.dnsmasq(name).stop(); });
  return plan;
}

}  // namespace vnet
