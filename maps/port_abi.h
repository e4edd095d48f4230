/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of the contract that is about a port's guard: what its guest may send, and what may reach it.
 * Included by maps/abi.h.
 */
#ifndef VNET_MAPS_PORT_ABI_H
#define VNET_MAPS_PORT_ABI_H

#define VNET_PORT_F_MAC 1  /* mac is the only source allowed; otherwise MACs are learned */
#define VNET_PORT_F_PEER 2 /* see VNET_HOP_F_PEER */
#define VNET_PORT_F_DOWN 4 /* unplugged */
#define VNET_PORT_F_ISOLATED 8
/* Filters: what the guest may send (bpf/lib/guard.h, bpf/lib/filter.h). */
#define VNET_PORT_F_NO_MAC_SPOOFING 0x10 /* without F_MAC: the first MAC that is seen is the guest's */
#define VNET_PORT_F_NO_IP_SPOOFING 0x20
#define VNET_PORT_F_NO_ARP_SPOOFING 0x40
#define VNET_PORT_F_NO_IPV6_SPOOFING 0x80
#define VNET_PORT_F_NO_IP_MULTICAST 0x100
#define VNET_PORT_F_CLEAN 0x200       /* IP and ARP only, no DHCP server, no router */
#define VNET_PORT_F_DHCP_SERVER 0x400 /* all the same a DHCP server and a router, and believed */
/* Where addresses come from: without FIXED of a family, DHCP's answers; with AUTOCONF what it claims. */
#define VNET_PORT_F_FIXED4 0x800
#define VNET_PORT_F_FIXED6 0x1000
#define VNET_PORT_F_AUTOCONF 0x2000
/* Inbound (bpf/lib/inbound.h); neither: everything is accepted. */
#define VNET_PORT_F_ESTABLISHED 0x4000
#define VNET_PORT_F_SHUT 0x8000
/* Direct attachment (bpf/direct.bpf.c); neither: bridge mode. */
#define VNET_PORT_F_VEPA 0x10000
#define VNET_PORT_F_PRIVATE 0x20000

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
  __u16 pad;
};
VNET_SIZE(struct vnet_port, 16);

/*
 * The addresses that ports may use, one entry keyed by the port's slot and one by the network's, which says
 * whose it is. The gateway's own are nobody's (port 0).
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
  __u32 until; /* tick; 0: for good */
  __u32 seen;  /* tick of the last use, coarse; claimed ones only */
  __u16 port;  /* slot of the port that has it */
  __u8 source; /* enum vnet_address_source */
  __u8 pad;
};
VNET_SIZE(struct vnet_address, 12);

#define VNET_ADDRESSES_MAX (1 << 16)

/* The addresses that a port has claimed: beyond this many, the one that is idle longest goes. */
#define VNET_CLAIMS_MAX 16

struct vnet_claim_key {
  __u16 slot;
  __u16 index;
};
VNET_SIZE(struct vnet_claim_key, 4);

/* Whom a port asks for DHCP leases for: a guest, and what it runs. One that is silent for long makes room. */
#define VNET_DHCP_CLIENTS_MAX 32

struct vnet_dhcp_client {
  __u64 id;   /* a hash of MAC and client identifier */
  __u32 seen; /* tick */
  __u32 pad;
};
VNET_SIZE(struct vnet_dhcp_client, 16);

/*
 * Flows that a guest has started, for ports with F_ESTABLISHED: a map per port, so that nobody's flows push
 * out another's. The outer map is keyed by the port's slot, the inner by the flow as the guest sends it;
 * the value is the tick of its last packet.
 */
#define VNET_STARTED_MAX 8192

/* --allow, in two steps, so that the cost does not grow with the rules: the port first, then from where. */
struct vnet_allow_key {
  __u16 slot;
  __be16 port_be;
  __u8 proto;
  __u8 pad[3];
};
VNET_SIZE(struct vnet_allow_key, 8);

struct vnet_allow {
  __u32 anywhere; /* 0: only from the prefixes in the map of sources */
};
VNET_SIZE(struct vnet_allow, 4);

/* LPM; prefixlen counts the bits of the rule and of the address, 96 more for IPv4. */
struct vnet_allow_source {
  __u32 prefixlen;
  struct vnet_allow_key rule;
  struct vnet_addr addr;
};
VNET_SIZE(struct vnet_allow_source, 28);

#define VNET_ALLOWS_MAX (1 << 16)

/* Whom a group frame of direct attachment is for, as a set; see bpf/lib/flood.h. */
#define VNET_TO_BRIDGE 1 /* ports in bridge mode */
#define VNET_TO_VEPA 2
#define VNET_TO_PRIVATE 4
#define VNET_TO_HOST 8
/* Where a rehearsal notes it in skb->cb, and whom to leave out (ifindex). */
#define VNET_CB_EXCEPT 3
#define VNET_CB_TO 4

/* The redirect of a rehearsal (bpf/lib/redirect.h). */
enum vnet_way {
  VNET_WAY_NONE,
  VNET_WAY_OUT,       /* of the interface */
  VNET_WAY_IN,        /* by it, as if received there */
  VNET_WAY_PEER,      /* out of the interface at the veth's other end */
  VNET_WAY_NEIGHBOUR, /* out, once the next hop's MAC is known */
};

struct vnet_rehearsed {
  __u32 ifindex;
  __u32 way; /* enum vnet_way */
};
VNET_SIZE(struct vnet_rehearsed, 8);

/* Direct attachment: the ports of a parent, numbered without gaps; the value is the port's ifindex. */
struct vnet_flood_key {
  __u32 parent; /* ifindex */
  __u32 index;
};
VNET_SIZE(struct vnet_flood_key, 8);

#endif
