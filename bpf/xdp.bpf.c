// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * XDP at an uplink: what may not come in ends before the host makes a buffer of it. It decides nothing that
 * the uplink's tc program would not, only sooner; what it is not sure of it passes on. Told to, it gives
 * small packets of known sessions to their guests, too (forward.h).
 */
#define VNET_XDP
#include "bpf/lib/account.h"
#include "bpf/lib/ends.h"
#include "bpf/lib/forward.h"
#include "bpf/lib/inbound.h"
#include "bpf/lib/outside.h"
#include "bpf/lib/route.h"
#include "bpf/lib/vlan.h"

/*
 * Nothing from outside can be an answer to these addresses: guests of this family have another one there,
 * or never get out.
 */
static __always_inline int has_no_sessions(u32 flags, u8 family)
{
	return flags & (VNET_NETWORK_F_ISOLATED |
			(family == 4 ? VNET_NETWORK_F_MASQUERADE4 : VNET_NETWORK_F_MASQUERADE6));
}

/* The port that a packet to a visible network goes to, as the host routes it; NULL: not known. */
static __noinline struct vnet_port *port_towards(struct xdp_md *ctx, struct packet *p, u32 network)
{
	struct vnet_network *net = bpf_map_lookup_elem(&networks, &network);
	struct vnet_fdb_key where = {.network = network};
	struct vnet_fdb_entry *entry;
	struct bpf_fib_lookup q;

	if (!net)
		return NULL;
	route_query_packet(&q, p, uplink_ifindex);
	if (bpf_fib_lookup(ctx, &q, sizeof(q), 0) != BPF_FIB_LKUP_RET_SUCCESS ||
	    q.ifindex != net->gateway_ifindex)
		return NULL;
	__builtin_memcpy(where.mac, q.dmac, 6);
	entry = bpf_map_lookup_elem(&fdb, &where);
	if (!entry)
		return NULL;
	q.ifindex = entry->ifindex;
	return bpf_map_lookup_elem(&ports, &q.ifindex);
}

/* The guest's own policy, where it has one. */
static __always_inline int port_policy(struct xdp_md *ctx, struct packet *p, u32 network)
{
	struct vnet_port *port = port_towards(ctx, p, network);

	return port && port->flags & VNET_PORT_F_INBOUND ? let_in(ctx, port, p) : 0;
}

/* May belong to a session, or begin one. refused: what holds if not. XDP_REDIRECT: it is on its way. */
static __noinline int judge_flow(struct xdp_md *ctx, u32 l3, u32 network, u32 refused)
{
	struct packet *p = packet_room();
	struct vnet_session *s;
	struct vnet_flow *key;
	__be16 protocol;
	int err;

	if (!p || load_bytes(ctx, l3 - 2, &protocol, sizeof(protocol)))
		return 0;
	err = parse_at(ctx, p, l3, protocol);
	if (err)
		return refused || !network ? -refused : err;
	/* Only the first of a fragmented packet has ports; tc has seen it, and knows. */
	if (p->flags & PACKET_LATER)
		return refused == VNET_DROP_SPOOFED_SOURCE ? -refused : 0;
	s = session_inbound(&p->flow, &key);
	if (s && key)
		return forwards_small && p->l3 == ETH_HLEN && s->flags & VNET_SESSION_F_PLAIN
			       ? forward(ctx, p, s, key)
			       : 0;
	if (refused)
		return -refused;
	err = exceeds_new_flows(p);
	return err || !network ? err : port_policy(ctx, p, network);
}

static __always_inline int judge_at(struct xdp_md *ctx, u32 l3, __be16 protocol)
{
	struct vnet_subnet *to;
	struct ends e;
	u32 refused;

	/* Most frames are decided by their addresses. */
	read_ends(ctx, &e, l3, protocol);
	if (!e.family)
		return 0;
	if (is_blocked(&e.src))
		return DROP(BLOCKED);
	to = subnet_of(&e.dst);
	refused = -unknown(&e.src, to);
	if (to ? has_no_sessions(flags_of_network(to->network), e.family)
	       : refused || !(limits_new_flows || (forwards_small && is_small_frame(ctx))))
		return -refused;
	return judge_flow(ctx, l3, to ? to->network : 0, refused);
}

/* Priority tags are passed over. What belongs to a VLAN is for tc: here a driver may have hidden the tag. */
static __noinline int judge_tagged(struct xdp_md *ctx)
{
	struct behind_tags at = {};

	pass_tags(ctx, &at);
	return at.vlan ? 0 : judge_at(ctx, at.l3, at.protocol);
}

static __always_inline int judge(struct xdp_md *ctx)
{
	__be16 protocol = protocol_of(ctx);

	return unlikely(is_vlan(protocol)) ? judge_tagged(ctx) : judge_at(ctx, ETH_HLEN, protocol);
}

SEC("xdp.frags")
int uplink_xdp(struct xdp_md *ctx)
{
	return leave(ctx, judge(ctx), (struct account){.hook = VNET_HOOK_UPLINK_XDP, .slot = uplink_slot});
}

char LICENSE[] SEC("license") = "GPL";
