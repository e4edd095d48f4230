// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Stack drops: guests' packets that the host's own stack drops, by firewall, routing or neighbours. They are
 * seen at one tracepoint, where the kernel frees a packet that was not delivered. Attached by a reader of
 * drops for as long as it reads, and never pinned; each reader has its own, which reports to nobody else.
 *
 * The tracepoint is for the whole kernel: packets of other network namespaces are told by their device's.
 */
#define VNET_LOST
#include "bpf/lib/count.h"
#include "bpf/lib/fenced.h"
#include "bpf/lib/kernel_struct.h"
#include "bpf/lib/monitor.h"
#include "bpf/lib/packet.h"

struct net {
	u64 net_cookie;
} kernel_struct;

struct net_device {
	int ifindex;
	struct {
		struct net *net;
	} nd_net;
} kernel_struct;

struct dst_entry {
	struct net_device *dev;
} kernel_struct;

struct sk_buff {
	struct net_device *dev;
	unsigned long _skb_refdst;
	unsigned char *head;
	unsigned char *data;
	unsigned int len;
	unsigned int tail;
	__be16 protocol;
	u16 network_header;
	u16 tc_index;
} kernel_struct;

const volatile __u64 netns_cookie;
const volatile __u32 place; /* the reader's; VNET_MONITORS_MAX: it only counts */
/* enum vnet_reason by the kernel's; 0: not a drop, or already reported. */
const volatile __u8 reasons_of[VNET_KERNEL_REASONS];

/* 1: this reader is the one that counts. */
VNET_MAP(counting, BPF_MAP_TYPE_ARRAY, 1, u32, u32, 0);

static __always_inline u32 reason_of(u32 kernel_reason)
{
	return kernel_reason < VNET_KERNEL_REASONS ? reasons_of[kernel_reason] : VNET_DROP_HOST_STACK;
}

/*
 * By its device. A packet of the host's own has none yet when the firewall sees it, but a route. In a
 * socket's queue skb->dev is something else (a union): reading it fails, or gives no namespace's cookie.
 */
static __always_inline int is_in_our_netns(struct sk_buff *skb, struct pkt_ctx *freed)
{
	struct net_device *device = BPF_CORE_READ(skb, dev);
	struct dst_entry *dst;

	if (!device) {
		dst = (void *)(BPF_CORE_READ(skb, _skb_refdst) & SKB_DST_PTRMASK);
		device = BPF_CORE_READ(dst, dev);
	}
	freed->ifindex = BPF_CORE_READ(device, ifindex);
	return BPF_CORE_READ(device, nd_net.net, net_cookie) == netns_cookie;
}

static __always_inline void find_bytes(struct sk_buff *skb, struct pkt_ctx *freed)
{
	u32 offset = BPF_CORE_READ(skb, network_header);
	u32 end = BPF_CORE_READ(skb, tail);

	freed->start = (u64)BPF_CORE_READ(skb, head) + offset;
	freed->readable = end > offset ? end - offset : 0;
	/* When it is freed, skb->data may already be at the transport header. */
	freed->length = BPF_CORE_READ(skb, len) + (u32)((u64)BPF_CORE_READ(skb, data) - freed->start);
	freed->protocol_be = BPF_CORE_READ(skb, protocol);
	freed->slot = BPF_CORE_READ(skb, tc_index);
}

/*
 * Consumed, but freed as if dropped: neighbour discovery by older kernels, and the reply to the host's own
 * ping, of which a raw socket has a copy.
 */
static __always_inline int is_consumed(struct pkt_ctx *freed, struct packet *p)
{
	u8 type;

	if (p->flags & PACKET_REPLY)
		return 1;
	return p->proto == IPPROTO_ICMPV6 && !load_bytes(freed, l4_of(p), &type, 1) && is_nd(type);
}

static __always_inline struct vnet_session *session_of(const struct vnet_flow *flow)
{
	struct vnet_session *session = bpf_map_lookup_elem(&sessions, flow);
	struct vnet_flow *key;

	if (session)
		return session;
	key = bpf_map_lookup_elem(&rev_nat, flow);
	return key ? bpf_map_lookup_elem(&sessions, key) : NULL;
}

/* In either direction, on either side of the translation. */
static __always_inline struct vnet_session *find_session(const struct vnet_flow *flow)
{
	struct vnet_session *session = session_of(flow);
	struct vnet_flow turned = {.src = flow->dst,
				   .dst = flow->src,
				   .sport_be = flow->dport_be,
				   .dport_be = flow->sport_be,
				   .proto = flow->proto};

	return session ? session : session_of(&turned);
}

static __always_inline u32 network_of_addr(const struct vnet_addr *addr)
{
	struct vnet_subnet_key where = {.prefixlen = 128, .addr = *addr};
	struct vnet_subnet *subnet = bpf_map_lookup_elem(&subnets, &where);

	return subnet ? subnet->network : 0;
}

static __always_inline int identify_guest(struct pkt_ctx *freed, struct packet *p,
					  struct vnet_event_head *head)
{
	struct vnet_session *session = find_session(&p->flow);

	if (session) {
		head->network = session->network;
		head->port = session->port;
	} else {
		if (head->reason == VNET_DROP_HOST_STACK && is_consumed(freed, p))
			return 0;
		head->network = network_of_addr(&p->flow.src);
		/* Sent by its guest; on other packets tc_index may be something else. */
		if (head->network && input_slot(freed) < VNET_SLOTS)
			head->port = input_slot(freed);
		if (!head->network)
			head->network = network_of_addr(&p->flow.dst);
	}
	head->slot = head->port ? head->port : head->network;
	return head->slot;
}

static __always_inline void count_stack_drop(const struct vnet_event_head *head)
{
	u32 zero = 0;
	u32 *mine = bpf_map_lookup_elem(&counting, &zero);

	/* The fence has counted its own. */
	if (mine && *mine && head->reason != VNET_DROP_NO_WAY_OUT)
		count_drop(head->slot, head->reason);
}

/* The arguments: skb, location, reason; newer kernels have more. */
SEC("tp_btf/kfree_skb")
int stack_loss(u64 *ctx)
{
	struct sk_buff *skb = (void *)ctx[0];
	struct freed_packet freed = {.cause = {.location = ctx[1], .reason = ctx[2]}};
	struct monitored drop = {.head = {.hook = VNET_HOOK_HOST}, .identified = 1};
	struct packet *p = scratch_packet();

	drop.head.reason = reason_of(freed.cause.reason);
	if (!p || !drop.head.reason || !is_in_our_netns(skb, &freed))
		return 0;
	if (drop.head.reason == VNET_DROP_HOST_FIREWALL && is_fenced(skb)) {
		drop.head.hook = VNET_HOOK_FORWARD;
		drop.head.reason = VNET_DROP_NO_WAY_OUT;
	}
	find_bytes(skb, &freed);
	/* A malformed packet has its addresses nevertheless, or no family. */
	parse_at(&freed, p, 0, freed.protocol_be);
	if (!p->family || stays_on_link(p) || !identify_guest(&freed, p, &drop.head))
		return 0;
	drop.bytes = freed.length;
	count_stack_drop(&drop.head);
	monitor_reader(&freed, place, &drop);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
