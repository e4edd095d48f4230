// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The programs of one uplink. Egress is the single place where masquerade bindings are made for what
 * the host stack let through, and the leak guard: what comes from a guest leaves translated or not at
 * all. Ingress takes the answers back.
 */
#include "bpf/deliver.h"
#include "bpf/fragment.h"
#include "bpf/masquerade.h"
#include "bpf/route.h"
#include "bpf/translate.h"

const volatile __u16 uplink_slot;
const volatile __u32 uplink_ifindex;
const volatile __u32 link_header = ETH_HLEN; /* 0: an interface without one (WireGuard, PPP) */

static __always_inline struct vnet_subnet *subnet_of(const struct vnet_addr *addr)
{
	struct vnet_subnet_key where = {.prefixlen = 128};

	where.addr = *addr;
	return bpf_map_lookup_elem(&subnets, &where);
}

/* Which address of <nat><address> a pair of hosts gets: always the same one. */
static __always_inline void nat_pool_address(const struct vnet_network *net, const struct vnet_flow *flow,
					     struct vnet_addr *to)
{
	u32 hash = (flow->src.word_be[3] ^ flow->dst.word_be[3] * 0x9e3779b1u) * 0x85ebca6bu;
	u32 size = net->nat_last - net->nat_first + 1;

	addr_from_v4(to, bpf_htonl(net->nat_first + (u32)(((u64)hash * size) >> 32)));
}

/* What the outside shall see of this flow. 0 or the reason why it may not leave. */
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
	if (net->uplink_ifindex && net->uplink_ifindex != uplink_ifindex)
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
	return route_source(skb, &p->flow.dst, uplink_ifindex, &a->nat);
}

/* Only the beginning of something makes a session. */
static __always_inline int opens_session(const struct packet *p)
{
	if (p->flags & (PACKET_ERROR | PACKET_REPLY))
		return 0;
	if (p->proto == IPPROTO_TCP) {
		/* SYN; or data of a connection older than our table: its far end will reset it, which is
		 * better than silence. A bare RST or SYN/ACK begins nothing.
		 */
		return !(p->tcp_flags & TCP_RST) && !((p->tcp_flags & TCP_SYN) && (p->tcp_flags & TCP_ACK));
	}
	if (is_icmp(p->family, p->proto))
		return p->flow.sport_be || p->flags & PACKET_LATER;
	return 1;
}

static __always_inline int masquerade(struct __sk_buff *skb, struct packet *p, struct vnet_subnet *from)
{
	struct admission a = {.uplink = uplink_ifindex, .port = skb->tc_index};
	struct rewrite r = {};
	struct session *s;
	int err;

	if (p->flags & PACKET_LATER && !fragment_follow(p))
		return DROP(FRAGMENT_UNKNOWN);
	if (p->flags & PACKET_FIRST)
		fragment_note(p, 1);
	s = session_outbound(&p->flow);
	if (s) {
		a.network = s->network;
	} else {
		if (!from) /* the host's own error about something that is no guest's */
			return TC_ACT_OK;
		if (!opens_session(p))
			return DROP(NO_SESSION);
		a.network = from->network;
	}
	if (!(p->flags & PACKET_ERROR)) {
		err = choose_nat(skb, p, &a);
		if (err)
			return err;
		/* The route's address changed under the session: it cannot go on, a new one begins. */
		if (s && !(s->flags & VNET_SESSION_F_INBOUND) && !addr_equal(&s->nat, &a.nat)) {
			session_delete(&p->flow);
			s = NULL;
			if (!opens_session(p))
				return DROP(NO_SESSION);
		}
	}
	if (!s) {
		if (a.port >= VNET_SLOTS)
			a.port = 0;
		err = session_create(skb, &p->flow, &a);
		if (err)
			return err;
		s = session_outbound(&p->flow);
		if (!s)
			return DROP(SESSION_LIMIT);
	}
	if (s->leg[VNET_OUT].hop.ifindex != uplink_ifindex) {
		s->leg[VNET_OUT].hop.tick = 0;
		s->leg[VNET_OUT].hop.ifindex = uplink_ifindex;
	}
	session_use(s, p, VNET_OUT, tick_now(), skb->len);
	r.from = p->flow.src;
	r.to = s->nat;
	r.from_port_be = p->flow.sport_be;
	r.to_port_be = s->nat_port_be;
	r.source = 1;
	/* An error that the host itself sends about a guest's packet keeps the host's address. */
	return translate(skb, p, &r, from != NULL);
}

static __always_inline int out(struct __sk_buff *skb, struct packet *p)
{
	struct vnet_subnet *from;
	int err = parse(skb, p, link_header);

	/* A header that cannot be read hides whose packet it is; the host's own stack sends none. */
	if (!p->family)
		return err;
	from = subnet_of(p->flags & PACKET_ERROR ? &p->outer_src : &p->flow.src);
	if (!from && (err || !(p->flags & PACKET_ERROR)))
		return TC_ACT_OK;
	if (err)
		return err;
	if (is_group_or_local(p))
		return from ? DROP(NOT_ROUTABLE) : TC_ACT_OK;
	return masquerade(skb, p, from);
}

SEC("tc")
int uplink_egress(struct __sk_buff *skb)
{
	u32 bytes = skb->len;
	struct packet *p;

	if (likely(is_done(skb))) {
		count_traffic(uplink_slot, COUNT_TX, bytes);
		return PASS;
	}
	p = packet_room();
	return leave(p ? out(skb, p) : DROP(MALFORMED), uplink_slot, COUNT_TX, bytes);
}

/* <portForward>: a new connection to the host's address and port, for a guest. */
__noinline int admit_forward(struct __sk_buff *skb, struct packet *p)
{
	struct vnet_forward_key key = {};
	struct vnet_forward *to;
	struct admission a = {.uplink = uplink_ifindex, .flags = VNET_SESSION_F_INBOUND};
	struct making *m = making_of();
	struct bpf_fib_lookup q;

	if (!p || !m || p->flags & (PACKET_LATER | PACKET_ERROR | PACKET_REPLY))
		return 0;
	if (p->proto == IPPROTO_TCP) {
		if ((p->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
			return 0;
	} else if (p->proto != IPPROTO_UDP) {
		return 0;
	}
	key.port_be = p->flow.dport_be;
	key.proto = p->proto;
	key.family = p->family;
	to = bpf_map_lookup_elem(&forwards, &key);
	if (!to)
		return 0;
	/* Only what is addressed to the host itself. */
	route_query(&q, &p->flow.src, &p->flow.dst, p->family == 4, p->proto, uplink_ifindex);
	if (bpf_fib_lookup(skb, &q, sizeof(q), 0) != BPF_FIB_LKUP_RET_NOT_FWDED)
		return 0;
	__builtin_memset(&m->key, 0, sizeof(m->key));
	m->key.src = to->to;
	m->key.dst = p->flow.src;
	m->key.sport_be = to->port_be;
	m->key.dport_be = p->flow.sport_be;
	m->key.proto = p->proto;
	a.network = to->network;
	a.nat = p->flow.dst;
	a.nat_port_be = p->flow.dport_be;
	return session_create(skb, &m->key, &a);
}

static __always_inline int take_back(struct __sk_buff *skb, struct packet *p, struct session *s,
				     struct vnet_flow *key)
{
	struct vnet_leg *leg = &s->leg[VNET_IN];
	struct rewrite r = {};
	u32 now = tick_now();
	int fast, err;

	fast = link_header == ETH_HLEN && p->ttl > 1 && !(p->flags & PACKET_OPTIONS) &&
	       (leg->hop.tick == now || !route_in(skb, key, leg, s->network, uplink_ifindex));
	if (fast && too_big(skb, p, leg->hop.mtu))
		fast = 0;
	if (p->flags & PACKET_FIRST)
		fragment_note(p, !fast);
	session_use(s, p, VNET_IN, now, skb->len);
	r.from = p->flow.dst;
	r.to = key->src;
	r.from_port_be = p->flow.dport_be;
	r.to_port_be = key->sport_be;
	if (fast && (decrement_ttl(skb, p) || write_macs(skb, &leg->hop)))
		return DROP(WRITE_FAILED);
	err = translate(skb, p, &r, 1);
	if (err)
		return err;
	if (fast)
		return deliver(skb, leg->hop.ifindex, leg->hop.slot, leg->hop_flags, 1);
	skb->tc_index = VNET_TC_INDEX_ADMITTED;
	return TC_ACT_OK;
}

static __always_inline int in(struct __sk_buff *skb, struct packet *p)
{
	struct session *s;
	struct vnet_flow *found;
	struct vnet_flow key;
	struct vnet_subnet *to;
	int err = parse(skb, p, link_header);

	/* What cannot be read is the host's to judge, unless it is aimed at a guest. */
	if (!p->family)
		return TC_ACT_OK;
	if (!err && p->flags & PACKET_LATER && fragment_follow(p) == 2)
		p->flags |= PACKET_OPTIONS; /* its first one is with the host stack */
	if (!err) {
		s = session_inbound(&p->flow, &found);
		if (!s) {
			err = admit_forward(skb, p);
			if (err)
				return err;
			s = session_inbound(&p->flow, &found);
		}
		if (s && found) {
			key = *found;
			return take_back(skb, p, s, &key);
		}
	}
	to = subnet_of(p->flags & PACKET_ERROR ? &p->outer_dst : &p->flow.dst);
	if (to)
		return err ? err : DROP(NOT_VISIBLE);
	if (subnet_of(p->flags & PACKET_ERROR ? &p->outer_src : &p->flow.src))
		return DROP(SPOOFED_SOURCE);
	return TC_ACT_OK;
}

SEC("tc")
int uplink_ingress(struct __sk_buff *skb)
{
	u32 bytes = skb->len;
	struct packet *p = packet_room();

	skb->tc_index = 0;
	return leave(p ? in(skb, p) : DROP(MALFORMED), uplink_slot, COUNT_RX, bytes);
}

char LICENSE[] SEC("license") = "GPL";
