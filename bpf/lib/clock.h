/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Time in ticks of the coarse clock (VNET_TICK_SHIFT). Timeouts are configured in seconds. */
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
 * Rounded up. The tick of an event may be almost over when it is noted: a timeout has expired when *more*
 * than this many ticks have passed, so never too early.
 */
static __always_inline u32 ticks_of(u32 seconds)
{
	return (seconds * NSEC_PER_SEC + NSEC_PER_TICK - 1) >> VNET_TICK_SHIFT;
}

#endif
