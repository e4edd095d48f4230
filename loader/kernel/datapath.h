// SPDX-License-Identifier: GPL-2.0-or-later
// The BPF side as a whole: the shared maps and, per network and per uplink, a set of loaded programs. All
// of it is pinned, and goes on working without us:
//   PINS/maps/NAME               shared maps
//   PINS/networks/NET/PROGRAM    the programs of a network
//   PINS/uplinks/IFACE/PROGRAM   the two of an uplink
//   PINS/parents/IFACE/PROGRAM   direct attachment: a physical interface's and its ports'
//   PINS/links/IFACE-ingress     tcx links; IFACE-xdp: an uplink's, where libxdp's dispatcher is not used
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "loader/error.h"
#include "loader/kernel/attach.h"
#include "loader/kernel/fd.h"
#include "loader/kernel/xdp.h"
#include "loader/model/address.h"
#include "loader/model/network.h"
#include "maps/maps.h"

namespace vnet {

// What is fixed for a network and becomes rodata of its programs.
struct NetworkPrograms {
  std::uint16_t slot = 0;
  int gateway_ifindex = 0;
  Mac gateway_mac;
  std::uint32_t flags = 0;                    // VNET_NETWORK_F_*
  std::optional<Address> gateway4, gateway6;  // sources of ICMP refusals
};

struct UplinkPrograms {
  std::uint16_t slot = 0;
  int ifindex = 0;
  bool ethernet = true;
  bool limits_new_flows = false;  // a network has <xdp newFlows>, and XDP does not count by it already
};

struct XdpPrograms {
  std::uint16_t slot = 0;
  int ifindex = 0;
  bool limits_new_flows = false;
  bool generic = false;              // may be, where the driver has no XDP; does not forward then
  bool forward = false;              // small packets of known sessions to SharedMaps::targets
  bool distrusts_checksums = false;  // forward: packets may come from a stack of this machine
  Mac mac = {};                      // forward: the uplink's
};

// Direct attachment: a physical interface that guests hang on.
struct ParentPrograms {
  std::uint16_t slot = 0;
  int ifindex = 0;
  Mac mac;
  bool passthrough = false;
};

class Datapath {
 public:
  // Opens the pinned maps, or makes and pins them.
  static Result<Datapath> open_or_create(const std::filesystem::path& pins);
  static Result<std::optional<Datapath>> open(const std::filesystem::path& pins);

  SharedMaps& maps() { return maps_; }

  // Loads and pins the programs; what is attached of an older load stays until attached anew.
  Result<void> load_network(const std::string& network, const NetworkPrograms& config);
  Result<void> load_uplink(const std::string& interface, const UplinkPrograms& config);
  void unload_network(const std::string& network);
  void unload_uplink(const std::string& interface);
  Result<void> load_parent(const std::string& interface, const ParentPrograms& config);
  void unload_parent(const std::string& interface);

  // The two hooks of a port, the gateway, an uplink, or the uplink member of a bridged network's bridge. All
  // idempotent.
  Result<void> attach_port(const std::string& network, const std::string& interface, int ifindex);
  Result<void> attach_gateway(const std::string& network, const std::string& interface, int ifindex);
  Result<void> attach_uplink(const std::string& interface, int ifindex);
  // In front of a port's program: what its guest sends above the rate is dropped. nullopt: no limit.
  Result<void> limit_port(const std::string& interface, int ifindex, std::uint16_t slot,
                          const std::optional<Bandwidth>& outbound);
  // The uplink's XDP program. Never at a guest's interface: what a guest sends has its offloads in the socket
  // buffer only, which XDP does not see.
  Result<XdpObject> open_uplink_xdp(const XdpPrograms& config);  // not loaded yet
  Result<XdpState> attach_uplink_xdp(const std::string& interface, const XdpPrograms& config);
  Result<void> detach_uplink_xdp(const std::string& interface, int ifindex);
  XdpState uplink_xdp(const std::string& interface, int ifindex) const;
  Result<Fd> attached_xdp(const std::string& interface, int ifindex) const;  // without a value: none
  Result<void> attach_member(const std::string& network, const std::string& interface, int ifindex);
  Result<void> detach(const std::string& interface, int ifindex);
  // Ours at that hook of any interface; without a value: none.
  Result<Fd> attached(const std::string& interface, int ifindex, unsigned hook) const;  // enum vnet_hook
  // A parent may be an uplink as well: it has hooks of its own.
  Result<void> attach_direct_port(const std::string& parent, const std::string& interface, int ifindex);
  Result<void> attach_parent(const std::string& interface, int ifindex);
  Result<void> detach_parent(const std::string& interface, int ifindex);

 private:
  Datapath(std::filesystem::path pins, SharedMaps maps) : pins_(std::move(pins)), maps_(std::move(maps)) {}
  Result<void> attach(const std::filesystem::path& programs, const char* ingress, const char* egress,
                      const std::string& interface, int ifindex);
  AttachPoint point(Hook hook, const std::string& interface, int ifindex) const;
  XdpPoint xdp_point(const std::string& interface, int ifindex) const;
  AttachPoint police_point(const std::string& interface, int ifindex) const;
  AttachPoint parent_point(Hook hook, const std::string& interface, int ifindex) const;

  std::filesystem::path pins_;
  SharedMaps maps_;
};

// libbpf and the verifier speak only when asked to (--verbose).
void set_libbpf_verbose(bool verbose);

// What the verifier writes about each program that is loaded, in libbpf's debug messages: 1 its steps, 4
// its statistics. For tools.
void set_verifier_log_level(unsigned level);

}  // namespace vnet
