/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's interface, as far as it is needed: UAPI only, so that one object loads on every kernel from
 * 6.1 on. The few programs that read kernel structures include bpf/lib/kernel_struct.h; there is no
 * vmlinux.h. Constants newer than the headers of Debian 12 are defined here.
 */
#ifndef VNET_BPF_KERNEL_H
#define VNET_BPF_KERNEL_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

/* Rare branches are laid out behind the common path, which then takes fewer cache lines. */
#define unlikely(what) __builtin_expect(!!(what), 0)
#define likely(what)   __builtin_expect(!!(what), 1)

/*
 * Which build the program is of (loader/bpf/build.h): in a map of its own, which is found by its name
 * whatever else the constants are.
 */
const volatile __u64 program_build SEC(".rodata.build") = 0;

#define FIB_LOOKUP_OUTPUT     (1U << 1)
#define FIB_LOOKUP_SKIP_NEIGH (1U << 2) /* 6.3 */
#define FIB_LOOKUP_SRC	      (1U << 4) /* 6.7 */
#define FIB_LOOKUP_MARK	      (1U << 5) /* 6.10 */

#define AF_INET	 2
#define AF_INET6 10

#define EEXIST		17
#define ENODEV		19
#define EINVAL		22
#define CLOCK_MONOTONIC 1

#endif
