/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A redirect runs the target's egress programs again. The second pass must be cheap, and only our own
 * programs may claim it: skb->cb carries a secret across bpf_redirect. It cannot be forged from
 * outside (64 random bits) and does not survive the IP stack or a bridge, which clear the area.
 */
#ifndef VNET_BPF_MARK_H
#define VNET_BPF_MARK_H

#include "bpf/lib/kernel.h"

const volatile __u64 secret;

/* What is left to do for the program that meets a marked packet next. */
#define CB_NEXT	      2
#define MARK_DONE     0
#define MARK_WIRE     1 /* direct attachment: a guest's, for the wire; not the host's */
#define MARK_RESOLVED 3 /* done; its link header is the kernel's, and not yet in the packet's sum */
#define MARK_JUDGE    2 /* a clone of a flood: the port's egress program judges and counts it */

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

/* Nobody's any more: for whoever passes it on. */
static __always_inline void unmark(struct __sk_buff *skb)
{
	skb->cb[0] = 0;
	skb->cb[1] = 0;
}

static __always_inline int is_done(struct __sk_buff *skb)
{
	return skb->cb[0] == (u32)secret && skb->cb[1] == secret >> 32;
}

#endif
