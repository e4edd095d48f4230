// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/plan/diff_ports.h"

namespace vnet {
namespace {

// Whatever is changed, a port is guarded first and plugged in then; unplugged, or down, and unguarded then.
class PortDiff {
 public:
  PortDiff(std::vector<Step>& steps, const Snapshot& snapshot, const PortRecord& record)
      : steps_(steps), snapshot_(snapshot), record_(record), link_(snapshot.link(record.interface)) {}

  void remove() {
    // The name may have been given to another interface meanwhile, or the interface been moved to another
    // bridge (`virsh update-device` does so to running guests): that is not ours to touch.
    bool there = link_ && link_->ifindex == record_.ifindex;
    const ActiveNetwork* active = snapshot_.network(record_.network);
    const LinkInfo* bridge = active ? snapshot_.link(active->network.bridge) : nullptr;
    bool plugged = there && bridge && link_->master == bridge->ifindex;
    bool ours = there && (plugged || !link_->master || !record_.parent.empty());
    add(TakePortDown{record_, ours});
    if (plugged) add(UnplugPort{record_});
    if (!record_.parent.empty()) add(UnplugDirectPort{record_});
    add(UnguardPort{record_});
  }

  void attach(bool fresh) {
    const ActiveNetwork* active = snapshot_.network(record_.network);
    if (!active || !link_) return;
    const Network& network = active->network;
    PortRecord unsettled = record_;
    unsettled.settled = false;
    add(GuardPort{unsettled, *link_, *active, fresh});
    if (is_direct(network)) {
      add(ShowPort{unsettled, *link_, *active});
      if (network.direct_mode == DirectMode::Passthrough) add(GiveMac{unsettled});
      add(PlugDirectPort{unsettled, *link_});
      return;
    }
    auto mtu = network.mtu;
    if (is_bridged(network))  // as libvirt: a smaller one would make the bridge's smaller, too
      if (const LinkInfo* bridge = snapshot_.link(network.bridge)) mtu = bridge->mtu;
    if (mtu && link_->mtu != *mtu) add(SetPortMtu{unsettled, *mtu, link_->mtu});
    add(PlugPort{unsettled, *link_, *active});
  }

  void change(const PortRecord& before) { add(ChangePort{before, record_}); }

  void set_xdp_target(const Network& network, bool deliver) {
    if (link_) add(SetXdpTarget{record_, *link_, network, deliver});
  }

 private:
  void add(Change change) { steps_.push_back({"port " + record_.interface, std::move(change)}); }

  std::vector<Step>& steps_;
  const Snapshot& snapshot_;
  const PortRecord& record_;
  const LinkInfo* link_;
};

// What stands of the port stays as it was until its programs stand again; the change comes then.
PortRecord with_old_settings(const PortRecord& now, const PortRecord& wanted) {
  PortRecord record = now;
  record.settled = wanted.settled;
  record.leaving = wanted.leaving;
  record.parent = wanted.parent;
  return record;
}

}  // namespace

void remove_ports(std::vector<Step>& steps, const Snapshot& snapshot, const Resources& now,
                  const Resources& wanted) {
  for (const auto& [interface, port] : now.ports)
    if (!wanted.ports.contains(interface)) PortDiff(steps, snapshot, port.record).remove();
}

void add_ports(std::vector<Step>& steps, const Snapshot& snapshot, const Resources& now,
               const Wanted& wanted) {
  for (const auto& [interface, port] : wanted.resources.ports) {
    auto before = now.ports.find(interface);
    if (before == now.ports.end()) {
      PortDiff(steps, snapshot, port.record).attach(true);
      continue;
    }
    const PortResource& known = before->second;
    PortRecord stands = known.record;
    if (port.in_place && !known.in_place) {
      bool same_interface = known.record.ifindex == port.record.ifindex;
      stands = same_interface ? with_old_settings(known.record, port.record) : port.record;
      PortDiff(steps, snapshot, stands).attach(false);
    }
    if (stands != port.record) {
      PortDiff(steps, snapshot, port.record).change(stands);
    } else if (known.in_place && known.xdp_target != port.xdp_target) {
      PortDiff(steps, snapshot, port.record)
          .set_xdp_target(wanted.networks.at(port.record.network), port.xdp_target);
    }
  }
}

}  // namespace vnet
