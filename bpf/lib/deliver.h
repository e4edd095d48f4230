/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Out of a port, to its guest. The exit of the program that sends counts it for the port, too, whose own
 * egress program sees the mark and lets the frame pass (bpf_redirect_peer skips it altogether).
 */
#ifndef VNET_BPF_DELIVER_H
#define VNET_BPF_DELIVER_H

#include "bpf/lib/inbound.h"
#include "bpf/lib/mark.h"
#include "bpf/lib/redirect.h"

/*
 * By the kernel's neighbour table: it finds the MAC of the next hop that note_next_hop() has noted, and holds
 * the packet meanwhile. On its way from one device to another a link header is in the sum that a card has
 * made (CHECKSUM_COMPLETE). The kernel counts the old one in, takes it off without counting it back, and puts
 * the new one on without counting it in.
 */
static __always_inline int redirect_to_neighbour(struct __sk_buff *skb, u32 ifindex)
{
	struct session_scratch *m = session_scratch();
	__be32 link[4] = {};

	if (!bpf_skb_load_bytes(skb, 0, link, ETH_HLEN))
		bpf_csum_update(skb, bpf_csum_diff(link, sizeof(link), NULL, 0, 0));
	return m ? redirect_neigh(ifindex, &m->next) : DROP(WRITE_FAILED);
}

/* At the device that it has come to. */
static __always_inline void count_link_header(struct __sk_buff *skb)
{
	__be32 link[4] = {};

	if (!bpf_skb_load_bytes(skb, 0, link, ETH_HLEN))
		bpf_csum_update(skb, bpf_csum_diff(NULL, 0, link, sizeof(link), 0));
}

/*
 * Towards a guest whose port or whose MAC is not known: out of the gateway, whose program finds the one, and
 * for which the kernel finds the other, and holds the packet meanwhile. The stack's way to the same end leads
 * past the host's FORWARD rules, which have seen nothing of a session that is fast.
 */
static __always_inline int deliver_by_gateway(struct __sk_buff *skb, u32 gateway, int resolved)
{
	mark(skb, resolved ? MARK_DONE : MARK_RESOLVED);
	return resolved ? redirect_out(gateway) : redirect_to_neighbour(skb, gateway);
}

/* may_peer: at tc ingress. */
static __always_inline int deliver(struct __sk_buff *skb, u32 ifindex, u32 slot, u32 flags, int may_peer)
{
	/* Its egress program is skipped or sees the mark: what may reach the port is asked here. */
	int err = port_refuses(skb, ifindex);

	if (err)
		return err;
	mark_done(skb);
	return delivered(may_peer && flags & VNET_HOP_F_PEER ? redirect_peer(ifindex) : redirect_out(ifindex),
			 slot);
}

#endif
