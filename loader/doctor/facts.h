// SPDX-License-Identifier: GPL-2.0-or-later
// What `doctor` looks at: the host as plain values. gather_facts() reads them and changes nothing; the checks
// see nothing else, so that a test can feed them any host.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "loader/base/error.h"
#include "loader/firewall/ruleset.h"
#include "loader/model/announcement.h"
#include "loader/model/bus_services.h"
#include "loader/model/host_socket.h"
#include "loader/model/libvirt_host.h"
#include "loader/model/network.h"
#include "loader/netlink/netlink.h"
#include "loader/os/distribution.h"

namespace vnet {

struct System;

// Something of the kernel's that is there or not.
struct Feature {
  std::string name;  // "helper bpf_redirect_peer"
  bool there = true;
};

struct KernelFacts {
  std::string release;  // "6.1.0-18-amd64"
  unsigned major = 0, minor = 0;
  bool btf = true;                // /sys/kernel/btf/vmlinux
  bool tcx = true;                // 6.6
  bool jit = true;                // net.core.bpf_jit_enable, or compiled in for good
  std::vector<Feature> features;  // what the programs cannot do without
};

// A tc or XDP program, or another kind of tc filter, that is not ours.
struct ForeignProgram {
  std::string hook;    // "tcx ingress", "clsact egress", "xdp"
  std::string name;    // as the kernel has it; a filter's kind where it is no BPF program
  std::string remove;  // the command that would take it away
};

struct LinkFacts {
  LinkInfo link;
  std::vector<Prefix> addresses;
  std::string driver;                         // of a physical card; else ""
  std::optional<std::uint64_t> xdp_features;  // nullopt: a kernel that does not tell (below 6.3)
  std::optional<unsigned> bond_mode;          // where kind is "bond"
  std::vector<ForeignProgram> programs;
};

using SocketFacts = HostSocket;

// A network that is active, or that would be with the next `start`.
struct CheckedNetwork {
  Network network;
  bool active = false;
  bool dnsmasq_running = false;
  std::vector<std::string> ports;
};

struct HostFacts {
  KernelFacts kernel;
  Distribution distribution;  // what its remedies are written for
  std::string bpffs;          // where it must be mounted
  bool bpffs_mounted = true;
  bool initial_mounts = true;                  // we see process 1's mounts: a bpffs mounted now would stay
  std::map<std::string, std::string> sysctls;  // those of sysctl_names() that exist here
  PortRange ephemeral{32768, 60999};
  std::vector<LinkFacts> links;
  std::vector<std::string> uplinks;                   // in use, or that would be
  std::vector<std::string> xdp_alone;                 // uplinks whose XDP hook our program has to itself
  std::map<std::string, std::string> xdp_missing;     // uplinks that should have XDP: why they have not
  std::map<std::string, std::string> xdp_no_forward;  // uplinks that filter only: why
  std::map<std::string, std::vector<std::string>> xdp_no_port;  // XDP forward: why not, and to which ports
  std::vector<RouteInfo> routes;
  Ruleset ruleset;
  std::optional<Firewalld> firewalld;      // nullopt: it does not run here
  bool resolved = false;                   // systemd-resolved does
  std::optional<LibvirtHost> libvirt;      // nullopt: no systemd here that could tell
  std::vector<std::string> legacy_tables;  // of iptables before nftables: not to be seen in the ruleset
  std::vector<SocketFacts> sockets;        // on the ports of DNS and DHCP, and on forwarded ones
  bool dnsmasq_installed = true;
  unsigned inotify_limit = 0, inotify_used = 0;  // instances; limit 0: not to be seen
  std::vector<CheckedNetwork> networks;
  std::vector<std::string> unguarded;  // "vnet0 port-ingress": programs of ours that somebody took away
  std::vector<std::string> outdated;   // "network lab": whose programs another build has loaded
  unsigned layout = 0;                 // of the maps that run; 0: none do
  bool upgrade_interrupted = false;
  AnnouncedView announced;
  std::map<std::string, std::string> ip_only;  // ports with --ip-only: what it costs their guests
  std::vector<std::string> unattached;         // in the bridge of a gateway of ours, and no port

  const LinkFacts* link(const std::string& name) const;
  const LinkFacts* link(int ifindex) const;
  std::string sysctl(const std::string& name) const;  // "" when this kernel or namespace has none
};

Result<HostFacts> gather_facts(System& system);

// "net.ipv4.conf.eth0.rp_filter", or with slashes where the interface's name has a dot, as sysctl(8) takes
// it.
std::string conf_sysctl(const char* family, const std::string& interface, const char* name);

// The parts of gather_facts().
KernelFacts gather_kernel();                                        // gather_kernel.cpp
Result<std::vector<LinkFacts>> gather_links(Netlink& netlink);      // gather_links.cpp
std::vector<ForeignProgram> gather_programs(const LinkInfo& link);  // gather_programs.cpp

}  // namespace vnet
