// SPDX-License-Identifier: GPL-2.0-or-later
// An XDP program on an uplink, next to those of others: through libxdp's dispatcher, which others share,
// where the kernel can replace a program's functions (freplace); else as a link of our own, which has the
// hook to itself. Foreign programs are never touched.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "loader/base/error.h"

struct bpf_object;

namespace vnet {

enum class XdpHow { Not, Link, Dispatcher };

struct XdpState {
  XdpHow how = XdpHow::Not;
  bool generic = false;  // behind the making of the socket buffer: the driver cannot
  std::string why;       // with Not: what stands in the way; "" when it was not wanted
};

struct XdpPoint {
  int ifindex = 0;
  std::string interface;
  std::string program;             // its name in the object
  std::filesystem::path link_pin;  // where a link of our own is pinned
  std::filesystem::path bpffs;     // libxdp keeps its pins below
  bool generic = false;            // may be generic where the driver has no XDP
};

// An object with its constants and maps set, not loaded yet. Asked for each time one is to be loaded.
using XdpObject = std::shared_ptr<bpf_object>;
using OpenXdp = std::function<Result<XdpObject>()>;

// Idempotent; ours that is there already is replaced without a gap. That the interface or others leave no
// room is no error: it is in the state.
Result<XdpState> attach_xdp(const XdpPoint& point, const OpenXdp& open);
// Back to a program that was there before. In a dispatcher that is not possible: without one tc does the
// same.
Result<void> replace_xdp(const XdpPoint& point, int program);
// Idempotent.
Result<void> detach_xdp(const XdpPoint& point);
// As it is now, without a reason.
XdpState xdp_state(const XdpPoint& point);
// The id of our program there; 0: none.
unsigned xdp_program_id(const XdpPoint& point);

}  // namespace vnet
