/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contract between the BPF programs and the loader: every structure that lives in a map, compiled
 * by both sides. Fixed widths, padding spelled out (map keys are compared byte by byte), network byte
 * order only in fields that end in _be. A change of a layout is a change of VNET_ABI_VERSION.
 */
#ifndef VNET_MAPS_ABI_H
#define VNET_MAPS_ABI_H

#include <linux/types.h>

#ifdef __cplusplus
#define VNET_SIZE(type, size) static_assert(sizeof(type) == (size), #type)
#else
#define VNET_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type)
#endif

#define VNET_ABI_VERSION 9

/*
 * A slot is a small number that the loader gives to everything that is counted: port, network, uplink.
 * Slot 0 is nobody's. 16 bits, because a packet carries its port's slot through the host stack in
 * skb->tc_index.
 */
#define VNET_SLOTS 8192
/* In tc_index: an uplink's ingress hook found the session; the gateway may let the packet pass. */
#define VNET_TC_INDEX_ADMITTED 0xffff
/* The same hook has judged it, and found it to be for no guest: if it is for one now, the host's NAT says so.
 */
#define VNET_TC_INDEX_JUDGED 0xfffe

#define VNET_SESSIONS_MAX (1 << 20)
#define VNET_FRAGMENTS_MAX (1 << 14)
#define VNET_PORTS_MAX VNET_SLOTS
#define VNET_FDB_MAX (1 << 16)
#define VNET_SUBNETS_MAX 4096
#define VNET_DEVICES_MAX 2048

/*
 * Ticks of 2^30 ns (1.07 s) of CLOCK_MONOTONIC, coarse: a shift instead of a division per packet.
 */
#define VNET_TICK_SHIFT 30

/* An IPv6 address, or an IPv4 one as ::ffff:a.b.c.d, so that one session table serves both families. */
struct vnet_addr {
  __be32 word_be[4];
};
VNET_SIZE(struct vnet_addr, 16);

/*
 * A direction of a connection, as a packet carries it. The ICMP echo id stands in the place of the
 * requester's port, the other port is 0; protocols without ports have both 0.
 */
struct vnet_flow {
  struct vnet_addr src;
  struct vnet_addr dst;
  __be16 sport_be;
  __be16 dport_be;
  __u8 proto;
  __u8 pad[3];
};
VNET_SIZE(struct vnet_flow, 40);

enum vnet_session_state {
  VNET_SESSION_NEW, /* nothing has come back yet */
  VNET_SESSION_ESTABLISHED,
  VNET_SESSION_CLOSING, /* one FIN */
  VNET_SESSION_CLOSED,  /* FINs acknowledged on both sides, or RST: the binding may be taken over */
};

#define VNET_SESSION_F_MASQUERADE 1 /* translated to the address of the route: follows its changes */
#define VNET_SESSION_F_INBOUND 2    /* opened from outside (port forward) */
#define VNET_SESSION_F_FIN_OUT 4
#define VNET_SESSION_F_FIN_IN 8
/*
 * When a flow may be fast: only what the host's own rules neither translate nor lead elsewhere. PLAIN: that
 * is known, and answers may go past the stack. STACK: it is not so, and both directions go through the stack,
 * so that the host's connection tracking sees all of it. Neither: not known yet.
 */
#define VNET_SESSION_F_PLAIN 16
#define VNET_SESSION_F_STACK 32
#define VNET_SESSION_F_ANSWERED 64 /* the beginner's next packet establishes it; TCP: if it acknowledges */
/*
 * One half of a hairpin: a guest that comes to its own network by a port forward has two sessions. One gives
 * it the gateway's address, as if it went out; the other leads in from there, as if from outside.
 */
#define VNET_SESSION_F_HAIRPIN 128

#define VNET_HOP_F_PEER 1 /* a veth whose other end is in another namespace: bpf_redirect_peer works */

/* Where a direction of a session leaves: cached for one tick, then looked up anew. */
struct vnet_hop {
  __u32 ifindex;
  __u32 tick; /* when it was looked up; 0: not yet */
  __u8 dmac[6];
  __u8 smac[6];
  __u16 mtu;
  __u16 slot; /* the port's, for its counters; 0 on uplinks */
};
VNET_SIZE(struct vnet_hop, 24);

/*
 * The timing wheel (bpf/lib/expiry.h): at `tick` somebody looks whether the session of a flow is over. Every
 * CPU numbers its own entries of a tick, so that none waits for another; a hash holds them in bunches of
 * consecutive numbers.
 */
#define VNET_WHEEL_TICKS 1024 /* longer than any timeout that is waited for at once */
#define VNET_WHEEL_BATCH 8
/* Two entries for each session, and a bunch begun by each of 256 CPUs for each tick. */
#define VNET_WHEEL_MAX (2 * VNET_SESSIONS_MAX / VNET_WHEEL_BATCH + 256 * VNET_WHEEL_TICKS)

struct vnet_due {
  __u32 tick;
  __u32 cpu;
  __u32 place;
};
VNET_SIZE(struct vnet_due, 12);

struct vnet_wheel_batch_key {
  __u32 tick;
  __u32 cpu;
  __u32 number; /* of the places from number * VNET_WHEEL_BATCH on */
};
VNET_SIZE(struct vnet_wheel_batch_key, 12);

struct vnet_wheel_batch {
  struct vnet_flow flow[VNET_WHEEL_BATCH]; /* meaningless where no entry has that place */
};
VNET_SIZE(struct vnet_wheel_batch, 320);

struct vnet_clock {
  __u64 timer[2];       /* struct bpf_timer */
  struct vnet_due hand; /* where the next turn goes on; tick 0: never wound */
  __u32 version;        /* of the programs that wound it last */
};
VNET_SIZE(struct vnet_clock, 32);

enum vnet_direction { VNET_OUT, VNET_IN, VNET_DIRECTIONS };

/* TCP's numbers are in host byte order; 0: not known yet (bpf/lib/tcp_window.h). */
struct vnet_leg {
  __u64 packets;
  __u64 bytes;
  struct vnet_hop hop;
  __u32 seen;  /* tick of the last packet */
  __u32 end;   /* TCP: the next number that this direction sends */
  __u32 ack;   /* ... what it has acknowledged of the other */
  __u32 limit; /* ... how far it lets the other send */
};
VNET_SIZE(struct vnet_leg, 56);

/*
 * The value of the session map, keyed by the guest's outgoing flow. The reverse map holds, keyed by
 * the flow that answers carry (to nat:nat_port), the key of its session. With one byte more an entry of the
 * hash (48 bytes, the key, the value, a link) would take twice the memory: 512 bytes instead of 256.
 */
struct vnet_session {
  struct vnet_due due;  /* its entry in the wheel: another that names this flow is stale */
  __u32 created;        /* tick */
  struct vnet_addr nat; /* what the outside sees; the guest's own address where nothing is translated */
  __be16 nat_port_be;
  __u8 state; /* enum vnet_session_state */
  __u8 flags;
  __u16 network; /* slots */
  __u16 port;
  __u8 scale[VNET_DIRECTIONS]; /* TCP's window scale and 1; 0: not known */
  __u8 hop_flags;              /* VNET_HOP_F_* of the hop inwards */
  __u8 pad;
  __u32 mark; /* of the packet when the host had routed it: chose the way, too */
  struct vnet_leg leg[VNET_DIRECTIONS];
};
VNET_SIZE(struct vnet_session, 160);

/*
 * Sessions begun from outside that are not established: the latest so many of each network, in a ring, so
 * that a flood pushes out nothing but its own.
 */
#define VNET_HALF_OPEN 1024
#define VNET_HALF_OPEN_UNHEARD 8 /* places behind them: port forwards to guests that nobody knows of */
struct vnet_half_open_key {
  __u32 network; /* slot */
  __u32 place;
};
VNET_SIZE(struct vnet_half_open_key, 8);
#define VNET_HALF_OPEN_MAX (1 << 16)

/*
 * Outside ports that differ from the guest's: its further flows from the same port try the same one first
 * (RFC 4787, REQ-1). LRU; the value is the outside port.
 */
struct vnet_mapping_key {
  struct vnet_addr guest;
  __be16 port_be;
  __u8 proto;
  __u8 pad;
};
VNET_SIZE(struct vnet_mapping_key, 20);

struct vnet_mapping {
  __be16 port_be;
  __u16 pad;
};
VNET_SIZE(struct vnet_mapping, 4);
#define VNET_MAPPINGS_MAX (1 << 16)

/* Later fragments carry no ports: they follow the first. Keyed as the packets carry it. */
struct vnet_fragment_key {
  struct vnet_addr src;
  struct vnet_addr dst;
  __u32 id;   /* as on the wire */
  __u8 proto; /* next header of the fragment header (IPv6), protocol (IPv4) */
  __u8 pad[3];
};
VNET_SIZE(struct vnet_fragment_key, 40);

struct vnet_fragment {
  __be16 sport_be;
  __be16 dport_be;
  __u8 proto;
  __u8 via_stack; /* the first went through the host stack, where it may wait for its later ones */
  __u8 early;     /* the first has not come yet, and a later one has gone through the host stack */
  __u8 pad;
  __u32 tick;
};
VNET_SIZE(struct vnet_fragment, 12);

/* Copies of later fragments that came in before their first, which alone says for whom they are. LRU. */
#define VNET_HELD_MAX 256
#define VNET_HELD_OF_ONE 8 /* packet */
#define VNET_HELD_BYTES 2048

struct vnet_frag_queue_key {
  struct vnet_fragment_key packet;
  __u32 place; /* below VNET_HELD_OF_ONE, without gaps */
};
VNET_SIZE(struct vnet_frag_queue_key, 44);

struct vnet_frag_queue {
  __u32 tick;
  __u32 bytes;
  __u8 frame[VNET_HELD_BYTES];
};
VNET_SIZE(struct vnet_frag_queue, 8 + VNET_HELD_BYTES);

#include "maps/port_abi.h"

/* Learned MACs per port; beyond that frames take the bridge's own path. */
#define VNET_LEARN_MAX 16

struct vnet_fdb_key {
  __u16 network; /* slot */
  __u8 mac[6];
};
VNET_SIZE(struct vnet_fdb_key, 8);

struct vnet_fdb_entry {
  __u32 ifindex;
  __u16 slot;
  __u8 flags; /* VNET_HOP_F_PEER */
  __u8 is_static;
};
VNET_SIZE(struct vnet_fdb_entry, 8);

/*
 * Bridged networks: a frame's way past the bridge, which the bridge itself has shown: it is noted where a
 * frame that came in by `ifindex` for this MAC goes out, and holds for VNET_SHORTCUT_TICKS. LRU.
 */
#define VNET_SHORTCUT_TICKS 4
#define VNET_SHORTCUTS_MAX (1 << 16)
struct vnet_shortcut_key {
  __u32 ifindex;
  __u8 mac[6];
  __u16 pad;
};
VNET_SIZE(struct vnet_shortcut_key, 12);

struct vnet_shortcut {
  __u32 ifindex;
  __u32 tick;
  __u32 generation;
  __u16 mtu;
  __u16 slot; /* the port's that it leads to; 0: an uplink member */
  __u8 flags; /* VNET_HOP_F_PEER */
  __u8 pad[3];
};
VNET_SIZE(struct vnet_shortcut, 20);

#define VNET_NETWORK_F_MASQUERADE4 1
#define VNET_NETWORK_F_MASQUERADE6 2
#define VNET_NETWORK_F_BYPASS 4    /* admitted in the port program, past the host's FORWARD rules */
#define VNET_NETWORK_F_VISIBLE 8   /* routed, open: others may begin, and see the guests' own addresses */
#define VNET_NETWORK_F_ISOLATED 16 /* nothing from or to anywhere but the host */
#define VNET_NETWORK_F_OPEN 32     /* no policy of ours: the host's firewall alone decides */
#define VNET_NETWORK_F_HOST_SERVICES 64 /* <vnet:host access>: DHCP, DNS, ping, and what the host began */
#define VNET_NETWORK_F_BRIDGED 256      /* the host's own bridge: no gateway of ours */
#define VNET_NETWORK_F_SHORTCUT 512     /* bridged: known frames may go past the bridge (only in the map) */
#define VNET_NETWORK_F_HOST_CLOSED 128  /* ... nothing but what the host began */

struct vnet_port_span {
  __u16 first; /* host byte order, closed interval; first > last: empty */
  __u16 last;
};

/* Keyed by the network's slot. */
struct vnet_network {
  __u32 gateway_ifindex;
  __u32 uplink_ifindex; /* <forward dev>; 0: any uplink */
  __u32 flags;
  __u32 max_sessions;
  __u32 max_sessions_per_port;
  struct vnet_port_span ports[2]; /* where others are looked for: the host's ephemeral range is cut out */
  struct vnet_port_span keep;     /* a guest's own port stays what it is in here */
  __u32 nat_first;                /* <nat><address>, host byte order; 0: masquerade */
  __u32 nat_last;
  __u32 generation;  /* bridged: shortcuts of an older one are void */
  __u32 new_flows;   /* <xdp newFlows>: per second and source, from outside; 0: no limit */
  __u32 gateway_vrf; /* ifindex of the VRF that the gateway is in: where the stack sees its packets come in */
  __u16 link_protocols; /* bit n: frames to 01:80:c2:00:00:0n go from guest to guest (group_fwd_mask) */
  __u16 pad;
};
VNET_SIZE(struct vnet_network, 56);

enum vnet_device_role {
  VNET_DEVICE_UPLINK = 1,
  VNET_DEVICE_GATEWAY = 2,
  VNET_DEVICE_MEMBER = 3, /* a bridge's own way out, of a bridged network */
  VNET_DEVICE_VRF = 4,    /* of uplinks: the stack sees their packets come in by it */
};

/*
 * Keyed by ifindex: what a routing result means to us. Uplinks and gateways count only with an entry in
 * `trusted_devices`, which is written when the programs have been seen attached, and which the kernel deletes
 * with the device: interface numbers come back.
 */
struct vnet_device {
  __u8 role; /* enum vnet_device_role */
  __u8 pad;
  __u16 slot;             /* the uplink's, or the gateway's network */
  struct vnet_addr addr4; /* masquerade addresses for kernels below 6.7, where the FIB does not tell */
  struct vnet_addr addr6;
};
VNET_SIZE(struct vnet_device, 36);

/* LPM: prefixlen counts the bits of addr, 96 more for IPv4. */
struct vnet_subnet_key {
  __u32 prefixlen;
  struct vnet_addr addr;
};
VNET_SIZE(struct vnet_subnet_key, 20);

struct vnet_subnet {
  __u16 network; /* slot */
  __u16 pad;
};
VNET_SIZE(struct vnet_subnet, 4);

/* The block list: LPM like the subnets; the value means nothing. */
#define VNET_BLOCKED_MAX 100000

/* Who begins flows from outside: the value is the time (ns, coarse) up to which its share is used. LRU. */
#define VNET_NEWCOMERS_MAX (1 << 16)
struct vnet_rate_key {
  struct vnet_addr source; /* IPv6: the /64 */
  __u16 network;           /* slot */
  __u16 pad;
};
VNET_SIZE(struct vnet_rate_key, 20);

/*
 * <portForward>: an entry for each port, keyed by what is sent to the host. listen: all zero where it is for
 * every address of the host's.
 */
#define VNET_FORWARDS_MAX (1 << 16)
struct vnet_port_forward_key {
  struct vnet_addr listen;
  __be16 port_be;
  __u8 proto;
  __u8 family; /* 4 or 6 */
};
VNET_SIZE(struct vnet_port_forward_key, 20);

#define VNET_FORWARD_F_FROM 1 /* only for whom is in forward_sources */
#define VNET_FORWARD_F_ANY 2  /* found under no address: of every one of the host's */

struct vnet_port_forward {
  struct vnet_addr to;
  __be16 port_be;
  __u16 network;   /* slot */
  __be16 first_be; /* of the range of ports that it is of, which its sources are kept under */
  __u16 flags;     /* VNET_FORWARD_F_* */
};
VNET_SIZE(struct vnet_port_forward, 24);

/* LPM; prefixlen counts the bits of the rule and of the address, 96 more for IPv4. */
struct vnet_forward_source {
  __u32 prefixlen;
  struct vnet_port_forward_key rule; /* of the first port */
  struct vnet_addr addr;
};
VNET_SIZE(struct vnet_forward_source, 40);

/*
 * The host's own way to port forwards (bpf/host.bpf.c): the addresses that are the host's, and what its
 * sockets believe to talk to. LRU.
 */
#define VNET_HOST_ADDRESSES_MAX 4096
#define VNET_HOST_PEERS_MAX (1 << 14)
struct vnet_host_peer_key {
  __u64 socket; /* its cookie */
  struct vnet_addr guest;
  __be16 port_be;
  __u8 proto;
  __u8 pad[5];
};
VNET_SIZE(struct vnet_host_peer_key, 32);

struct vnet_host_peer {
  struct vnet_addr addr;
  __be16 port_be;
  __u16 pad;
};
VNET_SIZE(struct vnet_host_peer, 20);

/* Per CPU, indexed by slot. rx: what the guest (port) or the host (uplink) received. */
struct vnet_traffic {
  __u64 rx_packets, rx_bytes, tx_packets, tx_bytes;
  __u64 forwarded; /* uplink: those of rx that XDP has given to their guests itself */
};
VNET_SIZE(struct vnet_traffic, 40);

/* Per CPU hash; the value is a __u64. */
struct vnet_drop_key {
  __u16 slot;
  __u16 reason; /* enum vnet_reason */
};
VNET_SIZE(struct vnet_drop_key, 4);

/* Indexed by slot; written by all CPUs with atomics, on the slow path only. */
struct vnet_quota_usage {
  __u32 sessions;    /* begun by guests */
  __u32 inbound;     /* begun from outside */
  __u32 half_open;   /* of those so far: the next place in their ring */
  __u32 learned;     /* MACs */
  __u32 reject_tick; /* token bucket of ICMP refusals */
  __u32 reject_tokens;
};
VNET_SIZE(struct vnet_quota_usage, 24);

/* Port allocation: how many tries a binding took, index 32: none found. Per CPU. */
#define VNET_PROBE_MAX 32

/*
 * Readers of drops, in one entry. A reader claims a place by moving its `until` into the future, and goes on
 * doing so for as long as it reads.
 */
#define VNET_MONITORS_MAX 4
#define VNET_MONITOR_RING (1 << 20) /* bytes */

struct vnet_reader {
  __u64 until;   /* CLOCK_MONOTONIC, ns; past: free */
  __u64 reasons; /* a bit for each enum vnet_reason; 0: all */
  __u16 network; /* slots; 0: all */
  __u16 port;
  __s32 tokens; /* events that may be shown: the reader grants them as time goes by */
  __u64 pad;
};
VNET_SIZE(struct vnet_reader, 32);

struct vnet_readers {
  __u64 until; /* the latest of all; 0: nobody, and nothing more is looked at */
  struct vnet_reader each[VNET_MONITORS_MAX];
};
VNET_SIZE(struct vnet_readers, 136);

#define VNET_EVENT_BYTES 256

/* One dropped packet: what is known of it, then its first bytes. */
struct vnet_event_head {
  __u64 time;    /* CLOCK_MONOTONIC, ns */
  __u32 ifindex; /* where it was dropped */
  __u32 length;  /* as it arrived there, link header included */
  __u16 hook;    /* enum vnet_hook */
  __u16 reason;  /* enum vnet_reason */
  __u16 slot;    /* what counted it */
  __u16 network; /* slots; 0: not known */
  __u16 port;
  __u16 captured;       /* bytes that follow */
  __be16 protocol_be;   /* EtherType, behind tags that are in the metadata */
  __be16 vlan_proto_be; /* a tag in the metadata, not in the bytes; 0: none */
  __u16 vlan_tci;
  __u16 pad[3];
};
VNET_SIZE(struct vnet_event_head, 40);

struct vnet_event {
  struct vnet_event_head head;
  __u8 bytes[VNET_EVENT_BYTES];
};
VNET_SIZE(struct vnet_event, 40 + VNET_EVENT_BYTES);

/* One entry, written by the loader that creates the maps; only `blocks` changes. */
struct vnet_settings {
  __u32 abi_version;
  __u32 blocks; /* 0: the block list is empty, and nobody looks into it */
  __u64 secret; /* marks packets that our own programs have redirected (see bpf/lib/mark.h) */
};
VNET_SIZE(struct vnet_settings, 16);

#endif
