/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Active FTP of masqueraded guests (RFC 959, RFC 2428): PORT and EPRT tell the server the guest's address and
 * the port to connect to. They are rewritten to the outside address and port, and the server is admitted to
 * that port (a peer, bpf/lib/mapping.h). If the length of the line changes, so do the sequence numbers behind
 * it.
 *
 * Control connections are slow-path sessions, so that all this is done at the uplink. SACK is disabled on
 * them, because its blocks would have to be changed, too. Only a segment that is one whole command is
 * rewritten.
 */
#ifndef VNET_BPF_FTP_H
#define VNET_BPF_FTP_H

#include "bpf/lib/mapping.h"

#define FTP_LINE_MIN 12 /* of PORT 0,0,0,0,0,1 */
#define FTP_LINE     64 /* of an EPRT with the longest IPv6 address: 56 */

#define TCP_OPTION_SACK_PERMITTED 4

struct ftp_scratch {
	u8 line[FTP_LINE]; /* as the guest has sent it */
	u8 room[FTP_LINE]; /* and as it leaves */
	u32 bytes;	   /* of it */
	u32 port;	   /* that the line names; 0: it is no such command */
	u32 outside;	   /* that the outside sees of it; 0: none */
	u32 extended;	   /* EPRT */
	/* Of who reads it. */
	u32 begin;
	u32 number;
	u32 before;
	u32 fields;
};
VNET_MAP(ftp_scratch_map, BPF_MAP_TYPE_PERCPU_ARRAY, 1, u32, struct ftp_scratch, 0);

static __always_inline struct ftp_scratch *ftp_scratch(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&ftp_scratch_map, &zero);
}

static __always_inline int is_letter(u8 byte, u8 capital)
{
	return (byte & 0xdf) == capital;
}

/*
 * Parsing, one byte a step: PORT a,b,c,d,high,low and EPRT |1|address|port|. The state is in the map, where
 * it does not multiply the verifier's work. Not 0: done, f->port is the result.
 */
static __always_inline int read_digit(volatile struct ftp_scratch *f, u8 byte)
{
	f->number = f->number * 10 + (byte - '0');
	return f->number > 0xffff;
}

static __always_inline int step_port(volatile struct ftp_scratch *f, u8 byte)
{
	if (byte >= '0' && byte <= '9')
		return read_digit(f, byte);
	if (byte != ',') {
		if (f->fields == 5 && (byte == '\r' || byte == '\n') && f->number <= 255 && f->before <= 255)
			f->port = f->before << 8 | f->number;
		return 1;
	}
	f->fields++;
	f->before = f->number;
	f->number = 0;
	return 0;
}

static __always_inline int step_eprt(volatile struct ftp_scratch *f, u8 byte)
{
	if (byte == f->line[5]) {
		f->fields++;
		if (f->fields < 2)
			return 0;
		f->port = f->number;
		return 1;
	}
	if (!f->fields)
		return 0;
	return byte < '0' || byte > '9' || read_digit(f, byte);
}

static long parse_step(u32 i, void *context __attribute__((unused)))
{
	volatile struct ftp_scratch *f = ftp_scratch();
	u32 at;

	if (!f)
		return 1;
	at = f->begin + i;
	if (at >= FTP_LINE)
		return 1;
	return f->extended ? step_eprt(f, f->line[at]) : step_port(f, f->line[at]);
}

/* Reads the command, if it is one: f->port. */
__noinline int read_ftp_command(struct __sk_buff *skb)
{
	struct packet *p = scratch_packet();
	struct ftp_scratch *f = ftp_scratch();
	u32 bytes, at;

	if (!p || !f)
		return 0;
	f->port = 0;
	bytes = p->data;
	if (bytes < FTP_LINE_MIN || bytes > FTP_LINE || skb->gso_size || skb->len != end_of(p))
		return 0;
	__builtin_memset(f->line, 0, sizeof(f->line));
	at = end_of(p) - bytes;
	asm volatile("" : "+r"(bytes));
	if (bytes < FTP_LINE_MIN || bytes > FTP_LINE || bpf_skb_load_bytes(skb, at, f->line, bytes))
		return 0;
	if (f->line[(bytes - 1) & (FTP_LINE - 1)] != '\n' || f->line[4] != ' ' ||
	    !is_letter(f->line[2], 'R') || !is_letter(f->line[3], 'T'))
		return 0;
	f->extended = is_letter(f->line[0], 'E') && is_letter(f->line[1], 'P');
	/* Of another family than the connection, or another command. */
	if (f->extended ? f->line[6] != (p->family == 4 ? '1' : '2') || f->line[7] != f->line[5]
			: p->family != 4 || !is_letter(f->line[0], 'P') || !is_letter(f->line[1], 'O'))
		return 0;
	f->begin = f->extended ? 8 : 5;
	f->number = f->before = f->fields = 0;
	bpf_loop(FTP_LINE, parse_step, NULL, 0);
	return 0;
}

static __always_inline void write_byte(struct ftp_scratch *f, u8 byte)
{
	f->room[f->bytes & (FTP_LINE - 1)] = byte;
	f->bytes++;
}

static __always_inline void write_number(struct ftp_scratch *f, u32 number)
{
	u32 divisor = 10000;
	int begun = 0;

	for (int i = 0; i < 5; i++) {
		u32 digit = number / divisor % 10;

		begun |= digit || divisor == 1;
		if (begun)
			write_byte(f, '0' + digit);
		divisor /= 10;
	}
}

static __always_inline void write_hexadecimal(struct ftp_scratch *f, u16 number)
{
	int begun = 0;

	for (int shift = 12; shift >= 0; shift -= 4) {
		u32 digit = number >> shift & 0xf;

		begun |= digit || !shift;
		if (begun)
			write_byte(f, digit < 10 ? '0' + digit : 'a' + digit - 10);
	}
}

static __always_inline u16 group_of(const struct vnet_addr *addr, u32 i)
{
	u32 word = bpf_ntohl(addr->word_be[i / 2]);

	return i & 1 ? word & 0xffff : word >> 16;
}

/* Canonical (RFC 5952): servers compare it as text. The longest run of zeros is left out. */
__noinline int write_ftp_address6(struct vnet_addr *addr)
{
	struct ftp_scratch *f = ftp_scratch();
	volatile struct ftp_scratch *run = f;

	if (!f || !addr)
		return 0;
	run->begin = run->number = run->before = 0; /* of the longest: where, how long; so far */
	for (u32 i = 0; i < 8; i++) {
		run->before = group_of(addr, i) ? 0 : run->before + 1;
		if (run->before > run->number) {
			run->number = run->before;
			run->begin = i + 1 - run->before;
		}
	}
	if (run->number < 2)
		run->begin = 8;
	for (u32 i = 0; i < 8; i++) {
		if (i == run->begin) {
			write_byte(f, ':');
			write_byte(f, ':');
		}
		if (i >= run->begin && i < run->begin + run->number)
			continue;
		if (i && i != run->begin + run->number)
			write_byte(f, ':');
		write_hexadecimal(f, group_of(addr, i));
	}
	return 0;
}

__noinline int write_ftp_address4(struct vnet_addr *addr, u32 separator)
{
	struct ftp_scratch *f = ftp_scratch();
	u32 v4;

	if (!f || !addr)
		return 0;
	v4 = bpf_ntohl(addr->word_be[3]);
	for (int i = 0; i < 4; i++) {
		if (i)
			write_byte(f, separator);
		write_number(f, v4 >> (24 - 8 * i) & 0xff);
	}
	return 0;
}

/* Writes the command with the outside address and port: f->room, f->bytes. */
__noinline int write_ftp_command(struct vnet_addr *nat, u32 port, u32 v4)
{
	struct ftp_scratch *f = ftp_scratch();

	if (!f || !nat)
		return 0;
	__builtin_memset(f->room, 0, sizeof(f->room));
	f->bytes = 0;
	for (int i = 0; i < 5; i++)
		write_byte(f, f->line[i]);
	if (f->extended) {
		write_byte(f, '|');
		write_byte(f, v4 ? '1' : '2');
		write_byte(f, '|');
		if (v4)
			write_ftp_address4(nat, '.');
		else
			write_ftp_address6(nat);
		write_byte(f, '|');
		write_number(f, port);
		write_byte(f, '|');
	} else {
		write_ftp_address4(nat, ',');
		write_byte(f, ',');
		write_number(f, port >> 8);
		write_byte(f, ',');
		write_number(f, port & 0xff);
	}
	write_byte(f, '\r');
	write_byte(f, '\n');
	return 0;
}

/*
 * Looks up the peer for the port that the guest has named; f->outside is its outside port, 0: none. Returns
 * WANTED if it is to be created, with a.
 */
__noinline int find_ftp_port(struct packet *p, struct admission *a)
{
	struct session_scratch *m = session_scratch();
	struct ftp_scratch *f = ftp_scratch();
	struct vnet_session *s;

	if (!p || !a || !m || !f)
		return 0;
	f->outside = 0;
	if (!f->port)
		return 0;
	m->probe = p->flow;
	s = session_outbound(&m->probe);
	if (!s)
		return 0;
	a->nat = s->nat;
	a->network = s->network;
	a->port = s->port;
	a->flags = s->flags & VNET_SESSION_F_MASQUERADE;
	want_of(m, p, VNET_FLOW_PEER);
	m->wanted.sport_be = bpf_htons(f->port);
	s = bpf_map_lookup_elem(&sessions, &m->wanted);
	if (s && !addr_equal(&s->nat, &a->nat)) {
		session_delete(&m->wanted);
		s = NULL;
	}
	if (!s)
		return WANTED;
	s->leg[VNET_OUT].seen = tick_now();
	f->outside = bpf_ntohs(s->nat_port_be);
	return 0;
}

/* Changes the length of the packet to that of its new line. */
__noinline int set_ftp_length(struct __sk_buff *skb, u32 bytes)
{
	struct packet *p = scratch_packet();
	__be16 before_be, after_be;
	u32 l4_bytes;
	int longer;

	if (!p)
		return -1;
	longer = (int)bytes - (int)p->data;
	if (!longer)
		return 0;
	l4_bytes = end_of(p) - l4_of(p);
	if (bpf_skb_change_tail(skb, skb->len + longer, 0) ||
	    bpf_l4_csum_replace(skb, l4_of(p) + 16, bpf_htons(l4_bytes), bpf_htons(l4_bytes + longer),
				BPF_F_PSEUDO_HDR | 2))
		return -1;
	if (p->family == 4) {
		before_be = bpf_htons(p->l3_bytes);
		after_be = bpf_htons(p->l3_bytes + longer);
		if (bpf_l3_csum_replace(skb, p->l3 + 10, before_be, after_be, 2) ||
		    bpf_skb_store_bytes(skb, p->l3 + 2, &after_be, 2, 0))
			return -1;
	} else {
		after_be = bpf_htons(p->l3_bytes - sizeof(struct ipv6hdr) + longer);
		if (bpf_skb_store_bytes(skb, p->l3 + 4, &after_be, 2, BPF_F_RECOMPUTE_CSUM))
			return -1;
	}
	p->l3_bytes += longer;
	p->data = bytes;
	return 0;
}

__noinline int replace_ftp_line(struct __sk_buff *skb)
{
	struct packet *p = scratch_packet();
	struct ftp_scratch *f = ftp_scratch();
	u32 bytes, at;

	if (!p || !f)
		return -1;
	at = end_of(p) - p->data;
	bytes = f->bytes;
	if (set_ftp_length(skb, bytes))
		return -1;
	asm volatile("" : "+r"(bytes));
	if (bytes < FTP_LINE_MIN || bytes > FTP_LINE || bpf_skb_store_bytes(skb, at, f->room, bytes, 0))
		return -1;
	return bpf_l4_csum_replace(skb, l4_of(p) + 16, 0,
				   bpf_csum_diff((__be32 *)f->line, FTP_LINE, (__be32 *)f->room, FTP_LINE, 0),
				   0);
}

/* By how much a sequence number of the guest's is shifted. */
static __always_inline int shift_of(const struct vnet_seq_shift *shift, u32 seq)
{
	return (int)(seq - shift->at) > 0 ? shift->after : shift->before;
}

/* Everything after the line is shifted by its change of length. */
__noinline int note_shift(int longer)
{
	struct packet *p = scratch_packet();
	struct vnet_seq_shift fresh = {}, *shift;

	if (!p)
		return -1;
	shift = bpf_map_lookup_elem(&seq_shifts, &p->flow);
	if (!shift) {
		fresh.at = p->seq;
		fresh.after = longer;
		return bpf_map_update_elem(&seq_shifts, &p->flow, &fresh, BPF_ANY);
	}
	if (shift->at == p->seq) /* sent again */
		return 0;
	if ((int)(p->seq - shift->at) < 0)
		return -1;
	shift->before = shift->after;
	shift->after += longer;
	shift->at = p->seq;
	return 0;
}

/* Rewrites the command, if there is an outside port for it. Negative: the packet is damaged. */
__noinline int rewrite_ftp_command(struct __sk_buff *skb)
{
	struct packet *p = scratch_packet();
	struct ftp_scratch *f = ftp_scratch();
	struct session_scratch *m = session_scratch();
	struct vnet_session *s;

	if (!p || !f || !m || !f->outside)
		return 0;
	s = session_outbound(&p->flow);
	if (!s)
		return 0;
	m->probe.src = s->nat;
	write_ftp_command(&m->probe.src, f->outside, p->family == 4);
	if (note_shift((int)f->bytes - (int)p->data))
		return 0;
	return replace_ftp_line(skb);
}

/* Removes SACK-permitted from a SYN. */
__noinline int refuse_sack(struct __sk_buff *skb)
{
	struct packet *p = scratch_packet();
	u8 option[2] __attribute__((aligned(2))), nothing[2] = {TCP_OPTION_NOP, TCP_OPTION_NOP};
	u32 end;

	if (!p)
		return 0;
	end = end_of(p) - p->data;
	p->cursor = l4_of(p) + sizeof(struct tcphdr);
	for (int i = 0; i < TCP_OPTIONS_MAX; i++) {
		u32 at = cursor_of(p);
		__be16 from, to;

		if (at + 2 > end || bpf_skb_load_bytes(skb, at, option, 2) || option[0] == TCP_OPTION_END)
			return 0;
		if (option[0] == TCP_OPTION_SACK_PERMITTED) {
			from = option[0] << 8 | option[1];
			to = TCP_OPTION_NOP << 8 | TCP_OPTION_NOP;
			/* At an odd place its bytes are in two words of the sum. */
			if ((at - l4_of(p)) & 1) {
				from = from >> 8 | from << 8;
				to = to >> 8 | to << 8;
			}
			return bpf_skb_store_bytes(skb, at, nothing, 2, 0) ||
			       bpf_l4_csum_replace(skb, l4_of(p) + 16, bpf_htons(from), bpf_htons(to), 2);
		}
		if (option[0] != TCP_OPTION_NOP && option[1] < 2)
			return 0;
		p->cursor = at + (option[0] == TCP_OPTION_NOP ? 1 : option[1]);
	}
	return 0;
}

static __always_inline int write_number_of(struct __sk_buff *skb, const struct packet *p, u32 offset,
					   u32 from, u32 to)
{
	__be32 to_be = bpf_htonl(to);

	return bpf_l4_csum_replace(skb, l4_of(p) + 16, bpf_htonl(from), to_be, 4) ||
	       bpf_skb_store_bytes(skb, l4_of(p) + offset, &to_be, 4, 0);
}

__noinline int shift_out(struct __sk_buff *skb)
{
	struct packet *p = scratch_packet();
	struct vnet_seq_shift *shift;
	int by;

	if (!p)
		return 0;
	shift = bpf_map_lookup_elem(&seq_shifts, &p->flow);
	by = shift ? shift_of(shift, p->seq) : 0;
	return by ? write_number_of(skb, p, 4, p->seq, p->seq + by) : 0;
}

/* At the uplink, before the translation. 0, or negative. To be inlined into a program. */
static __always_inline int ftp_out(struct __sk_buff *skb, struct packet *p, struct admission *a)
{
	if (p->proto != IPPROTO_TCP || p->flags & (PACKET_ERROR | PACKET_LATER))
		return 0;
	if (p->tcp_flags & TCP_SYN)
		return refuse_sack(skb);
	read_ftp_command(skb);
	if (find_ftp_port(p, a) == WANTED && !make_wanted(skb, a, VNET_MAPPED_RELATED, 0))
		find_ftp_port(p, a);
	return rewrite_ftp_command(skb) ? -1 : shift_out(skb);
}

/* Shifts acknowledgements back. answer: the packet's flow as its guest gets it. */
__noinline int ftp_in(struct __sk_buff *skb, struct vnet_flow *answer)
{
	struct packet *p = scratch_packet();
	struct session_scratch *m = session_scratch();
	struct vnet_seq_shift *shift;
	int by;

	if (!p || !m || !answer || p->proto != IPPROTO_TCP || !(p->tcp_flags & TCP_ACK) ||
	    p->flags & (PACKET_ERROR | PACKET_LATER))
		return 0;
	m->wanted = *answer;
	m->wanted.src = answer->dst;
	m->wanted.dst = answer->src;
	m->wanted.sport_be = answer->dport_be;
	m->wanted.dport_be = answer->sport_be;
	shift = bpf_map_lookup_elem(&seq_shifts, &m->wanted);
	if (!shift)
		return 0;
	by = shift_of(shift, p->ack - shift->before);
	p->ack -= by;
	return by ? write_number_of(skb, p, 8, p->ack + by, p->ack) : 0;
}

#endif
