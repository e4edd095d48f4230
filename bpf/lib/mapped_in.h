/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Admission from outside to a guest's mapped port: who may send to it (RFC 4787 REQ-8), whether the guest's
 * port lets it in, and the session. Refused packets create none, as with port forwards. With
 * hostFirewall='honor' the first packet takes the host's stack, whose FORWARD rules decide on it as on any
 * new connection. What an accepted request implies (TFTP, FTP) is not shown to them, as conntrack calls it
 * related.
 */
#ifndef VNET_BPF_MAPPED_IN_H
#define VNET_BPF_MAPPED_IN_H

#include "bpf/lib/mapping.h"
#include "bpf/lib/admit_forward.h"

/* The key of the peer that p comes from; NULL: it is none. */
static __always_inline struct vnet_flow *entry_for(struct session_scratch *m, const struct packet *p)
{
	m->probe = p->flow;
	m->probe.sport_be = 0;
	m->probe.kind = VNET_FLOW_PEER;
	return bpf_map_lookup_elem(&rev_nat, &m->probe);
}

/*
 * session_scratch()->wanted: the session's key, as its guest would send; its admission in
 * wanted_network, wanted_port, wanted_flags. NOT_FORWARDED: it is for no mapping.
 */
__noinline int find_mapped(struct packet *p)
{
	struct session_scratch *m = session_scratch();
	struct vnet_network *net;
	struct vnet_session *s;
	struct vnet_flow *owner;
	u32 slot, is_peer;

	if (!p || !m || (p->proto != IPPROTO_UDP && p->proto != IPPROTO_TCP) ||
	    !opens_connection(p, OPEN_BY_SYN) || !has_mappings())
		return NOT_FORWARDED;
	owner = entry_for(m, p);
	is_peer = owner != NULL;
	if (!owner && p->proto == IPPROTO_UDP)
		owner = mapping_at(&m->probe, &p->flow.dst, p->flow.dport_be);
	s = owner ? bpf_map_lookup_elem(&sessions, owner) : NULL;
	if (!s)
		return NOT_FORWARDED;
	slot = s->network;
	net = bpf_map_lookup_elem(&networks, &slot);
	if (!net)
		return NOT_FORWARDED;
	m->wanted = p->flow;
	m->wanted.src = owner->src;
	m->wanted.sport_be = owner->sport_be;
	m->wanted.dst = p->flow.src;
	m->wanted.dport_be = p->flow.sport_be;
	m->wanted_network = slot;
	m->wanted_port = s->port;
	m->wanted_flags = s->mapped & VNET_MAPPED_RELATED || net->flags & VNET_NETWORK_F_BYPASS
				  ? VNET_SESSION_F_PLAIN
				  : 0;
	if (is_peer)
		return 0;
	if (s->mapped & VNET_MAPPED_SHARED)
		return NOT_FORWARDED; /* it may be a reply to a flow of the host's NAT */
	return net->flags & VNET_NETWORK_F_FROM_ANYBODY ? 0 : DROP(NAT_FILTER);
}

/* Is it for a socket of the host? Those come first, whoever has the port. */
__noinline int is_hosts_own(struct __sk_buff *skb, struct packet *p)
{
	struct session_scratch *m = session_scratch();

	if (!p || !m)
		return 0;
	m->answer = p->flow;
	return host_has_socket(skb);
}

/* 0, GUEST_NOT_LOCATED, NOT_FORWARDED, or the drop reason. by: the interface that it came in by. */
__noinline int judge_mapped(struct __sk_buff *skb, struct packet *p, u32 by)
{
	struct session_scratch *m = session_scratch();
	int found, port, err;

	if (!p || !m)
		return NOT_FORWARDED;
	found = find_mapped(p);
	if (found == NOT_FORWARDED || is_hosts_own(skb, p))
		return NOT_FORWARDED;
	if (found)
		return found;
	m->answer = p->flow;
	p->flow.dst = m->wanted.src;
	p->flow.dport_be = m->wanted.sport_be;
	port = guest_port(skb, p, m->wanted_network, by);
	err = check_located(skb, p, port);
	p->flow = m->answer;
	return err;
}

/* After judge_mapped(). flags: of the session, for a hairpin's inner half. */
__noinline int begin_mapped(struct __sk_buff *skb, struct packet *p, u32 by, u32 flags, u32 not_located)
{
	struct session_scratch *m = session_scratch();
	struct admission a = {.uplink = by,
			      .not_located = not_located,
			      .mapped = VNET_MAPPED_IN | VNET_MAPPED_PORT | VNET_MAPPED_PEER};

	if (!p || !m)
		return DROP(SESSION_LIMIT);
	a.network = m->wanted_network;
	a.port = m->wanted_port;
	a.nat = p->flow.dst;
	a.nat_port_be = p->flow.dport_be;
	a.flags = VNET_SESSION_F_INBOUND | flags;
	if (!flags)
		a.flags |= replies_leave_by(skb, &m->wanted, a.network, by) ? m->wanted_flags
									    : VNET_SESSION_F_STACK;
	return session_create(skb, &m->wanted, &a);
}

/* A session for p, if there is a mapping that lets it in. 0, whether or not, or the reason why it is dropped.
 */
static __always_inline int admit_mapped(struct __sk_buff *skb, struct packet *p, u32 by, u32 flags)
{
	int found = judge_mapped(skb, p, by);

	if (found < 0 || found == NOT_FORWARDED)
		return found < 0 ? found : 0;
	return begin_mapped(skb, p, by, flags, found == GUEST_NOT_LOCATED);
}

#endif
