/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What bpf/lost.bpf.c reports of a packet that the host's stack has dropped: an event as of any drop, its
 * bytes from the network header on, followed by the kernel's cause.
 */
#ifndef VNET_MAPS_LOST_ABI_H
#define VNET_MAPS_LOST_ABI_H

#include "maps/abi.h"

/* More than any kernel's enum skb_drop_reason has; those of subsystems (mac80211, openvswitch) are above. */
#define VNET_KERNEL_REASONS 256

struct vnet_cause {
  __u64 location; /* kernel address where it was freed */
  __u32 reason;   /* enum skb_drop_reason, whose values differ between kernels */
  __u32 pad;
};
VNET_SIZE(struct vnet_cause, 16);

struct vnet_loss {
  struct vnet_event event;
  struct vnet_cause cause;
};
VNET_SIZE(struct vnet_loss, 312);

#endif
