/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inbound packets of a session: straight to the guest, where they may bypass the stack. */
#ifndef VNET_BPF_INWARDS_H
#define VNET_BPF_INWARDS_H

#include "bpf/lib/deliver.h"
#include "bpf/lib/fragment.h"
#include "bpf/lib/route.h"

/* As route_in(); negative also for what must take the stack anyway. by: the input ifindex. */
static __always_inline int inbound_hop(struct __sk_buff *skb, struct packet *p, struct vnet_session *s,
				       struct vnet_flow *to, u32 by)
{
	struct vnet_leg *leg = &s->leg[VNET_IN];
	int way;

	if (unlikely(!(s->flags & VNET_SESSION_F_PLAIN) || p->ttl <= 1 || p->flags & PACKET_OPTIONS ||
		     (p->flags & PACKET_FIRST && fragment_was_overtaken(p))))
		return -1;
	way = likely(leg->hop.tick == tick_now()) ? 0 : route_in(skb, to, s, by);
	if (unlikely(way > 0))
		return too_big_for(skb, p, leg->hop.ifindex) ? -1 : 1;
	return way < 0 || too_big(skb, p, leg->hop.mtu) ? -1 : 0;
}

/* way: what route_in() has returned for the inbound next hop. */
static __always_inline int redirect_inbound(struct __sk_buff *skb, const struct vnet_session *s, int way)
{
	const struct vnet_hop *hop = &s->leg[VNET_IN].hop;

	if (likely(hop->slot))
		return deliver(skb, hop->ifindex, hop->slot, s->hop_flags, VLAN_GATEWAYS, 1);
	return deliver_by_gateway(skb, hop->ifindex, !way);
}

#endif
