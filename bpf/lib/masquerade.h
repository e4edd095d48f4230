/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Creates sessions: which address and which port the outside sees, and the claim on them.
 *
 * The guest's source port is kept if the flow of the replies is free and no socket of the host has it;
 * otherwise all of the guest's flows from that port get the same other port, if it is free for them (RFC 4787
 * REQ-1). That is found by probing, outside the host's ephemeral range unless the network's XML names a port
 * range (the loader cuts it out of the spans). Inside that range only UDP ports are kept: a datagram socket
 * of the host that gets the same flow later takes it over (evict_for_host()), which would break a TCP
 * connection. A port that is mapped independently of the endpoint (bpf/lib/mapping.h) is its guest's for all
 * flows, and never in the host's range: replies to the host's own sockets there are the host's.
 */
#ifndef VNET_BPF_MASQUERADE_H
#define VNET_BPF_MASQUERADE_H

#include "bpf/lib/mark.h"
#include "bpf/lib/expiry.h"
#include "bpf/lib/port_forward.h"
#include "bpf/lib/mapped.h"
#include "bpf/lib/socket.h"

static __always_inline u32 span_size(struct vnet_port_span span)
{
	return span.first > span.last ? 0 : span.last - span.first + 1;
}

static __always_inline int span_has(struct vnet_port_span span, u16 port)
{
	return port >= span.first && port <= span.last;
}

/* Does a socket of the host take the flow of the replies? */
__noinline int host_has_socket(struct __sk_buff *skb)
{
	struct session_scratch *m = session_scratch();
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;
	u32 size;

	if (!m)
		return 0;
	size = socket_tuple(&m->answer, &tuple);
	if (m->answer.proto == IPPROTO_TCP)
		sk = bpf_skc_lookup_tcp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	else if (m->answer.proto == IPPROTO_UDP)
		sk = bpf_sk_lookup_udp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	else
		return 0;
	if (!sk)
		return 0;
	bpf_sk_release(sk);
	return 1;
}

/* Which ports a new session may take, besides free ones. */
enum taking {
	TAKE_FREE,
	TAKE_CLOSED,	   /* a closed session's */
	TAKE_FROM_LARGEST, /* any of a guest that has far more sessions */
};

/* Sessions that a guest may have beyond twice another's before they are taken from it. */
#define LARGE_HOLDER 1024

static __always_inline int is_of_larger_holder(const struct vnet_session *s, u32 port)
{
	u32 holder = s->port;
	struct vnet_quota_usage *theirs = bpf_map_lookup_elem(&quota_usage, &holder);
	struct vnet_quota_usage *ours = bpf_map_lookup_elem(&quota_usage, &port);

	return holder && port && holder != port && theirs && ours && !(s->flags & VNET_SESSION_F_INBOUND) &&
	       theirs->sessions > 2 * ours->sessions + LARGE_HOLDER;
}

/* 1: the port has been released. */
__noinline int evict_claim(u32 taking)
{
	struct session_scratch *m = session_scratch();
	struct vnet_flow *owner;
	struct vnet_session *s;

	if (!m)
		return 0;
	owner = bpf_map_lookup_elem(&rev_nat, &m->answer);
	if (!owner)
		return 1;
	s = bpf_map_lookup_elem(&sessions, owner);
	if (s && s->state != VNET_SESSION_CLOSED &&
	    (taking != TAKE_FROM_LARGEST || !is_of_larger_holder(s, m->session.port)))
		return 0;
	if (s)
		session_delete(owner);
	else
		bpf_map_delete_elem(&rev_nat, &m->answer); /* left by an interrupted claim */
	return 1;
}

/* Claims the flow of the replies. 0: ours; 1: taken; negative: the reason (table full, no memory). */
__noinline int claim_reply_flow(u32 taking)
{
	struct session_scratch *m = session_scratch();
	int err; /* below 6.4 the helper's result is not sign-extended to 64 bits */

	if (!m)
		return DROP(SESSION_LIMIT);
	err = bpf_map_update_elem(&rev_nat, &m->answer, &m->key, BPF_NOEXIST);
	if (err == -EEXIST && taking != TAKE_FREE && evict_claim(taking))
		err = bpf_map_update_elem(&rev_nat, &m->answer, &m->key, BPF_NOEXIST);
	if (!err)
		return 0;
	return err == -EEXIST ? 1 : DROP(SESSION_LIMIT);
}

/* Does a port forward to another guest have the port that is tried? */
static __always_inline int is_forwarded_to_another(struct session_scratch *m)
{
	struct vnet_port_forward *to;

	__builtin_memset(&m->forward, 0, sizeof(m->forward));
	m->forward.listen = m->answer.dst;
	m->forward.port_be = m->answer.dport_be;
	m->forward.proto = m->answer.proto;
	m->forward.family = is_v4(&m->answer.dst) ? 4 : 6;
	to = bpf_map_lookup_elem(&port_forwards, &m->forward);
	if (!to) {
		__builtin_memset(&m->forward.listen, 0, sizeof(m->forward.listen));
		to = bpf_map_lookup_elem(&port_forwards, &m->forward);
	}
	return to && !(to->port_be == m->key.sport_be && addr_equal(&to->to, &m->key.src));
}

/*
 * Is the port that is tried another guest's mapping; or, for a mapping or an FTP peer, a port forward's? With
 * as little stack as possible.
 */
__noinline int is_mapped_otherwise(u32 taking)
{
	struct session_scratch *m = session_scratch();
	struct vnet_flow *owner;

	if (!m)
		return 0;
	if (m->answer.kind == VNET_FLOW_PACKETS) {
		if (m->answer.proto != IPPROTO_UDP || taking == TAKE_FROM_LARGEST || !has_mappings())
			return 0;
		owner = mapping_at(&m->probe, &m->answer.dst, m->answer.dport_be);
		return owner && !(owner->sport_be == m->key.sport_be && addr_equal(&owner->src, &m->key.src));
	}
	if (m->answer.kind == VNET_FLOW_PEER && m->answer.proto == IPPROTO_UDP)
		return 0; /* it has the port of its guest's flow */
	return is_forwarded_to_another(m);
}

static __always_inline int try_port(struct __sk_buff *skb, struct session_scratch *m, u32 port, u32 taking)
{
	m->answer.dport_be = bpf_htons(port);
	return host_has_socket(skb) || is_mapped_otherwise(taking) ? 1 : claim_reply_flow(taking);
}

static __always_inline int is_probed(const struct vnet_network *net, u16 port)
{
	return span_has(net->ports[0], port) || span_has(net->ports[1], port);
}

/* The n-th port (modulo) of the network's spans; 0: none. */
__noinline u32 nth_port(u32 network, u32 n)
{
	struct vnet_network *net = bpf_map_lookup_elem(&networks, &network);
	struct session_scratch *m = session_scratch();
	u32 first, size;

	if (!net || !m)
		return 0;
	first = span_size(net->ports[0]);
	size = first + span_size(net->ports[1]);
	if (!size)
		return 0;
	n %= size;
	n = n < first ? net->ports[0].first + n : net->ports[1].first + (n - first);
	/* Port parity (RFC 4787 REQ-4). */
	if (m->key.kind != VNET_FLOW_MAPPING || !((n ^ bpf_ntohs(m->key.sport_be)) & 1))
		return n;
	n ^= 1;
	return is_probed(net, n) ? n : 0;
}

/* Tries the n-th port of the network's spans; of all 65536, for an ICMP identifier. */
__noinline int try_nth_port(struct __sk_buff *skb, u32 network, u32 n, u32 taking)
{
	struct session_scratch *m = session_scratch();

	if (!m)
		return DROP(PORTS_EXHAUSTED);
	/* Any ICMP identifier will do: no clamping (RFC 5508 REQ-1). */
	if (m->key.proto == IPPROTO_ICMP || m->key.proto == IPPROTO_ICMPV6)
		return try_port(skb, m, n & 0xffff, taking);
	n = nth_port(network, n);
	return n ? try_port(skb, m, n, taking) : 1;
}

__noinline int count_probe(u32 tries)
{
	u64 *count = bpf_map_lookup_elem(&port_alloc_tries, &tries);

	if (count)
		(*count)++;
	return 0;
}

/*
 * Where probing begins: at a place that cannot be predicted from outside for a pair of hosts, and one further
 * each time (RFC 6056, algorithm 3). So a port is reused as late as possible: the far end keeps a closed
 * connection in TIME_WAIT for a minute or more, and delays a new one on the same port.
 */
static __always_inline u32 probe_start(struct session_scratch *m)
{
	u64 hash = secret;

	for (int i = 0; i < 4; i++) {
		hash = (hash ^ m->key.src.word_be[i]) * 0x9e3779b97f4a7c15ULL;
		hash = (hash ^ hash >> 32 ^ m->key.dst.word_be[i]) * 0xbf58476d1ce4e5b9ULL;
		hash ^= hash >> 29;
	}
	hash = (hash ^ m->key.dport_be) * 0x94d049bb133111ebULL;
	if (!m->round) /* CPUs begin at different places */
		m->round = bpf_get_prandom_u32();
	return (u32)(hash >> 33) + m->round++;
}

static __always_inline void mapping_key(const struct session_scratch *m, struct vnet_mapping_key *key)
{
	key->guest = m->key.src;
	key->port_be = m->key.sport_be;
	key->proto = m->key.proto;
	key->pad = 0;
}

static __always_inline void note_mapping(struct session_scratch *m)
{
	struct vnet_mapping to = {.port_be = m->answer.dport_be};
	struct vnet_mapping_key key;

	mapping_key(m, &key);
	bpf_map_update_elem(&mappings, &key, &to, BPF_ANY);
}

static __always_inline int may_keep_port(const struct vnet_network *net, const struct vnet_flow *key,
					 u16 port)
{
	if (key->proto == IPPROTO_ICMP || key->proto == IPPROTO_ICMPV6 || key->proto == IPPROTO_SCTP)
		return 1;
	return key->proto == IPPROTO_UDP && key->kind == VNET_FLOW_PACKETS ? span_has(net->keep, port)
									   : is_probed(net, port);
}

/* Tries the port that the guest's flows from there have, else the guest's own. As claim_reply_flow(). */
__noinline int try_preferred_port(struct __sk_buff *skb, u32 network)
{
	struct vnet_network *net = bpf_map_lookup_elem(&networks, &network);
	struct session_scratch *m = session_scratch();
	struct vnet_mapping_key key;
	struct vnet_mapping *to;
	int err;
	u16 want;

	if (!net || !m)
		return DROP(PORTS_EXHAUSTED);
	mapping_key(m, &key);
	to = bpf_map_lookup_elem(&mappings, &key);
	if (unlikely(to) && (m->key.kind == VNET_FLOW_PACKETS || is_probed(net, bpf_ntohs(to->port_be)))) {
		err = try_port(skb, m, bpf_ntohs(to->port_be), TAKE_FREE);
		if (err <= 0)
			return err;
	}
	want = bpf_ntohs(m->key.sport_be);
	return may_keep_port(net, &m->key, want) ? try_port(skb, m, want, TAKE_FREE) : 1;
}

/* Chooses the outside port of the new session and claims it. 0, or the reason of a drop. */
__noinline int claim_port(struct __sk_buff *skb, u32 network)
{
	struct session_scratch *m = session_scratch();
	u32 tries, start;
	int err;

	if (!m)
		return DROP(PORTS_EXHAUSTED);
	err = try_preferred_port(skb, network);
	if (err <= 0) {
		count_probe(0);
		return err;
	}
	start = probe_start(m);
	for (tries = 1; tries < VNET_PROBE_MAX; tries++) {
		/* Used ports are taken only when none seems to be free. */
		err = try_nth_port(skb, network, start + tries,
				   tries <= VNET_PROBE_MAX / 2	     ? TAKE_FREE
				   : tries <= VNET_PROBE_MAX * 3 / 4 ? TAKE_CLOSED
								     : TAKE_FROM_LARGEST);
		if (err <= 0) {
			if (!err)
				note_mapping(m);
			count_probe(tries);
			return err;
		}
	}
	count_probe(VNET_PROBE_MAX);
	return DROP(PORTS_EXHAUSTED);
}

static __always_inline int has_ports(u8 proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP ||
	       proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

/* Reserves quota for one more session, of this port and of its network. */
static __always_inline int reserve_quota(u32 network, u32 port, u32 session_flags)
{
	struct vnet_network *net = bpf_map_lookup_elem(&networks, &network);
	struct vnet_quota_usage *of_net = bpf_map_lookup_elem(&quota_usage, &network);
	struct vnet_quota_usage *of_port = port ? bpf_map_lookup_elem(&quota_usage, &port) : NULL;

	if (!net || !of_net)
		return DROP(SESSION_LIMIT);
	if (of_port && *sessions_of(of_port, session_flags) >= net->max_sessions_per_port)
		return DROP(PORT_QUOTA);
	if (*sessions_of(of_net, session_flags) >= net->max_sessions)
		return DROP(SESSION_LIMIT);
	__sync_fetch_and_add(sessions_of(of_net, session_flags), 1);
	if (of_port)
		__sync_fetch_and_add(sessions_of(of_port, session_flags), 1);
	return 0;
}

/*
 * Enters the new session in the network's ring of half-open ones, and deletes the oldest: in a flood with
 * forged sources that is nearly always one of the flood; one that is established in time is spared.
 */
__noinline int enter_half_open(u32 network, u32 not_located)
{
	struct vnet_quota_usage *u = bpf_map_lookup_elem(&quota_usage, &network);
	struct vnet_half_open_key key = {.network = network};
	struct session_scratch *m = session_scratch();
	struct vnet_flow *oldest;
	struct vnet_session *s;

	if (!m || !u)
		return 0;
	key.place = __sync_fetch_and_add(&u->half_open, 1);
	key.place = not_located ? VNET_HALF_OPEN + key.place % VNET_HALF_OPEN_UNHEARD
				: key.place % VNET_HALF_OPEN;
	oldest = bpf_map_lookup_elem(&half_open, &key);
	s = oldest ? bpf_map_lookup_elem(&sessions, oldest) : NULL;
	if (s && s->state == VNET_SESSION_NEW && s->flags & VNET_SESSION_F_INBOUND && s->network == network)
		session_delete(oldest);
	return bpf_map_update_elem(&half_open, &key, &m->key, BPF_ANY);
}

struct admission {
	struct vnet_addr nat; /* as the outside sees the guest; may equal the guest's own */
	u32 uplink;	      /* ifindex */
	u16 network;	      /* slots */
	u16 port;
	__be16 nat_port_be; /* with SESSION_F_INBOUND: given; otherwise preferred, 0: none */
	u8 flags;	    /* VNET_SESSION_F_* */
	u8 mapped;	    /* VNET_MAPPED_* */
	u32 mark;	    /* as struct vnet_session */
	u8 hop_known;	    /* session_scratch()->hop is the outbound next hop: no lookup needed */
	u8 not_located;	    /* with SESSION_F_INBOUND: the guest's port is not known */
};

/*
 * Creates the session for flow. 0: it exists (created here or, meanwhile, by another CPU); negative: the
 * reason of a drop.
 */
__noinline int session_create(struct __sk_buff *skb, struct vnet_flow *flow, struct admission *a)
{
	struct session_scratch *m = session_scratch();
	u32 slot;
	int err;

	if (!flow || !a || !m)
		return DROP(SESSION_LIMIT);
	expiry_start();
	m->key = *flow;
	if (a->flags & VNET_SESSION_F_INBOUND)
		enter_half_open(a->network, a->not_located);
	err = reserve_quota(a->network, a->port, a->flags);
	if (err)
		return err;

	__builtin_memset(&m->answer, 0, sizeof(*m) - __builtin_offsetof(struct session_scratch, answer));
	m->answer.src = flow->dst;
	m->answer.dst = a->nat;
	m->answer.sport_be = flow->dport_be;
	m->answer.proto = flow->proto;
	m->answer.kind = flow->kind;
	m->session.port = a->port;
	if (a->flags & VNET_SESSION_F_INBOUND) {
		m->answer.dport_be = a->nat_port_be;
		err = claim_reply_flow(TAKE_CLOSED);
	} else if (addr_equal(&a->nat, &flow->src) || !has_ports(flow->proto)) {
		m->answer.dport_be = flow->sport_be;
		err = claim_reply_flow(TAKE_CLOSED);
	} else {
		/* The host, or another guest, may have a flow to that endpoint from the port of the mapping.
		 */
		err = a->nat_port_be ? try_port(skb, m, bpf_ntohs(a->nat_port_be), TAKE_CLOSED) : 1;
		if (err > 0 && !(flow->kind == VNET_FLOW_PEER && a->nat_port_be))
			err = claim_port(skb, a->network);
	}
	if (err) {
		if (err > 0)
			err = DROP(PORTS_EXHAUSTED);
		goto give_back;
	}

	m->session.nat = a->nat;
	m->session.nat_port_be = m->answer.dport_be;
	m->session.flags = a->flags;
	m->session.mapped = a->mapped;
	m->session.mark = a->mark;
	m->session.network = a->network;
	m->session.created = tick_now();
	m->session.leg[VNET_OUT].seen = m->session.created;
	m->session.leg[VNET_IN].seen = m->session.created;
	if (a->hop_known) {
		m->session.leg[VNET_OUT].hop = m->hop;
		m->session.leg[VNET_OUT].hop.tick = m->session.created;
	}
	m->session.leg[VNET_OUT].hop.ifindex = a->uplink;
	slot = a->network;
	err = wheel_put(&m->key, &m->session.due,
			first_check_ticks(bpf_map_lookup_elem(&networks, &slot), m->key.proto));
	if (err) {
		bpf_map_delete_elem(&rev_nat, &m->answer);
		err = DROP(SESSION_LIMIT);
		goto give_back;
	}
	err = bpf_map_update_elem(&sessions, &m->key, &m->session, BPF_NOEXIST);
	if (err) {
		bpf_map_delete_elem(&rev_nat, &m->answer);
		/* Lost a race against another CPU with the same flow: its session serves both. */
		err = err == -EEXIST ? 0 : DROP(SESSION_LIMIT);
		goto give_back;
	}
	return 0;
give_back:
	usage_add(a->network, a->flags, -1);
	if (a->port)
		usage_add(a->port, a->flags, -1);
	return err;
}

#endif
