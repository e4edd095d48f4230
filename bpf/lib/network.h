/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Constants of the network that these programs are loaded for: the verifier prunes by them. */
#ifndef VNET_BPF_NETWORK_H
#define VNET_BPF_NETWORK_H

#include "bpf/lib/kernel.h"

const volatile __u16 network_slot;
const volatile __u32 gateway_ifindex;
const volatile __u8 gateway_mac[8] __attribute__((aligned(4)));
const volatile __u32 network_flags; /* VNET_NETWORK_F_* */

#endif
