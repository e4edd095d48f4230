/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Delivery to a guest, out of its port. The exit of the sending program counts it for the port, too: the
 * port's own egress program sees the mark and passes the frame (bpf_redirect_peer() skips that program).
 */
#ifndef VNET_BPF_DELIVER_H
#define VNET_BPF_DELIVER_H

#include "bpf/lib/bandwidth.h"
#include "bpf/lib/inbound.h"
#include "bpf/lib/mark.h"
#include "bpf/lib/port_vlan.h"
#include "bpf/lib/redirect.h"

/*
 * The kernel resolves the MAC of the next hop that note_next_hop() has noted, and queues the packet
 * meanwhile. While a packet is redirected, skb->csum covers its link header (CHECKSUM_COMPLETE). The kernel
 * adds the old header, removes it without subtracting it, and writes the new one without adding it.
 */
static __always_inline int redirect_to_neighbour(struct __sk_buff *skb, u32 ifindex)
{
	struct session_scratch *m = session_scratch();
	__be32 link[4] = {};

	if (!bpf_skb_load_bytes(skb, 0, link, ETH_HLEN))
		bpf_csum_update(skb, bpf_csum_diff(link, sizeof(link), NULL, 0, 0));
	return m ? redirect_neigh(ifindex, &m->next) : DROP(WRITE_FAILED);
}

/* At the egress of the target device. */
static __always_inline void count_link_header(struct __sk_buff *skb)
{
	__be32 link[4] = {};

	if (!bpf_skb_load_bytes(skb, 0, link, ETH_HLEN))
		bpf_csum_update(skb, bpf_csum_diff(NULL, 0, link, sizeof(link), 0));
}

/*
 * To a guest whose port or MAC is not known: out of the gateway, whose program finds the port; the kernel
 * resolves the MAC, and queues the packet meanwhile. The stack would do the same, but through the host's
 * FORWARD rules, which do not see the packets of a fast session.
 */
static __always_inline int deliver_by_gateway(struct __sk_buff *skb, u32 gateway, int resolved)
{
	mark(skb, resolved ? MARK_DONE : MARK_RESOLVED);
	return resolved ? redirect_out(gateway) : redirect_to_neighbour(skb, gateway);
}

/* vlan: see port_vlan.h. may_peer: at tc ingress, where bpf_redirect_peer() works. */
static __always_inline int deliver(struct __sk_buff *skb, u32 ifindex, u32 slot, u32 flags, u32 vlan,
				   int may_peer)
{
	/* Its egress program is skipped or sees the mark: the port's inbound policy is checked here. */
	struct vnet_port *port = bpf_map_lookup_elem(&ports, &ifindex);
	int err = port ? check_receive(skb, port) : DROP(UNATTACHED);

	if (!err && unlikely(crosses_vlan(port, vlan)))
		err = leave_vlan(skb, ifindex, vlan);
	if (err)
		return err;
	if (unlikely(port->flags & VNET_PORT_F_LIMIT_IN) && drop_over_limit(skb, ifindex))
		return TC_ACT_SHOT;
	mark_done(skb);
	return verdict_delivered(
		may_peer && flags & VNET_HOP_F_PEER ? redirect_peer(ifindex) : redirect_out(ifindex), slot);
}

#endif
