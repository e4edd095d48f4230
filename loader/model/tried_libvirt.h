/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The versions of libvirt with which the network driver for libvirtd has been tried: C and C++. */
#pragma once

#define VNET_TRIED_LIBVIRT(X) X(9, 0) X(11, 3) X(12, 8)
