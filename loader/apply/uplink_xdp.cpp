// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/apply/uplink_xdp.h"

#include <fmt/format.h>

namespace vnet {

std::string describe_xdp(const UplinkRecord& record, const XdpState& state) {
  if (record.xdp.mode == XdpMode::Off) return "";
  std::string mode = xdp_mode_name(record.xdp.mode);
  if (!record.xdp.no_forward.empty()) mode = fmt::format("filter (no forwarding: {})", record.xdp.no_forward);
  if (record.xdp.mode == XdpMode::Forward && state.generic)
    mode = "filter (no forwarding: that takes native XDP)";
  if (state.how == XdpHow::Not)
    return fmt::format("not attached: {}", record.xdp_why.empty() ? "somebody has taken it away, a command "
                                                                    "that changes something puts it back"
                                                                  : record.xdp_why);
  return fmt::format("{}, {}, {}", mode, state.generic ? "generic" : "native",
                     state.how == XdpHow::Dispatcher ? "shared by libxdp's dispatcher" : "alone at the hook");
}

}  // namespace vnet
