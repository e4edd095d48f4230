/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which addresses a port may use: configured, leased by DHCP, or claimed. A guest claims an address by
 * DAD: first come, first served, for as long as it uses it (RFC 6620). An address that is configured for
 * or leased to another port cannot be claimed.
 */
#ifndef VNET_BPF_ADDRESS_H
#define VNET_BPF_ADDRESS_H

#include "bpf/lib/packet.h"

/* Seconds without use after which another port may claim an address. */
#define CLAIM_IDLE 3600
/* Ticks between two notes of the last use; a write per packet would be expensive. */
#define SEEN_STEP 60

static __always_inline void address_key(struct vnet_address_key *key, const struct vnet_addr *addr, u32 slot)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->addr = *addr;
	key->slot = slot;
}

static __always_inline struct vnet_address *address_of(const struct vnet_addr *addr, u32 slot)
{
	struct vnet_address_key key;

	address_key(&key, addr, slot);
	return bpf_map_lookup_elem(&addresses, &key);
}

__noinline int forget_address(struct vnet_addr *addr, u32 slot)
{
	struct vnet_address_key key;

	if (!addr)
		return 0;
	address_key(&key, addr, slot);
	return bpf_map_delete_elem(&addresses, &key);
}

__noinline int write_address(struct vnet_addr *addr, u32 slot, struct vnet_address *value)
{
	struct vnet_address_key key;
	struct vnet_address copy;

	if (!addr || !value)
		return 0;
	address_key(&key, addr, slot);
	copy = *value;
	return bpf_map_update_elem(&addresses, &key, &copy, BPF_ANY);
}

__noinline int owns_address(struct vnet_addr *addr, u32 slot)
{
	struct vnet_address *a;
	u32 now = tick_now();

	if (!addr)
		return 0;
	a = address_of(addr, slot);
	if (!a || (a->until && (int)(now - a->until) > 0))
		return 0;
	if (a->source == VNET_ADDRESS_CLAIMED && now - a->seen > SEEN_STEP)
		a->seen = now;
	return 1;
}

/* Leased by the DHCP server: a lease or a claim of another port ends. until: a tick. */
__noinline int lease_address(struct vnet_addr *addr, u32 port, u32 network, u32 until)
{
	struct vnet_address fresh = {.until = until, .port = port, .source = VNET_ADDRESS_LEASED};
	struct vnet_address *held;
	u32 before;

	if (!addr)
		return 0;
	held = address_of(addr, port);
	if (held && held->source == VNET_ADDRESS_FIXED)
		return 0;
	held = address_of(addr, network);
	if (held && held->port != port) {
		if (held->source == VNET_ADDRESS_FIXED)
			return 0;
		before = held->port;
		forget_address(addr, before);
	}
	write_address(addr, network, &fresh);
	return write_address(addr, port, &fresh);
}

/* The index for the port's next claim: a free one, or that of the longest idle address, which is released. */
__noinline int claim_index(u32 port, u32 network)
{
	struct vnet_claim_key key = {.slot = port};
	struct vnet_addr *addr, gone;
	u32 now = tick_now(), longest = 0, place = 0;

	for (u32 i = 0; i < VNET_CLAIMS_MAX; i++) {
		struct vnet_address *a;

		key.index = i;
		addr = bpf_map_lookup_elem(&claims, &key);
		a = addr ? address_of(addr, port) : NULL;
		if (!a || a->source != VNET_ADDRESS_CLAIMED)
			return i;
		if (now - a->seen >= longest) {
			longest = now - a->seen;
			place = i;
		}
	}
	key.index = place;
	addr = bpf_map_lookup_elem(&claims, &key);
	if (!addr)
		return place;
	gone = *addr;
	forget_address(&gone, port);
	forget_address(&gone, network);
	return place;
}

/* 1: the port has the address now. */
__noinline int claim_address(struct vnet_addr *addr, u32 port, u32 network)
{
	struct vnet_address fresh = {.port = port, .source = VNET_ADDRESS_CLAIMED};
	struct vnet_address *held, *theirs;
	struct vnet_claim_key place = {.slot = port};
	struct vnet_addr copy;
	u32 now = tick_now(), before;

	if (!addr)
		return 0;
	if (owns_address(addr, port))
		return 1;
	held = address_of(addr, network);
	if (held && held->port != port) {
		before = held->port;
		if (held->source != VNET_ADDRESS_CLAIMED)
			return 0;
		theirs = address_of(addr, before);
		if (theirs && now - theirs->seen <= ticks_of(CLAIM_IDLE))
			return 0;
		forget_address(addr, before);
	}
	place.index = claim_index(port, network);
	copy = *addr;
	fresh.seen = now;
	if (write_address(addr, network, &fresh) || write_address(addr, port, &fresh))
		return 0;
	return bpf_map_update_elem(&claims, &place, &copy, BPF_ANY) == 0;
}

#endif
