/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ABI between the BPF programs and the loader: every structure stored in a map, compiled by both
 * sides. Fixed-width types, explicit padding (map keys are compared byte by byte); names of fields in
 * network byte order end in _be. Any change of a layout increments VNET_ABI_VERSION.
 */
#ifndef VNET_MAPS_ABI_H
#define VNET_MAPS_ABI_H

#include <linux/types.h>

#ifdef __cplusplus
#define VNET_SIZE(type, size) static_assert(sizeof(type) == (size), #type)
#else
#define VNET_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type)
#endif

#define VNET_ABI_VERSION 10

/*
 * A slot is a small number that the loader assigns to everything that has counters: port, network,
 * uplink. Slot 0 is reserved. 16 bits, because a packet carries its port's slot through the host's stack
 * in skb->tc_index.
 */
#define VNET_SLOTS 8192
/* In tc_index: an uplink's ingress hook has found a session, the gateway lets the packet pass. */
#define VNET_TC_INDEX_ADMITTED 0xffff
/* The same hook has found that no guest is addressed: if one is, at the gateway, that is the host's DNAT. */
#define VNET_TC_INDEX_JUDGED 0xfffe

#define VNET_SESSIONS_MAX (1 << 20)
#define VNET_FRAGMENTS_MAX (1 << 14)
#define VNET_PORTS_MAX VNET_SLOTS
#define VNET_FDB_MAX (1 << 16)
#define VNET_SUBNETS_MAX 4096
#define VNET_DEVICES_MAX 2048

/*
 * A tick is 2^30 ns (1.07 s) of the coarse CLOCK_MONOTONIC: a shift instead of a division per packet.
 */
#define VNET_TICK_SHIFT 30

/* An IPv6 address, or an IPv4-mapped one (::ffff:a.b.c.d), so that both families share the session table. */
struct vnet_addr {
  __be32 word_be[4];
};
VNET_SIZE(struct vnet_addr, 16);

/*
 * One direction of a connection, as in the packet's headers. With ICMP the identifier of a request is the
 * requester's port, and the other port is 0; protocols without ports have 0 in both.
 */
struct vnet_flow {
  struct vnet_addr src;
  struct vnet_addr dst;
  __be16 sport_be;
  __be16 dport_be;
  __u8 proto;
  __u8 kind; /* enum vnet_flow_kind; of packets 0 */
  __u8 pad[2];
};
VNET_SIZE(struct vnet_flow, 40);

/*
 * Kinds of entries of the session table. Beside connections there are (bpf/lib/mapping.h):
 * MAPPING: the outside port of a guest's UDP port, for all endpoints. dst is the outside address, dport 0.
 * PEER: an address that may send to the guest's port from any port. dst is that address, dport 0.
 */
enum vnet_flow_kind { VNET_FLOW_PACKETS, VNET_FLOW_MAPPING, VNET_FLOW_PEER };

enum vnet_session_state {
  VNET_SESSION_NEW, /* no reply yet */
  VNET_SESSION_ESTABLISHED,
  VNET_SESSION_CLOSING, /* one FIN */
  VNET_SESSION_CLOSED,  /* both FINs acknowledged, or RST: the outside port may be taken over */
};

#define VNET_SESSION_F_MASQUERADE 1 /* SNAT to the route's source address: void when that changes */
#define VNET_SESSION_F_INBOUND 2    /* opened from outside */
#define VNET_SESSION_F_FIN_OUT 4
#define VNET_SESSION_F_FIN_IN 8
/*
 * A flow may take the fast path if the host's own rules neither translate nor reroute it. PLAIN: they do not,
 * replies may bypass the stack. STACK: they do, both directions take the stack, so that conntrack sees the
 * whole connection. Neither: not known yet.
 */
#define VNET_SESSION_F_PLAIN 16
#define VNET_SESSION_F_STACK 32
#define VNET_SESSION_F_ANSWERED 64 /* the initiator's next packet (TCP: its ACK) establishes the session */
/*
 * One half of a hairpin: a guest that reaches its own network by a port forward has two sessions. One gives
 * it the gateway's address, as if it went out; the other comes in from there, as if from outside.
 */
#define VNET_SESSION_F_HAIRPIN 128

/* Sessions with a mapping or a peer, which their outbound packets refresh; and such entries themselves. */
#define VNET_MAPPED_PORT 1    /* its mapping */
#define VNET_MAPPED_PEER 2    /* its peer's entry */
#define VNET_MAPPED_IN 4      /* opened from outside, by one of the two */
#define VNET_MAPPED_RELATED 8 /* of a peer: it replies to an admitted request (TFTP, FTP) */
#define VNET_MAPPED_SHARED 16 /* of a mapping: the host's NAT uses its port, too */
#define VNET_MAPPED_FTP 32    /* an FTP control connection, in which commands are rewritten (bpf/lib/ftp.h) */

#define VNET_HOP_F_PEER 1 /* a veth with its peer in another netns: bpf_redirect_peer() works */

/* The next hop of a session's direction: cached for one tick, then looked up again. */
struct vnet_hop {
  __u32 ifindex;
  __u32 tick; /* of the lookup; 0: none yet */
  __u8 dmac[6];
  __u8 smac[6];
  __u16 mtu;  /* bytes, without the link header */
  __u16 slot; /* the port's, for its counters; 0 on uplinks */
};
VNET_SIZE(struct vnet_hop, 24);

/*
 * The timer wheel (bpf/lib/expiry.h): at `tick` the session of a flow is checked for expiry. Each CPU numbers
 * its own entries of a tick, so that CPUs do not contend; a hash holds them in batches of consecutive
 * numbers.
 */
#define VNET_WHEEL_TICKS 1024 /* longer than any single wait */
#define VNET_WHEEL_BATCH 8
/* Two entries per session, and one partial batch per tick for each of 256 CPUs. */
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
  __u32 number; /* place / VNET_WHEEL_BATCH */
};
VNET_SIZE(struct vnet_wheel_batch_key, 12);

struct vnet_wheel_batch {
  struct vnet_flow flow[VNET_WHEEL_BATCH]; /* undefined where no entry has that place */
};
VNET_SIZE(struct vnet_wheel_batch, 320);

struct vnet_clock {
  __u64 timer[2];       /* struct bpf_timer */
  struct vnet_due hand; /* where the next run continues; tick 0: never started */
  __u32 version;        /* of the programs that started it last */
};
VNET_SIZE(struct vnet_clock, 32);

enum vnet_direction { VNET_OUT, VNET_IN, VNET_DIRECTIONS };

/* TCP sequence numbers are in host byte order; 0: not known yet (bpf/lib/tcp_window.h). */
struct vnet_leg {
  __u64 packets;
  __u64 bytes;
  struct vnet_hop hop;
  __u32 seen;  /* tick of the last packet */
  __u32 end;   /* TCP: highest seq + length sent */
  __u32 ack;   /* ... highest ack sent */
  __u32 limit; /* ... highest ack + window offered to the peer */
};
VNET_SIZE(struct vnet_leg, 56);

/*
 * The value of `sessions`, keyed by the guest's outbound flow. `rev_nat` maps the flow of the replies (to
 * nat:nat_port) to that key. One byte more would double the memory of a hash entry (48 bytes, key, value and
 * a link) from 256 to 512 bytes.
 */
struct vnet_session {
  struct vnet_due due;  /* its entry in the wheel: any other entry for this flow is stale */
  __u32 created;        /* tick */
  struct vnet_addr nat; /* as seen from outside; the guest's own address if not translated */
  __be16 nat_port_be;
  __u8 state; /* enum vnet_session_state */
  __u8 flags;
  __u16 network; /* slots */
  __u16 port;
  __u8 scale[VNET_DIRECTIONS]; /* TCP window scale + 1; 0: not known */
  __u8 hop_flags;              /* VNET_HOP_F_* of the inbound hop */
  __u8 mapped;                 /* VNET_MAPPED_* */
  __u32 mark;                  /* skb->mark behind the host's routing, which may depend on it */
  struct vnet_leg leg[VNET_DIRECTIONS];
};
VNET_SIZE(struct vnet_session, 160);

/*
 * Half-open sessions: the latest ones of each network, in a ring, so that a flood evicts only its own.
 */
#define VNET_HALF_OPEN 1024
#define VNET_HALF_OPEN_UNHEARD 8 /* further places: port forwards to guests whose port is not known */
struct vnet_half_open_key {
  __u32 network; /* slot */
  __u32 place;
};
VNET_SIZE(struct vnet_half_open_key, 8);
#define VNET_HALF_OPEN_MAX (1 << 16)

/*
 * Outside ports that differ from the guest's: its later flows from the same port try the same one first
 * (RFC 4787 REQ-1). LRU; the value is the outside port.
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

/* Change of length of what a guest has sent in a TCP session, in bytes. Keyed as the session. */
#define VNET_SEQ_SHIFTS_MAX (1 << 14)
struct vnet_seq_shift {
  __u32 at;     /* the guest's number of the last segment that was changed; host byte order */
  __s32 before; /* up to it */
  __s32 after;
  __u32 pad;
};
VNET_SIZE(struct vnet_seq_shift, 16);

/* Later fragments carry no ports and follow their first. Keyed as in the packets' headers. */
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
  __u8 via_stack; /* the first went to the host's stack, which may be reassembling */
  __u8 early;     /* the first has not arrived yet, and a later one went to the host's stack */
  __u8 pad;
  __u32 tick;
};
VNET_SIZE(struct vnet_fragment, 12);

/* Held fragments: copies of later ones that arrived before the first. LRU. */
#define VNET_HELD_MAX 256
#define VNET_HELD_OF_ONE 8   /* per packet */
#define VNET_HELD_BYTES 2048 /* longest frame */

struct vnet_frag_queue_key {
  struct vnet_fragment_key packet;
  __u32 place; /* 0 to VNET_HELD_OF_ONE - 1, without gaps */
};
VNET_SIZE(struct vnet_frag_queue_key, 44);

struct vnet_frag_queue {
  __u32 tick;
  __u32 bytes;
  __u8 frame[VNET_HELD_BYTES];
};
VNET_SIZE(struct vnet_frag_queue, 8 + VNET_HELD_BYTES);

#include "maps/limit_abi.h"
#include "maps/port_abi.h"

/* Learned MACs per port; frames to further ones are flooded, or left to the host's bridge. */
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
 * Bridged networks: a frame's path past the bridge, as the bridge itself has forwarded it: noted where a
 * frame that arrived on `ifindex` for this MAC goes out, valid for VNET_SHORTCUT_TICKS. LRU.
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
  __u16 slot; /* of the destination port; 0: the bridge uplink */
  __u8 flags; /* VNET_HOP_F_PEER */
  __u8 pad[3];
};
VNET_SIZE(struct vnet_shortcut, 20);

#define VNET_NETWORK_F_MASQUERADE4 1
#define VNET_NETWORK_F_MASQUERADE6 2
#define VNET_NETWORK_F_BYPASS 4         /* admission in the port's program, before the host's FORWARD rules */
#define VNET_NETWORK_F_VISIBLE 8        /* route, open: the outside may open connections to its guests */
#define VNET_NETWORK_F_ISOLATED 16      /* no traffic but with the host and among its guests */
#define VNET_NETWORK_F_OPEN 32          /* no policy of ours: the host's firewall alone decides */
#define VNET_NETWORK_F_HOST_SERVICES 64 /* <vnet:host access>: DHCP, DNS, ping, and replies to the host */
#define VNET_NETWORK_F_BRIDGED 256      /* the host's own bridge: no gateway of ours */
#define VNET_NETWORK_F_SHORTCUT 512     /* bridged: known frames may bypass the bridge (only in the map) */
#define VNET_NETWORK_F_HOST_CLOSED 128  /* <vnet:host access>: replies to the host only */
/* Only in the map: <vnet:nat>. UDP ports are mapped independently of the far end (RFC 4787), ... */
#define VNET_NETWORK_F_ONE_MAPPING 1024
#define VNET_NETWORK_F_FROM_ANYBODY 2048 /* ... and who knows the mapping may send to it; */
#define VNET_NETWORK_F_FROM_PEERS 4096   /* those whose address the guest has sent to may. Neither: answers */

/* Seconds. <vnet:timeouts>. */
#define VNET_UDP_NEW_SECONDS 120        /* at most, before an answer */
#define VNET_TCP_TRANSITORY_SECONDS 240 /* opening or closing (RFC 5382 REQ-5) */
#define VNET_TCP_CLOSED_SECONDS 10
enum vnet_timeout {
  VNET_TIMEOUT_TCP,
  VNET_TIMEOUT_UDP,
  VNET_TIMEOUT_ICMP,
  VNET_TIMEOUT_OTHER,
  VNET_TIMEOUTS
};

struct vnet_port_span {
  __u16 first; /* host byte order, both inclusive; first > last: empty */
  __u16 last;
};

/* Keyed by the network's slot. */
struct vnet_network {
  __u32 gateway_ifindex;
  __u32 uplink_ifindex; /* <forward dev>; 0: any uplink */
  __u32 flags;
  __u32 max_sessions;
  __u32 max_sessions_per_port;
  struct vnet_port_span ports[2]; /* port range for allocation, without the host's ephemeral range */
  struct vnet_port_span keep;     /* UDP source ports in here are kept */
  __u32 nat_first;                /* <nat><address>, host byte order; 0: masquerade */
  __u32 nat_last;
  __u32 generation;     /* bridged: shortcuts of an older generation are void */
  __u32 new_flows;      /* <xdp newFlows>: from outside, per second and source; 0: no limit */
  __u32 gateway_vrf;    /* ifindex of the gateway's VRF, which is the stack's input device; 0: none */
  __u16 link_protocols; /* bit n: frames to 01:80:c2:00:00:0n pass between guests (group_fwd_mask) */
  __u16 vlan;           /* the gateway's VLAN; 0: none */
  __u32 timeouts[VNET_TIMEOUTS]; /* 0: the default */
};
VNET_SIZE(struct vnet_network, 72);

enum vnet_device_role {
  VNET_DEVICE_UPLINK = 1,
  VNET_DEVICE_GATEWAY = 2,
  VNET_DEVICE_MEMBER = 3, /* bridge uplink of a bridged network */
  VNET_DEVICE_VRF = 4,    /* of uplinks: the stack's input device for their packets */
};

/*
 * Keyed by ifindex: what a routing result means to us. Uplinks and gateways are valid only with an entry in
 * `trusted_devices`, which is written after the programs have been seen attached, and which the kernel
 * deletes with the device: ifindexes are reused.
 */
struct vnet_device {
  __u8 role; /* enum vnet_device_role */
  __u8 pad;
  __u16 slot;             /* the uplink's, or the gateway's network */
  struct vnet_addr addr4; /* masquerade addresses for kernels below 6.7, whose FIB lookup returns none */
  struct vnet_addr addr6;
};
VNET_SIZE(struct vnet_device, 36);

/* LPM: prefixlen is in bits of addr, 96 more for IPv4. */
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

/* The block list: LPM, keyed as the subnets; the value is unused. */
#define VNET_BLOCKED_MAX 100000

/* Rate limit of new flows from outside: the value is a source's theoretical arrival time (coarse ns). LRU. */
#define VNET_NEWCOMERS_MAX (1 << 16)
struct vnet_rate_key {
  struct vnet_addr source; /* IPv6: the /64 */
  __u16 network;           /* slot */
  __u16 pad;
};
VNET_SIZE(struct vnet_rate_key, 20);

/*
 * <portForward>: an entry per port, keyed by the original destination. listen: all zero for every address of
 * the host.
 */
#define VNET_FORWARDS_MAX (1 << 16)
struct vnet_port_forward_key {
  struct vnet_addr listen;
  __be16 port_be;
  __u8 proto;
  __u8 family; /* 4 or 6 */
};
VNET_SIZE(struct vnet_port_forward_key, 20);

#define VNET_FORWARD_F_FROM 1 /* only for sources in forward_sources */
#define VNET_FORWARD_F_ANY 2  /* for every address of the host */

struct vnet_port_forward {
  struct vnet_addr to;
  __be16 port_be;
  __u16 network;   /* slot */
  __be16 first_be; /* first port of its range, the key of its sources */
  __u16 flags;     /* VNET_FORWARD_F_* */
};
VNET_SIZE(struct vnet_port_forward, 24);

/* LPM; prefixlen is in bits of rule and addr, 96 more for IPv4. */
struct vnet_forward_source {
  __u32 prefixlen;
  struct vnet_port_forward_key rule; /* of the first port */
  struct vnet_addr addr;
};
VNET_SIZE(struct vnet_forward_source, 40);

/*
 * Port forwards for the host's own sockets (bpf/host.bpf.c): the host's addresses, and (LRU) the destination
 * that a socket asked for.
 */
#define VNET_HOST_ADDRESSES_MAX 4096
#define VNET_HOST_PEERS_MAX (1 << 14)
struct vnet_host_peer_key {
  __u64 socket; /* cookie */
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
  __u64 forwarded; /* uplink: packets of rx that XDP has redirected to guests */
};
VNET_SIZE(struct vnet_traffic, 40);

/* Per-CPU hash; the value is a __u64 count of packets. */
struct vnet_drop_key {
  __u16 slot;
  __u16 reason; /* enum vnet_reason */
};
VNET_SIZE(struct vnet_drop_key, 4);

/* Indexed by slot; updated atomically by all CPUs, on the slow path only. */
struct vnet_quota_usage {
  __u32 sessions;    /* opened by guests */
  __u32 inbound;     /* opened from outside */
  __u32 half_open;   /* so far: the next place in the ring */
  __u32 learned;     /* MACs */
  __u32 reject_tick; /* token bucket of rejects; bridged: of new MACs */
  __u32 reject_tokens;
};
VNET_SIZE(struct vnet_quota_usage, 24);

/* Port allocation: histogram of the probes per session, last index: no port found. Per CPU. */
#define VNET_PROBE_MAX 32

/*
 * All readers of drops, in one entry. A reader claims a place by moving its `until` into the future, and
 * renews that for as long as it reads.
 */
#define VNET_MONITORS_MAX 4
#define VNET_MONITOR_RING (1 << 20) /* bytes */

struct vnet_reader {
  __u64 until;   /* CLOCK_MONOTONIC, ns; in the past: free */
  __u64 reasons; /* a bit per enum vnet_reason; 0: all */
  __u16 network; /* slots; 0: all */
  __u16 port;
  __s32 tokens; /* events that it may still get: the reader refills them */
  __u64 pad;
};
VNET_SIZE(struct vnet_reader, 32);

struct vnet_readers {
  __u64 until; /* the latest of all; 0: no reader, nothing else is read */
  struct vnet_reader each[VNET_MONITORS_MAX];
};
VNET_SIZE(struct vnet_readers, 136);

#define VNET_EVENT_BYTES 256

/* One dropped packet: metadata, then its first bytes. */
struct vnet_event_head {
  __u64 time;    /* CLOCK_MONOTONIC, ns */
  __u32 ifindex; /* where it was dropped */
  __u32 length;  /* bytes as it arrived there, link header included */
  __u16 hook;    /* enum vnet_hook */
  __u16 reason;  /* enum vnet_reason */
  __u16 slot;    /* whose counter it is in */
  __u16 network; /* slots; 0: not known */
  __u16 port;
  __u16 captured;       /* bytes that follow */
  __be16 protocol_be;   /* EtherType behind a tag in the metadata */
  __be16 vlan_proto_be; /* of a tag in the metadata, not in the bytes; 0: none */
  __u16 vlan_tci;       /* host byte order */
  __u16 pad[3];
};
VNET_SIZE(struct vnet_event_head, 40);

struct vnet_event {
  struct vnet_event_head head;
  __u8 bytes[VNET_EVENT_BYTES];
};
VNET_SIZE(struct vnet_event, 40 + VNET_EVENT_BYTES);

/*
 * One entry, written by the loader that creates the maps; only `blocks` changes. Its size stays: each version
 * reads it as its own to learn which layout it has found.
 */
struct vnet_settings {
  __u32 abi_version;
  __u32 blocks; /* 0: the block list is empty, no lookup */
  __u64 secret; /* the cb cookie of packets that our programs have redirected (bpf/lib/mark.h) */
};
VNET_SIZE(struct vnet_settings, 16);

#endif
