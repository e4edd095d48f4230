/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 802.1Q and 802.1ad tags. A tag of VLAN 0 carries a priority only: Linux removes any number of them, behind
 * tc and XDP, and treats the frame as untagged. So every hook that checks what is in a frame first pops or
 * skips them. A frame that is tagged then belongs to a VLAN.
 */
#ifndef VNET_BPF_VLAN_H
#define VNET_BPF_VLAN_H

#include "bpf/lib/packet.h"

#define VLAN_HLEN 4
#define VLAN_ID	  0x0fff
/* No legitimate frame has more; one that has is still tagged behind pop_priority_tags(), and treated so. */
#define VLAN_TAGS 4

static __always_inline int is_vlan(__be16 protocol)
{
	return protocol == bpf_htons(ETH_P_8021Q) || protocol == bpf_htons(ETH_P_8021AD);
}

static __always_inline int is_tagged(struct pkt_ctx *ctx)
{
	return has_tag(ctx) || is_vlan(protocol_of(ctx));
}

struct vlan_header {
	__be16 tci;
	__be16 protocol;
};

/* The network header behind the tags in the bytes. */
struct behind_tags {
	u32 l3;
	__be16 protocol; /* 0: truncated, or too many tags */
	u16 vlan;	 /* the IDs of all tags, or'ed: 0 if all are priority tags */
};

__noinline int skip_tags(struct pkt_ctx *ctx, struct behind_tags *at)
{
	struct vlan_header tag;

	if (!at)
		return 0;
	at->l3 = ETH_HLEN;
	at->protocol = protocol_of(ctx);
	at->vlan = 0;
	for (int i = 0; i < VLAN_TAGS && is_vlan(at->protocol); i++) {
		if (load_bytes(ctx, at->l3, &tag, sizeof(tag))) {
			at->protocol = 0;
			return 0;
		}
		at->vlan |= bpf_ntohs(tag.tci) & VLAN_ID;
		at->protocol = tag.protocol;
		at->l3 += VLAN_HLEN;
	}
	if (is_vlan(at->protocol))
		at->protocol = 0;
	return 0;
}

#ifndef VNET_XDP
/* The kernel keeps the outer tag in the metadata; a pop moves the next one there. */
__noinline int pop_priority_tags(struct __sk_buff *skb)
{
	__be16 tci;

	for (int i = 0; i < VLAN_TAGS; i++) {
		if (skb->vlan_present) {
			if (skb->vlan_tci & VLAN_ID)
				return 0;
		} else if (!is_vlan(skb->protocol) || bpf_skb_load_bytes(skb, ETH_HLEN, &tci, sizeof(tci)) ||
			   bpf_ntohs(tci) & VLAN_ID) {
			return 0;
		}
		if (bpf_skb_vlan_pop(skb))
			return 0;
	}
	return 0;
}
#endif

#endif
