// SPDX-License-Identifier: GPL-2.0-or-later
// The BPF side as a whole: the shared maps and, per network and per uplink, a set of loaded programs. All
// of it is pinned, and goes on working without us:
//   PINS/maps/NAME               shared maps
//   PINS/networks/NET/PROGRAM    the programs of a network
//   PINS/uplinks/IFACE/PROGRAM   the two of an uplink
//   PINS/parents/IFACE/PROGRAM   direct attachment: a physical interface's and its ports'
//   PINS/links/IFACE-ingress     tcx links; IFACE-xdp: an uplink's, where libxdp's dispatcher is not used
//   PINS/links/%forward4         the fence's at FORWARD, one a family (loader/bpf/fence.h); with %next
//   behind
//                                it while it takes the place of an older one
//   PINS/fenced                  what it has dropped last (bpf/lib/fenced.h)
//   PINS/before                  what an upgrade has replaced so far (loader/bpf/before.h)
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "loader/base/error.h"
#include "loader/base/fd.h"
#include "loader/bpf/attach.h"
#include "loader/bpf/program_list.h"
#include "loader/bpf/shared_maps.h"
#include "loader/bpf/xdp.h"
#include "loader/model/address.h"
#include "loader/model/network.h"
#include "maps/lost_abi.h"

namespace vnet {

// What is fixed for a network and becomes rodata of its programs.
struct NetworkPrograms {
  std::uint16_t slot = 0;
  int gateway_ifindex = 0;
  Mac gateway_mac;
  std::uint32_t flags = 0;                    // VNET_NETWORK_F_*
  std::optional<Address> gateway4, gateway6;  // sources of ICMP refusals
  bool needs_bridge = false;  // a port that is in no bridge is shut (kernels from 6.2 on can tell)
};

struct UplinkPrograms {
  std::uint16_t slot = 0;
  int ifindex = 0;
  bool ethernet = true;
  bool bridge = false;            // br_netfilter may have shown its packets to the firewall before us
  bool limits_new_flows = false;  // a network has <xdp newFlows>, and XDP does not count by it already
};

struct XdpPrograms {
  std::uint16_t slot = 0;
  int ifindex = 0;
  bool limits_new_flows = false;
  bool generic = false;              // may be, where the driver has no XDP; does not forward then
  bool forward = false;              // small packets of known sessions to SharedMaps::xdp_targets
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

// What a reader of bpf/lost.bpf.c wants.
struct LossProgram {
  std::uint32_t place = VNET_MONITORS_MAX;  // of its monitor; VNET_MONITORS_MAX: it has none
  std::uint64_t netns_cookie = 0;
  std::array<std::uint8_t, VNET_KERNEL_REASONS> reasons = {};  // enum vnet_reason by the kernel's
};
struct LoadedLosses {
  Fd program;   // neither pinned nor attached
  Fd counting;  // an array of one __u32: whether it counts
};

// Two programs of ours at an interface, one for each direction.
#define VNET_ROLE(role, object, folder, egress, ingress) role,
enum class Role { VNET_TC_PROGRAMS(VNET_ROLE) };
#undef VNET_ROLE
struct Attachment {
  Role role = Role::Port;
  std::string owner;  // whose programs: the network's, the uplink's, the parent's
  std::string interface;
  int ifindex = 0;
  bool replaces_ingress = false;  // see AttachPoint
};

class Datapath {
 public:
  // Opens the pinned maps, or makes and pins them.
  static Result<Datapath> open_or_create(const std::filesystem::path& pins);
  // Those of an older layout are copied into this one's, to be read. Of a layout that is not known there is
  // nothing to be read (has_maps()), but what is pinned can be detached.
  static Result<std::optional<Datapath>> open(const std::filesystem::path& pins);
  unsigned layout() const { return layout_; }  // of the pinned maps
  bool has_maps() const { return maps_.settings.fd() >= 0; }

  SharedMaps& maps() { return maps_; }
  const std::filesystem::path& pins() const { return pins_; }

  // Loads and pins the programs; what is attached of an older load stays until attached anew.
  Result<void> load_network(const std::string& network, const NetworkPrograms& config);
  Result<void> load_uplink(const std::string& interface, const UplinkPrograms& config);
  void unload_network(const std::string& network);
  void unload_uplink(const std::string& interface);
  Result<void> load_parent(const std::string& interface, const ParentPrograms& config);
  void unload_parent(const std::string& interface);

  // Idempotent; success means that the kernel has been asked, and both are there. Egress comes first: what
  // may leave is guarded before anything can come in. Where others are replaced the other way round: what the
  // new one sends out is answered to the new one.
  Result<void> attach(const Attachment& attachment, bool ingress_first = false);
  // Those of its hooks (enum vnet_hook) where the owner's program is not, or not any more.
  std::vector<unsigned> missing(const Attachment& attachment) const;
  // The uplink's XDP program. Never at a guest's interface: what a guest sends has its offloads in the socket
  // buffer only, which XDP does not see.
  Result<XdpObject> open_uplink_xdp(const XdpPrograms& config);  // not loaded yet
  Result<XdpState> attach_uplink_xdp(const std::string& interface, const XdpPrograms& config);
  Result<void> detach_uplink_xdp(const std::string& interface, int ifindex);
  XdpState uplink_xdp(const std::string& interface, int ifindex) const;
  Result<Fd> attached_xdp(const std::string& interface, int ifindex) const;  // without a value: none
  // Of a port, a gateway, an uplink or a member. A parent may be an uplink as well: it has hooks of its own.
  Result<void> detach(const std::string& interface, int ifindex);
  // Ours at that hook of any interface; without a value: none.
  Result<Fd> attached(const std::string& interface, int ifindex, unsigned hook) const;  // enum vnet_hook
  Result<void> detach_parent(const std::string& interface, int ifindex);
  // Whether what stands there is of this build; true where nothing does (loader/bpf/upgrade.cpp).
  bool is_current(const Attachment& attachment) const;  // the owner's programs
  bool is_xdp_current(const std::string& interface, int ifindex) const;
  // Upgrades: an owner's programs as they are now are kept, and put back; those of a hook, too.
  Result<void> keep_programs(const Attachment& attachment) const;
  Result<void> put_back_programs(const Attachment& attachment) const;  // to be attached then
  // Up to layout 9 a program in front of the port's held its bandwidth: is one there? Taken away and put
  // back.
  bool has_old_limit(const std::string& interface, int ifindex) const;
  Result<void> take_old_limit(const std::string& interface, int ifindex) const;
  Result<void> put_back_old_limit(const std::string& interface, int ifindex) const;
  Result<void> keep_xdp(const std::string& interface, int ifindex) const;
  Result<void> put_back_xdp(const std::string& interface, int ifindex) const;
  // While sessions are in two maps: what the uplink's new program does not know its old one is shown, behind
  // it.
  Result<void> show_to_old(const std::string& interface, int ifindex) const;
  Result<void> show_to_new_only(const std::string& interface, int ifindex) const;
  bool holds(const Attachment& attachment) const;  // a program of this build is at one of its hooks
  // The program of loader/bpf/fence.h, neither pinned nor attached.
  Result<Fd> load_fence();
  // With all that is counted of them.
  Result<void> end_sessions(const std::vector<vnet_flow>& keys);
  Result<LoadedLosses> load_losses(const LossProgram& config);  // for loader/observe/losses.h

 private:
  Datapath(std::filesystem::path pins, SharedMaps maps, unsigned layout = VNET_ABI_VERSION)
      : pins_(std::move(pins)), maps_(std::move(maps)), layout_(layout) {}
  static bool is_ours(Role role, int program);  // of this build
  AttachPoint point_of(const Attachment& attachment, unsigned hook) const;
  std::filesystem::path program_folder(const Attachment& attachment) const;  // below PINS
  std::filesystem::path program_pin(const Attachment& attachment, unsigned hook) const;
  AttachPoint point(Hook hook, const std::string& interface, int ifindex) const;
  XdpPoint xdp_point(const std::string& interface, int ifindex) const;
  AttachPoint old_police_point(const std::string& interface, int ifindex) const;
  AttachPoint old_point(const std::string& interface, int ifindex) const;
  AttachPoint parent_point(Hook hook, const std::string& interface, int ifindex) const;

  std::filesystem::path pins_;
  SharedMaps maps_;
  unsigned layout_;
};

// libbpf and the verifier speak only when asked to (--verbose).
void set_libbpf_verbose(bool verbose);

// What the verifier writes about each program that is loaded, in libbpf's debug messages: 1 its steps, 4
// its statistics. For tools.
void set_verifier_log_level(unsigned level);

}  // namespace vnet
