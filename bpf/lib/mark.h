/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cb cookie. A redirect runs the target's egress programs. That second pass must be cheap, and only
 * our own programs may claim it: skb->cb carries a secret across bpf_redirect(). It cannot be forged
 * (64 random bits) and does not survive the IP stack or a bridge, which overwrite skb->cb.
 */
#ifndef VNET_BPF_MARK_H
#define VNET_BPF_MARK_H

#include "bpf/lib/kernel.h"

const volatile __u64 secret;

/* What the next program that sees a marked packet has to do. */
#define CB_NEXT	      2
#define CB_VLAN	      3 /* with MARK_CHECK: the VLAN that the frame is in (port_vlan.h) */
#define MARK_DONE     0
#define MARK_WIRE     1 /* direct attachment: from a guest to the wire, not from the host */
#define MARK_RESOLVED 3 /* done; the kernel wrote the link header, which skb->csum does not cover yet */
#define MARK_CHECK    2 /* a clone of a flood: the port's egress program checks and counts it */

static __always_inline void mark(struct __sk_buff *skb, u32 next)
{
	skb->cb[0] = (u32)secret;
	skb->cb[1] = secret >> 32;
	skb->cb[CB_NEXT] = next;
}

static __always_inline void mark_done(struct __sk_buff *skb)
{
	mark(skb, MARK_DONE);
}

static __always_inline void mark_clone(struct __sk_buff *skb, u32 vlan)
{
	mark(skb, MARK_CHECK);
	skb->cb[CB_VLAN] = vlan;
}

/* Before the packet is passed on as any other. */
static __always_inline void unmark(struct __sk_buff *skb)
{
	skb->cb[0] = 0;
	skb->cb[1] = 0;
}

static __always_inline int is_marked(struct __sk_buff *skb)
{
	return skb->cb[0] == (u32)secret && skb->cb[1] == secret >> 32;
}

#endif
