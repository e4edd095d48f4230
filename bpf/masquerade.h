/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making a session: which address and which port the outside sees, and the claim on them.
 *
 * The source port is kept where it lies in the allowed spans; else a random start and linear probing.
 * A port is never taken on which the host has a socket, nor inside the host's ephemeral range unless
 * the network's XML names that range (the loader cuts it out of the spans).
 */
#ifndef VNET_BPF_MASQUERADE_H
#define VNET_BPF_MASQUERADE_H

#include "bpf/session.h"

static __always_inline u32 span_size(struct vnet_port_span span)
{
	return span.first > span.last ? 0 : span.last - span.first + 1;
}

static __always_inline int span_has(struct vnet_port_span span, u16 port)
{
	return port >= span.first && port <= span.last;
}

/* Does the host itself talk or listen where the answers would come in? */
__noinline int host_has_socket(struct __sk_buff *skb, struct vnet_flow *answer)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;
	u32 size;

	if (!answer)
		return 0;
	if (answer->src.word_be[2] == bpf_htonl(0xffff) && !answer->src.word_be[0] &&
	    !answer->src.word_be[1]) {
		tuple.ipv4.saddr = answer->src.word_be[3];
		tuple.ipv4.daddr = answer->dst.word_be[3];
		tuple.ipv4.sport = answer->sport_be;
		tuple.ipv4.dport = answer->dport_be;
		size = sizeof(tuple.ipv4);
	} else {
		__builtin_memcpy(tuple.ipv6.saddr, &answer->src, 16);
		__builtin_memcpy(tuple.ipv6.daddr, &answer->dst, 16);
		tuple.ipv6.sport = answer->sport_be;
		tuple.ipv6.dport = answer->dport_be;
		size = sizeof(tuple.ipv6);
	}
	if (answer->proto == IPPROTO_TCP)
		sk = bpf_skc_lookup_tcp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	else if (answer->proto == IPPROTO_UDP)
		sk = bpf_sk_lookup_udp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	else
		return 0;
	if (!sk)
		return 0;
	bpf_sk_release(sk);
	return 1;
}

/* A port that only a closed connection still holds is free for a new one. */
__noinline int take_over_closed(struct vnet_flow *answer)
{
	struct vnet_flow key;
	struct vnet_flow *owner;
	struct session *s;

	if (!answer)
		return 0;
	owner = bpf_map_lookup_elem(&reverse, answer);
	if (!owner)
		return 1;
	key = *owner;
	s = bpf_map_lookup_elem(&sessions, &key);
	if (s && s->state != VNET_SESSION_CLOSED)
		return 0;
	if (s)
		session_delete(&key);
	else
		bpf_map_delete_elem(&reverse, answer); /* its session is gone: left by an interrupted claim */
	return 1;
}

/* Owns the reverse flow? 0: now ours; 1: somebody else's; negative: the reason (table full, no memory). */
static __always_inline int claim(struct vnet_flow *answer, struct vnet_flow *key)
{
	long err;

	if (!answer || !key)
		return DROP(SESSION_LIMIT);
	err = bpf_map_update_elem(&reverse, answer, key, BPF_NOEXIST);
	if (err == -EEXIST && take_over_closed(answer))
		err = bpf_map_update_elem(&reverse, answer, key, BPF_NOEXIST);
	if (!err)
		return 0;
	return err == -EEXIST ? 1 : DROP(SESSION_LIMIT);
}

static __always_inline int try_port(struct __sk_buff *skb, struct vnet_flow *answer, struct vnet_flow *key,
				    u32 port)
{
	if (!answer || !key)
		return DROP(SESSION_LIMIT);
	answer->dport_be = bpf_htons(port);
	return host_has_socket(skb, answer) ? 1 : claim(answer, key);
}

/* The n-th port (modulo) of the network's spans; of all 65536, for an echo id. */
__noinline int try_nth(struct __sk_buff *skb, struct vnet_flow *answer, struct vnet_flow *key, u32 network,
		       u32 n)
{
	struct vnet_network *net = bpf_map_lookup_elem(&networks, &network);
	u32 first, size;

	if (!net || !answer || !key)
		return DROP(PORTS_EXHAUSTED);
	/* Echo ids are all alike: no clamping (RFC 5508 REQ-1). */
	if (key->proto == IPPROTO_ICMP || key->proto == IPPROTO_ICMPV6)
		return try_port(skb, answer, key, n & 0xffff);
	first = span_size(net->ports[0]);
	size = first + span_size(net->ports[1]);
	if (!size)
		return DROP(PORTS_EXHAUSTED);
	n %= size;
	return try_port(skb, answer, key,
			n < first ? net->ports[0].first + n : net->ports[1].first + (n - first));
}

__noinline int count_probe(u32 tries)
{
	u64 *count = bpf_map_lookup_elem(&probes, &tries);

	if (count)
		(*count)++;
	return 0;
}

/*
 * answer: the reverse flow with everything but dport_be set; key: the session's. Returns 0 with
 * dport_be chosen and the reverse entry claimed, or the negative reason.
 */
__noinline int claim_port(struct __sk_buff *skb, struct vnet_flow *answer, struct vnet_flow *key, u32 network)
{
	struct vnet_network *net = bpf_map_lookup_elem(&networks, &network);
	u32 start = bpf_get_prandom_u32() >> 1;
	int tries, err;
	u16 want;

	if (!net || !answer || !key)
		return DROP(PORTS_EXHAUSTED);
	want = bpf_ntohs(key->sport_be);
	if (key->proto == IPPROTO_ICMP || key->proto == IPPROTO_ICMPV6 || span_has(net->ports[0], want) ||
	    span_has(net->ports[1], want)) {
		err = try_port(skb, answer, key, want);
		if (err <= 0) {
			count_probe(0);
			return err;
		}
	}
	for (tries = 1; tries < VNET_PROBE_MAX; tries++) {
		err = try_nth(skb, answer, key, network, start + tries);
		if (err <= 0) {
			count_probe(tries);
			return err;
		}
	}
	count_probe(VNET_PROBE_MAX);
	return DROP(PORTS_EXHAUSTED);
}

static __always_inline int has_ports(u8 proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_ICMP ||
	       proto == IPPROTO_ICMPV6;
}

/* Room for one more session, of this port and of its network? Takes it. */
static __always_inline int reserve(u32 network, u32 port)
{
	struct vnet_network *net = bpf_map_lookup_elem(&networks, &network);
	struct vnet_usage *of_net = bpf_map_lookup_elem(&usage, &network);
	struct vnet_usage *of_port = port ? bpf_map_lookup_elem(&usage, &port) : NULL;

	if (!net || !of_net)
		return DROP(SESSION_LIMIT);
	if (of_port && of_port->sessions >= net->max_sessions_per_port)
		return DROP(PORT_QUOTA);
	if (of_net->sessions >= net->max_sessions)
		return DROP(SESSION_LIMIT);
	__sync_fetch_and_add(&of_net->sessions, 1);
	if (of_port)
		__sync_fetch_and_add(&of_port->sessions, 1);
	return 0;
}

struct admission {
	struct vnet_addr nat; /* in: address the outside shall see; may equal the guest's */
	u32 uplink;	      /* ifindex */
	u16 network;	      /* slots */
	u16 port;
	__be16 nat_port_be; /* with SESSION_F_INBOUND: fixed */
	u8 flags;	    /* VNET_SESSION_F_* */
	u8 pad;
};

/*
 * Makes the session for key. 0: it is there (made by us or, meanwhile, by another CPU); negative: the
 * reason why not.
 */
__noinline int session_create(struct __sk_buff *skb, struct vnet_flow *key, struct admission *a)
{
	struct vnet_flow answer = {};
	struct vnet_session *fresh;
	struct session *s;
	u32 zero = 0;
	int err;

	if (!key || !a)
		return DROP(SESSION_LIMIT);
	tend_untimed();
	err = reserve(a->network, a->port);
	if (err)
		return err;

	answer.src = key->dst;
	answer.dst = a->nat;
	answer.sport_be = key->dport_be;
	answer.proto = key->proto;
	if (a->flags & VNET_SESSION_F_INBOUND) {
		answer.dport_be = a->nat_port_be;
		err = claim(&answer, key);
	} else if (addr_equal(&a->nat, &key->src) || !has_ports(key->proto)) {
		answer.dport_be = key->sport_be;
		err = claim(&answer, key);
	} else {
		err = claim_port(skb, &answer, key, a->network);
	}
	if (err) {
		if (err > 0)
			err = DROP(PORTS_EXHAUSTED);
		goto give_back;
	}

	fresh = bpf_map_lookup_elem(&session_scratch, &zero);
	if (!fresh)
		goto fail;
	__builtin_memset(fresh, 0, sizeof(*fresh));
	fresh->nat = a->nat;
	fresh->nat_port_be = answer.dport_be;
	fresh->flags = a->flags;
	fresh->network = a->network;
	fresh->port = a->port;
	fresh->created = tick_now();
	fresh->leg[VNET_OUT].seen = fresh->created;
	fresh->leg[VNET_IN].seen = fresh->created;
	fresh->leg[VNET_OUT].hop.ifindex = a->uplink;
	err = bpf_map_update_elem(&sessions, key, fresh, BPF_NOEXIST);
	if (err) {
		bpf_map_delete_elem(&reverse, &answer);
		/* Lost against another CPU with the same flow: its session serves both. */
		err = err == -EEXIST ? 0 : DROP(SESSION_LIMIT);
		goto give_back;
	}
	s = bpf_map_lookup_elem(&sessions, key);
	if (!s)
		return 0;
	if (session_arm(s, key->proto) && bpf_map_push_elem(&untimed, key, 0)) {
		session_delete(key);
		return DROP(SESSION_LIMIT);
	}
	return 0;
fail:
	bpf_map_delete_elem(&reverse, &answer);
	err = DROP(SESSION_LIMIT);
give_back:
	usage_add(a->network, -1);
	if (a->port)
		usage_add(a->port, -1);
	return err;
}

#endif
