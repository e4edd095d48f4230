/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Takes a packet out of checksum offload (CHECKSUM_PARTIAL). There is no helper for it, and a packet
 * whose headers we write ourselves must not have its checksum "completed" later by the device. The
 * kernel clears the state when bytes are rewritten while csum_start lies before the packet's data: so the
 * front of the packet is cut off past the L4 header, a byte is rewritten, and the room is restored.
 *
 * The first OFFLOAD_CUT bytes from the network header on are lost: the caller saves and writes them.
 * The packet must have OFFLOAD_CUT + 40 bytes from the network header on.
 */
#ifndef VNET_BPF_OFFLOAD_H
#define VNET_BPF_OFFLOAD_H

#include "bpf/lib/kernel.h"

#define OFFLOAD_CUT 64 /* more than an IPv6 header and 8 bytes */

static __always_inline int leave_checksum_offload(struct __sk_buff *skb)
{
	u8 byte = 0;

	if (bpf_skb_adjust_room(skb, -OFFLOAD_CUT, BPF_ADJ_ROOM_MAC, 0))
		return -1;
	if (bpf_skb_load_bytes(skb, ETH_HLEN, &byte, 1) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN, &byte, 1, BPF_F_RECOMPUTE_CSUM))
		return -1;
	return bpf_skb_adjust_room(skb, OFFLOAD_CUT, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_NO_CSUM_RESET);
}

#endif
