// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "loader/doctor/doctor.h"
#include "loader/doctor/facts.h"

namespace vnet {

// The checks, by concern.
void check_kernel(const HostFacts& facts, Findings& findings);  // checks_kernel.cpp
void check_tcx(const HostFacts& facts, Findings& findings);
void check_jit(const HostFacts& facts, Findings& findings);
void check_bpffs(const HostFacts& facts, Findings& findings);
void check_forwarding(const HostFacts& facts, Findings& findings);  // checks_sysctl.cpp
void check_router_advertisements(const HostFacts& facts, Findings& findings);
void check_rp_filter(const HostFacts& facts, Findings& findings);
void check_br_netfilter(const HostFacts& facts, Findings& findings);
void check_port_range(const HostFacts& facts, Findings& findings);
void check_forward_rules(const HostFacts& facts, Findings& findings);  // checks_firewall.cpp
void check_input_rules(const HostFacts& facts, Findings& findings);
void check_firewall_passes(const HostFacts& facts, Findings& findings);
void check_names(const HostFacts& facts, Findings& findings);  // checks_service.cpp
void check_masquerade_rules(const HostFacts& facts, Findings& findings);
void check_port_forward_rules(const HostFacts& facts, Findings& findings);
void check_forwards(const HostFacts& facts, Findings& findings);
void check_legacy_rules(const HostFacts& facts, Findings& findings);
void check_uplinks(const HostFacts& facts, Findings& findings);  // checks_link.cpp
void check_guards(const HostFacts& facts, Findings& findings);
void check_versions(const HostFacts& facts, Findings& findings);
void check_unattached(const HostFacts& facts, Findings& findings);
void check_mtu(const HostFacts& facts, Findings& findings);
void check_bonding(const HostFacts& facts, Findings& findings);
void check_xdp(const HostFacts& facts, Findings& findings);
void check_driver(const HostFacts& facts, Findings& findings);
void check_foreign_programs(const HostFacts& facts, Findings& findings);
void check_bridge_names(const HostFacts& facts, Findings& findings);
void check_subnets(const HostFacts& facts, Findings& findings);
void check_dnsmasq(const HostFacts& facts, Findings& findings);  // checks_service.cpp
void check_inotify(const HostFacts& facts, Findings& findings);
void check_service_ports(const HostFacts& facts, Findings& findings);
void check_libvirt(const HostFacts& facts, Findings& findings);    // checks_libvirt.cpp
void check_ip_only(const HostFacts& facts, Findings& findings);    // checks_port.cpp
void check_announced(const HostFacts& facts, Findings& findings);  // checks_announce.cpp

// One with a gateway of ours, where dnsmasq may serve.
bool wants_dnsmasq(const Network& network);

}  // namespace vnet
