/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Protocol numbers that the UAPI does not define, or only in <linux/icmp.h> and <linux/icmpv6.h>, which
 * include the C library.
 */
#ifndef VNET_BPF_PROTOCOL_H
#define VNET_BPF_PROTOCOL_H

#include "bpf/lib/kernel.h"

#define IPPROTO_HIP	    139
#define IPPROTO_SHIM6	    140
#define IPPROTO_EXPERIMENTS 253 /* and above (RFC 3692) */

#define IP_MF	  0x2000
#define IP_OFFSET 0x1fff

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* Well-known ports: of UDP; DNS of TCP, too; FTP of TCP. */
#define PORT_FTP	  21
#define PORT_DNS	  53
#define PORT_DHCP_SERVER  67
#define PORT_DHCP_CLIENT  68
#define PORT_TFTP	  69
#define PORT_DHCP6_CLIENT 546
#define PORT_DHCP6_SERVER 547

/* RFC 792 */
#define ICMP_ECHOREPLY	    0
#define ICMP_DEST_UNREACH   3
#define ICMP_SOURCE_QUENCH  4
#define ICMP_REDIRECT	    5
#define ICMP_ECHO	    8
#define ICMP_ROUTER_ADVERT  9 /* RFC 1256 */
#define ICMP_TIME_EXCEEDED  11
#define ICMP_PARAMETERPROB  12
#define ICMP_TIMESTAMP	    13
#define ICMP_TIMESTAMPREPLY 14
#define ICMP_PORT_UNREACH   3 /* a code of ICMP_DEST_UNREACH */

/* RFC 4443 */
#define ICMPV6_DEST_UNREACH 1
#define ICMPV6_PARAMPROB    4
#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_ECHO_REPLY   129
#define ICMPV6_PORT_UNREACH 4 /* a code of ICMPV6_DEST_UNREACH */

/* Multicast listeners (RFC 2710, RFC 3810) and neighbour discovery (RFC 4861) */
#define MLD_QUERY	    130
#define MLD_REPORT	    131
#define MLD_DONE	    132
#define MLD2_REPORT	    143
#define ND_ROUTER_SOLICIT   133
#define ND_ROUTER_ADVERT    134
#define ND_NEIGHBOR_SOLICIT 135
#define ND_NEIGHBOR_ADVERT  136
#define ND_REDIRECT	    137

struct icmp_header {
	__u8 type;
	__u8 code;
	__sum16 checksum;
	__be32 rest;
};

static __always_inline int is_nd(u8 icmpv6_type)
{
	return icmpv6_type >= ND_ROUTER_SOLICIT && icmpv6_type <= ND_REDIRECT;
}

static __always_inline int is_mld(u8 icmpv6_type)
{
	return (icmpv6_type >= MLD_QUERY && icmpv6_type <= MLD_DONE) || icmpv6_type == MLD2_REPORT;
}

/* What a host without an address sends from ::: DAD, router solicitations and listener reports. */
static __always_inline int may_lack_ipv6_source(u8 icmpv6_type)
{
	return icmpv6_type == ND_NEIGHBOR_SOLICIT || icmpv6_type == ND_ROUTER_SOLICIT ||
	       icmpv6_type == MLD_REPORT || icmpv6_type == MLD_DONE || icmpv6_type == MLD2_REPORT;
}

#endif
