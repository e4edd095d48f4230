// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include "loader/plan/change.h"

namespace vnet {
namespace {

std::string words(const StoreDefinition& c) {
  return fmt::format("store {}", c.path.string());
}
std::string words(const RemoveDefinition& c) {
  return fmt::format("remove {}", c.path.string());
}
std::string words(const SetAutostart& c) {
  return fmt::format("{} {}", c.enable ? "link" : "remove", c.link.string());
}
std::string words(const BlockPrefix& c) {
  return "block " + c.prefix.text();
}
std::string words(const UnblockPrefix& c) {
  return "unblock " + c.prefix.text();
}

std::string words(const ClaimNetwork&) {
  return "load the datapath";
}
std::string words(const CompleteNetwork& c) {
  return fmt::format("note that {} is active", c.record.name);
}
std::string words(const LeaveNetwork& c) {
  return fmt::format("note that {} is stopping", c.record.name);
}
std::string words(const ForgetNetwork& c) {
  return fmt::format("forget {}", c.name);
}

std::string words(const CreateBridge& c) {
  return fmt::format("create bridge {} ({})", c.network.bridge, c.network.mac->text());
}
std::string words(const DeleteBridge& c) {
  return fmt::format("delete bridge {}", c.bridge);
}
std::string words(const AttachGateway& c) {
  return fmt::format("attach to {}: gateway of {}", c.network.bridge, c.network.name);
}
std::string words(const ReattachGateway& c) {
  return fmt::format("attach to {} again: gateway of {}", c.network.bridge, c.network.name);
}
std::string words(const UnloadGateway& c) {
  return fmt::format("unload the programs of {}", c.network.name);
}
std::string words(const GiveAddresses& c) {
  std::string texts;
  for (const auto& ip : c.network.ips) texts += (texts.empty() ? "" : ", ") + ip.gateway.text();
  return fmt::format("give {} the addresses {} and set it up", c.network.bridge, texts);
}
std::string words(const AddRoute& c) {
  return fmt::format("route {} through {}", c.route.destination.text(), c.route.gateway.text());
}
std::string words(const FollowAddresses& c) {
  std::string list;
  for (const auto& [address, refused] : c.added) {
    list += (list.empty() ? "" : ", ") + address.text();
    if (!refused.empty()) list += fmt::format(" (not its guests' subnet: {})", refused);
  }
  return fmt::format("network {}: addresses added to {}: {}", c.active.network.name, c.active.network.bridge,
                     list.empty() ? "none but the definition's" : list);
}
std::string words(const PutUpSocketRedirect&) {
  return "let the host itself reach port forwards";
}
std::string words(const TakeDownSocketRedirect&) {
  return "no longer lead the host itself to port forwards";
}
std::string words(const SetHostAddresses&) {
  return "note the host's addresses for port forwards";
}
std::string words(const SetPasses& c) {
  return fmt::format("{} the policy of the host's {} rules (table {} {})",
                     c.rules.empty() ? "leave all guests to" : "let guests past", c.table.hook,
                     c.table.family, c.table.table);
}
std::string words(const SetZone& c) {
  if (c.zone.empty()) return fmt::format("take {} out of firewalld's zone {}", c.bridge, c.before);
  return fmt::format("put {} into firewalld's zone {}", c.bridge, c.zone);
}
std::string words(const SetLinkNames& c) {
  if (c.names.servers.empty()) return fmt::format("have systemd-resolved ask nobody at {}", c.bridge);
  return fmt::format("have systemd-resolved ask {} for names in {}", c.names.servers.front().text(),
                     c.names.domain);
}
std::string words(const StartDnsmasq& c) {
  return fmt::format("start dnsmasq on {}", c.network.bridge);
}
std::string words(const StopDnsmasq& c) {
  return fmt::format("stop dnsmasq on {}", c.bridge);
}
std::string words(const EnableForwarding& c) {
  return fmt::format("set sysctl {}=1", c.sysctl);
}
std::string words(const RestoreSysctl& c) {
  return fmt::format("set sysctl {}={} again", c.sysctl, c.value);
}

std::string words(const ChangeDefinition& c) {
  return fmt::format("note the new definition of {}: {}", c.record.name, c.what);
}
std::string words(const LoadProgramsAnew& c) {
  return fmt::format("load the programs of {} anew", c.network.name);
}
std::string words(const WriteNetworkEntry& c) {
  return fmt::format("tell the programs of {} what holds now", c.network.name);
}
std::string words(const AddPortForward& c) {
  return "forward " + forward_line(c.forward);
}
std::string words(const RemovePortForward& c) {
  return "no longer forward " + forward_line(c.forward);
}
std::string words(const EnterSubnet& c) {
  return fmt::format("let guests of {} have addresses in {}", c.network, c.subnet.text());
}
std::string words(const LeaveSubnet& c) {
  return fmt::format("let no guest of {} have an address in {}", c.network, c.subnet.text());
}
std::string words(const AddGatewayAddress& c) {
  return fmt::format("give {} the address {}", c.network.bridge, c.address.text());
}
std::string words(const RemoveGatewayAddress& c) {
  return fmt::format("take the address {} from {}", c.address.text(), c.network.bridge);
}
std::string words(const RemoveRoute& c) {
  return fmt::format("remove the route of {} through {}", c.route.destination.text(), c.route.gateway.text());
}
std::string words(const SetSpanningTree& c) {
  return fmt::format("set the spanning tree of {} {}, delay {} s", c.bridge, c.stp ? "on" : "off",
                     c.delay_seconds);
}
std::string words(const SetGatewayMtu& c) {
  return fmt::format("set the MTU of {} to {}", c.bridge, c.mtu);
}
std::string words(const ReloadDnsmasq& c) {
  return fmt::format("let dnsmasq on {} read its hosts again", c.network.bridge);
}
std::string words(const RestartDnsmasq& c) {
  return fmt::format("restart dnsmasq on {}", c.network.bridge);
}
std::string words(const RefreshPort& c) {
  return fmt::format("let {} follow its network", c.record.interface);
}
std::string words(const EndSessions& c) {
  return fmt::format("end the sessions that {} no longer translates so", c.network.name);
}

std::string words(const LoadBridged& c) {
  return fmt::format("load the programs of {} for bridge {}", c.network.name, c.network.bridge);
}
std::string words(const UnloadBridged& c) {
  return fmt::format("unload the programs of {}", c.network.name);
}
std::string words(const AttachMember& c) {
  return fmt::format("attach to {}: the way out of {}", c.record.interface, c.network.bridge);
}
std::string words(const DetachMember& c) {
  return fmt::format("detach {}", c.record.interface);
}
std::string words(const SetBridgedFlags& c) {
  return c.flags & VNET_NETWORK_F_SHORTCUT
             ? fmt::format("take the shortcut past {} again", c.network.bridge)
             : fmt::format("leave every frame to {}: it has filters inside", c.network.bridge);
}

std::string words(const AttachParent& c) {
  return c.network.empty() ? fmt::format("attach to {} again", c.record.interface)
                           : fmt::format("attach to {}: the way out of {}", c.record.interface, c.network);
}
std::string words(const DetachParent& c) {
  return fmt::format("detach from {}", c.record.interface);
}
std::string words(const EnterDirect& c) {
  return fmt::format("enter {} into the datapath", c.network.name);
}
std::string words(const RemoveDirect& c) {
  return fmt::format("remove {} from the datapath", c.network);
}

std::string words(const AttachUplink& c) {
  std::string xdp =
      c.record.xdp.mode == XdpMode::Off ? "" : fmt::format(", XDP {}", xdp_mode_name(c.record.xdp.mode));
  return fmt::format("attach uplink {}{}", c.record.interface, xdp);
}
std::string words(const DetachUplink& c) {
  return fmt::format("detach uplink {}", c.record.interface);
}
std::string words(const NoteUplink& c) {
  return fmt::format("note that {} is {} uplink", c.record.interface,
                     c.record.primary ? "the" : "no longer the");
}
std::string words(const NoteUplinkAddresses& c) {
  return fmt::format("note the addresses of uplink {}", c.record.interface);
}
std::string words(const TrustVrf& c) {
  return fmt::format("note that uplinks are in VRF {}", c.name);
}
std::string words(const DistrustVrf& c) {
  return fmt::format("believe VRF {} no longer", c.ifindex);
}
std::string words(const PutUpFence&) {
  return "put up the fence at FORWARD";
}
std::string words(const TakeDownFence&) {
  return "take down the fence at FORWARD";
}

std::string words(const GuardPort& c) {
  return fmt::format("guard {} as port of {}", c.record.interface, c.record.network);
}
std::string words(const SetPortMtu& c) {
  return fmt::format("set the MTU of {} to {}", c.record.interface, c.mtu);
}
std::string words(const PlugPort& c) {
  return fmt::format("plug {} into {}", c.record.interface, c.active.network.bridge);
}
std::string words(const ShowPort& c) {
  return fmt::format("let {} be found", c.record.interface);
}
std::string words(const GiveMac& c) {
  return fmt::format("give {} the MAC {}", c.record.parent, c.record.mac->text());
}
std::string words(const PlugDirectPort& c) {
  return fmt::format("plug {} into {}", c.record.interface, c.record.parent);
}
std::string words(const ChangePort& c) {
  return fmt::format("change port {}", c.before.interface);
}
std::string words(const TakePortDown& c) {
  return fmt::format("take {} down", c.record.interface);
}
std::string words(const UnplugPort& c) {
  return fmt::format("take {} out of its bridge", c.record.interface);
}
std::string words(const UnplugDirectPort& c) {
  return fmt::format("take {} off {}", c.record.interface, c.record.parent);
}
std::string words(const UnguardPort& c) {
  return fmt::format("take the guard off {}", c.record.interface);
}
std::string words(const SetXdpTarget& c) {
  return fmt::format("{} XDP deliver to {}", c.deliver ? "let" : "no longer let", c.record.interface);
}

std::string words(const MoveMaps& c) {
  if (c.from == VNET_ABI_VERSION) return "keep what is replaced until all of it is";
  return fmt::format("move the maps from layout {} to layout {}", c.from, VNET_ABI_VERSION);
}
std::string words(const CopyRest&) {
  return "move what has been written meanwhile";
}
std::string words(const UpgradeNetwork& c) {
  return fmt::format("replace the programs of network {}", c.network.name);
}
std::string words(const UpgradeParent& c) {
  return fmt::format("replace the programs at {} and its ports", c.record.interface);
}
std::string words(const UpgradeUplink& c) {
  return fmt::format("replace the programs of uplink {}", c.record.interface);
}
std::string words(const UpgradeLimit& c) {
  return fmt::format("move the bandwidth of {} into its programs", c.record.interface);
}
std::string words(const UpgradeFence&) {
  return "replace the fence at FORWARD";
}
std::string words(const UpgradeSocketRedirect&) {
  return "replace the programs that lead the host itself to port forwards";
}
std::string words(const FinishUpgrade&) {
  return "let go of what has been replaced";
}

}  // namespace

std::string text(const Change& change) {
  return std::visit([](const auto& one) { return words(one); }, change);
}

}  // namespace vnet
