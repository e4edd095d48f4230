/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets that leave a network through a device of the host: an uplink, or the gateway of another network.
 * The host's stack has let them through; here the session is created, and a hidden network's source is
 * translated. Nothing of a hidden network passes untranslated.
 *
 * Packets of a visible network (route, open) are right without a session: if none can be created, they stay
 * on the slow path.
 */
#ifndef VNET_BPF_BINDING_H
#define VNET_BPF_BINDING_H

#include "bpf/lib/begin.h"
#include "bpf/lib/fragment.h"
#include "bpf/lib/ftp.h"
#include "bpf/lib/to_stack.h"
#include "bpf/lib/mapping.h"
#include "bpf/lib/masquerade.h"
#include "bpf/lib/route.h"
#include "bpf/lib/subnet.h"
#include "bpf/lib/translate.h"

/*
 * The address of <nat><address> for a pair of hosts: always the same one. With endpoint-independent mapping
 * it is the same for all destinations of the guest (RFC 4787 REQ-2).
 */
static __always_inline void nat_pool_address(const struct vnet_network *net, const struct vnet_flow *flow,
					     struct vnet_addr *to)
{
	u32 far = net->flags & VNET_NETWORK_F_ONE_MAPPING ? 0 : flow->dst.word_be[3];
	u32 hash = (flow->src.word_be[3] ^ far * 0x9e3779b1u) * 0x85ebca6bu;
	u32 size = net->nat_last - net->nat_first + 1;

	addr_from_v4(to, bpf_htonl(net->nat_first + (u32)(((u64)hash * size) >> 32)));
}

/* Chooses the source address that the other side sees. 0, or the reason of a drop. */
__noinline int choose_nat(struct __sk_buff *skb, struct packet *p, struct admission *a)
{
	struct vnet_network *net;
	u32 slot, masquerade;

	if (!p || !a)
		return DROP(NO_ADDRESS);
	slot = a->network;
	net = bpf_map_lookup_elem(&networks, &slot);
	if (!net)
		return DROP(NO_ADDRESS);
	if (net->flags & VNET_NETWORK_F_ISOLATED)
		return DROP(ISOLATED);
	if (net->uplink_ifindex && net->uplink_ifindex != a->uplink)
		return DROP(NO_UPLINK);
	masquerade = p->family == 4 ? VNET_NETWORK_F_MASQUERADE4 : VNET_NETWORK_F_MASQUERADE6;
	if (!(net->flags & masquerade)) {
		a->nat = p->flow.src;
		return 0;
	}
	if (p->family == 4 && net->nat_first) {
		nat_pool_address(net, &p->flow, &a->nat);
		return 0;
	}
	a->flags |= VNET_SESSION_F_MASQUERADE;
	return route_source(skb, &p->flow.dst, a->uplink, &a->nat);
}

/*
 * A hidden network's packet without its guest's source: either the host's own NAT has translated it, as the
 * administrator wants, or it has been encapsulated untranslated.
 */
static __always_inline int is_tunneled(const struct packet *p)
{
	return p->proto == IPPROTO_ESP || p->proto == IPPROTO_AH || p->proto == IPPROTO_IPIP ||
	       p->proto == IPPROTO_IPV6 || p->proto == IPPROTO_GRE;
}

/*
 * Takes the next hop from the frame that the host's stack has built: the flow's next packet, on the fast
 * path, need not look it up. Only after route_source(), which has stored the MTU.
 */
static __always_inline int hop_from_frame(struct __sk_buff *skb, const struct packet *p,
					  const struct admission *a)
{
	struct session_scratch *m = session_scratch();

	return m && p->l3 == ETH_HLEN && a->flags & VNET_SESSION_F_MASQUERADE && m->hop.mtu &&
	       !read_bytes(skb, 0, m->hop.dmac, 12);
}

/*
 * Does the FIB name the device and the next hop that the stack has chosen for this packet? Not for multipath
 * routes that hash what we cannot see, nor for redirects.
 */
__noinline int fib_agrees_with_stack(struct __sk_buff *skb, struct packet *p, struct admission *a)
{
	struct vnet_network *net;
	struct bpf_fib_lookup q;
	u8 mac[6] __attribute__((aligned(4)));
	u32 slot;
	long rc;

	if (!p || !a)
		return 0;
	slot = a->network;
	net = bpf_map_lookup_elem(&networks, &slot);
	if (!net)
		return 0;
	rc = route_from_gateway(skb, &q, p, net->gateway_ifindex, a->mark);
	if ((rc != BPF_FIB_LKUP_RET_SUCCESS && rc != BPF_FIB_LKUP_RET_NO_NEIGH) || q.ifindex != a->uplink)
		return 0;
	if (rc == BPF_FIB_LKUP_RET_NO_NEIGH || p->l3 != ETH_HLEN)
		return 1;
	return !read_bytes(skb, 0, mac, sizeof(mac)) && mac_equal(mac, q.dmac);
}

/* May a session that the stack has let through be fast? See VNET_SESSION_F_PLAIN. */
static __always_inline u32 fast_path_flags(struct __sk_buff *skb, struct packet *p, struct admission *a)
{
	if (!fib_agrees_with_stack(skb, p, a))
		return VNET_SESSION_F_STACK;
	return is_untranslated(p) ? VNET_SESSION_F_PLAIN : 0;
}

/* The same for one that is opened from outside: do its replies leave where it came in? */
__noinline int replies_leave_by(struct __sk_buff *skb, struct vnet_flow *key, u32 network, u32 uplink)
{
	struct vnet_network *net = bpf_map_lookup_elem(&networks, &network);
	struct bpf_fib_lookup q;
	long rc;

	if (!net || !key)
		return 0;
	route_query(&q, &key->src, &key->dst, is_v4(&key->src), key->proto, net->gateway_ifindex);
	route_query_ports(&q, key->sport_be, key->dport_be);
	rc = bpf_fib_lookup(skb, &q, sizeof(q), 0);
	return (rc == BPF_FIB_LKUP_RET_SUCCESS || rc == BPF_FIB_LKUP_RET_NO_NEIGH) && q.ifindex == uplink;
}

/* A later fragment that has overtaken its first: its address is translated, for which no ports are needed. */
__noinline int translate_early_fragment(struct __sk_buff *skb, struct packet *p, struct admission *a)
{
	struct rewrite r = {.source = 1};
	int err;

	if (!p || !a)
		return DROP(FRAGMENT_UNKNOWN);
	err = choose_nat(skb, p, a);
	if (err)
		return err;
	r.from = p->flow.src;
	r.to = a->nat;
	return translate(skb, p, &r, 1);
}

/* Errors may be sent by the session's guest, or a router behind its port; port: the sender's. */
static __always_inline int is_foreign_error(const struct packet *p, const struct vnet_session *s, u32 port)
{
	if (s->port && port && port < VNET_SLOTS)
		return s->port != port;
	return !addr_equal(&p->outer_src, &p->flow.src);
}

/* from: the network of the packet's source; NULL: it is the host's own. */
static __always_inline int admit_outbound(struct __sk_buff *skb, struct packet *p, struct vnet_subnet *from,
					  u32 device)
{
	struct admission a = {.uplink = device, .port = skb->tc_index};
	u32 visible = from ? flags_of_network(from->network) & VNET_NETWORK_F_VISIBLE : 0;
	struct rewrite r = {};
	struct vnet_session *s;
	int err;

	if (unlikely(p->flags & PACKET_LATER && !fragment_follow(p))) {
		if (visible || !from)
			return TC_ACT_OK;
		a.network = from->network;
		return translate_early_fragment(skb, p, &a);
	}
	if (p->flags & PACKET_FIRST)
		fragment_note(p, 1);
	s = session_outbound(&p->flow);
	/* No errors about another's session, and a hidden guest's only to the session's far end. */
	if (s && from &&
	    (s->network != from->network || (p->flags & PACKET_ERROR && is_foreign_error(p, s, a.port))))
		return DROP(SPOOFED_SOURCE);
	if (s && from && !visible && p->flags & PACKET_ERROR && !addr_equal(&p->outer_dst, &p->flow.dst))
		return DROP(NO_SESSION);
	if (s) {
		a.network = s->network;
	} else {
		if (!from) /* the host's own error, which concerns no guest */
			return TC_ACT_OK;
		if (!opens_session(p, OPEN_MIDSTREAM) && !visible)
			return DROP(NO_SESSION);
		a.network = from->network;
	}
	/* A session that was opened from outside has its address, and its replies leave where it came in. */
	if (!(p->flags & PACKET_ERROR) &&
	    !(s && s->flags & VNET_SESSION_F_INBOUND && s->leg[VNET_OUT].hop.ifindex == device)) {
		err = choose_nat(skb, p, &a);
		if (err)
			return err;
		/* The route's address has changed: the session cannot go on, a new one is created. */
		if (s && !(s->flags & VNET_SESSION_F_INBOUND) && !addr_equal(&s->nat, &a.nat)) {
			session_delete(&p->flow);
			s = NULL;
			if (!opens_session(p, OPEN_MIDSTREAM))
				return DROP(NO_SESSION);
		}
	}
	if (!s) {
		if (!opens_session(p, OPEN_MIDSTREAM))
			return TC_ACT_OK;
		if (a.port >= VNET_SLOTS)
			a.port = 0;
		a.hop_known = hop_from_frame(skb, p, &a);
		a.mark = skb->mark;
		a.flags |= fast_path_flags(skb, p, &a);
		err = begin_outwards(skb, p, &a);
		if (err)
			return visible ? TC_ACT_OK : err;
		s = session_outbound(&p->flow);
		if (!s)
			return visible ? TC_ACT_OK : DROP(SESSION_LIMIT);
	}
	if (s->leg[VNET_OUT].hop.ifindex != device) {
		s->leg[VNET_OUT].hop.tick = 0;
		s->leg[VNET_OUT].hop.ifindex = device;
	}
	session_use(s, p, VNET_OUT, tick_now(), skb->len);
	if (unlikely(s->mapped & VNET_MAPPED_FTP)) {
		if (ftp_out(skb, p, &a))
			return DROP(WRITE_FAILED);
		s = session_outbound(&p->flow);
		if (!s)
			return DROP(NO_SESSION);
	}
	r.from = p->flow.src;
	r.to = s->nat;
	r.from_port_be = p->flow.sport_be;
	r.to_port_be = s->nat_port_be;
	r.source = 1;
	/* An error that the host itself sends about a guest's packet keeps the host's address. */
	return translate(skb, p, &r, from != NULL);
}

/*
 * Creates the session of a new connection from outside to a guest of a visible network, so that it may be
 * fast. Without room for it, or if the host's NAT may have translated it, the flow stays on the slow path.
 * 1: created.
 */
__noinline int admit_visible(struct __sk_buff *skb, struct packet *p, u32 network, u32 port, u32 uplink)
{
	struct admission a = {.network = network, .port = port, .uplink = uplink};
	struct session_scratch *m = session_scratch();

	if (!p || !m || !is_untranslated(p) || !opens_session(p, OPEN_BY_SYN))
		return 0;
	__builtin_memset(&m->key, 0, sizeof(m->key));
	m->key.src = p->flow.dst;
	m->key.dst = p->flow.src;
	m->key.sport_be = p->flow.dport_be;
	m->key.dport_be = p->flow.sport_be;
	m->key.proto = p->proto;
	a.flags = VNET_SESSION_F_INBOUND |
		  (replies_leave_by(skb, &m->key, network, uplink) ? VNET_SESSION_F_PLAIN
								   : VNET_SESSION_F_STACK);
	a.nat = p->flow.dst;
	a.nat_port_be = p->flow.dport_be;
	return !session_create(skb, &m->key, &a);
}

#endif
