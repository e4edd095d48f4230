// SPDX-License-Identifier: GPL-2.0-or-later
// One change of the host each, as a value: it says what it does (text()), and loader/apply carries it out and
// undoes it. What it needs to know was found in the snapshot; an interface that the plan itself makes is
// known by its name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "loader/model/bus_services.h"
#include "loader/model/link.h"
#include "loader/model/pass_rule.h"
#include "loader/model/records.h"
#include "maps/abi.h"

namespace vnet {

// Definitions.
struct StoreDefinition {
  std::filesystem::path path;
  std::string xml;
  std::optional<std::string> before = {};  // nullopt: there was none
};
struct RemoveDefinition {
  std::filesystem::path path, autostart;
};
struct SetAutostart {
  std::string name;
  std::filesystem::path link;
  bool enable = true;
};

// The block list.
struct BlockPrefix {
  Prefix prefix;
};
struct UnblockPrefix {
  Prefix prefix;
};

// A network as a whole. Claimed before anything of it is made, complete when all of it stands; a record goes
// when what it describes has gone.
struct ClaimNetwork {
  NetworkRecord record;
};
struct CompleteNetwork {
  NetworkRecord record;
};
struct LeaveNetwork {
  NetworkRecord record;
};
struct ForgetNetwork {
  std::string name;
  bool last = false;  // nothing of the datapath stays
};

// NAT, routed, open, isolated: the gateway.
struct CreateBridge {
  Network network;
};
struct DeleteBridge {
  std::string bridge;
};
struct AttachGateway {
  Network network;
  std::uint16_t slot = 0;
};
struct ReattachGateway {  // some of its programs are missing
  Network network;
  std::uint16_t slot = 0;
  int ifindex = 0;
};
struct UnloadGateway {
  Network network;
  std::uint16_t slot = 0;
};
struct GiveAddresses {
  Network network;
};
struct AddRoute {
  Network network;
  StaticRoute route;
};
struct FollowAddresses {  // addresses that the administrator has added to the gateway, or removed
  ActiveNetwork active;
  int gateway = 0;
  std::vector<AddedAddress> added;
};
struct PutUpSocketRedirect {};
struct TakeDownSocketRedirect {};
struct SetHostAddresses {
  std::vector<Address> added, removed;
};
struct SetPasses {  // rules of ours in a table of the host's
  PassTable table;
  std::vector<PassRule> rules, before;
};
struct SetZone {  // firewalld's; "": none
  std::string bridge, zone, before;
};
struct SetLinkNames {  // systemd-resolved's; without servers: it forgets the link
  std::string bridge;
  LinkNames names;
};
struct StartDnsmasq {
  Network network;
};
struct StopDnsmasq {
  std::string network, bridge;
};
struct EnableForwarding {
  std::string sysctl;
};
struct RestoreSysctl {
  std::string sysctl, value;
};

// A definition that changes while its network runs. Each change knows both, so that it can be taken back.
struct ChangeDefinition {  // from here on the network is to be the new one, whatever happens
  NetworkRecord record, previous;
  std::string what;  // "port forwards, DHCP hosts"
};
struct LoadProgramsAnew {  // what is fixed in them has changed; gateway and ports go over to the new ones
  Network network, previous;
  std::uint16_t slot = 0;
};
struct WriteNetworkEntry {
  Network network, previous;
  std::uint16_t slot = 0;
};
struct AddPortForward {
  PortForward forward;
  std::string network;
  std::uint16_t slot = 0;
};
struct RemovePortForward {
  PortForward forward;
  std::string network;
  std::uint16_t slot = 0;
};
struct EnterSubnet {  // of which guests may have addresses
  Prefix subnet;
  std::string network;
  std::uint16_t slot = 0;
};
struct LeaveSubnet {
  Prefix subnet;
  std::string network;
  std::uint16_t slot = 0;
};
struct AddGatewayAddress {
  Network network;
  Prefix address;
  std::uint16_t slot = 0;
};
struct RemoveGatewayAddress {
  Network network;  // without it
  Prefix address;
  std::uint16_t slot = 0;
};
struct RemoveRoute {
  Network network;
  StaticRoute route;
};
struct SetSpanningTree {
  std::string bridge;
  bool stp = true, stp_before = true;
  unsigned delay_seconds = 0, delay_before = 0;
};
struct SetGatewayMtu {
  std::string bridge;
  unsigned mtu = 0, before = 0;
};
struct ReloadDnsmasq {  // hosts only: SIGHUP
  Network network, previous;
};
struct RestartDnsmasq {
  Network network, previous;
};
struct RefreshPort {  // what its network says of it has changed
  PortRecord record;
  Network network, previous;
};
struct EndSessions {  // those that the definition translates otherwise, or not at all
  Network network;
  std::uint16_t slot = 0;
};

// Bridged: the host's bridge.
struct LoadBridged {
  Network network;
  std::uint16_t slot = 0;
  std::uint32_t flags = 0;  // VNET_NETWORK_F_*
};
struct UnloadBridged {
  Network network;
  std::uint16_t slot = 0;
};
struct AttachMember {
  Network network;
  UplinkRecord record;
  bool fresh = false;  // its slot begins at zero
};
struct DetachMember {
  UplinkRecord record;
};
struct SetBridgedFlags {
  Network network;
  std::uint16_t slot = 0;
  std::uint32_t flags = 0;  // VNET_NETWORK_F_*
};

// Direct attachment: the parent interfaces.
struct AttachParent {
  ParentRecord record;
  std::string network;  // whose way out it is; "": it is attached to again
  bool fresh = false;
  bool is_ours = true;  // no other network has it: it goes again when a later change fails
};
struct DetachParent {
  ParentRecord record;
};
struct EnterDirect {
  Network network;
  std::uint16_t slot = 0;
};
struct RemoveDirect {
  std::string network;
  std::uint16_t slot = 0;
};

// Uplinks, the VRFs they are in, and the fence behind routing.
struct AttachUplink {
  UplinkRecord record;
  LinkInfo link;
  std::vector<Address> addresses;  // to masquerade to, one a family
  bool fresh = false;
  std::optional<UplinkRecord> before = {};  // it stood, otherwise
};
struct DetachUplink {
  UplinkRecord record;
};
struct NoteUplink {  // it stays attached; only what is said of it changes
  UplinkRecord record;
};
struct NoteUplinkAddresses {
  UplinkRecord record;
  std::vector<Address> addresses;  // one a family
};
struct TrustVrf {
  int ifindex = 0;
  std::string name;
};
struct DistrustVrf {
  int ifindex = 0;
};
struct PutUpFence {
  std::vector<Network> networks;
  bool is_needed_anyway = false;  // there were networks behind it before
};
struct TakeDownFence {};

// Ports.
struct GuardPort {
  PortRecord record;
  LinkInfo link;
  ActiveNetwork active;
  bool fresh = false;
};
struct SetPortMtu {
  PortRecord record;
  unsigned mtu = 0, before = 0;
};
struct PlugPort {
  PortRecord record;
  LinkInfo link;
  ActiveNetwork active;
};
struct ShowPort {  // direct attachment: let it be found
  PortRecord record;
  LinkInfo link;
  ActiveNetwork active;
};
struct GiveMac {  // passthrough: the parent takes its guest's
  PortRecord record;
};
struct PlugDirectPort {
  PortRecord record;
  LinkInfo link;
};
struct ChangePort {
  PortRecord before, after;
};
struct TakePortDown {
  PortRecord record;
  bool ours = true;  // the interface is still there, and in no other bridge
};
struct UnplugPort {
  PortRecord record;
};
struct UnplugDirectPort {
  PortRecord record;
};
struct UnguardPort {
  PortRecord record;
};
struct SetXdpTarget {
  PortRecord record;
  LinkInfo link;
  Network network;
  bool deliver = true;
};

// Upgrades (loader/bpf/before.h): what another build has put there is replaced in place, and kept until all
// is.
struct MoveMaps {  // to this build's layout
  unsigned from = 0;
};
struct CopyRest {  // what packets have written into the old maps since
  unsigned from = 0;
};
struct UpgradeNetwork {  // its gateway's programs, its members' and its ports'
  Network network;
  std::uint16_t slot = 0;
};
struct UpgradeParent {  // and its ports'
  ParentRecord record;
};
struct UpgradeUplink {
  UplinkRecord record;
  LinkInfo link;
};
struct UpgradeLimit {  // from a program of its own into the port's
  PortRecord record;
  LinkInfo link;
  ActiveNetwork active;
};
struct UpgradeFence {
  std::vector<Network> networks;
};
struct UpgradeSocketRedirect {};
struct FinishUpgrade {};

using Change = std::variant<
    StoreDefinition, RemoveDefinition, SetAutostart, BlockPrefix, UnblockPrefix, ClaimNetwork,
    CompleteNetwork, LeaveNetwork, ForgetNetwork, CreateBridge, DeleteBridge, AttachGateway, ReattachGateway,
    UnloadGateway, GiveAddresses, AddRoute, FollowAddresses, PutUpSocketRedirect, TakeDownSocketRedirect,
    SetHostAddresses, SetPasses, SetZone, SetLinkNames, StartDnsmasq, StopDnsmasq, EnableForwarding,
    RestoreSysctl, ChangeDefinition, LoadProgramsAnew, WriteNetworkEntry, AddPortForward, RemovePortForward,
    EnterSubnet, LeaveSubnet, AddGatewayAddress, RemoveGatewayAddress, RemoveRoute, SetSpanningTree,
    SetGatewayMtu, ReloadDnsmasq, RestartDnsmasq, RefreshPort, EndSessions, LoadBridged, UnloadBridged,
    AttachMember, DetachMember, SetBridgedFlags, AttachParent, DetachParent, EnterDirect, RemoveDirect,
    AttachUplink, DetachUplink, NoteUplink, NoteUplinkAddresses, TrustVrf, DistrustVrf, PutUpFence,
    TakeDownFence, GuardPort, SetPortMtu, PlugPort, ShowPort, GiveMac, PlugDirectPort, ChangePort,
    TakePortDown, UnplugPort, UnplugDirectPort, UnguardPort, SetXdpTarget, MoveMaps, CopyRest, UpgradeNetwork,
    UpgradeParent, UpgradeUplink, UpgradeLimit, UpgradeFence, UpgradeSocketRedirect, FinishUpgrade>;

// "create bridge virbr0 (52:54:00:1a:2b:3c)"
std::string text(const Change& change);

}  // namespace vnet
