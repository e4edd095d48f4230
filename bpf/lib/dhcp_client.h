/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest may ask a DHCP server for. The server does not know the port, only the MAC or the identifier
 * in the message. So the message is checked against the port: no guest requests, releases or declines
 * another's address, and a port has a limited number of clients, or one guest could take all of a network's
 * leases.
 */
#ifndef VNET_BPF_DHCP_CLIENT_H
#define VNET_BPF_DHCP_CLIENT_H

#include "bpf/lib/mark.h"
#include "bpf/lib/snoop.h"

/* Seconds of silence after which a client may be replaced by another; twice dnsmasq's usual lease. */
#define DHCP_CLIENT_IDLE 7200

#define DHCP_REQUESTED	 50
#define DHCP_OVERLOAD	 52
#define DHCP_CLIENT_ID	 61
#define DHCP_DECLINE	 4
#define DHCP_RELEASE	 7
#define DHCP_REQUEST	 3
#define DHCP6_CLIENT_ID	 1
#define DHCP6_DECLINE	 9
#define DHCP6_RELEASE	 8
#define DHCP6_RELAY_FORW 12
#define DHCP6_IA_PD	 25
#define DHCP_ID_WORDS	 17 /* of 8 bytes: a type and the longest DUID (RFC 4361) */

/* Offsets of the options' values; 0: none. */
struct dhcp_options {
	u32 type;
	u32 requested;
	u32 client;
	u32 client_bytes;
};

/* Nonzero: a server would read it differently, or further than this. */
__noinline int find_dhcp_options(struct __sk_buff *skb, struct packet *p, struct dhcp_options *o)
{
	u32 end;
	u8 head[2];

	if (!p || !o)
		return -1;
	end = end_of(p);
	p->cursor = l4_of(p) + 8 + DHCP_OPTIONS_AT;
	for (int i = 0; i < DHCP_MAX_OPTIONS; i++) {
		u32 at = cursor_of(p);

		if (at + 2 > end)
			return 0;
		if (bpf_skb_load_bytes(skb, at, head, 2))
			return -1;
		if (head[0] == DHCP_END)
			return 0;
		if (head[0] == DHCP_OVERLOAD || (head[0] != DHCP_PAD && at + 2 + head[1] > end))
			return -1;
		if (head[0] == DHCP_TYPE && !o->type)
			o->type = at + 2;
		if (head[0] == DHCP_REQUESTED && !o->requested && head[1] == 4)
			o->requested = at + 2;
		if (head[0] == DHCP_CLIENT_ID && !o->client) {
			o->client = at + 2;
			o->client_bytes = head[1];
		}
		p->cursor = at + (head[0] == DHCP_PAD ? 1 : 2 + head[1]);
	}
	return -1;
}

static __always_inline u64 hash_mix(u64 hash, u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 29;
}

/* The hash of that many bytes; 0: longer than any identifier. */
__noinline u64 hash_bytes(struct __sk_buff *skb, u32 at, u32 bytes, u64 hash)
{
	for (u32 i = 0; i < DHCP_ID_WORDS; i++) {
		u64 word = 0;
		u32 left = bytes - i * 8;

		if (i * 8 >= bytes)
			return hash_mix(hash, bytes) | 1;
		if (left > 8)
			left = 8;
		/* Bounds it to 1 to 8 in a way that every verifier follows. */
		asm volatile("" : "+r"(left));
		left = ((left - 1) & 7) + 1;
		if (bpf_skb_load_bytes(skb, at + i * 8, &word, left))
			return 0;
		hash = hash_mix(hash, word);
	}
	return 0;
}

/* Is it one of the port's clients, or may the port have one more? */
__noinline int admit_dhcp_client(u64 id, u32 slot)
{
	struct vnet_claim_key key = {.slot = slot};
	struct vnet_dhcp_client fresh = {.id = id, .seen = tick_now()};
	u32 place = VNET_DHCP_CLIENTS_MAX;

	for (u32 i = 0; i < VNET_DHCP_CLIENTS_MAX; i++) {
		struct vnet_dhcp_client *known;

		key.index = i;
		known = bpf_map_lookup_elem(&dhcp_clients, &key);
		if (!known) { /* nor any after it */
			if (place == VNET_DHCP_CLIENTS_MAX)
				place = i;
			break;
		}
		if (known->id == id) {
			known->seen = fresh.seen;
			return 1;
		}
		if (place == VNET_DHCP_CLIENTS_MAX && fresh.seen - known->seen > ticks_of(DHCP_CLIENT_IDLE))
			place = i;
	}
	if (place == VNET_DHCP_CLIENTS_MAX)
		return 0;
	key.index = place;
	return !bpf_map_update_elem(&dhcp_clients, &key, &fresh, BPF_ANY);
}

static __always_inline int is_owned_by_another(struct vnet_addr *addr, u32 slot, u32 network)
{
	struct vnet_address *held = address_of(addr, network);

	return held && held->port && held->port != slot &&
	       !(held->until && (int)(tick_now() - held->until) > 0);
}

/* Releases a leased address: it may be given to others now. */
static __always_inline void release_leased_address(struct vnet_addr *addr, u32 slot, u32 network)
{
	struct vnet_address *held = address_of(addr, slot);

	if (!held || held->source != VNET_ADDRESS_LEASED)
		return;
	forget_address(addr, slot);
	forget_address(addr, network);
}

/* gives_up: the address is released or declined. */
__noinline int dhcp_may_use_address(struct vnet_addr *addr, u32 slot, u32 network, u32 gives_up)
{
	struct vnet_addr copy;

	if (!addr)
		return 0;
	copy = *addr;
	if (!gives_up)
		return !is_owned_by_another(&copy, slot, network);
	if (!owns_address(&copy, slot))
		return 0;
	release_leased_address(&copy, slot, network);
	return 1;
}

/* The client's MAC is that of a guest at another port. */
static __always_inline int is_mac_at_another_port(const u8 *mac, u32 slot, u32 network)
{
	struct vnet_fdb_key key = {.network = network};
	struct vnet_fdb_entry *entry;

	__builtin_memcpy(key.mac, mac, 6);
	entry = bpf_map_lookup_elem(&fdb, &key);
	return entry && entry->slot != slot;
}

/* guarded: the client must be the guest itself. 0, or the reason of a drop. */
__noinline int filter_dhcp4(struct __sk_buff *skb, struct packet *p, u32 slot, u32 network, u32 guarded)
{
	struct dhcp_options o = {};
	struct vnet_addr addr;
	u32 message, address;
	u64 id = 0;
	__be32 v4 = 0;
	u8 mac[6] __attribute__((aligned(4))), source[6] __attribute__((aligned(4))), type = 0;

	if (!p || p->flags & PACKET_FIRST)
		return DROP(DHCP_CLIENT);
	message = p->l4 + 8;
	if (message + DHCP_OPTIONS_AT > end_of(p)) /* servers ignore it */
		return 0;
	if (bpf_skb_load_bytes(skb, message + 28, mac, 6) || bpf_skb_load_bytes(skb, 6, source, 6))
		return DROP(MALFORMED);
	if (guarded ? !mac_equal(mac, source) : is_mac_at_another_port(mac, slot, network))
		return DROP(DHCP_CLIENT);
	if (find_dhcp_options(skb, p, &o) || (o.type && bpf_skb_load_bytes(skb, o.type, &type, 1)))
		return DROP(DHCP_CLIENT);
	__builtin_memcpy(&id, mac, 6);
	id = hash_mix(secret, id);
	if (o.client)
		id = hash_bytes(skb, o.client, o.client_bytes, id);
	/* A release has the address in ciaddr, a decline in the option: RFC 2131, table 5. */
	address = type == DHCP_RELEASE || !o.requested ? message + 12 : o.requested;
	if (type == DHCP_REQUEST || type == DHCP_RELEASE || type == DHCP_DECLINE) {
		if (bpf_skb_load_bytes(skb, address, &v4, 4))
			return DROP(MALFORMED);
		addr_from_v4(&addr, v4);
		if (!dhcp_may_use_address(&addr, slot, network, type != DHCP_REQUEST))
			return DROP(DHCP_CLIENT);
	}
	return id && admit_dhcp_client(id, slot) ? 0 : DROP(DHCP_CLIENT);
}

/* Each identity association (IA) of each DUID is a client: it gets addresses of its own. */
__noinline int filter_dhcp6(struct __sk_buff *skb, struct packet *p, u32 slot, u32 network)
{
	u32 end, message;
	struct vnet_addr addr;
	u64 id = secret;
	u8 type, head[8];

	if (!p || p->flags & PACKET_FIRST)
		return DROP(DHCP_CLIENT);
	end = end_of(p);
	message = p->l4 + 8;
	if (message + 4 > end)
		return 0;
	if (bpf_skb_load_bytes(skb, message, &type, 1))
		return DROP(MALFORMED);
	if (type == DHCP6_RELAY_FORW)
		return DROP(DHCP_CLIENT);
	p->cursor = message + 4;
	for (int i = 0; i < DHCP_MAX_OPTIONS; i++) {
		u32 at = cursor_of(p), code, length;

		if (at + 4 > end)
			return 0;
		if (bpf_skb_load_bytes(skb, at, head, 4))
			return DROP(MALFORMED);
		code = head[0] << 8 | head[1];
		length = head[2] << 8 | head[3];
		at += 4;
		p->cursor = at + length;
		if (code == DHCP6_CLIENT_ID) {
			id = hash_bytes(skb, at, length, secret);
			if (!id)
				return DROP(DHCP_CLIENT);
		} else if (code == DHCP6_IA_NA || code == DHCP6_IA_TA || code == DHCP6_IA_PD) {
			/* Addresses are options nested in it: only its header is skipped. */
			p->cursor = at + (code == DHCP6_IA_TA ? 4 : 12);
			if (bpf_skb_load_bytes(skb, at, head, 4) ||
			    !admit_dhcp_client(hash_mix(id, *(u32 *)head), slot))
				return DROP(DHCP_CLIENT);
		} else if (code == DHCP6_IAADDR && length >= 24) {
			if (bpf_skb_load_bytes(skb, at, &addr, sizeof(addr)) ||
			    !dhcp_may_use_address(&addr, slot, network,
						  type == DHCP6_RELEASE || type == DHCP6_DECLINE))
				return DROP(DHCP_CLIENT);
		}
	}
	return DROP(DHCP_CLIENT);
}

/* A message to a DHCP server. 0, or the reason of a drop. */
static __always_inline int filter_dhcp(struct __sk_buff *skb, struct packet *p, u32 slot, u32 network,
				       u32 guarded)
{
	if (likely(p->proto != IPPROTO_UDP || p->flags & (PACKET_LATER | PACKET_ERROR)))
		return 0;
	if (p->family == 4 && p->flow.dport_be == bpf_htons(PORT_DHCP_SERVER))
		return filter_dhcp4(skb, p, slot, network, guarded);
	if (p->family == 6 && p->flow.dport_be == bpf_htons(PORT_DHCP6_SERVER))
		return filter_dhcp6(skb, p, slot, network);
	return 0;
}

#endif
