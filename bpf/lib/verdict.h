/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a program's functions return: the packet's action (TC_ACT_*, XDP_*), and the slot of the port that it
 * has been sent to, if any; or, negative, the reason of a drop, and whether the sender gets a reject. The
 * program's exit (account.h) translates it for the kernel.
 */
#ifndef VNET_BPF_VERDICT_H
#define VNET_BPF_VERDICT_H

#include "bpf/lib/kernel.h"
#include "maps/reasons.h"

#define VERDICT_ACTION	   0xff
#define VERDICT_PORT_SHIFT 8
#define VERDICT_REFUSED	   64

_Static_assert(VNET_DROP_MAX <= VERDICT_REFUSED, "a reason does not fit beside the mark of a refusal");

#define DROP(name) (-(int)VNET_DROP_##name)

static __always_inline u32 drop_reason(int verdict)
{
	return -verdict & (VERDICT_REFUSED - 1);
}

/* drop: DROP(). The sender is to get an ICMP error (reject.h). */
static __always_inline int refused(int drop)
{
	return drop - VERDICT_REFUSED;
}

static __always_inline int is_refused(int verdict)
{
	return verdict < -VERDICT_REFUSED;
}

static __always_inline int delivered(int action, u32 slot)
{
	return (action & VERDICT_ACTION) | slot << VERDICT_PORT_SHIFT;
}

static __always_inline int action_of(int verdict)
{
	return verdict & VERDICT_ACTION;
}

static __always_inline u32 receiver_of(int verdict)
{
	return (u32)verdict >> VERDICT_PORT_SHIFT;
}

#endif
