/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For the few programs that read structures of the kernel: each names the fields that it reads, and BTF says
 * where this kernel has them. A type's name ends at "___" for the kernel.
 */
#ifndef VNET_BPF_KERNEL_STRUCT_H
#define VNET_BPF_KERNEL_STRUCT_H

#include "bpf/lib/kernel.h"

#include <bpf/bpf_core_read.h> /* takes __u64 from others */

#define kernel_struct __attribute__((preserve_access_index))

/* The low bits of two pointers in struct sk_buff are flags (include/linux/skbuff.h). */
#define SKB_DST_PTRMASK (~1UL) /* _skb_refdst: no reference is held */
#define NFCT_PTRMASK	(~7UL) /* _nfct: enum ip_conntrack_info */

#endif
