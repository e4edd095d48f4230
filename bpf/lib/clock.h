/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Time as packets see it: ticks of the coarse clock (VNET_TICK_SHIFT). What is configured is in seconds. */
#ifndef VNET_BPF_CLOCK_H
#define VNET_BPF_CLOCK_H

#include "bpf/lib/kernel.h"
#include "maps/abi.h"

#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_SEC  1000000000ULL
#define NSEC_PER_TICK (1ULL << VNET_TICK_SHIFT)

static __always_inline u32 tick_now(void)
{
	return bpf_ktime_get_coarse_ns() >> VNET_TICK_SHIFT;
}

/*
 * Rounded up. The tick of an event may be almost over when it is noted: what is to last that long is over
 * when *more* than so many ticks have gone by, and then never too early.
 */
static __always_inline u32 ticks_of(u32 seconds)
{
	return (seconds * NSEC_PER_SEC + NSEC_PER_TICK - 1) >> VNET_TICK_SHIFT;
}

#endif
