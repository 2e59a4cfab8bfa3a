/* SPDX-License-Identifier: BSD-3-Clause */
/* libFuzzer target: packets that are fragments, read and put into a small table as the datapath does. Whatever they
 * say, no buffer is lost or given twice, pieces of a whole datagram cover it exactly, and the bounds hold. Input:
 * records of control byte, length (2), packet; the control byte's low bits let time pass. */
#include <rte_ip.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "ip6.h"
#include "reassembly_priv.h"

#define PACKET_MAX 2048
#define TIMEOUT    100
#define HELD_MAX   24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned held;

static void buffer_drop(void *context, void *buffer, enum drop_reason reason)
{
	(void)context;
	if (!reason || !held)
		abort();
	held--;
	free(buffer);
}

static void whole_check(struct reassembly *r, struct incomplete *d)
{
	static uint8_t there[65536];
	uint32_t bytes = 0;

	if (!d->total || d->total > sizeof(there) || d->count > r->config.fragments)
		abort();
	memset(there, 0, d->total);
	for (uint16_t i = 0; i < d->count; i++) {
		const struct piece *p = &d->pieces[i];
		if ((uint32_t)p->offset + p->bytes > d->total || p->offset % 8)
			abort();
		for (uint16_t b = 0; b < p->bytes; b++)
			if (there[p->offset + b]++)
				abort();
		bytes += p->bytes;
	}
	if (bytes != d->total)
		abort();
	for (uint16_t i = 0; i < d->count; i++)
		free(d->pieces[i].buffer);
	held -= d->count;
	reassembly_take(r, d);
}

/* What classify has checked before a packet comes here. */
static bool packet_valid(const uint8_t *ip, size_t size)
{
	if (size >= sizeof(struct rte_ipv6_hdr) && ip[0] >> 4 == 6)
		return true;
	return size >= sizeof(struct rte_ipv4_hdr) && ip[0] >> 4 == 4 && (ip[0] & 15) * 4u >= 20 &&
	       (ip[0] & 15) * 4u <= size;
}

static void packet_insert(struct reassembly *r, struct bytes b, uint64_t now)
{
	/* a copy of its exact size: a byte read behind it is found */
	uint8_t *ip = malloc(b.len ? b.len : 1);
	struct incomplete *whole = NULL;
	struct fragment f;
	enum drop_reason reason = DROP_IP_HEADER;

	if (!ip)
		return;
	memcpy(ip, b.data, b.len);
	if (packet_valid(ip, b.len))
		reason = ip[0] >> 4 == 6 ? fragment6_read(ip, (uint32_t)b.len, &f)
					 : fragment4_read(ip, (uint32_t)b.len, &f);
	if (!reason) {
		if (f.piece.data < ip || f.piece.data + f.piece.bytes != ip + b.len)
			abort();
		f.piece.buffer = ip;
		reason = reassembly_insert(r, &f, now, &whole);
		held += !reason;
	}
	if (reason)
		free(ip);
	if (whole)
		whole_check(r, whole);
	if (held != r->all.held || held > HELD_MAX || r->all.count > r->config.datagrams)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct reassembly_config config = {
		.datagrams = 8, .fragments = 6, .held = HELD_MAX, .timeout = TIMEOUT, .seed = 1, .drop = buffer_drop
	};
	struct reader reader = reader_init(BYTES(data, size));
	void *memory = calloc(1, reassembly_bytes(&config));
	uint64_t now = 0;

	if (!memory)
		return 0;
	held = 0;
	struct reassembly *r = reassembly_init(memory, &config);
	while (reader_left(&reader) > 3) {
		now += (reader_u8(&reader) & 7u) * 10;
		size_t want = reader_u16(&reader) % PACKET_MAX;
		struct bytes b = reader_bytes(&reader, want < reader_left(&reader) ? want : reader_left(&reader));
		reassembly_expire(r, now, 2);
		packet_insert(r, b, now);
	}
	reassembly_flush(r);
	if (held || r->all.count)
		abort();
	free(memory);
	return 0;
}
