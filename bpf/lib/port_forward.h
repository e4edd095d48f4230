/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Port forwards (<portForward>): packets to the host that are for a guest. One entry per port, keyed by the
 * host's address that it names, or by none: then for all of them, but for what the link or the network itself
 * needs.
 */
#ifndef VNET_BPF_PORT_FORWARD_H
#define VNET_BPF_PORT_FORWARD_H

#include "bpf/lib/subnet.h"

/* Services that a network offers at its gateway's addresses. */
static __always_inline int is_network_service(u8 proto, u16 port)
{
	if (proto == IPPROTO_UDP)
		return port == PORT_DNS || port == PORT_DHCP_SERVER || port == PORT_DHCP6_SERVER ||
		       port == PORT_TFTP;
	return proto == IPPROTO_TCP && port == PORT_DNS;
}

/* NULL: none. The caller checks that the address is the host's. */
static __always_inline struct vnet_port_forward *port_forward_at(const struct vnet_addr *host, __be16 port_be,
								 u8 proto, u8 family)
{
	struct vnet_port_forward_key key = {.port_be = port_be, .proto = proto, .family = family};
	struct vnet_port_forward *to;

	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP && proto != IPPROTO_SCTP)
		return NULL;
	key.listen = *host;
	to = bpf_map_lookup_elem(&port_forwards, &key);
	if (to)
		return to;
	__builtin_memset(&key.listen, 0, sizeof(key.listen));
	to = bpf_map_lookup_elem(&port_forwards, &key);
	if (!to || (family == 6 && is_link_local6(host)) ||
	    (is_network_service(proto, bpf_ntohs(port_be)) && subnet_of(host)))
		return NULL;
	return to;
}

static __always_inline struct vnet_port_forward *port_forward_of(const struct packet *p)
{
	return port_forward_at(&p->flow.dst, p->flow.dport_be, p->proto, p->family);
}

/* May this sender use it? */
static __always_inline int forward_allows_source(const struct vnet_port_forward *to, const struct packet *p)
{
	struct vnet_forward_source from = {.prefixlen = (sizeof(from.rule) + sizeof(from.addr)) * 8};

	if (!(to->flags & VNET_FORWARD_F_FROM))
		return 1;
	if (!(to->flags & VNET_FORWARD_F_ANY))
		from.rule.listen = p->flow.dst;
	from.rule.port_be = to->first_be;
	from.rule.proto = p->proto;
	from.rule.family = p->family;
	from.addr = p->flow.src;
	return bpf_map_lookup_elem(&forward_sources, &from) != NULL;
}

#endif
