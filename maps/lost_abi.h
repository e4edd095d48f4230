/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What bpf/lost.bpf.c tells of a packet that the host's own stack has dropped: the event of any drop, its
 * bytes from the network header on, and the kernel's cause behind it.
 */
#ifndef VNET_MAPS_LOST_ABI_H
#define VNET_MAPS_LOST_ABI_H

#include "maps/abi.h"

/* More than any kernel's enum skb_drop_reason has; beyond are those of subsystems (mac80211, openvswitch). */
#define VNET_KERNEL_REASONS 256

struct vnet_cause {
  __u64 location; /* in the kernel: where it was freed */
  __u32 reason;   /* enum skb_drop_reason, which every kernel numbers anew */
  __u32 pad;
};
VNET_SIZE(struct vnet_cause, 16);

struct vnet_loss {
  struct vnet_event event;
  struct vnet_cause cause;
};
VNET_SIZE(struct vnet_loss, 312);

#endif
