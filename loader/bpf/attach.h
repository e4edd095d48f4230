// SPDX-License-Identifier: GPL-2.0-or-later
// A tc program on an interface: tcx where the kernel has it (6.6), a pinned link that outlives the
// command; clsact below that, found again by its handle. Foreign programs are never touched: ours run next
// to them.
#pragma once

#include <filesystem>
#include <string>

#include "loader/base/error.h"
#include "loader/base/fd.h"

namespace vnet {

enum class Hook { Ingress, Egress };

// The priority of our clsact filters, by which they are told from others'.
constexpr unsigned our_filter_priority = 0x766e;
constexpr bool is_our_priority(unsigned priority) {  // see AttachPoint::clsact_order
  return priority + 1 >= our_filter_priority && priority <= our_filter_priority + 1;
}

struct AttachPoint {
  int ifindex = 0;
  std::string interface;  // for messages
  Hook hook = Hook::Ingress;
  std::filesystem::path link_pin;  // where the tcx link is pinned
  // Two programs of ours at one hook: the order matters to them. tcx takes them as they come, unless one is
  // to be first; clsact goes by priorities, the lower first.
  bool first = false;
  int clsact_order = 0;
  // Without tcx: an `ingress` qdisc, which leaves no room for clsact, gives way. It is libvirt's policer's.
  bool replaces_ingress = false;
};

// Idempotent; a program of ours that is there already is replaced without a gap. A pinned link whose
// interface is gone (interface numbers come back) is made anew.
Result<void> attach_program(const AttachPoint& point, int program);
Result<void> detach_program(const AttachPoint& point);  // idempotent
// Ours, as it stands there now; without a value: none.
Result<Fd> attached_program(const AttachPoint& point);
// Whether the kernel has this very program there; false for an Fd without a value.
bool is_attached(const AttachPoint& point, const Fd& program);
// A loaded program's, whoever loaded it; "program 17" of one without a name, or that has gone.
std::string program_name(unsigned id);

}  // namespace vnet
