/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The account of a packet at a port. */
#ifndef VNET_BPF_AT_PORT_H
#define VNET_BPF_AT_PORT_H

#include "bpf/lib/account.h"
#include "bpf/lib/network.h"

/* Without a port, which is a drop: the network's. */
static __always_inline struct account at_port(enum vnet_hook hook, const struct vnet_port *port,
					      enum counted what, u32 bytes)
{
	struct account a = {.hook = hook, .bytes = bytes, .slot = network_slot, .network = network_slot};

	if (port) {
		a.counts = what;
		a.slot = port->slot;
		a.network = port->network;
		a.port = port->slot;
	}
	return a;
}

#endif
