/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bridged mode: shortcuts past the host's bridge, only where the bridge itself would forward. The first
 * frame from a device to a MAC takes the bridge; where it comes out, its path is noted, and for the next
 * few ticks further frames are redirected there. So whatever the bridge decides by (spanning tree, VLANs,
 * its own filters, a moved station) takes effect within VNET_SHORTCUT_TICKS, and the bridge goes on
 * learning, because then a frame passes through it again.
 *
 * A path is noted only towards a device on which the MAC was seen as a source: a flooded frame, which goes
 * out everywhere, proves nothing. Tagged frames are left to the bridge.
 */
#ifndef VNET_BPF_BRIDGE_H
#define VNET_BPF_BRIDGE_H

#include "bpf/lib/deliver.h"
#include "bpf/lib/network.h"
#include "bpf/lib/snoop.h"

/* Notes the device that a source MAC is behind; a change voids all shortcuts. */
__noinline int note_bridge_mac(struct __sk_buff *skb, struct vnet_network *net)
{
	struct vnet_fdb_key key = {.network = network_slot};
	u32 ifindex = skb->ifindex;
	u32 *known;

	if (!net || bpf_skb_load_bytes(skb, 6, key.mac, sizeof(key.mac)) || key.mac[0] & 1)
		return 0;
	known = bpf_map_lookup_elem(&bridge_last_seen, &key);
	if (known && *known == ifindex)
		return 0;
	if (known)
		__sync_fetch_and_add(&net->generation, 1);
	return bpf_map_update_elem(&bridge_last_seen, &key, &ifindex, BPF_ANY);
}

/* At the ingress of a port or the bridge uplink. slot: the device's. */
static __always_inline int take_shortcut(struct __sk_buff *skb, const u8 *to, u32 slot)
{
	struct vnet_shortcut_key key = {.ifindex = skb->ifindex};
	u32 network = network_slot;
	struct vnet_network *net = bpf_map_lookup_elem(&networks, &network);
	struct vnet_shortcut *way;

	skb->tc_index = 0;
	if (!net || !(net->flags & VNET_NETWORK_F_SHORTCUT) || skb->vlan_present)
		return TC_ACT_OK;
	if (!(to[0] & 1)) {
		__builtin_memcpy(key.mac, to, 6);
		way = bpf_map_lookup_elem(&shortcuts, &key);
		if (way && tick_now() - way->tick < VNET_SHORTCUT_TICKS &&
		    way->generation == net->generation &&
		    (skb->gso_size || skb->len <= (u32)way->mtu + ETH_HLEN)) {
			skb->tc_index = slot; /* for the policy of the destination port */
			if (way->slot)
				return deliver(skb, way->ifindex, way->slot, way->flags, 0, 1);
			mark_done(skb);
			return redirect_out(way->ifindex);
		}
	}
	note_bridge_mac(skb, net);
	/* Tells the egress hook that the frame came in untagged, and from which device. */
	skb->tc_index = slot;
	return TC_ACT_OK;
}

/* At the egress of a port (slot, flags) or the bridge uplink (0, 0), behind the bridge. */
__noinline int note_shortcut(struct __sk_buff *skb, u32 slot, u32 flags)
{
	struct vnet_shortcut_key key = {.ifindex = skb->ingress_ifindex};
	struct vnet_fdb_key station = {.network = network_slot};
	struct vnet_shortcut way = {.ifindex = skb->ifindex, .slot = slot, .flags = flags};
	u32 network = network_slot;
	struct vnet_network *net = bpf_map_lookup_elem(&networks, &network);
	u32 mtu = 0;
	u32 *seen;

	if (!net || !key.ifindex || !skb->tc_index || skb->vlan_present ||
	    bpf_skb_load_bytes(skb, 0, key.mac, sizeof(key.mac)) || key.mac[0] & 1)
		return 0;
	__builtin_memcpy(station.mac, key.mac, sizeof(key.mac));
	seen = bpf_map_lookup_elem(&bridge_last_seen, &station);
	if (!seen || *seen != way.ifindex || bpf_check_mtu(skb, 0, &mtu, 0, 0) < 0)
		return 0;
	way.mtu = mtu > 0xffff ? 0xffff : mtu;
	way.tick = tick_now();
	way.generation = net->generation;
	return bpf_map_update_elem(&shortcuts, &key, &way, BPF_ANY);
}

static __always_inline struct vnet_device *bridge_uplink_at(u32 ifindex)
{
	struct vnet_device *device = bpf_map_lookup_elem(&devices, &ifindex);

	return device && device->role == VNET_DEVICE_MEMBER ? device : NULL;
}

/* DHCP servers outside are trusted as the bridge itself is: their replies give the guests' addresses. */
static __always_inline void snoop_from_outside(struct __sk_buff *skb)
{
	struct packet *p = scratch_packet();
	u8 header[2];
	u16 port = 0;

	/* Only what looks like UDP from a server's port, at the usual offsets, is parsed. */
	if (!p || read_bytes(skb, skb->protocol == bpf_htons(ETH_P_IP) ? 23 : 20, header, 1) ||
	    header[0] != IPPROTO_UDP)
		return;
	if (read_bytes(skb, skb->protocol == bpf_htons(ETH_P_IP) ? 34 : 54, header, 2))
		return;
	port = header[0] << 8 | header[1];
	if ((port == PORT_DHCP_SERVER || port == PORT_DHCP6_SERVER) && !parse_frame(skb, p) && p->family)
		snoop(skb, p, network_slot);
}

#endif
