// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/observe/losses.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <sys/file.h>

#include "loader/bpf/shared_maps.h"
#include "loader/bpf/socket_redirect.h"
#include "loader/observe/kernel_reasons.h"

namespace vnet {
namespace {

__u32 number_of(const SharedMaps& maps) {
  bpf_map_info info{};
  __u32 size = sizeof(info);
  return bpf_obj_get_info_by_fd(maps.drops.fd(), &info, &size) ? 0 : info.id;
}

}  // namespace

Result<Losses> Losses::start(Datapath& datapath, const KernelReasons& reasons, std::optional<__u32> place) {
  Losses losses;
  LossProgram program{.place = place.value_or(VNET_MONITORS_MAX), .reasons = reasons.ours()};
  VNET_ASSIGN(program.netns_cookie, netns_cookie());
  VNET_ASSIGN(auto loaded, datapath.load_losses(program));
  losses.counting_ = std::move(loaded.counting);
  losses.maps_ = number_of(datapath.maps());
  // A lock that ends with its process: its holder counts.
  losses.turn_ = Fd(::open((datapath.pins() / "maps").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!losses.turn_) return system_error("opening " + (datapath.pins() / "maps").string());
  losses.count();
  losses.link_ = Fd(bpf_raw_tracepoint_open(nullptr, loaded.program.get()));
  if (!losses.link_) return system_error("attaching to the kernel's tracepoint kfree_skb");
  return losses;
}

void Losses::count() {
  if (counts_ || ::flock(turn_.get(), LOCK_EX | LOCK_NB)) return;
  __u32 zero = 0, one = 1;
  counts_ = !bpf_map_update_elem(counting_.get(), &zero, &one, BPF_ANY);
}

bool Losses::watches(const SharedMaps& maps) const {
  return maps_ && maps_ == number_of(maps);
}

}  // namespace vnet
