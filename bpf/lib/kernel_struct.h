/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For the few programs that read kernel structures: each declares the fields that it reads, and CO-RE
 * relocates them. A type's suffix from "___" on is ignored when it is matched with the kernel's.
 */
#ifndef VNET_BPF_KERNEL_STRUCT_H
#define VNET_BPF_KERNEL_STRUCT_H

#include "bpf/lib/kernel.h"

#include <bpf/bpf_core_read.h> /* does not include what defines __u64 */

#define kernel_struct __attribute__((preserve_access_index))

/* The low bits of two pointers in struct sk_buff are flags (include/linux/skbuff.h). */
#define SKB_DST_PTRMASK (~1UL) /* _skb_refdst: no reference is held */
#define NFCT_PTRMASK	(~7UL) /* _nfct: enum ip_conntrack_info */

#endif
