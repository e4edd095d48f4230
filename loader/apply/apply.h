// SPDX-License-Identifier: GPL-2.0-or-later
// How each change (loader/plan/change.h) is carried out, one overload a change; files are named after what
// they change. Each is idempotent: an interrupted command is simply run again. Internal to the executor.
#pragma once

#include "loader/apply/system.h"
#include "loader/plan/change.h"

namespace vnet {

// definitions.cpp
Result<void> apply(System& system, const StoreDefinition& change);
Result<void> apply(System& system, const RemoveDefinition& change);
Result<void> apply(System& system, const SetAutostart& change);
// block.cpp
Result<void> apply(System& system, const BlockPrefix& change);
Result<void> apply(System& system, const UnblockPrefix& change);
// networks.cpp
Result<void> apply(System& system, const ClaimNetwork& change);
Result<void> apply(System& system, const CompleteNetwork& change);
Result<void> apply(System& system, const LeaveNetwork& change);
Result<void> apply(System& system, const ForgetNetwork& change);
// gateway.cpp
Result<void> apply(System& system, const CreateBridge& change);
Result<void> apply(System& system, const DeleteBridge& change);
Result<void> apply(System& system, const AttachGateway& change);
Result<void> apply(System& system, const ReattachGateway& change);
Result<void> apply(System& system, const UnloadGateway& change);
Result<void> apply(System& system, const GiveAddresses& change);
Result<void> apply(System& system, const AddRoute& change);
Result<void> apply(System& system, const RemoveRoute& change);
// redefine.cpp
Result<void> apply(System& system, const ChangeDefinition& change);
Result<void> apply(System& system, const LoadProgramsAnew& change);
Result<void> apply(System& system, const WriteNetworkEntry& change);
Result<void> apply(System& system, const AddPortForward& change);
Result<void> apply(System& system, const RemovePortForward& change);
Result<void> apply(System& system, const EnterSubnet& change);
Result<void> apply(System& system, const LeaveSubnet& change);
Result<void> apply(System& system, const AddGatewayAddress& change);
Result<void> apply(System& system, const RemoveGatewayAddress& change);
Result<void> apply(System& system, const SetSpanningTree& change);
Result<void> apply(System& system, const SetGatewayMtu& change);
Result<void> apply(System& system, const EndSessions& change);
// subnets.cpp
Result<void> apply(System& system, const FollowAddresses& change);
// socket_redirect.cpp
Result<void> apply(System& system, const PutUpSocketRedirect& change);
Result<void> apply(System& system, const TakeDownSocketRedirect& change);
Result<void> apply(System& system, const SetHostAddresses& change);
// host_firewall.cpp
Result<void> apply(System& system, const SetPasses& change);
Result<void> apply(System& system, const SetZone& change);
Result<void> apply(System& system, const SetLinkNames& change);
// service.cpp
Result<void> apply(System& system, const StartDnsmasq& change);
Result<void> apply(System& system, const StopDnsmasq& change);
Result<void> apply(System& system, const ReloadDnsmasq& change);
Result<void> apply(System& system, const RestartDnsmasq& change);
// forwarding.cpp
Result<void> apply(System& system, const EnableForwarding& change);
Result<void> apply(System& system, const RestoreSysctl& change);
// bridged.cpp
Result<void> apply(System& system, const LoadBridged& change);
Result<void> apply(System& system, const UnloadBridged& change);
Result<void> apply(System& system, const AttachMember& change);
Result<void> apply(System& system, const DetachMember& change);
Result<void> apply(System& system, const SetBridgedFlags& change);
// direct.cpp
Result<void> apply(System& system, const AttachParent& change);
Result<void> apply(System& system, const DetachParent& change);
Result<void> apply(System& system, const EnterDirect& change);
Result<void> apply(System& system, const RemoveDirect& change);
// uplinks.cpp
Result<void> apply(System& system, const AttachUplink& change);
Result<void> apply(System& system, const DetachUplink& change);
Result<void> apply(System& system, const NoteUplink& change);
Result<void> apply(System& system, const NoteUplinkAddresses& change);
Result<void> apply(System& system, const TrustVrf& change);
Result<void> apply(System& system, const DistrustVrf& change);
// fence.cpp
Result<void> apply(System& system, const PutUpFence& change);
Result<void> apply(System& system, const TakeDownFence& change);
// upgrade.cpp
Result<void> apply(System& system, const MoveMaps& change);
Result<void> apply(System& system, const CopyRest& change);
Result<void> apply(System& system, const UpgradeNetwork& change);
Result<void> apply(System& system, const UpgradeParent& change);
Result<void> apply(System& system, const UpgradeUplink& change);
Result<void> apply(System& system, const UpgradeLimit& change);
Result<void> apply(System& system, const UpgradeFence& change);
Result<void> apply(System& system, const UpgradeSocketRedirect& change);
Result<void> apply(System& system, const FinishUpgrade& change);
// ports.cpp
Result<void> apply(System& system, const GuardPort& change);
Result<void> apply(System& system, const SetPortMtu& change);
Result<void> apply(System& system, const PlugPort& change);
Result<void> apply(System& system, const ChangePort& change);
Result<void> apply(System& system, const RefreshPort& change);
Result<void> apply(System& system, const TakePortDown& change);
Result<void> apply(System& system, const UnplugPort& change);
Result<void> apply(System& system, const UnguardPort& change);
Result<void> apply(System& system, const SetXdpTarget& change);
// direct_port.cpp
Result<void> apply(System& system, const ShowPort& change);
Result<void> apply(System& system, const GiveMac& change);
Result<void> apply(System& system, const PlugDirectPort& change);
Result<void> apply(System& system, const UnplugDirectPort& change);

// Takes a change back when a later one fails; it may have been half done itself. What has no overload leaves
// nothing that the next command would not find.
template <typename Other>
Result<void> undo(System&, const Other&) {
  return {};
}
Result<void> undo(System& system, const StoreDefinition& change);
Result<void> undo(System& system, const BlockPrefix& change);
Result<void> undo(System& system, const UnblockPrefix& change);
Result<void> undo(System& system, const ClaimNetwork& change);
Result<void> undo(System& system, const CreateBridge& change);
Result<void> undo(System& system, const AttachGateway& change);
Result<void> undo(System& system, const StartDnsmasq& change);
Result<void> undo(System& system, const EnableForwarding& change);
Result<void> undo(System& system, const AddRoute& change);
Result<void> undo(System& system, const RemoveRoute& change);
Result<void> undo(System& system, const ChangeDefinition& change);
Result<void> undo(System& system, const LoadProgramsAnew& change);
Result<void> undo(System& system, const WriteNetworkEntry& change);
Result<void> undo(System& system, const AddPortForward& change);
Result<void> undo(System& system, const RemovePortForward& change);
Result<void> undo(System& system, const EnterSubnet& change);
Result<void> undo(System& system, const LeaveSubnet& change);
Result<void> undo(System& system, const AddGatewayAddress& change);
Result<void> undo(System& system, const RemoveGatewayAddress& change);
Result<void> undo(System& system, const SetSpanningTree& change);
Result<void> undo(System& system, const SetGatewayMtu& change);
Result<void> undo(System& system, const ReloadDnsmasq& change);
Result<void> undo(System& system, const RestartDnsmasq& change);
Result<void> undo(System& system, const RefreshPort& change);
Result<void> undo(System& system, const LoadBridged& change);
Result<void> undo(System& system, const AttachMember& change);
Result<void> undo(System& system, const AttachParent& change);
Result<void> undo(System& system, const EnterDirect& change);
Result<void> undo(System& system, const AttachUplink& change);
Result<void> undo(System& system, const TrustVrf& change);
Result<void> undo(System& system, const PutUpFence& change);
Result<void> undo(System& system, const PutUpSocketRedirect& change);
Result<void> undo(System& system, const SetPasses& change);
Result<void> undo(System& system, const SetZone& change);
Result<void> undo(System& system, const MoveMaps& change);
Result<void> undo(System& system, const UpgradeNetwork& change);
Result<void> undo(System& system, const UpgradeParent& change);
Result<void> undo(System& system, const UpgradeUplink& change);
Result<void> undo(System& system, const UpgradeLimit& change);
Result<void> undo(System& system, const UpgradeFence& change);
Result<void> undo(System& system, const UpgradeSocketRedirect& change);
Result<void> undo(System& system, const GuardPort& change);
Result<void> undo(System& system, const SetPortMtu& change);
Result<void> undo(System& system, const PlugPort& change);
Result<void> undo(System& system, const ChangePort& change);
Result<void> undo(System& system, const TakePortDown& change);
Result<void> undo(System& system, const GiveMac& change);
Result<void> undo(System& system, const PlugDirectPort& change);

}  // namespace vnet
