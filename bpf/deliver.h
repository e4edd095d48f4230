/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Out of a port, to its guest. Counted here for the port that receives; the port's own egress program
 * sees the mark and lets the frame pass (bpf_redirect_peer skips it altogether).
 */
#ifndef VNET_BPF_DELIVER_H
#define VNET_BPF_DELIVER_H

#include "bpf/account.h"
#include "bpf/inbound.h"
#include "bpf/mark.h"

/* may_peer: bpf_redirect_peer works at tc ingress only. */
static __always_inline int deliver(struct __sk_buff *skb, u32 ifindex, u32 slot, u32 flags, int may_peer)
{
	/* Its egress program is skipped or sees the mark: what may reach the port is asked here. */
	int err = port_refuses(skb, ifindex);

	if (err)
		return err;
	count_traffic(slot, COUNT_RX, skb->len);
	mark_done(skb);
	if (may_peer && flags & VNET_HOP_F_PEER)
		return bpf_redirect_peer(ifindex, 0);
	return bpf_redirect(ifindex, 0);
}

#endif
