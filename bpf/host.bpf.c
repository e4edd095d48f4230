// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host's own connections to its port forwards. Their packets would take the loopback interface, and could
 * not be redirected from there: the source is the host's own address, which no other interface accepts
 * (127.0.0.1 only with route_localnet). So the socket's destination is rewritten when it connects or sends,
 * and the application is shown what it asked for. Attached at the root cgroup; sockets of other network
 * namespaces are left alone.
 */
#include "bpf/lib/port_forward.h"

const volatile __u64 netns_cookie;

#define ALLOW_CALL 1 /* with 0 the system call fails */

struct end {
	struct vnet_addr addr;
	__be16 port_be;
};

static __always_inline int is_loopback(const struct vnet_addr *a)
{
	if (a->word_be[0] | a->word_be[1])
		return 0;
	return a->word_be[2] ? a->word_be[2] == bpf_htonl(0xffff) && a->word_be[3] == bpf_htonl(0x7f000001)
			     : a->word_be[3] == bpf_htonl(1);
}

/* Linux connects to the loopback address for 0.0.0.0 and ::. */
static __always_inline int is_host_address(struct vnet_addr *a)
{
	return is_loopback(a) || is_unspecified(a) || bpf_map_lookup_elem(&host_addresses, a);
}

static __always_inline void peer_key(struct bpf_sock_addr *ctx, const struct end *guest,
				     struct vnet_host_peer_key *key)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->socket = bpf_get_socket_cookie(ctx);
	key->guest = guest->addr;
	key->port_be = guest->port_be;
	key->proto = ctx->protocol;
}

/* For recvmsg() and getpeername(), which return the destination that was asked for. */
static __always_inline void note_peer(struct bpf_sock_addr *ctx, const struct end *asked,
				      const struct end *guest)
{
	struct vnet_host_peer peer = {.addr = asked->addr, .port_be = asked->port_be}, *known;
	struct vnet_host_peer_key key;

	peer_key(ctx, guest, &key);
	known = bpf_map_lookup_elem(&host_peers, &key);
	if (!known || known->port_be != peer.port_be || !addr_equal(&known->addr, &peer.addr))
		bpf_map_update_elem(&host_peers, &key, &peer, BPF_ANY);
}

/* 1: end is now the guest's. */
static __always_inline int rewrite_to_guest(struct bpf_sock_addr *ctx, struct end *end)
{
	int v4 = end->addr.word_be[2] == bpf_htonl(0xffff) && !(end->addr.word_be[0] | end->addr.word_be[1]);
	struct vnet_port_forward *to;
	struct end asked = *end;

	if (bpf_get_netns_cookie(ctx) != netns_cookie || !is_host_address(&end->addr))
		return 0;
	if (is_unspecified(&end->addr))
		end->addr.word_be[3] = v4 ? bpf_htonl(0x7f000001) : bpf_htonl(1);
	to = port_forward_at(&end->addr, end->port_be, ctx->protocol, v4 ? 4 : 6);
	if (!to)
		return 0;
	end->addr = to->to;
	end->port_be = to->port_be;
	note_peer(ctx, &asked, end);
	return 1;
}

/* 1: end is now what the socket asked for. */
static __always_inline int rewrite_to_asked(struct bpf_sock_addr *ctx, struct end *end)
{
	struct vnet_host_peer_key key;
	struct vnet_host_peer *peer;

	if (bpf_get_netns_cookie(ctx) != netns_cookie)
		return 0;
	peer_key(ctx, end, &key);
	peer = bpf_map_lookup_elem(&host_peers, &key);
	if (!peer)
		return 0;
	end->addr = peer->addr;
	end->port_be = peer->port_be;
	return 1;
}

static __always_inline void read_v4(struct bpf_sock_addr *ctx, struct end *end)
{
	addr_from_v4(&end->addr, ctx->user_ip4);
	end->port_be = ctx->user_port;
}

static __always_inline void write_v4(struct bpf_sock_addr *ctx, const struct end *end)
{
	ctx->user_ip4 = end->addr.word_be[3];
	ctx->user_port = end->port_be;
}

static __always_inline void read_v6(struct bpf_sock_addr *ctx, struct end *end)
{
	end->addr.word_be[0] = ctx->user_ip6[0];
	end->addr.word_be[1] = ctx->user_ip6[1];
	end->addr.word_be[2] = ctx->user_ip6[2];
	end->addr.word_be[3] = ctx->user_ip6[3];
	end->port_be = ctx->user_port;
}

static __always_inline void write_v6(struct bpf_sock_addr *ctx, const struct end *end)
{
	ctx->user_ip6[0] = end->addr.word_be[0];
	ctx->user_ip6[1] = end->addr.word_be[1];
	ctx->user_ip6[2] = end->addr.word_be[2];
	ctx->user_ip6[3] = end->addr.word_be[3];
	ctx->user_port = end->port_be;
}

#define HOST_PROGRAM(name, section, version, lead)                                                           \
	SEC("cgroup/" section) int name(struct bpf_sock_addr *ctx)                                           \
	{                                                                                                    \
		struct end end;                                                                              \
                                                                                                             \
		read_##version(ctx, &end);                                                                   \
		if (lead(ctx, &end))                                                                         \
			write_##version(ctx, &end);                                                          \
		return ALLOW_CALL;                                                                           \
	}

HOST_PROGRAM(host_connect4, "connect4", v4, rewrite_to_guest)
HOST_PROGRAM(host_connect6, "connect6", v6, rewrite_to_guest)
HOST_PROGRAM(host_sendmsg4, "sendmsg4", v4, rewrite_to_guest)
HOST_PROGRAM(host_sendmsg6, "sendmsg6", v6, rewrite_to_guest)
HOST_PROGRAM(host_recvmsg4, "recvmsg4", v4, rewrite_to_asked)
HOST_PROGRAM(host_recvmsg6, "recvmsg6", v6, rewrite_to_asked)
HOST_PROGRAM(host_peername4, "getpeername4", v4, rewrite_to_asked)
HOST_PROGRAM(host_peername6, "getpeername6", v6, rewrite_to_asked)

char LICENSE[] SEC("license") = "GPL";
