// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The programs of one network: at its ports and at its gateway (the Linux bridge). What is fixed for a
 * network is rodata, so that the verifier prunes what it does not use.
 */
#include "bpf/deliver.h"
#include "bpf/dhcp.h"
#include "bpf/fragment.h"
#include "bpf/masquerade.h"
#include "bpf/reject.h"
#include "bpf/route.h"
#include "bpf/translate.h"

const volatile __u16 network_slot;
const volatile __u32 gateway_ifindex;
const volatile __u8 gateway_mac[8] __attribute__((aligned(4)));
const volatile __u32 network_flags;

/* Both lie at even addresses. */
static __always_inline int mac_equal(const volatile void *mac, const volatile void *other)
{
	const volatile u16 *a = mac, *b = other;

	return !((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]));
}

static __always_inline int is_gateway_mac(const u8 *mac)
{
	return mac_equal(mac, gateway_mac);
}

/* A port without a fixed MAC: its guests' MACs become known, up to a limit; fixed ones are never taken. */
static __noinline int learn(struct vnet_port *port, struct vnet_fdb_key *key, u32 ifindex)
{
	struct vnet_fdb_entry *known;
	struct vnet_fdb_entry fresh = {};
	struct vnet_usage *u, *before = NULL;
	u32 slot;

	if (!port || !key)
		return 0;
	known = bpf_map_lookup_elem(&fdb, key);
	if (known && known->ifindex == ifindex)
		return 0;
	if (known && known->is_static)
		return DROP(SPOOFED_MAC);
	slot = port->slot;
	u = bpf_map_lookup_elem(&usage, &slot);
	if (!u || u->learned >= VNET_LEARN_MAX)
		return 0;
	if (known) { /* it moves here from another port */
		slot = known->slot;
		before = bpf_map_lookup_elem(&usage, &slot);
	}
	fresh.ifindex = ifindex;
	fresh.slot = port->slot;
	fresh.flags = port->flags & VNET_PORT_F_PEER ? VNET_HOP_F_PEER : 0;
	if (bpf_map_update_elem(&fdb, key, &fresh, BPF_ANY))
		return 0;
	__sync_fetch_and_add(&u->learned, 1);
	if (before)
		__sync_fetch_and_add(&before->learned, -1);
	return 0;
}

static __always_inline int guard(struct vnet_port *port, const u8 *source, u32 ifindex)
{
	struct vnet_fdb_key key = {.network = network_slot};

	if (unlikely(port->flags & VNET_PORT_F_DOWN))
		return DROP(LINK_DOWN);
	if (unlikely(source[0] & 1))
		return DROP(SPOOFED_MAC);
	if (likely(port->flags & VNET_PORT_F_MAC))
		return mac_equal(source, port->mac) ? 0 : DROP(SPOOFED_MAC);
	if (is_gateway_mac(source))
		return DROP(SPOOFED_MAC);
	__builtin_memcpy(key.mac, source, 6);
	return learn(port, &key, ifindex);
}

/* Straight out of the uplink, as the session says. The stack's way is always right, too: TC_ACT_OK. */
static __always_inline int send_out(struct __sk_buff *skb, struct packet *p, struct session *s)
{
	struct vnet_leg *leg = &s->leg[VNET_OUT];
	struct rewrite r = {};
	u32 now = tick_now();
	int unresolved = 0;
	u32 ifindex, mtu = 0;

	if (unlikely(leg->hop.tick != now))
		unresolved =
			route_out(skb, &p->flow, leg, s->flags & VNET_SESSION_F_MASQUERADE ? &s->nat : NULL,
				  gateway_ifindex);
	if (unlikely(unresolved < 0))
		return TC_ACT_OK;
	if (unlikely(unresolved) ? bpf_check_mtu(skb, leg->hop.ifindex, &mtu, 0, BPF_MTU_CHK_SEGS) != 0
				 : too_big(skb, p, leg->hop.mtu))
		return TC_ACT_OK;
	if (unlikely(p->flags & PACKET_FIRST))
		fragment_note(p, 0);
	session_use(s, p, VNET_OUT, now, skb->len);
	ifindex = leg->hop.ifindex;
	r.from = p->flow.src;
	r.to = s->nat;
	r.from_port_be = p->flow.sport_be;
	r.to_port_be = s->nat_port_be;
	r.source = 1;
	if (unlikely(decrement_ttl(skb, p)) || (!unresolved && write_macs(skb, &leg->hop)))
		return DROP(WRITE_FAILED);
	if (translate(skb, p, &r, 1))
		return DROP(WRITE_FAILED);
	mark_done(skb);
	/* The kernel resolves the neighbour, and holds the packet meanwhile. The stack's way to the same
	 * end leads past the host's FORWARD rules, which have never seen this connection's answers.
	 */
	return unlikely(unresolved) ? bpf_redirect_neigh(ifindex, NULL, 0, 0) : bpf_redirect(ifindex, 0);
}

/* Which uplink a guest's new flow may leave by without being asked for; 0: the stack shall see it. */
__noinline u32 bypass_uplink(struct __sk_buff *skb, struct packet *p)
{
	u32 slot = network_slot;
	struct vnet_network *net = bpf_map_lookup_elem(&networks, &slot);
	struct vnet_subnet_key where = {.prefixlen = 128};
	struct vnet_subnet *subnet;
	struct vnet_device *uplink;
	struct bpf_fib_lookup q;
	long rc;

	if (!p || !net || net->nat_first)
		return 0;
	where.addr = p->flow.src;
	subnet = bpf_map_lookup_elem(&subnets, &where);
	if (!subnet || subnet->network != slot)
		return 0;
	route_query(&q, &p->flow.src, &p->flow.dst, p->family == 4, p->proto, gateway_ifindex);
	rc = bpf_fib_lookup(skb, &q, sizeof(q), 0);
	if (rc != BPF_FIB_LKUP_RET_SUCCESS && rc != BPF_FIB_LKUP_RET_NO_NEIGH)
		return 0;
	uplink = device_of(q.ifindex);
	if (!uplink || uplink->role != VNET_DEVICE_UPLINK ||
	    (net->uplink_ifindex && net->uplink_ifindex != q.ifindex))
		return 0;
	return q.ifindex;
}

/* hostFirewall='bypass': the session is made here instead of behind the host's FORWARD rules. */
__noinline int admit_bypass(struct __sk_buff *skb, struct packet *p)
{
	struct admission a = {.network = network_slot, .port = skb->tc_index};
	u32 masquerade;

	if (!p)
		return 0;
	masquerade = p->family == 4 ? VNET_NETWORK_F_MASQUERADE4 : VNET_NETWORK_F_MASQUERADE6;
	if (p->flags & (PACKET_REPLY | PACKET_LATER | PACKET_ERROR))
		return 0;
	if (p->proto == IPPROTO_TCP && (p->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
		return 0;
	if (is_icmp(p->family, p->proto) && !p->flow.sport_be)
		return 0;
	a.uplink = bypass_uplink(skb, p);
	if (!a.uplink)
		return 0;
	a.nat = p->flow.src;
	if (network_flags & masquerade) {
		if (route_source(skb, &p->flow.dst, a.uplink, &a.nat))
			return 0;
		a.flags = VNET_SESSION_F_MASQUERADE;
	}
	return session_create(skb, &p->flow, &a);
}

/* To the gateway's MAC: known sessions leave at once, the rest is the host stack's. */
static __always_inline int route_from_guest(struct __sk_buff *skb, struct packet *p)
{
	struct session *s;
	int err = parse(skb, p, ETH_HLEN);

	if (err)
		return err;
	if (!p->family)
		return TC_ACT_OK;
	if (unlikely(p->flags & PACKET_LATER)) {
		if (fragment_follow(p) != 1)
			return TC_ACT_OK;
	}
	if (unlikely(p->ttl <= 1 || p->flags & PACKET_OPTIONS))
		return TC_ACT_OK;
	/* The session's way is the way to its far end, and to nobody else whom an error is sent to. */
	if (unlikely(p->flags & PACKET_ERROR) && !addr_equal(&p->outer_dst, &p->flow.dst))
		return TC_ACT_OK;
	s = session_outbound(&p->flow);
	if (unlikely(!s) && network_flags & VNET_NETWORK_F_BYPASS) {
		err = admit_bypass(skb, p);
		if (err)
			return err;
		s = session_outbound(&p->flow);
	}
	/* Another port's session: somebody uses its guest's address. Let the stack's rules judge. */
	if (unlikely(!s || s->network != network_slot || (s->port && s->port != skb->tc_index))) {
		if (p->flags & PACKET_FIRST)
			fragment_note(p, 1);
		return TC_ACT_OK;
	}
	return send_out(skb, p, s);
}

static __always_inline int from_guest(struct __sk_buff *skb, struct vnet_port *port)
{
	struct vnet_fdb_key to = {.network = network_slot};
	struct vnet_fdb_entry *target;
	struct packet *p = packet_room();
	u8 macs[12] __attribute__((aligned(4)));
	int err;

	if (unlikely(!p || read_bytes(skb, 0, macs, sizeof(macs))))
		return DROP(MALFORMED);
	err = guard(port, macs + 6, skb->ifindex);
	if (err)
		return err;
	skb->tc_index = port->slot;
	if (unlikely(macs[0] & 1)) {
		/* 01:80:c2:00:00:0x is between bridges (802.1D): a guest has no say in the host's. */
		if (macs[0] == 0x01 && macs[1] == 0x80 && macs[2] == 0xc2 && !macs[3] && !macs[4] &&
		    macs[5] < 0x10)
			return DROP(BPDU);
		return TC_ACT_OK;
	}
	if (is_gateway_mac(macs))
		return route_from_guest(skb, p);
	__builtin_memcpy(to.mac, macs, 6);
	target = bpf_map_lookup_elem(&fdb, &to);
	if (!target || target->ifindex == skb->ifindex)
		return TC_ACT_OK;
	return deliver(skb, target->ifindex, target->slot, target->flags, 1);
}

SEC("tc")
int port_ingress(struct __sk_buff *skb)
{
	u32 ifindex = skb->ifindex;
	u32 bytes = skb->len;
	struct vnet_port *port = bpf_map_lookup_elem(&ports, &ifindex);

	if (!port)
		return leave(DROP(UNATTACHED), network_slot, COUNT_NOTHING, bytes);
	return leave(from_guest(skb, port), port->slot, COUNT_TX, bytes);
}

SEC("tc")
int port_egress(struct __sk_buff *skb)
{
	u32 ifindex = skb->ifindex;
	u32 bytes = skb->len;
	struct vnet_port *port;

	if (is_done(skb))
		return PASS;
	port = bpf_map_lookup_elem(&ports, &ifindex);
	if (!port)
		return leave(DROP(UNATTACHED), network_slot, COUNT_NOTHING, bytes);
	return leave(port->flags & VNET_PORT_F_DOWN ? DROP(LINK_DOWN) : TC_ACT_OK, port->slot, COUNT_RX,
		     bytes);
}

/* May a packet that this network's guests sent be routed on to where the host would route it? */
static __always_inline int may_leave(struct __sk_buff *skb, struct packet *p)
{
	u32 slot = network_slot;
	struct vnet_network *net = bpf_map_lookup_elem(&networks, &slot);
	const struct vnet_addr *src = p->flags & PACKET_ERROR ? &p->outer_src : &p->flow.src;
	const struct vnet_addr *dst = p->flags & PACKET_ERROR ? &p->outer_dst : &p->flow.dst;
	struct vnet_device *device;
	struct bpf_fib_lookup q;
	long rc;

	route_query(&q, src, dst, p->family == 4, p->proto, gateway_ifindex);
	rc = bpf_fib_lookup(skb, &q, sizeof(q), 0);
	/* The host itself, or no way: the stack delivers, or answers. */
	if (rc != BPF_FIB_LKUP_RET_SUCCESS && rc != BPF_FIB_LKUP_RET_NO_NEIGH &&
	    rc != BPF_FIB_LKUP_RET_FRAG_NEEDED)
		return TC_ACT_OK;
	if (q.ifindex == gateway_ifindex)
		return TC_ACT_OK;
	device = device_of(q.ifindex);
	if (device && device->role == VNET_DEVICE_GATEWAY)
		return reject(skb, p, gateway_ifindex, slot, DROP(OTHER_NETWORK));
	if (!device || !net || (net->uplink_ifindex && net->uplink_ifindex != q.ifindex))
		return reject(skb, p, gateway_ifindex, slot, DROP(NO_UPLINK));
	return TC_ACT_OK;
}

static __always_inline int is_unspecified(const struct vnet_addr *a)
{
	return !(a->word_be[0] | a->word_be[1] | a->word_be[3]);
}

static __always_inline int from_bridge(struct __sk_buff *skb, struct packet *p)
{
	struct vnet_subnet_key where = {.prefixlen = 128};
	struct vnet_subnet *subnet;
	int err = parse(skb, p, ETH_HLEN);

	if (err)
		return err;
	/* Group addresses and link-local are never routed on; whoever has no address yet asks there, too. */
	if (!p->family || is_group_or_local(p))
		return TC_ACT_OK;
	where.addr = p->flags & PACKET_ERROR ? p->outer_src : p->flow.src;
	subnet = bpf_map_lookup_elem(&subnets, &where);
	if (!subnet || subnet->network != network_slot) {
		if (is_unspecified(&where.addr) ||
		    (p->family == 6 && (bpf_ntohl(where.addr.word_be[0]) & 0xffc00000) == 0xfe800000))
			return TC_ACT_OK; /* the stack does not forward these */
		return DROP(SPOOFED_SOURCE);
	}
	return may_leave(skb, p);
}

SEC("tc")
int gateway_ingress(struct __sk_buff *skb)
{
	u32 bytes = skb->len;
	struct packet *p = packet_room();

	return leave(p ? from_bridge(skb, p) : DROP(MALFORMED), network_slot, COUNT_NOTHING, bytes);
}

/* Who may send into the network through the host stack? */
static __always_inline int may_enter(struct __sk_buff *skb)
{
	struct vnet_device *from;

	/* The host itself, and what its stack turned round within the network. */
	if (!skb->ingress_ifindex || skb->ingress_ifindex == gateway_ifindex)
		return TC_ACT_OK;
	from = device_of(skb->ingress_ifindex);
	/* tc_index can be believed only behind our uplink hook, which writes it. */
	if (from && from->role == VNET_DEVICE_UPLINK && skb->tc_index == VNET_TC_INDEX_ADMITTED)
		return TC_ACT_OK;
	return from && from->role == VNET_DEVICE_GATEWAY ? DROP(OTHER_NETWORK) : DROP(NOT_VISIBLE);
}

static __always_inline int to_guest(struct __sk_buff *skb, struct packet *p)
{
	struct vnet_fdb_key to = {.network = network_slot};
	struct vnet_fdb_entry *target;
	u8 mac[6] __attribute__((aligned(4)));
	int verdict, err;

	if (read_bytes(skb, 0, mac, sizeof(mac)))
		return TC_ACT_OK;
	/* The host forwards, and sends, IP that the parser does not read: who may enter does not hang on it.
	 */
	err = parse(skb, p, ETH_HLEN);
	verdict = err || p->family ? may_enter(skb) : TC_ACT_OK;
	if (verdict < 0)
		return verdict;
	if (err)
		p->family = 0;
	if (is_dhcp_reply(p))
		repair_dhcp_reply(skb);
	if (mac[0] & 1)
		return TC_ACT_OK;
	__builtin_memcpy(to.mac, mac, 6);
	target = bpf_map_lookup_elem(&fdb, &to);
	if (!target)
		return TC_ACT_OK;
	return deliver(skb, target->ifindex, target->slot, target->flags, 0);
}

SEC("tc")
int gateway_egress(struct __sk_buff *skb)
{
	u32 bytes = skb->len;
	struct packet *p = packet_room();

	return leave(p ? to_guest(skb, p) : DROP(MALFORMED), network_slot, COUNT_NOTHING, bytes);
}

char LICENSE[] SEC("license") = "GPL";
