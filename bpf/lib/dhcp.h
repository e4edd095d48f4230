/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's DHCPv4 replies leave with a partial checksum for the network card to complete; there is no
 * card, and clients that read raw frames (dhclient, systemd-networkd, FreeBSD) discard them. So they
 * are sent with a checksum of 0, which in IPv4 means none (RFC 768), and without checksum offload, so
 * that a tap that does not offload does not "complete" the 0.
 */
#ifndef VNET_BPF_DHCP_H
#define VNET_BPF_DHCP_H

#include "bpf/lib/offload.h"
#include "bpf/lib/packet.h"

static __always_inline int is_dhcp_reply(const struct packet *p)
{
	return p->family == 4 && p->proto == IPPROTO_UDP && !(p->flags & (PACKET_OPTIONS | PACKET_LATER)) &&
	       p->flow.sport_be == bpf_htons(PORT_DHCP_SERVER) &&
	       p->flow.dport_be == bpf_htons(PORT_DHCP_CLIENT);
}

__noinline int repair_dhcp_reply(struct __sk_buff *skb)
{
	u8 front[OFFLOAD_CUT];

	if (skb->gso_size || skb->len < ETH_HLEN + OFFLOAD_CUT + 40 ||
	    bpf_skb_load_bytes(skb, ETH_HLEN, front, sizeof(front)))
		return 0;
	if (leave_checksum_offload(skb))
		return -1;
	front[sizeof(struct iphdr) + 6] = 0;
	front[sizeof(struct iphdr) + 7] = 0;
	return bpf_skb_store_bytes(skb, ETH_HLEN, front, sizeof(front), 0);
}

#endif
