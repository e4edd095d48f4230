// SPDX-License-Identifier: GPL-2.0-or-later
// The modes of a network, one row each (mode.cpp): what a mode is capable of is asked here, and nowhere else
// whether a network has this mode or that. What it is made of is in loader/plan/modes.
#pragma once

namespace vnet {

enum class Mode { Nat, Route, Open, Isolated, Bridge, Direct };

struct ModeSpec {
  Mode mode;
  const char* name;  // nat route open isolated bridge direct
  bool has_gateway;  // a bridge of ours, with the host's addresses
  bool is_routed;    // the host forwards for its guests
  bool masquerades;  // ... with an address of the host's
  bool is_visible;   // the outside may begin connections to its guests
  bool any_uplink;   // no policy of ours for what leaves
  bool on_bridge;    // on a bridge that the host has already
  bool on_parents;   // on physical interfaces, without a bridge
  // What its XML may and must have, as libvirt has it (loader/config/validate.cpp).
  bool has_bandwidth;
  bool needs_ip;
  unsigned max_uplinks;  // in <forward>
};

const ModeSpec& mode_spec(Mode mode);
inline const char* mode_name(Mode mode) {
  return mode_spec(mode).name;
}

}  // namespace vnet
