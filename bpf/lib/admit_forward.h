/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A new connection to a port forward: does its guest accept it? Then its session is created. In this order,
 * because a refused one must cost nothing: anyone can send to the host's ports.
 */
#ifndef VNET_BPF_ADMIT_FORWARD_H
#define VNET_BPF_ADMIT_FORWARD_H

#include "bpf/lib/address.h"
#include "bpf/lib/begin.h"
#include "bpf/lib/binding.h"
#include "bpf/lib/port_forward.h"
#include "bpf/lib/inbound.h"

#define NOT_FORWARDED	  1 /* for the host itself */
#define GUEST_NOT_LOCATED 2 /* the guest's port is not known: only sending the packet can tell */

#define GUEST_NOT_RESOLVED 1 /* the loopback interface's ifindex, which no port has */

#define PORTS_ASKED 32

/* 0: the guest may be at one of the network's ports, and only sending the packet can tell. */
__noinline int check_any_port_up(u32 gateway)
{
	struct vnet_flood_key key = {.parent = gateway};
	struct vnet_port *port;
	u32 *ifindex;

	for (u32 i = 0; i < PORTS_ASKED; i++) {
		key.index = i;
		ifindex = bpf_map_lookup_elem(&flood_ports, &key);
		if (!ifindex)
			return DROP(NO_GUEST);
		port = bpf_map_lookup_elem(&ports, ifindex);
		if (port && !(port->flags & VNET_PORT_F_DOWN))
			return 0;
	}
	return 0;
}

/*
 * The ifindex of the port that p, as its guest would get it, goes to. 0: not known; GUEST_NOT_RESOLVED: some
 * port has the address, but its MAC is not resolved. Negative: the reason of a drop. by: the ifindex where
 * the packet has come in.
 */
__noinline int guest_port(struct __sk_buff *skb, struct packet *p, u32 network, u32 by)
{
	struct vnet_network *net = bpf_map_lookup_elem(&networks, &network);
	struct vnet_fdb_key where = {.network = network};
	struct vnet_fdb_entry *entry;
	struct bpf_fib_lookup q;
	long rc;

	if (!p || !net)
		return DROP(NO_GUEST);
	route_query(&q, &p->flow.src, &p->flow.dst, p->family == 4, p->proto, by);
	route_query_ports(&q, p->flow.sport_be, p->flow.dport_be);
	rc = bpf_fib_lookup(skb, &q, sizeof(q), 0);
	if (rc == BPF_FIB_LKUP_RET_NO_NEIGH)
		return address_of(&p->flow.dst, network) ? GUEST_NOT_RESOLVED
							 : check_any_port_up(net->gateway_ifindex);
	if (rc != BPF_FIB_LKUP_RET_SUCCESS)
		return DROP(NO_GUEST);
	__builtin_memcpy(where.mac, q.dmac, 6);
	entry = bpf_map_lookup_elem(&fdb, &where);
	/* Without one the guest is gone, or has more MACs than are learned. */
	return entry ? entry->ifindex : check_any_port_up(net->gateway_ifindex);
}

__noinline int check_receive_forward(struct __sk_buff *skb, struct packet *p, u32 ifindex)
{
	struct vnet_port *port = bpf_map_lookup_elem(&ports, &ifindex);

	return p && port ? check_receive_packet(skb, port, p) : DROP(UNATTACHED);
}

/* located: of guest_port(). 0, GUEST_NOT_LOCATED, or the drop reason. */
static __always_inline int check_located(struct __sk_buff *skb, struct packet *p, int located)
{
	if (located > GUEST_NOT_RESOLVED)
		return check_receive_forward(skb, p, located);
	if (located < 0)
		return located;
	return located == GUEST_NOT_RESOLVED ? 0 : GUEST_NOT_LOCATED;
}

__noinline int is_for_host(struct __sk_buff *skb, struct packet *p, u32 by)
{
	struct bpf_fib_lookup q;

	if (!p)
		return 0;
	route_query(&q, &p->flow.src, &p->flow.dst, p->family == 4, p->proto, by);
	return bpf_fib_lookup(skb, &q, sizeof(q), 0) == BPF_FIB_LKUP_RET_NOT_FWDED;
}

/* 0: it is for a port forward, which this sender may use. */
__noinline int check_forward_sender(struct __sk_buff *skb, struct packet *p, u32 by)
{
	struct vnet_port_forward *to;

	if (!p)
		return 0;
	to = port_forward_of(p);
	if (!to || !is_for_host(skb, p, by))
		return NOT_FORWARDED;
	return forward_allows_source(to, p) ? 0 : DROP(FORWARD_FROM);
}

/*
 * Is it for a guest, and does its port accept it? 0, GUEST_NOT_LOCATED, NOT_FORWARDED, or the reason of a
 * drop. hairpin: the source that a guest of network `own` is shown when another one uses a port forward.
 */
static __always_inline int check_port_forward(struct __sk_buff *skb, struct packet *p, u32 by,
					      const struct vnet_addr *hairpin, u32 own)
{
	struct session_scratch *m = session_scratch();
	struct vnet_port_forward *to;
	int err, port;
	u32 network;

	err = check_forward_sender(skb, p, by);
	to = err || !m ? NULL : port_forward_of(p);
	if (!to)
		return err ? err : NOT_FORWARDED;
	m->answer = p->flow;
	p->flow.dst = to->to;
	p->flow.dport_be = to->port_be;
	network = to->network;
	if (hairpin && network == own)
		p->flow.src = *hairpin;
	port = guest_port(skb, p, network, by);
	err = check_located(skb, p, port);
	p->flow = m->answer;
	return err;
}

/*
 * Sets session_scratch()->key to the key of the session whose guest sees `from` as the source. Returns the
 * network's slot; 0: the forward is gone. A function of its own, because session_create() needs the stack.
 */
__noinline u32 forward_key(struct packet *p, struct vnet_flow *from)
{
	struct session_scratch *m = session_scratch();
	struct vnet_port_forward *to;

	if (!p || !from || !m)
		return 0;
	to = port_forward_of(p);
	if (!to)
		return 0;
	__builtin_memset(&m->key, 0, sizeof(m->key));
	m->key.src = to->to;
	m->key.dst = from->src;
	m->key.sport_be = to->port_be;
	m->key.dport_be = from->sport_be;
	m->key.proto = p->proto;
	return to->network;
}

/* by: the ifindex where it came in and its replies go out. 0: it has a session, or the forward is gone. */
__noinline int create_forward_session(struct __sk_buff *skb, struct packet *p, u32 by, u32 not_located)
{
	struct admission a = {.uplink = by, .flags = VNET_SESSION_F_INBOUND, .not_located = not_located};
	struct session_scratch *m = session_scratch();

	if (!p || !m)
		return DROP(SESSION_LIMIT);
	a.network = forward_key(p, &p->flow);
	if (!a.network)
		return 0;
	a.nat = p->flow.dst;
	a.nat_port_be = p->flow.dport_be;
	a.flags |=
		replies_leave_by(skb, &m->key, a.network, by) ? VNET_SESSION_F_PLAIN : VNET_SESSION_F_STACK;
	return session_create(skb, &m->key, &a);
}

#endif
