/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Has the host's NAT translated a packet before the uplink's programs see it? Only where the uplink is a
 * bridge and br_netfilter is on: conntrack has then seen the frame at its bridge port. Elsewhere our hooks
 * come first, and bpf/lib/to_stack.h tells what NAT does to a packet behind them.
 */
#ifndef VNET_BPF_HOST_NAT_H
#define VNET_BPF_HOST_NAT_H

#include "bpf/lib/kernel_struct.h"

#define IPS_NAT_MASK 0x30 /* IPS_SRC_NAT | IPS_DST_NAT */

struct nf_conn {
	unsigned long status;
} kernel_struct;

struct sk_buff___tracked {
	unsigned long _nfct;
} kernel_struct;

/* The context is the kernel's struct sk_buff; below 6.2 there is no kfunc to cast it for the verifier. */
static __always_inline int host_nat_has_translated(struct __sk_buff *skb)
{
	unsigned long tracked = 0, status = 0;

	if (!bpf_core_field_exists(struct nf_conn, status) ||
	    !bpf_core_field_exists(struct sk_buff___tracked, _nfct))
		return 0;
	if (bpf_probe_read_kernel(&tracked, sizeof(tracked),
				  (void *)skb + bpf_core_field_offset(struct sk_buff___tracked, _nfct)))
		return 0;
	tracked &= NFCT_PTRMASK;
	if (!tracked ||
	    bpf_probe_read_kernel(&status, sizeof(status),
				  (void *)tracked + bpf_core_field_offset(struct nf_conn, status)))
		return 0;
	return (status & IPS_NAT_MASK) != 0;
}

#endif
