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
#define VERDICT_REJECT	   64

_Static_assert(VNET_DROP_MAX <= VERDICT_REJECT, "a reason does not fit beside the mark of a refusal");

#define DROP(name) (-(int)VNET_DROP_##name)

static __always_inline u32 verdict_drop_reason(int verdict)
{
	return -verdict & (VERDICT_REJECT - 1);
}

/* drop: DROP(). The sender is to get an ICMP error (reject.h). */
static __always_inline int verdict_reject(int drop)
{
	return drop - VERDICT_REJECT;
}

static __always_inline int verdict_is_reject(int verdict)
{
	return verdict < -VERDICT_REJECT;
}

static __always_inline int verdict_delivered(int action, u32 slot)
{
	return (action & VERDICT_ACTION) | slot << VERDICT_PORT_SHIFT;
}

static __always_inline int verdict_action(int verdict)
{
	return verdict & VERDICT_ACTION;
}

static __always_inline u32 verdict_port(int verdict)
{
	return (u32)verdict >> VERDICT_PORT_SHIFT;
}

#endif
