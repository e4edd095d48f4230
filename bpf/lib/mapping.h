/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * State of a guest's port beside its sessions. It is kept as sessions of other kinds (enum vnet_flow_kind),
 * which are claimed, counted, taken over and expired like all others.
 *
 * A mapping, with <vnet:nat mapping='endpoint-independent'>: the outside port of all flows from a UDP port,
 * so that every endpoint sees what a STUN server reports (RFC 4787 REQ-1). A peer: an address that may reply
 * from any port. For addresses that the guest has sent to, with filtering='address-dependent' (REQ-8); for
 * TFTP servers always, which reply from another port than they were asked at (RFC 1350); and for FTP servers,
 * which connect to the guest (bpf/lib/ftp.h).
 */
#ifndef VNET_BPF_MAPPING_H
#define VNET_BPF_MAPPING_H

#include "bpf/lib/masquerade.h"
#include "bpf/lib/route.h"

static __always_inline void note_mappings(void)
{
	u32 zero = 0;
	u32 *any = bpf_map_lookup_elem(&any_mappings, &zero);

	if (any && !*any)
		*any = 1;
}

static __always_inline int is_ftp(const struct packet *p)
{
	return p->proto == IPPROTO_TCP && p->flow.dport_be == bpf_htons(PORT_FTP);
}

static __always_inline int is_tftp(const struct packet *p)
{
	return p->proto == IPPROTO_UDP && p->flow.dport_be == bpf_htons(PORT_TFTP);
}

/* Only there: replies of another network's guest come back by its gateway, where nothing is rewritten. */
static __always_inline int leaves_by_uplink(const struct admission *a)
{
	struct vnet_device *device = device_of(a->uplink);

	return device && device->role == VNET_DEVICE_UPLINK;
}

/* session_scratch()->wanted gets the guest's end of p; the caller sets the other end. */
static __always_inline void want_of(struct session_scratch *m, const struct packet *p, u8 kind)
{
	m->wanted = p->flow;
	m->wanted.dport_be = 0;
	m->wanted.kind = kind;
}

/*
 * Creates session_scratch()->wanted for the guest of a, which is not changed. To be inlined into a program:
 * the functions below it need all of the stack.
 */
static __always_inline int make_wanted(struct __sk_buff *skb, struct admission *a, u8 mapped, __be16 port_be)
{
	struct session_scratch *m = session_scratch();
	u8 flags = a->flags, before = a->mapped, hop_known = a->hop_known;
	__be16 preferred_be = a->nat_port_be;
	int err;

	if (!m)
		return DROP(SESSION_LIMIT);
	note_mappings();
	a->flags &= VNET_SESSION_F_MASQUERADE;
	a->mapped = mapped;
	a->hop_known = 0;
	a->nat_port_be = port_be;
	err = session_create(skb, &m->wanted, a);
	a->flags = flags;
	a->mapped = before;
	a->hop_known = hop_known;
	a->nat_port_be = preferred_be;
	return err;
}

#define WANTED 1 /* session_scratch()->wanted does not exist and is to be created */

/* Looks up the mapping of an outbound packet; a->nat_port_be is its outside port then. 0, or WANTED. */
__noinline int find_mapping(struct packet *p, struct admission *a)
{
	struct session_scratch *m = session_scratch();
	struct vnet_network *net;
	struct vnet_session *s;
	u32 slot;

	if (!p || !a || !m || addr_equal(&a->nat, &p->flow.src))
		return 0;
	if (is_ftp(p) && leaves_by_uplink(a)) { /* a slow-path session: see bpf/lib/ftp.h */
		a->mapped |= VNET_MAPPED_FTP;
		a->flags = (a->flags & ~VNET_SESSION_F_PLAIN) | VNET_SESSION_F_STACK;
	}
	if (p->proto != IPPROTO_UDP)
		return 0;
	slot = a->network;
	net = bpf_map_lookup_elem(&networks, &slot);
	if (!net || !(net->flags & VNET_NETWORK_F_ONE_MAPPING))
		return 0;
	a->mapped |= VNET_MAPPED_PORT;
	if (net->flags & VNET_NETWORK_F_FROM_PEERS)
		a->mapped |= VNET_MAPPED_PEER;
	want_of(m, p, VNET_FLOW_MAPPING);
	m->wanted.dst = a->nat;
	s = bpf_map_lookup_elem(&sessions, &m->wanted);
	if (!s)
		return WANTED;
	/* Until one of its sessions is checked by the timer. */
	s->leg[VNET_OUT].seen = tick_now();
	a->nat_port_be = s->nat_port_be;
	return 0;
}

/* Looks up the peer of an outbound packet, after its session. As find_mapping(). */
__noinline int find_peer(struct packet *p, struct admission *a)
{
	struct session_scratch *m = session_scratch();
	struct vnet_session *s;

	if (!p || !a || !m || addr_equal(&a->nat, &p->flow.src) ||
	    !(a->mapped & VNET_MAPPED_PEER || is_tftp(p)))
		return 0;
	m->probe = p->flow; /* before 6.4 an argument's memory is no key */
	s = session_outbound(&m->probe);
	if (!s)
		return 0;
	s->mapped |= VNET_MAPPED_PEER;
	a->nat_port_be = s->nat_port_be;
	want_of(m, p, VNET_FLOW_PEER);
	s = bpf_map_lookup_elem(&sessions, &m->wanted);
	if (s && s->nat_port_be == a->nat_port_be && addr_equal(&s->nat, &a->nat)) {
		s->leg[VNET_OUT].seen = tick_now();
		if (is_tftp(p))
			s->mapped |= VNET_MAPPED_RELATED;
		return 0;
	}
	if (s)
		session_delete(&m->wanted);
	return WANTED;
}

/* Creates the session of an outbound packet, with its mapping and its peer. To be inlined into a program. */
static __always_inline int begin_outwards(struct __sk_buff *skb, struct packet *p, struct admission *a)
{
	int err;

	if (find_mapping(p, a) == WANTED) {
		err = make_wanted(skb, a, 0, 0);
		if (err)
			return err;
		find_mapping(p, a);
	}
	err = session_create(skb, &p->flow, a);
	/* Without it, replies must come from the port that was asked. */
	if (!err && find_peer(p, a) == WANTED)
		make_wanted(skb, a, is_tftp(p) ? VNET_MAPPED_RELATED : 0, a->nat_port_be);
	return err;
}

#endif
