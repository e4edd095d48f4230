/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of the ABI that concerns a port's policy: what its guest may send, and what may reach it.
 * Included by maps/abi.h.
 */
#ifndef VNET_MAPS_PORT_ABI_H
#define VNET_MAPS_PORT_ABI_H

#define VNET_PORT_F_MAC 1  /* mac is the only source allowed; without this MACs are learned */
#define VNET_PORT_F_PEER 2 /* see VNET_HOP_F_PEER */
#define VNET_PORT_F_DOWN 4 /* unplugged */
#define VNET_PORT_F_ISOLATED 8
/* Filters: what the guest may send (bpf/lib/guard.h, bpf/lib/filter.h). */
#define VNET_PORT_F_NO_MAC_SPOOFING 0x10 /* without F_MAC: the first source MAC becomes the only one */
#define VNET_PORT_F_NO_IP_SPOOFING 0x20
#define VNET_PORT_F_NO_ARP_SPOOFING 0x40
#define VNET_PORT_F_NO_IPV6_SPOOFING 0x80
#define VNET_PORT_F_NO_IP_MULTICAST 0x100
#define VNET_PORT_F_CLEAN 0x200       /* IP and ARP only, no DHCP server, no router */
#define VNET_PORT_F_DHCP_SERVER 0x400 /* may be a DHCP server and router despite CLEAN; is snooped */
/* Where a guest's addresses come from: without FIXED of a family, DHCP snooping; with AUTOCONF, claims. */
#define VNET_PORT_F_FIXED4 0x800
#define VNET_PORT_F_FIXED6 0x1000
#define VNET_PORT_F_AUTOCONF 0x2000
/* Inbound policy (bpf/lib/inbound.h); neither: accept. */
#define VNET_PORT_F_ESTABLISHED 0x4000
#define VNET_PORT_F_SHUT 0x8000
/* Direct attachment (bpf/direct.bpf.c); neither: bridge mode. */
#define VNET_PORT_F_VEPA 0x10000
#define VNET_PORT_F_PRIVATE 0x20000
/* <bandwidth>, the port's own or its network's: an entry in the map `limits`. */
#define VNET_PORT_F_LIMIT_IN 0x40000
#define VNET_PORT_F_LIMIT_OUT 0x80000
/* <vlan> (bpf/lib/port_vlan.h); TRUNK: also the tagged VLANs in the map `port_vlans`. */
#define VNET_PORT_F_VLAN 0x100000
#define VNET_PORT_F_TRUNK 0x200000
#define VNET_PORT_F_NATIVE_TAGGED 0x400000
#define VNET_PORT_F_MAC_NAT 0x800000 /* outside it has its parent's MAC (bpf/lib/mac_nat.h) */

#define VNET_PORT_F_FILTERS                                                                  \
  (VNET_PORT_F_NO_IP_SPOOFING | VNET_PORT_F_NO_ARP_SPOOFING | VNET_PORT_F_NO_IPV6_SPOOFING | \
   VNET_PORT_F_NO_IP_MULTICAST | VNET_PORT_F_CLEAN)
#define VNET_PORT_F_INBOUND (VNET_PORT_F_ESTABLISHED | VNET_PORT_F_SHUT)

/* Keyed by ifindex. */
struct vnet_port {
  __u16 slot;
  __u16 network; /* slot */
  __u32 flags;
  __u8 mac[6];
  __u16 vlan; /* VLAN of untagged frames; 0: none */
};
VNET_SIZE(struct vnet_port, 16);

struct vnet_port_vlan {
  __u16 slot;
  __u16 vlan;
};
VNET_SIZE(struct vnet_port_vlan, 4);
#define VNET_PORT_VLANS_MAX (1 << 16)

/*
 * The addresses that ports may use: one entry keyed by the port's slot, and one by the network's, which names
 * the port that has it (0: the gateway's own).
 */
struct vnet_address_key {
  struct vnet_addr addr;
  __u16 slot;
  __u16 pad;
};
VNET_SIZE(struct vnet_address_key, 20);

enum vnet_address_source {
  VNET_ADDRESS_FIXED,   /* --ip, a static lease, the gateway's */
  VNET_ADDRESS_LEASED,  /* by DHCP, until the lease ends */
  VNET_ADDRESS_CLAIMED, /* by duplicate address detection: first come, first served (RFC 6620) */
};

struct vnet_address {
  __u32 until; /* tick of expiry; 0: never */
  __u32 seen;  /* tick of the last use, not exact; claimed ones only */
  __u16 port;  /* slot of the port that has it */
  __u8 source; /* enum vnet_address_source */
  __u8 pad;
};
VNET_SIZE(struct vnet_address, 12);

#define VNET_ADDRESSES_MAX (1 << 16)

/* Addresses that a port may have claimed: one more replaces that which has been idle longest. */
#define VNET_CLAIMS_MAX 16

struct vnet_claim_key {
  __u16 slot;
  __u16 index;
};
VNET_SIZE(struct vnet_claim_key, 4);

/* DHCP clients of a port: its guest, and what that runs. One that has long been idle is replaced. */
#define VNET_DHCP_CLIENTS_MAX 32

struct vnet_dhcp_client {
  __u64 id;   /* a hash of MAC and client identifier */
  __u32 seen; /* tick of its last message */
  __u32 pad;
};
VNET_SIZE(struct vnet_dhcp_client, 16);

/*
 * Flows that a guest has opened, for ports with F_ESTABLISHED: a map per port, so that no port evicts
 * another's flows. The outer map is keyed by the port's slot, the inner by the flow as the guest sends it;
 * the value is the tick of its last packet.
 */
#define VNET_STARTED_MAX 8192

/* --allow, in two lookups, so that the cost does not grow with the rules: destination port, then source. */
struct vnet_allow_key {
  __u16 slot;
  __be16 port_be;
  __u8 proto;
  __u8 pad[3];
};
VNET_SIZE(struct vnet_allow_key, 8);

struct vnet_allow {
  __u32 anywhere; /* 0: only from the prefixes in allow_prefixes */
};
VNET_SIZE(struct vnet_allow, 4);

/* LPM; prefixlen is in bits of rule and addr, 96 more for IPv4. */
struct vnet_allow_source {
  __u32 prefixlen;
  struct vnet_allow_key rule;
  struct vnet_addr addr;
};
VNET_SIZE(struct vnet_allow_source, 28);

#define VNET_ALLOWS_MAX (1 << 16)

/* Where a group frame of direct attachment is flooded to, a bit mask (bpf/lib/flood.h). */
#define VNET_TO_BRIDGE 1 /* ports in bridge mode */
#define VNET_TO_VEPA 2
#define VNET_TO_PRIVATE 4
#define VNET_TO_HOST 8
/* Where a simulation notes in skb->cb the ifindex that is left out, and that mask. */
#define VNET_CB_EXCEPT 3
#define VNET_CB_TO 4

/* What a simulation would redirect to (bpf/lib/redirect.h). */
enum vnet_way {
  VNET_WAY_NONE,
  VNET_WAY_OUT,       /* the interface's egress */
  VNET_WAY_IN,        /* its ingress, as if received there */
  VNET_WAY_PEER,      /* the ingress of the veth's peer */
  VNET_WAY_NEIGHBOUR, /* its egress, once the next hop's MAC is resolved */
};

struct vnet_rehearsed {
  __u32 ifindex;
  __u32 way; /* enum vnet_way */
};
VNET_SIZE(struct vnet_rehearsed, 8);

/*
 * <vnet:macNat>: whose a frame is that comes to the parent's MAC, by the address that it is for. A port's
 * addresses are noted in a ring, so that it has the latest so many.
 */
#define VNET_MAC_NAT_MAX (1 << 16)
#define VNET_MAC_NAT_OF_PORT 32

struct vnet_mac_nat {
  __u32 ifindex;
  __u32 seen; /* tick of the guest's last packet from there, coarse */
  __u16 slot; /* the port's */
  __u8 mac[6];
};
VNET_SIZE(struct vnet_mac_nat, 16);

struct vnet_mac_nat_ring {
  __u32 next;
  struct vnet_addr addr[VNET_MAC_NAT_OF_PORT];
};
VNET_SIZE(struct vnet_mac_nat_ring, 516);

/* The ports of a parent or a gateway, numbered without gaps; the value is the port's ifindex. */
struct vnet_flood_key {
  __u32 parent; /* ifindex; or the gateway's */
  __u32 index;
};
VNET_SIZE(struct vnet_flood_key, 8);

#endif
