// SPDX-License-Identifier: GPL-2.0-or-later
// The reader's side of bpf/lost.bpf.c: what the host's own stack drops of our packets is told and counted for
// as long as this lives. Nothing is pinned: a reader that is killed takes all of it along.
#pragma once

#include <optional>

#include "loader/base/error.h"
#include "loader/base/fd.h"
#include "loader/bpf/datapath.h"

namespace vnet {

class KernelReasons;

class Losses {
 public:
  // place: of the monitor that is told (loader/observe/monitor.h); nullopt: they are counted only.
  static Result<Losses> start(Datapath& datapath, const KernelReasons& reasons, std::optional<__u32> place);

  // Every reader has a program of its own, and one of them counts: the first one, and when it has gone
  // another. To be called now and then.
  void count();
  // Of the maps that are pinned now, not of others that were there before.
  bool watches(const SharedMaps& maps) const;

 private:
  Losses() = default;

  Fd link_, counting_, turn_;
  bool counts_ = false;
  __u32 maps_ = 0;
};

}  // namespace vnet
