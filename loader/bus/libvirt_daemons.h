// SPDX-License-Identifier: GPL-2.0-or-later
// Which of libvirt's daemons this host runs, and whether they or we answer for networks.
#pragma once

#include "loader/bus/systemd.h"

namespace vnet {

// The units that matter, of both kinds of host. `own`: vnet-bpf's, which carry the networks' server there.
const std::vector<std::string>& own_units(LibvirtKind kind);
// libvirt's own, in whose place ours come: masked meanwhile. None on a monolithic host.
const std::vector<std::string>& replaced_units(LibvirtKind kind);
// Who runs guests, and asks for their networks.
const std::vector<std::string>& hypervisor_services(LibvirtKind kind);

Result<LibvirtHost> read_libvirt_host(Systemd& systemd);
// Pure: by what is active, else by what is enabled.
LibvirtKind kind_of(const UnitStates& units);

}  // namespace vnet
