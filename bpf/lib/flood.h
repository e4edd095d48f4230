/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames to group and unknown MACs are flooded: one clone per port of the parent (direct attachment) or of
 * the gateway. A Linux bridge would flood to every member, attached or not. The ports' own egress programs
 * check and count the clones. They run nested in the program that floods and share its scratch_packet(): the
 * parsed packet is invalid behind a flood.
 */
#ifndef VNET_BPF_FLOOD_H
#define VNET_BPF_FLOOD_H

#include "bpf/lib/maps.h"
#include "bpf/lib/mark.h"
#include "bpf/lib/network.h"
#include "bpf/lib/port_vlan.h"
#include "bpf/lib/redirect.h"

/* The mode of a port; as a mask, the ports to flood to. */
#define MODE_BRIDGE  VNET_TO_BRIDGE
#define MODE_VEPA    VNET_TO_VEPA
#define MODE_PRIVATE VNET_TO_PRIVATE

static __always_inline u32 port_mode(const struct vnet_port *port)
{
	if (port->flags & VNET_PORT_F_PRIVATE)
		return MODE_PRIVATE;
	return port->flags & VNET_PORT_F_VEPA ? MODE_VEPA : MODE_BRIDGE;
}

struct flood {
	struct __sk_buff *skb;
	u32 except; /* the sender's ifindex */
	u32 modes;
	u32 vlan; /* a number; by_tag: ports without a VLAN get the frame unchanged */
	u32 by_tag;
	u32 last; /* the latest match, without its clone yet */
};

static __always_inline int is_for_port(const struct vnet_port *port, const struct flood *f)
{
	if (!(port_mode(port) & f->modes))
		return 0;
	if (port->flags & VNET_PORT_F_VLAN)
		return f->vlan && is_in_vlan(port, f->vlan);
	return !f->vlan || f->by_tag;
}

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
	if (!port || ifindex == f->except || !is_for_port(port, f))
		return 0;
	if (f->last)
		send_clone(f->skb, f->last, 0);
	f->last = ifindex;
	return 0;
}

/* A clone for each port but the last, which is returned; 0: no port. vlan: see port_vlan.h. */
static __always_inline u32 flood_but_last(struct __sk_buff *skb, u32 except, u32 to, u32 vlan)
{
	struct flood f = {.skb = skb, .except = except, .modes = to, .vlan = vlan};

	if (vlan == VLAN_GATEWAYS)
		f.vlan = gateway_vlan(network_slot);
	if (vlan == VLAN_BY_TAG) {
		f.vlan = tag_of(skb);
		f.by_tag = 1;
	}
	mark_clone(skb, vlan);
	bpf_loop(VNET_PORTS_MAX, flood_one, &f, 0);
	return f.last;
}

static __always_inline void flood(struct __sk_buff *skb, u32 except, u32 to, u32 vlan)
{
	u32 last;

	/* Only note in skb->cb which ports would get a clone. */
	if (unlikely(rehearsal)) {
		skb->cb[VNET_CB_EXCEPT] = except;
		skb->cb[VNET_CB_TO] = to;
		return;
	}
	last = flood_but_last(skb, except, to, vlan);
	if (last)
		send_clone(skb, last, 0);
	if (to & VNET_TO_HOST) {
		mark_done(skb);
		send_clone(skb, gateway_ifindex, BPF_F_INGRESS);
	}
	unmark(skb);
}

#endif
