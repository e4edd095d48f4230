/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is the port in a bridge now? One that was taken out (`nomaster`, the bridge deleted) would be on link with
 * the host's own IP stack, or go on as if plugged in. The UAPI does not tell, so a kernel structure is read,
 * from 6.2 on. On older kernels `run` and the next command take care of it.
 */
#ifndef VNET_BPF_PLUGGED_H
#define VNET_BPF_PLUGGED_H

#include "bpf/lib/kernel_struct.h"

#define IFF_BRIDGE_PORT_ (1U << 9) /* enum netdev_priv_flags, which is not in the UAPI */

struct net_device {
	unsigned long priv_flags;
} kernel_struct;

struct sk_buff {
	struct net_device *dev;
} kernel_struct;

extern void *bpf_cast_to_kern_ctx(void *ctx) __ksym __weak;

const volatile __u8 reads_kernel; /* the kernel has the function above */

static __always_inline int is_plugged(struct __sk_buff *skb)
{
	struct sk_buff *inner;
	struct net_device *device;

	if (!reads_kernel)
		return 1;
	inner = bpf_cast_to_kern_ctx(skb);
	device = inner->dev;
	return (BPF_CORE_READ_BITFIELD(device, priv_flags) & IFF_BRIDGE_PORT_) != 0;
}

#endif
