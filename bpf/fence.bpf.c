// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The fence: a second check, behind routing and the administrator's FORWARD rules. Whatever mark, routing
 * rule or NAT chose the route, here the interface that a packet really leaves by is known. The gateway's own
 * program (may_leave() of bpf/lib/gateway.h) looks up the route beforehand, and rejects with an ICMP error;
 * what that lookup cannot predict is dropped here, silently.
 *
 * It reads kernel structures: loaded only where there are netfilter programs (6.4).
 */
#include "bpf/lib/count.h"
#include "bpf/lib/fenced.h"
#include "bpf/lib/kernel_struct.h"

#define NF_DROP	  0
#define NF_ACCEPT 1

struct net_device {
	int ifindex;
} kernel_struct;

struct dst_entry {
	struct xfrm_state *xfrm;
} kernel_struct;

struct sk_buff {
	unsigned long _skb_refdst;
	char cb[48];
} kernel_struct;

struct nf_hook_state {
	struct net_device *in;
	struct net_device *out;
} kernel_struct;

struct bpf_nf_ctx {
	const struct nf_hook_state *state;
	struct sk_buff *skb;
};

/* As libbpf declares it from 1.5 on. */
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

/* The entry of an interface whose programs have been seen attached; NULL: none of ours, or gone since. */
static __always_inline struct vnet_device *trusted_device(u32 ifindex)
{
	return bpf_map_lookup_elem(&trusted_devices, &ifindex) ? bpf_map_lookup_elem(&devices, &ifindex)
							       : NULL;
}

static __always_inline struct vnet_device *gateway_at(u32 ifindex)
{
	struct vnet_device *device = trusted_device(ifindex);

	return device && device->role == VNET_DEVICE_GATEWAY ? device : NULL;
}

/*
 * With a gateway in a VRF, the VRF is the stack's input device. The gateway's ifindex is at the beginning of
 * skb->cb, where both families' control blocks have `iif`.
 */
static __always_inline u32 input_ifindex(struct sk_buff *skb)
{
	return *(int *)skb->cb;
}

/* By an IPsec policy: it would be encapsulated untranslated, before any program sees it. */
static __always_inline int is_encapsulated(struct sk_buff *skb)
{
	struct dst_entry *dst;

	if (!bpf_core_field_exists(struct dst_entry, xfrm)) /* CONFIG_XFRM */
		return 0;
	dst = (void *)(skb->_skb_refdst & SKB_DST_PTRMASK);
	if (!dst)
		return 0;
	dst = bpf_rdonly_cast(dst, bpf_core_type_id_kernel(struct dst_entry));
	return dst->xfrm != NULL;
}

static __always_inline int may_pass(struct sk_buff *skb, u32 slot, u32 in, u32 out)
{
	struct vnet_network *net = bpf_map_lookup_elem(&networks, &slot);
	struct vnet_device *to;

	if (out == in)
		return 1;
	if (!net || net->flags & VNET_NETWORK_F_ISOLATED)
		return 0;
	to = trusted_device(out);
	/*
	 * Into another of our networks: its gateway's egress program checks that. The host's DNAT may lead
	 * even into a hidden one.
	 */
	if (to && to->role == VNET_DEVICE_GATEWAY) {
		slot = to->slot;
		net = bpf_map_lookup_elem(&networks, &slot);
		return net && !(net->flags & VNET_NETWORK_F_ISOLATED);
	}
	if (net->flags & VNET_NETWORK_F_OPEN)
		return 1;
	if (net->uplink_ifindex && net->uplink_ifindex != out)
		return 0;
	if (net->flags & VNET_NETWORK_F_VISIBLE)
		return 1;
	/* A hidden network's packets leave only where a program of ours translates them. */
	return to && to->role == VNET_DEVICE_UPLINK && !is_encapsulated(skb);
}

SEC("netfilter")
int forward_fence(struct bpf_nf_ctx *ctx)
{
	const struct nf_hook_state *state = ctx->state;
	struct net_device *in = state->in, *out = state->out;
	struct vnet_device *from;
	u32 ifindex;

	if (!in || !out)
		return NF_ACCEPT;
	ifindex = in->ifindex;
	from = gateway_at(ifindex);
	if (!from) {
		ifindex = input_ifindex(ctx->skb);
		from = gateway_at(ifindex);
	}
	if (!from || may_pass(ctx->skb, from->slot, ifindex, out->ifindex))
		return NF_ACCEPT;
	count_drop(from->slot, VNET_DROP_NO_WAY_OUT);
	note_fenced(ctx->skb);
	return NF_DROP;
}

char LICENSE[] SEC("license") = "GPL";
