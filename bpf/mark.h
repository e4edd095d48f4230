/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A redirect runs the target's egress programs again. The second pass must be cheap, and only our own
 * programs may claim it: skb->cb carries a secret across bpf_redirect. It cannot be forged from
 * outside (64 random bits) and does not survive the IP stack or a bridge, which clear the area.
 */
#ifndef VNET_BPF_MARK_H
#define VNET_BPF_MARK_H

#include "bpf/kernel.h"

const volatile __u64 secret;

static __always_inline void mark_done(struct __sk_buff *skb)
{
	skb->cb[0] = (u32)secret;
	skb->cb[1] = secret >> 32;
}

static __always_inline int is_done(struct __sk_buff *skb)
{
	return skb->cb[0] == (u32)secret && skb->cb[1] == secret >> 32;
}

#endif
