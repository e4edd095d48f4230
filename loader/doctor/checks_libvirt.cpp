// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/doctor/checks.h"

namespace vnet {

void check_libvirt(const HostFacts& facts, Findings& findings) {
  if (!facts.libvirt || facts.libvirt->kind == LibvirtKind::None) return;
  if (facts.libvirt->server == NetworkServer::Libvirt) {
    findings.push_back(
        {.severity = Severity::Note,
         .what = "libvirt's calls about networks are answered by libvirt's own network driver",
         .why = "virsh, virt-manager and guests with <source network> use libvirt's networks, and "
                "those of vnet-bpf by their bridges only.",
         .fix = "vnet-bpf libvirt enable --dry-run"});
    return;
  }
  const char* socket = facts.libvirt->kind == LibvirtKind::Modular ? "vnet-bpf-virtnetworkd.socket"
                                                                   : "vnet-bpf-network.socket";
  auto unit = facts.libvirt->units.find(socket);
  if (unit != facts.libvirt->units.end() && unit->second.active) {
    findings.push_back(
        {.severity = Severity::Note,
         .what = "libvirt's calls about networks are answered by vnet-bpf",
         .why = "virsh, virt-manager and guests with <source network> use vnet-bpf's networks.",
         .fix = "vnet-bpf libvirt status"});
    return;
  }
  findings.push_back(
      {.what = std::string("libvirt's calls about networks go to vnet-bpf, and ") + socket + " is not active",
       .why = "No guest with <source network> starts, and virsh shows no network.",
       .fix = std::string("systemctl enable --now ") + socket});
}

}  // namespace vnet
