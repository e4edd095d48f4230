/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inbound policy: what may reach a port, from other guests, the host or outside alike. Checked wherever a
 * frame is delivered to a port (deliver(), port_egress). A port that accepts everything costs one test of its
 * flags.
 *
 *  established: replies to flows that its guest has opened, and errors about them;
 *  shut (`drop`): nothing;
 *  both: what the link needs (ARP, neighbour discovery, group management, DHCP replies), and what the port's
 *  --allow rules name.
 */
#ifndef VNET_BPF_INBOUND_H
#define VNET_BPF_INBOUND_H

#include "bpf/lib/begin.h"
#include "bpf/lib/fragment.h"
#include "bpf/lib/session.h"

/* In a key of the fragment map: the first was let in; separate from the entries noted for routing. */
#define FRAGMENT_LET_IN 1
#define STARTED_STEP	8

static __always_inline int is_group(const struct packet *p)
{
	u32 last = bpf_ntohl(p->flow.dst.word_be[3]);

	if (p->family == 4)
		return last >> 28 == 0xe || last == 0xffffffff;
	return bpf_ntohl(p->flow.dst.word_be[0]) >> 24 == 0xff;
}

__noinline int parse_frame(struct pkt_ctx *ctx, struct packet *p)
{
	return p ? parse(ctx, p, ETH_HLEN) : DROP(MALFORMED);
}

/* At the ingress of a port with `established`: notes the flows that its guest opens. */
__noinline int note_outgoing_flow(struct packet *p, u32 slot)
{
	struct vnet_flow key;
	u32 now = tick_now(), *seen;
	void *flows;

	if (!p || !p->family || is_group(p) || !opens_connection(p, OPEN_MIDSTREAM))
		return 0;
	flows = bpf_map_lookup_elem(&outgoing_flows, &slot);
	if (!flows)
		return 0;
	key = p->flow;
	seen = bpf_map_lookup_elem(flows, &key);
	if (seen && now - *seen < STARTED_STEP)
		return 0;
	return bpf_map_update_elem(flows, &key, &now, BPF_ANY);
}

/* mine: the packet's flow reversed, as the guest would have sent it. */
static __always_inline int is_reply_to_guest(struct vnet_port *port, struct vnet_flow *mine)
{
	u32 slot = port->slot, network = port->network, now = tick_now(), *seen, timeout;
	struct vnet_session *s;
	void *flows = bpf_map_lookup_elem(&outgoing_flows, &slot);

	if (flows) {
		seen = bpf_map_lookup_elem(flows, mine);
		timeout = session_timeout(bpf_map_lookup_elem(&networks, &network), mine->proto,
					  VNET_SESSION_ESTABLISHED);
		if (seen && now - *seen <= ticks_of(timeout))
			return 1;
	}
	/* Older than the port's setting, or long idle in the guest's direction. */
	s = session_outbound(mine);
	return s && s->network == port->network && !(s->flags & VNET_SESSION_F_INBOUND);
}

/* By the guest's port, the protocol and the peer's address, all in `mine`. */
static __always_inline int is_allowed(u32 slot, const struct vnet_flow *mine)
{
	struct vnet_allow_source from = {.prefixlen = (sizeof(from.rule) + sizeof(from.addr)) * 8};
	struct vnet_allow *rule;

	if (mine->proto != IPPROTO_TCP && mine->proto != IPPROTO_UDP)
		return 0;
	from.rule.slot = slot;
	from.rule.port_be = mine->sport_be;
	from.rule.proto = mine->proto;
	rule = bpf_map_lookup_elem(&allow_rules, &from.rule);
	if (!rule)
		return 0;
	if (rule->anywhere)
		return 1;
	from.addr = mine->dst;
	return bpf_map_lookup_elem(&allow_prefixes, &from) != NULL;
}

/* An ICMP error has the reversed flow of the packet that it quotes: it passes where a reply would. */
__noinline int check_inbound_flow(struct vnet_port *port, struct packet *p)
{
	struct vnet_flow mine = {};
	int request;

	if (!port || !p)
		return DROP(INBOUND);
	mine.src = p->flow.dst;
	mine.dst = p->flow.src;
	mine.sport_be = p->flow.dport_be;
	mine.dport_be = p->flow.sport_be;
	mine.proto = p->flow.proto;
	request = is_icmp(p->family, p->proto) && !(p->flags & (PACKET_REPLY | PACKET_ERROR));
	if (port->flags & VNET_PORT_F_ESTABLISHED && !request && is_reply_to_guest(port, &mine))
		return 0;
	return is_allowed(port->slot, &mine) ? 0 : DROP(INBOUND);
}

/* Later fragments pass where their first did. */
__noinline int check_inbound_fragment(struct packet *p, u32 note)
{
	struct vnet_fragment_key key;
	struct vnet_fragment value = {}, *first;

	if (!p)
		return DROP(FRAGMENT_UNKNOWN);
	fragment_key(p, &key);
	key.pad[0] = FRAGMENT_LET_IN;
	if (note) {
		value.tick = tick_now();
		return bpf_map_update_elem(&frag_track, &key, &value, BPF_ANY);
	}
	first = bpf_map_lookup_elem(&frag_track, &key);
	return first && tick_now() - first->tick <= FRAGMENT_TICKS ? 0 : DROP(FRAGMENT_UNKNOWN);
}

/* Neighbour discovery (never routed), group management, DHCP replies. */
static __always_inline int is_link_control(struct pkt_ctx *ctx, const struct packet *p)
{
	u8 type;

	if (p->flags & (PACKET_FIRST | PACKET_LATER))
		return 0;
	if (p->proto == IPPROTO_UDP) {
		if (p->family == 4)
			return p->flow.sport_be == bpf_htons(PORT_DHCP_SERVER) &&
			       p->flow.dport_be == bpf_htons(PORT_DHCP_CLIENT);
		return p->flow.sport_be == bpf_htons(PORT_DHCP6_SERVER) &&
		       p->flow.dport_be == bpf_htons(PORT_DHCP6_CLIENT);
	}
	if (p->family == 4)
		return p->proto == IPPROTO_IGMP;
	if (p->proto != IPPROTO_ICMPV6 || load_bytes(ctx, p->l4, &type, 1))
		return 0;
	return is_nd(type) ? p->ttl == 255 : is_mld(type);
}

static __always_inline int check_inbound(struct pkt_ctx *ctx, struct vnet_port *port, struct packet *p)
{
	int err;

	if (!port || !p)
		return DROP(INBOUND);
	if (is_link_control(ctx, p))
		return 0;
	if (p->flags & PACKET_LATER)
		return check_inbound_fragment(p, 0);
	err = check_inbound_flow(port, p);
	if (!err && p->flags & PACKET_FIRST)
		check_inbound_fragment(p, 1);
	return err;
}

__noinline int check_inbound_frame(struct pkt_ctx *ctx, struct vnet_port *port)
{
	struct packet *p = scratch_packet();
	u8 to[6] __attribute__((aligned(4)));
	int err;

	if (!port || !p || load_bytes(ctx, 0, to, sizeof(to)))
		return DROP(MALFORMED);
	if (!has_tag(ctx) && protocol_of(ctx) == bpf_htons(ETH_P_ARP))
		return 0;
	err = parse_frame(ctx, p);
	if (err)
		return err;
	/* Link protocols of the host, or passed on by the network; IP to such a group is checked as IP. */
	if (!p->family)
		return is_link_protocol(to) ? 0 : DROP(INBOUND);
	return check_inbound(ctx, port, p);
}

/* From an isolated port of the same network: tc_index says which port a packet came in by. */
static __always_inline int is_isolated_from(struct pkt_ctx *ctx, const struct vnet_port *port)
{
	u32 from = input_slot(ctx);
	u32 *network = from ? bpf_map_lookup_elem(&isolated, &from) : NULL;

	return network && *network == port->network;
}

/* Unplugged, or isolated from the sender's port: the packet itself does not matter. */
static __always_inline int check_port_state(struct pkt_ctx *ctx, const struct vnet_port *port)
{
	if (port->flags & VNET_PORT_F_DOWN)
		return DROP(LINK_DOWN);
	return port->flags & VNET_PORT_F_ISOLATED && is_isolated_from(ctx, port) ? DROP(ISOLATED_PORT) : 0;
}

/* The check before a frame is delivered to a port. */
static __always_inline int check_receive(struct pkt_ctx *ctx, struct vnet_port *port)
{
	int err;

	if (!(port->flags & (VNET_PORT_F_DOWN | VNET_PORT_F_ISOLATED | VNET_PORT_F_INBOUND)))
		return 0;
	err = check_port_state(ctx, port);
	return !err && port->flags & VNET_PORT_F_INBOUND ? check_inbound_frame(ctx, port) : err;
}

/* The same for a packet that is not translated yet: only p is as its guest would get it. */
static __always_inline int check_receive_packet(struct pkt_ctx *ctx, struct vnet_port *port, struct packet *p)
{
	int err = check_port_state(ctx, port);

	return !err && port->flags & VNET_PORT_F_INBOUND ? check_inbound(ctx, port, p) : err;
}

/* The same by ifindex, before the frame is redirected. */
static __always_inline int check_receive_port(struct pkt_ctx *ctx, u32 ifindex)
{
	struct vnet_port *port = bpf_map_lookup_elem(&ports, &ifindex);

	return port ? check_receive(ctx, port) : DROP(UNATTACHED);
}

#endif
