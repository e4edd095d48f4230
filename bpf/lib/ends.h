/* SPDX-License-Identifier: GPL-2.0-or-later */
/* XDP: the addresses of a frame, without parsing the rest of it. */
#ifndef VNET_BPF_ENDS_H
#define VNET_BPF_ENDS_H

#include "bpf/lib/packet.h"

struct ends {
	struct vnet_addr src, dst;
	u8 family; /* 0: not IP, or malformed */
};

static __always_inline void read_ends(struct xdp_md *ctx, struct ends *e, u32 l3, __be16 protocol)
{
	e->family = 0;
	if (protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = linear(ctx, l3, sizeof(*ip));

		if (!ip || ip->version != 4 || ip->ihl < 5)
			return;
		addr_from_v4(&e->src, ip->saddr);
		addr_from_v4(&e->dst, ip->daddr);
		e->family = 4;
	} else if (protocol == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = linear(ctx, l3, sizeof(*ip));

		if (!ip || ip->version != 6 || is_mapped_v4(&ip->saddr) || is_mapped_v4(&ip->daddr))
			return;
		addr_from_v6(&e->src, &ip->saddr);
		addr_from_v6(&e->dst, &ip->daddr);
		e->family = 6;
	}
}

/* And the destination port, into p: for network_at_uplink() (whose.h). */
static __always_inline void read_ends_and_port(struct xdp_md *ctx, struct packet *p)
{
	u32 l4 = ETH_HLEN + sizeof(struct ipv6hdr);
	struct ends e;
	u8 first = 0;

	read_ends(ctx, &e, ETH_HLEN, protocol_of(ctx));
	p->family = e.family;
	if (!e.family)
		return;
	p->flags = 0;
	p->flow.src = e.src;
	p->flow.dst = e.dst;
	if (e.family == 4) {
		load_bytes(ctx, ETH_HLEN, &first, 1);
		l4 = ETH_HLEN + (first & 0xf) * 4;
	}
	if (load_bytes(ctx, ETH_HLEN + (e.family == 4 ? 9 : 6), &p->proto, 1) ||
	    load_bytes(ctx, l4 + 2, &p->flow.dport_be, 2))
		p->proto = 0;
}

#endif
