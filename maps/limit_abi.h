/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of the contract that is about <bandwidth> (bpf/lib/bandwidth.h). Included by maps/abi.h.
 */
#ifndef VNET_MAPS_LIMIT_ABI_H
#define VNET_MAPS_LIMIT_ABI_H

/* One per direction of a port or network: its slot, and enum vnet_direction. */
struct vnet_limit_key {
  __u16 slot;
  __u16 direction;
};
VNET_SIZE(struct vnet_limit_key, 4);

#define VNET_LIMITS_MAX (2 * VNET_SLOTS)

/* A token bucket, kept as the time at which it will be full again. */
struct vnet_bucket {
  __u64 ns_per_mib; /* at the rate; 0: no limit */
  __u64 depth_ns;   /* the time in which an empty one fills */
  __u64 full_at;    /* CLOCK_MONOTONIC, ns */
};
VNET_SIZE(struct vnet_bucket, 24);

struct vnet_limit {
  __u32 lock;    /* struct bpf_spin_lock; the network's protects the shares, too */
  __u16 network; /* of a port: slot of the network whose limit it shares; 0: none */
  __u16 pad;
  struct vnet_bucket average;
  struct vnet_bucket peak;
  __u64 share_full_at; /* of a port: full_at of its share */
  __u32 tick;          /* of the latest packet; of a network: of the counts below */
  __u16 active;        /* of a network: ports with packets in this tick, and in the previous one */
  __u16 was_active;
};
VNET_SIZE(struct vnet_limit, 72);

#endif
