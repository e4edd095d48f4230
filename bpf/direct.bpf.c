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

static __always_inline struct vnet_fdb_entry *guest_by_mac(const u8 *mac)
{
	struct vnet_fdb_key key = {.network = network_slot};

	__builtin_memcpy(key.mac, mac, 6);
	return bpf_map_lookup_elem(&fdb, &key);
}

/* 0: not a port any more. */
static __always_inline u32 port_mode_at(u32 ifindex)
{
	struct vnet_port *port = bpf_map_lookup_elem(&ports, &ifindex);

	return port ? port_mode(port) : 0;
}

/*
 * vlan: on the wire a frame of a VLAN is always tagged. A card that allows one MAC is in no VLAN:
 * mac_nat_out() drops what has a tag.
 */
static __always_inline int to_wire(struct __sk_buff *skb, const struct vnet_port *port, u32 vlan)
{
	u32 mtu = 0;
	int fits = bpf_check_mtu(skb, gateway_ifindex, &mtu, 0, BPF_MTU_CHK_SEGS);
	int err = vlan ? put_tag_on(skb, vlan) : 0;

	if (fits > 0)
		return DROP(TOO_BIG);
	if (fits == -ENODEV)
		return DROP(NO_PARENT);
	if (!err && unlikely(port->flags & VNET_PORT_F_MAC_NAT))
		err = mac_nat_out(skb, port->slot);
	if (err)
		return err;
	mark(skb, MARK_WIRE);
	skb->tc_index = 0;
	return redirect_out(gateway_ifindex);
}

/* The host's VLAN interfaces go by the tag. */
static __always_inline int group_from_guest(struct __sk_buff *skb, const struct vnet_port *port, u32 mode,
					    u32 vlan)
{
	if (mode == MODE_BRIDGE)
		flood(skb, skb->ifindex, vlan ? MODE_BRIDGE : MODE_BRIDGE | VNET_TO_HOST, vlan);
	if (!vlan)
		return to_wire(skb, port, 0);
	if (put_tag_on(skb, vlan))
		return DROP(WRITE_FAILED);
	if (mode == MODE_BRIDGE) {
		mark_done(skb);
		send_clone(skb, gateway_ifindex, BPF_F_INGRESS);
	}
	return to_wire(skb, port, 0);
}

static __always_inline int unicast_from_guest(struct __sk_buff *skb, const struct vnet_port *port,
					      const u8 *to, u32 mode, u32 vlan)
{
	struct vnet_fdb_entry *target;
	u32 other;
	int err;

	if (is_gateway_mac(to)) {
		if (mode == MODE_PRIVATE)
			return DROP(PRIVATE);
		err = vlan ? put_tag_on(skb, vlan) : 0;
		if (err)
			return err;
		mark_done(skb);
		return redirect_in(gateway_ifindex);
	}
	target = guest_by_mac(to);
	if (!target)
		return to_wire(skb, port, vlan);
	if (target->ifindex == skb->ifindex)
		return DROP(REFLECTED);
	other = port_mode_at(target->ifindex);
	if ((mode | other) & MODE_PRIVATE)
		return DROP(PRIVATE);
	if (other == MODE_VEPA)
		return to_wire(skb, port, vlan);
	return deliver(skb, target->ifindex, target->slot, target->flags, vlan, 1);
}

static __always_inline int from_guest(struct __sk_buff *skb, struct vnet_port *port)
{
	struct packet *p = scratch_packet();
	u32 mode = port_mode(port);
	u8 macs[12] __attribute__((aligned(4)));
	int err, vlan = 0;

	if (port->flags & VNET_PORT_F_LIMIT_OUT && is_over_limit(port->slot, VNET_OUT, wire_bytes(skb)))
		return DROP(BANDWIDTH);
	if (port->flags & VNET_PORT_F_VLAN) {
		vlan = enter_vlan(skb, skb->ifindex);
		if (vlan < 0)
			return vlan;
	}
	if (!p || read_bytes(skb, 0, macs, sizeof(macs)))
		return DROP(MALFORMED);
	err = guard(port, macs + 6, skb->ifindex);
	if (err)
		return err;
	skb->tc_index = port->slot;
	if (port->flags & VNET_PORT_F_INSPECT) {
		err = inspect_frame(skb, port, p);
		if (err)
			return err;
	}
	if (is_link_protocol(macs))
		return DROP(BPDU);
	if (passthrough || mode == MODE_VEPA)
		return to_wire(skb, port, vlan);
	return macs[0] & 1 ? group_from_guest(skb, port, mode, vlan)
			   : unicast_from_guest(skb, port, macs, mode, vlan);
}

SEC("tc")
int port_ingress(struct __sk_buff *skb)
{
	u32 ifindex = skb->ifindex;
	struct vnet_port *port = bpf_map_lookup_elem(&ports, &ifindex);
	struct account a = at_port(VNET_HOOK_PORT_INGRESS, port, COUNT_TX, skb->len);

	return leave(skb, port ? from_guest(skb, port) : DROP(UNATTACHED), a);
}

static __always_inline int to_port(struct __sk_buff *skb, struct vnet_port *port)
{
	u32 vlan = skb->cb[CB_VLAN];
	int err = check_receive(skb, port);

	if (!err && crosses_vlan(port, vlan))
		err = leave_vlan(skb, skb->ifindex, vlan);
	if (!err && port->flags & VNET_PORT_F_LIMIT_IN && is_over_limit_in(skb, port->slot))
		err = DROP(BANDWIDTH);
	return err;
}

SEC("tc")
int port_egress(struct __sk_buff *skb)
{
	u32 ifindex = skb->ifindex;
	struct vnet_port *port;

	if (is_marked(skb) && skb->cb[CB_NEXT] != MARK_CHECK)
		return PASS;
	port = bpf_map_lookup_elem(&ports, &ifindex);
	return leave(skb, port && is_marked(skb) ? to_port(skb, port) : DROP(UNATTACHED),
		     at_port(VNET_HOOK_PORT_EGRESS, port, COUNT_RX, skb->len));
}

/* A direct network's DHCP server is on the wire: it is trusted. */
static __always_inline void snoop_wire(struct __sk_buff *skb)
{
	struct packet *p = scratch_packet();

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
		flood(skb, 0, MODE_BRIDGE | MODE_VEPA | MODE_PRIVATE, VLAN_BY_TAG);
		return TC_ACT_OK;
	}
	/* From a sender in bridge mode, the ports in bridge mode already have it. */
	flood(skb, source ? source->ifindex : 0, mode == MODE_BRIDGE ? MODE_VEPA : MODE_VEPA | MODE_BRIDGE,
	      VLAN_BY_TAG);
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
	return deliver(skb, ifindex, port->slot, port->flags & VNET_PORT_F_PEER ? VNET_HOP_F_PEER : 0, 0, 1);
}

static __always_inline int unicast_from_wire(struct __sk_buff *skb, const u8 *to,
					     struct vnet_fdb_entry *source, u32 mode)
{
	struct vnet_fdb_entry *target = guest_by_mac(to);
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
		    (mode == MODE_BRIDGE && port_mode(port) == MODE_BRIDGE))
			return DROP(REFLECTED);
		if (port_mode(port) == MODE_PRIVATE)
			return DROP(PRIVATE);
	} else if (port->flags & VNET_PORT_F_FILTERS) {
		snoop_wire(skb);
	}
	return deliver(skb, ifindex, target->slot, target->flags, VLAN_BY_TAG, 1);
}

/* With passthrough the parent has one guest. */
static __always_inline int to_passthrough_guest(struct __sk_buff *skb)
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
	return deliver(skb, ifindex, port->slot, port->flags & VNET_PORT_F_PEER ? VNET_HOP_F_PEER : 0,
		       VLAN_BY_TAG, 1);
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
		return to_passthrough_guest(skb);
	source = guest_by_mac(macs + 6);
	mode = source ? port_mode_at(source->ifindex) : is_gateway_mac(macs + 6) ? MODE_BRIDGE : 0;
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
		guest = read_bytes(skb, at, mac, sizeof(mac)) ? NULL : guest_by_mac(mac);
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

	if (is_marked(skb)) { /* a guest's frame for the host */
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
	struct packet *p = scratch_packet();

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
		flood(skb, 0, MODE_BRIDGE, VLAN_BY_TAG);
		return TC_ACT_OK;
	}
	target = guest_by_mac(to);
	if (!target || port_mode_at(target->ifindex) != MODE_BRIDGE)
		return TC_ACT_OK;
	ifindex = target->ifindex;
	slot = target->slot;
	flags = target->flags;
	repair_dhcp(skb);
	return deliver(skb, ifindex, slot, flags, VLAN_BY_TAG, 0);
}

SEC("tc")
int parent_egress(struct __sk_buff *skb)
{
	u32 bytes = skb->len;

	/* What other programs of ours have redirected here (a masqueraded flow) may be for a guest. */
	if (is_marked(skb) && skb->cb[CB_NEXT] == MARK_WIRE)
		return leave_parent(skb, VNET_HOOK_PARENT_EGRESS, TC_ACT_OK, COUNT_TX, bytes);
	return leave_parent(skb, VNET_HOOK_PARENT_EGRESS, from_host(skb), COUNT_NOTHING, bytes);
}

char LICENSE[] SEC("license") = "GPL";
