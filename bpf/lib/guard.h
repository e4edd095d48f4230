/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest may send: the source MAC here, everything else in filter.h; and MAC learning.
 */
#ifndef VNET_BPF_GUARD_H
#define VNET_BPF_GUARD_H

#include "bpf/lib/filter.h"
#include "bpf/lib/inbound.h"
#include "bpf/lib/network.h"
#include "bpf/lib/snoop.h"

static __always_inline int is_gateway_mac(const u8 *mac)
{
	return mac_equal(mac, gateway_mac);
}

/* Per port on the host's own bridge, which forgets a MAC after 300 s. */
#define NEW_MACS       64
#define NEW_MACS_TICKS 280

/*
 * On the host's own bridge, beyond the MACs learned here: each new MAC is an entry of the bridge's FDB, which
 * one guest must not fill. There is no gateway that rejects anything: the token bucket is free for this.
 */
static __always_inline int admit_bridge_mac(struct vnet_fdb_key *key, struct vnet_quota_usage *u, u32 ifindex)
{
	u32 now = tick_now(), slot = key->network;
	u32 *known = bpf_map_lookup_elem(&bridge_last_seen, key);
	struct vnet_network *net;

	if (known && *known == ifindex)
		return 0;
	if (!u->reject_tick || now - u->reject_tick > NEW_MACS_TICKS) {
		u->reject_tick = now;
		u->reject_tokens = NEW_MACS;
	}
	if (!u->reject_tokens)
		return DROP(MAC_LIMIT);
	u->reject_tokens--;
	net = known ? bpf_map_lookup_elem(&networks, &slot) : NULL;
	if (net)
		__sync_fetch_and_add(&net->generation, 1);
	bpf_map_update_elem(&bridge_last_seen, key, &ifindex, BPF_ANY);
	return 0;
}

/* A port without a fixed MAC: its guests' MACs are learned, up to a limit; static ones never move. */
static __noinline int learn_mac(struct vnet_port *port, struct vnet_fdb_key *key, u32 ifindex)
{
	struct vnet_fdb_entry *known;
	struct vnet_fdb_entry fresh = {};
	struct vnet_quota_usage *u, *before = NULL;
	u32 slot;

	if (!port || !key)
		return 0;
	known = bpf_map_lookup_elem(&fdb, key);
	if (known && known->ifindex == ifindex)
		return 0;
	if (known && (known->is_static || port->flags & VNET_PORT_F_NO_MAC_SPOOFING))
		return DROP(SPOOFED_MAC);
	slot = port->slot;
	u = bpf_map_lookup_elem(&quota_usage, &slot);
	if (!u)
		return 0;
	/* The first source MAC of a port with no-mac-spoofing stays its only one. */
	if (u->learned && port->flags & VNET_PORT_F_NO_MAC_SPOOFING)
		return DROP(SPOOFED_MAC);
	if (known) { /* it moves here from another port */
		slot = known->slot;
		before = bpf_map_lookup_elem(&quota_usage, &slot);
	}
	if (u->learned >= VNET_LEARN_MAX) {
		/* No room to learn it: frames to it are flooded from now on, not sent to its old port. */
		if (known && !bpf_map_delete_elem(&fdb, key) && before)
			__sync_fetch_and_add(&before->learned, -1);
		return network_flags & VNET_NETWORK_F_BRIDGED ? admit_bridge_mac(key, u, ifindex) : 0;
	}
	fresh.ifindex = ifindex;
	fresh.is_static = !!(port->flags & VNET_PORT_F_NO_MAC_SPOOFING);
	fresh.slot = port->slot;
	fresh.flags = port->flags & VNET_PORT_F_PEER ? VNET_HOP_F_PEER : 0;
	if (bpf_map_update_elem(&fdb, key, &fresh, BPF_ANY))
		return 0;
	__sync_fetch_and_add(&u->learned, 1);
	if (before)
		__sync_fetch_and_add(&before->learned, -1);
	return 0;
}

static __always_inline int guard(struct vnet_port *port, const u8 *source, u32 ifindex)
{
	struct vnet_fdb_key key = {.network = network_slot};

	if (unlikely(port->flags & VNET_PORT_F_DOWN))
		return DROP(LINK_DOWN);
	if (unlikely(source[0] & 1))
		return DROP(SPOOFED_MAC);
	if (likely(port->flags & VNET_PORT_F_MAC))
		return mac_equal(source, port->mac) ? 0 : DROP(SPOOFED_MAC);
	if (is_gateway_mac(source))
		return DROP(SPOOFED_MAC);
	__builtin_memcpy(key.mac, source, 6);
	return learn_mac(port, &key, ifindex);
}

#define VNET_PORT_F_INSPECT (VNET_PORT_F_FILTERS | VNET_PORT_F_ESTABLISHED | VNET_PORT_F_DHCP_SERVER)

/* For a port with any of F_INSPECT, after guard(); it parses the packet. */
static __always_inline int inspect_frame(struct __sk_buff *skb, struct vnet_port *port, struct packet *p)
{
	int err = parse_frame(skb, p);

	if (err)
		return err;
	if (port->flags & VNET_PORT_F_FILTERS) {
		err = filter(skb, port, p);
		if (err)
			return err;
	}
	if (port->flags & VNET_PORT_F_ESTABLISHED)
		note_outgoing_flow(p, port->slot);
	if (port->flags & VNET_PORT_F_DHCP_SERVER)
		snoop(skb, p, network_slot);
	return 0;
}

#endif
