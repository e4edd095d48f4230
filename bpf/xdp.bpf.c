// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * XDP at an uplink: what may not come in is dropped before an skb is allocated. It drops only what the
 * uplink's tc program would drop, and passes on what it cannot decide. In mode forward it also redirects
 * small packets of known sessions to their guests (forward.h).
 */
#define VNET_XDP
#include "bpf/lib/account.h"
#include "bpf/lib/ends.h"
#include "bpf/lib/xdp_redirect.h"
#include "bpf/lib/inbound.h"
#include "bpf/lib/outside.h"
#include "bpf/lib/route.h"
#include "bpf/lib/vlan.h"

/*
 * No session has replies from outside to these addresses: the guests are masqueraded, or do not get out.
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

/* The inbound policy of the guest's port, if it has one. */
static __always_inline int port_policy(struct xdp_md *ctx, struct packet *p, u32 network)
{
	struct vnet_port *port = port_towards(ctx, p, network);

	return port && port->flags & VNET_PORT_F_INBOUND ? check_inbound(ctx, port, p) : 0;
}

/* A packet that may have a session, or open one. refused: the reason to drop it without one, or 0. */
static __noinline int xdp_check_flow(struct xdp_md *ctx, u32 l3, u32 network, u32 refused)
{
	struct packet *p = scratch_packet();
	struct vnet_session *s;
	struct vnet_flow *key;
	__be16 protocol;
	int err;

	if (!p || load_bytes(ctx, l3 - 2, &protocol, sizeof(protocol)))
		return 0;
	err = parse_at(ctx, p, l3, protocol);
	if (err)
		return refused || !network ? -refused : err;
	/* Later fragments have no ports; tc has seen the first. */
	if (p->flags & PACKET_LATER)
		return refused == VNET_DROP_SPOOFED_SOURCE ? -refused : 0;
	s = session_inbound(&p->flow, &key);
	if (s && key)
		return forwards_small && p->l3 == ETH_HLEN && s->flags & VNET_SESSION_F_PLAIN
			       ? xdp_redirect(ctx, p, s, key)
			       : 0;
	if (refused)
		return -refused;
	err = exceeds_new_flows(p);
	return err || !network ? err : port_policy(ctx, p, network);
}

static __always_inline int xdp_check_at(struct xdp_md *ctx, u32 l3, __be16 protocol)
{
	struct vnet_subnet *to;
	struct ends e;
	u32 refused;

	/* For most frames the addresses decide. */
	read_ends(ctx, &e, l3, protocol);
	if (!e.family)
		return 0;
	if (is_blocked(&e.src))
		return DROP(BLOCKED);
	to = subnet_of(&e.dst);
	refused = -check_unsolicited(&e.src, to);
	if (to ? has_no_sessions(flags_of_network(to->network), e.family)
	       : refused || !(limits_new_flows || (forwards_small && is_small_frame(ctx))))
		return -refused;
	return xdp_check_flow(ctx, l3, to ? to->network : 0, refused);
}

/* Priority tags are skipped. Frames of a VLAN are left to tc: here the driver may have stripped the tag. */
static __noinline int xdp_check_tagged(struct xdp_md *ctx)
{
	struct behind_tags at = {};

	skip_tags(ctx, &at);
	return at.vlan ? 0 : xdp_check_at(ctx, at.l3, at.protocol);
}

static __always_inline int xdp_check(struct xdp_md *ctx)
{
	__be16 protocol = protocol_of(ctx);

	return unlikely(is_vlan(protocol)) ? xdp_check_tagged(ctx) : xdp_check_at(ctx, ETH_HLEN, protocol);
}

SEC("xdp.frags")
int uplink_xdp(struct xdp_md *ctx)
{
	return leave(ctx, xdp_check(ctx),
		     (struct account){.hook = VNET_HOOK_UPLINK_XDP, .slot = uplink_slot});
}

char LICENSE[] SEC("license") = "GPL";
