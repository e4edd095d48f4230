/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * <vlan> of ports where these programs are the switch: at our gateways and for direct attachment. (On a
 * bridge of the host it is the bridge that filters VLANs.) Inside the switch a frame has no tag; its VLAN is
 * passed along as a number. It is 0 for a frame from a port without a VLAN, whatever tag the guest has put on
 * it, and ports with a VLAN never receive such a frame.
 *
 * The VLAN is determined where a frame comes in, and checked where it is handed to a port (deliver(),
 * port_egress), to the gateway or to the wire. The gateway is in the network's own VLAN.
 */
#ifndef VNET_BPF_PORT_VLAN_H
#define VNET_BPF_PORT_VLAN_H

#include "bpf/lib/vlan.h"

#define VLAN_GATEWAYS 0x10000 /* the gateway's VLAN */
#define VLAN_BY_TAG   0x20000 /* direct attachment, from the wire or the host: the VLAN of its tag */

static __always_inline u32 gateway_vlan(u32 network)
{
	struct vnet_network *net = bpf_map_lookup_elem(&networks, &network);

	return net ? net->vlan : 0;
}

/* The VLAN of the outer 802.1Q tag; 0: no tag, or 802.1ad. */
static __always_inline u32 tag_of(struct __sk_buff *skb)
{
	__be16 tci;

	if (skb->vlan_present)
		return skb->vlan_proto == bpf_htons(ETH_P_8021Q) ? skb->vlan_tci & VLAN_ID : 0;
	if (skb->protocol != bpf_htons(ETH_P_8021Q) || bpf_skb_load_bytes(skb, ETH_HLEN, &tci, sizeof(tci)))
		return 0;
	return bpf_ntohs(tci) & VLAN_ID;
}

static __always_inline int is_in_vlan(const struct vnet_port *port, u32 vlan)
{
	struct vnet_port_vlan key = {.slot = port->slot, .vlan = vlan};

	if (vlan == port->vlan)
		return 1;
	return port->flags & VNET_PORT_F_TRUNK && bpf_map_lookup_elem(&port_vlans, &key);
}

/* A second tag is refused: it would become visible, unchecked, behind the first. */
static __always_inline int take_tag_off(struct __sk_buff *skb)
{
	if (bpf_skb_vlan_pop(skb))
		return DROP(WRITE_FAILED);
	return is_tagged(skb) ? DROP(VLAN_TAGGED) : 0;
}

static __always_inline int put_tag_on(struct __sk_buff *skb, u32 vlan)
{
	return bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), vlan) ? DROP(WRITE_FAILED) : 0;
}

/* At a port with VNET_PORT_F_VLAN: the VLAN of a frame from the guest, or a drop. */
__noinline int enter_vlan(struct __sk_buff *skb, u32 ifindex)
{
	struct vnet_port *port = bpf_map_lookup_elem(&ports, &ifindex);
	u32 vlan;
	int err;

	if (!port)
		return DROP(UNATTACHED);
	pop_priority_tags(skb);
	if (!is_tagged(skb))
		return port->vlan ? port->vlan : DROP(OTHER_VLAN);
	vlan = tag_of(skb);
	if (!(port->flags & VNET_PORT_F_TRUNK) || !vlan)
		return DROP(VLAN_TAGGED);
	if (!is_in_vlan(port, vlan))
		return DROP(OTHER_VLAN);
	err = take_tag_off(skb);
	return err ? err : vlan;
}

/* Before a frame is handed to a port: 0, tagged as its guest expects, or a drop. */
__noinline int leave_vlan(struct __sk_buff *skb, u32 ifindex, u32 vlan)
{
	struct vnet_port *port = bpf_map_lookup_elem(&ports, &ifindex);
	int by_tag = vlan == VLAN_BY_TAG, err;

	if (!port)
		return DROP(UNATTACHED);
	if (vlan == VLAN_GATEWAYS)
		vlan = gateway_vlan(port->network);
	if (!(port->flags & VNET_PORT_F_VLAN))
		return vlan && !by_tag ? DROP(OTHER_VLAN) : 0;
	if (by_tag) {
		vlan = tag_of(skb);
		if (!vlan)
			return DROP(OTHER_VLAN);
		err = take_tag_off(skb);
		if (err)
			return err;
	}
	if (!vlan || !is_in_vlan(port, vlan))
		return DROP(OTHER_VLAN);
	return vlan == port->vlan && !(port->flags & VNET_PORT_F_NATIVE_TAGGED) ? 0 : put_tag_on(skb, vlan);
}

/* Whether leave_vlan() has anything to check. */
static __always_inline int crosses_vlan(const struct vnet_port *port, u32 vlan)
{
	return port->flags & VNET_PORT_F_VLAN || (vlan && vlan < VLAN_GATEWAYS);
}

#endif
