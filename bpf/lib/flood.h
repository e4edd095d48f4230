/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames to group and unknown MACs are flooded: one clone per port of the parent (direct attachment) or of
 * the gateway. A Linux bridge would flood to every member, attached or not. The ports' own egress programs
 * check and count the clones. They run nested in the program that floods and share its packet_room(): the
 * parsed packet is invalid behind a flood.
 */
#ifndef VNET_BPF_FLOOD_H
#define VNET_BPF_FLOOD_H

#include "bpf/lib/maps.h"
#include "bpf/lib/mark.h"
#include "bpf/lib/network.h"
#include "bpf/lib/redirect.h"

/* The mode of a port; as a mask, the ports to flood to. */
#define MODE_BRIDGE  VNET_TO_BRIDGE
#define MODE_VEPA    VNET_TO_VEPA
#define MODE_PRIVATE VNET_TO_PRIVATE

static __always_inline u32 mode_of(const struct vnet_port *port)
{
	if (port->flags & VNET_PORT_F_PRIVATE)
		return MODE_PRIVATE;
	return port->flags & VNET_PORT_F_VEPA ? MODE_VEPA : MODE_BRIDGE;
}

struct flood {
	struct __sk_buff *skb;
	u32 except; /* the sender's ifindex */
	u32 modes;
};

static long flood_one(u32 index, struct flood *f)
{
	struct vnet_flood_key key = {.parent = gateway_ifindex, .index = index};
	u32 *member = bpf_map_lookup_elem(&flood_ports, &key);
	struct vnet_port *port;
	u32 ifindex;

	if (!member)
		return 1; /* no more ports */
	ifindex = *member;
	port = bpf_map_lookup_elem(&ports, &ifindex);
	if (port && ifindex != f->except && mode_of(port) & f->modes)
		send_clone(f->skb, ifindex, 0);
	return 0;
}

static __always_inline void flood(struct __sk_buff *skb, u32 except, u32 to)
{
	struct flood f = {.skb = skb, .except = except, .modes = to};

	/* Only note in skb->cb which ports would get a clone. */
	if (unlikely(rehearsal)) {
		skb->cb[VNET_CB_EXCEPT] = except;
		skb->cb[VNET_CB_TO] = to;
		return;
	}
	mark(skb, MARK_JUDGE);
	bpf_loop(VNET_PORTS_MAX, flood_one, &f, 0);
	if (to & VNET_TO_HOST) {
		mark_done(skb);
		send_clone(skb, gateway_ifindex, BPF_F_INGRESS);
	}
	unmark(skb);
}

#endif
