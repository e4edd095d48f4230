// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Direct attachment: guests on a physical interface (their parent) without a Linux bridge. The programs of
 * one parent and of the ports on it; ports of several networks may share a parent, each in the mode of its
 * network. The modes are macvlan's:
 *
 *  bridge: directly to each other and to the host, to all others by the wire;
 *  vepa: to all by the wire, even if the switch must send the frame back;
 *  private: by the wire, and never to another guest;
 *  passthrough: the parent belongs to its only guest.
 *
 * What network.h calls the gateway is the parent here: its MAC is the host's, which no guest may use, and
 * network_slot is the parent's slot, which keys its guests' MACs.
 */
#include "bpf/lib/at_port.h"
#include "bpf/lib/deliver.h"
#include "bpf/lib/dhcp.h"
#include "bpf/lib/flood.h"
#include "bpf/lib/guard.h"
#include "bpf/lib/mac_nat.h"

const volatile __u8 passthrough;

static __always_inline struct vnet_fdb_entry *guest_of(const u8 *mac)
{
	struct vnet_fdb_key key = {.network = network_slot};

	__builtin_memcpy(key.mac, mac, 6);
	return bpf_map_lookup_elem(&fdb, &key);
}

/* 0: not a port any more. */
static __always_inline u32 mode_at(u32 ifindex)
{
	struct vnet_port *port = bpf_map_lookup_elem(&ports, &ifindex);

	return port ? mode_of(port) : 0;
}

static __always_inline int to_wire(struct __sk_buff *skb, const struct vnet_port *port)
{
	u32 mtu = 0;
	int fits = bpf_check_mtu(skb, gateway_ifindex, &mtu, 0, BPF_MTU_CHK_SEGS);
	int err;

	if (fits > 0)
		return DROP(TOO_BIG);
	if (fits == -ENODEV)
		return DROP(NO_PARENT);
	if (unlikely(port->flags & VNET_PORT_F_MAC_NAT)) {
		err = mac_nat_out(skb, port->slot);
		if (err)
			return err;
	}
	mark(skb, MARK_WIRE);
	skb->tc_index = 0;
	return redirect_out(gateway_ifindex);
}

static __always_inline int group_from_guest(struct __sk_buff *skb, const struct vnet_port *port, u32 mode)
{
	if (mode == MODE_BRIDGE)
		flood(skb, skb->ifindex, MODE_BRIDGE | VNET_TO_HOST);
	return to_wire(skb, port);
}

static __always_inline int unicast_from_guest(struct __sk_buff *skb, const struct vnet_port *port,
					      const u8 *to, u32 mode)
{
	struct vnet_fdb_entry *target;
	u32 other;

	if (is_gateway_mac(to)) {
		if (mode == MODE_PRIVATE)
			return DROP(PRIVATE);
		mark_done(skb);
		return redirect_in(gateway_ifindex);
	}
	target = guest_of(to);
	if (!target)
		return to_wire(skb, port);
	if (target->ifindex == skb->ifindex)
		return DROP(REFLECTED);
	other = mode_at(target->ifindex);
	if ((mode | other) & MODE_PRIVATE)
		return DROP(PRIVATE);
	if (other == MODE_VEPA)
		return to_wire(skb, port);
	return deliver(skb, target->ifindex, target->slot, target->flags, 1);
}

static __always_inline int from_guest(struct __sk_buff *skb, struct vnet_port *port)
{
	struct packet *p = packet_room();
	u32 mode = mode_of(port);
	u8 macs[12] __attribute__((aligned(4)));
	int err;

	if (!p || read_bytes(skb, 0, macs, sizeof(macs)))
		return DROP(MALFORMED);
	err = guard(port, macs + 6, skb->ifindex);
	if (err)
		return err;
	skb->tc_index = port->slot;
	if (port->flags & VNET_PORT_F_VET) {
		err = vet(skb, port, p);
		if (err)
			return err;
	}
	if (is_link_protocol(macs))
		return DROP(BPDU);
	if (passthrough || mode == MODE_VEPA)
		return to_wire(skb, port);
	return macs[0] & 1 ? group_from_guest(skb, port, mode) : unicast_from_guest(skb, port, macs, mode);
}

SEC("tc")
int port_ingress(struct __sk_buff *skb)
{
	u32 ifindex = skb->ifindex;
	struct vnet_port *port = bpf_map_lookup_elem(&ports, &ifindex);
	struct account a = at_port(VNET_HOOK_PORT_INGRESS, port, COUNT_TX, skb->len);

	return leave(skb, port ? from_guest(skb, port) : DROP(UNATTACHED), a);
}

SEC("tc")
int port_egress(struct __sk_buff *skb)
{
	u32 ifindex = skb->ifindex;
	struct vnet_port *port;

	if (is_done(skb) && skb->cb[CB_NEXT] != MARK_JUDGE)
		return PASS;
	port = bpf_map_lookup_elem(&ports, &ifindex);
	return leave(skb, port && is_done(skb) ? may_receive(skb, port) : DROP(UNATTACHED),
		     at_port(VNET_HOOK_PORT_EGRESS, port, COUNT_RX, skb->len));
}

/* A direct network's DHCP server is on the wire: it is trusted. */
static __always_inline void snoop_wire(struct __sk_buff *skb)
{
	struct packet *p = packet_room();

	if (p && !parse(skb, p, ETH_HLEN))
		snoop(skb, p, network_slot);
}

/*
 * source, mode: of a sender that is a guest of ours, or (without source) the host, which is as one in bridge
 * mode. The switch has sent its frame back, or its MAC is spoofed.
 */
static __always_inline int group_from_wire(struct __sk_buff *skb, struct vnet_fdb_entry *source, u32 mode)
{
	if (!mode) {
		snoop_wire(skb);
		flood(skb, 0, MODE_BRIDGE | MODE_VEPA | MODE_PRIVATE);
		return TC_ACT_OK;
	}
	/* From a sender in bridge mode, the ports in bridge mode already have it. */
	flood(skb, source ? source->ifindex : 0, mode == MODE_BRIDGE ? MODE_VEPA : MODE_VEPA | MODE_BRIDGE);
	return source && mode == MODE_BRIDGE ? DROP(REFLECTED) : TC_ACT_OK;
}

/* Of a guest that has the parent's MAC outside. 0: the host's. */
static __always_inline int to_mac_nat(struct __sk_buff *skb)
{
	u32 ifindex = mac_nat_in(skb);
	struct vnet_port *port = ifindex ? bpf_map_lookup_elem(&ports, &ifindex) : NULL;

	if (!port)
		return TC_ACT_OK;
	if (port->flags & VNET_PORT_F_FILTERS)
		snoop_wire(skb);
	return deliver(skb, ifindex, port->slot, port->flags & VNET_PORT_F_PEER ? VNET_HOP_F_PEER : 0, 1);
}

static __always_inline int unicast_from_wire(struct __sk_buff *skb, const u8 *to,
					     struct vnet_fdb_entry *source, u32 mode)
{
	struct vnet_fdb_entry *target = guest_of(to);
	struct vnet_port *port;
	u32 ifindex;

	if (!target && unlikely(!mode && is_gateway_mac(to) && has_mac_nat()))
		return to_mac_nat(skb);
	if (!target)
		return source && mode == MODE_BRIDGE ? DROP(REFLECTED) : TC_ACT_OK;
	ifindex = target->ifindex;
	port = bpf_map_lookup_elem(&ports, &ifindex);
	if (!port)
		return TC_ACT_OK;
	if (mode) {
		if ((source && source->ifindex == ifindex) ||
		    (mode == MODE_BRIDGE && mode_of(port) == MODE_BRIDGE))
			return DROP(REFLECTED);
		if (mode_of(port) == MODE_PRIVATE)
			return DROP(PRIVATE);
	} else if (port->flags & VNET_PORT_F_FILTERS) {
		snoop_wire(skb);
	}
	return deliver(skb, ifindex, target->slot, target->flags, 1);
}

/* With passthrough the parent has one guest. */
static __always_inline int to_only_guest(struct __sk_buff *skb)
{
	struct vnet_flood_key key = {.parent = gateway_ifindex};
	u32 *member = bpf_map_lookup_elem(&flood_ports, &key);
	struct vnet_port *port;
	u32 ifindex;

	if (!member)
		return TC_ACT_OK;
	ifindex = *member;
	port = bpf_map_lookup_elem(&ports, &ifindex);
	if (!port)
		return TC_ACT_OK;
	if (port->flags & VNET_PORT_F_FILTERS)
		snoop_wire(skb);
	return deliver(skb, ifindex, port->slot, port->flags & VNET_PORT_F_PEER ? VNET_HOP_F_PEER : 0, 1);
}

static __always_inline int from_wire(struct __sk_buff *skb)
{
	struct vnet_fdb_entry *source;
	u8 macs[12] __attribute__((aligned(4)));
	u32 mode;

	skb->tc_index = 0;
	if (read_bytes(skb, 0, macs, sizeof(macs)) || is_link_protocol(macs))
		return TC_ACT_OK;
	if (passthrough)
		return to_only_guest(skb);
	source = guest_of(macs + 6);
	mode = source ? mode_at(source->ifindex) : is_gateway_mac(macs + 6) ? MODE_BRIDGE : 0;
	if (mode == MODE_PRIVATE)
		return DROP(PRIVATE);
	if (source)
		skb->tc_index = source->slot; /* port isolation holds by way of the switch, too */
	return macs[0] & 1 ? group_from_wire(skb, source, mode) : unicast_from_wire(skb, macs, source, mode);
}

/* The ifindex of the guest that a frame is for, else of the one that it claims to be from; 0: neither. */
__noinline u32 guest_at_parent(struct __sk_buff *skb)
{
	struct vnet_flood_key only = {.parent = gateway_ifindex};
	struct vnet_fdb_entry *guest;
	u8 mac[6] __attribute__((aligned(4)));
	u32 *member;

	if (passthrough) {
		member = bpf_map_lookup_elem(&flood_ports, &only);
		return member ? *member : 0;
	}
	for (u32 at = 0; at <= 6; at += 6) {
		guest = read_bytes(skb, at, mac, sizeof(mac)) ? NULL : guest_of(mac);
		if (guest)
			return guest->ifindex;
	}
	return 0;
}

/* A drop at the parent counts for that guest, as at its port. */
static __always_inline int leave_parent(struct __sk_buff *skb, enum vnet_hook hook, int verdict,
					enum counted what, u32 bytes)
{
	struct account a = {.hook = hook, .slot = network_slot, .counts = what, .bytes = bytes};

	if (unlikely(verdict < 0)) {
		u32 ifindex = guest_at_parent(skb);
		struct vnet_port *port = bpf_map_lookup_elem(&ports, &ifindex);

		if (port) {
			a.slot = port->slot;
			a.port = port->slot;
			a.network = port->network;
		}
	}
	return leave(skb, verdict, a);
}

/* Only the guests' traffic is counted, not the host's own. */
SEC("tc")
int parent_ingress(struct __sk_buff *skb)
{
	u32 bytes = skb->len;
	int verdict;

	if (is_done(skb)) { /* a guest's frame for the host */
		skb->tc_index = 0;
		return PASS;
	}
	verdict = from_wire(skb);
	return leave_parent(skb, VNET_HOOK_PARENT_INGRESS, verdict,
			    verdict == TC_ACT_OK ? COUNT_NOTHING : COUNT_RX, bytes);
}

/* Between the host and its guests there is no network card to complete the checksum. */
static __always_inline void repair_dhcp(struct __sk_buff *skb)
{
	struct packet *p = packet_room();

	if (p && !parse_frame(skb, p) && is_dhcp_reply(p))
		repair_dhcp_reply(skb);
}

static __always_inline int from_host(struct __sk_buff *skb)
{
	struct vnet_fdb_entry *target;
	u32 ifindex, slot, flags;
	u8 to[6] __attribute__((aligned(4)));

	if (passthrough || read_bytes(skb, 0, to, sizeof(to)) || is_link_protocol(to))
		return TC_ACT_OK;
	if (to[0] & 1) {
		repair_dhcp(skb);
		flood(skb, 0, MODE_BRIDGE);
		return TC_ACT_OK;
	}
	target = guest_of(to);
	if (!target || mode_at(target->ifindex) != MODE_BRIDGE)
		return TC_ACT_OK;
	ifindex = target->ifindex;
	slot = target->slot;
	flags = target->flags;
	repair_dhcp(skb);
	return deliver(skb, ifindex, slot, flags, 0);
}

SEC("tc")
int parent_egress(struct __sk_buff *skb)
{
	u32 bytes = skb->len;

	/* What other programs of ours have redirected here (a masqueraded flow) may be for a guest. */
	if (is_done(skb) && skb->cb[CB_NEXT] == MARK_WIRE)
		return leave_parent(skb, VNET_HOOK_PARENT_EGRESS, TC_ACT_OK, COUNT_TX, bytes);
	return leave_parent(skb, VNET_HOOK_PARENT_EGRESS, from_host(skb), COUNT_NOTHING, bytes);
}

char LICENSE[] SEC("license") = "GPL";
