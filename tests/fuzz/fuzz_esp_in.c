/* SPDX-License-Identifier: BSD-3-Clause */
/* libFuzzer target: ESP and AH, every mode and both families. An input is an outer packet as it is; or contents that
 * are sealed under the SA's key first, so that what is behind the ICV is reached; or a packet in clear that goes
 * through both bursts and has to come back as it was. Whatever comes, the mbuf stays whole, and what is let through is
 * a packet of the SA's selectors. Input: way (2 bits) and kind (6 bits), bytes. */
#include <sanitizer/lsan_interface.h>
#include <stdlib.h>

#include "ip6.h"
#include "rig.h"

#define BYTES_MAX (RIG_ROOM - 400)
#define WAY_SEAL  0x80
#define WAY_OUT   0x40
#define KINDS     64

static const struct rig_options special[] = {
	{ .natt = true },
	{ .udp = true, .natt = true, .esn = true, .sequence = 0xffffff00 },
	{ .key_bits = 256, .local = "10.1.0.0/16[udp/1000]", .remote = "10.2.0.0/16[udp/2000]" },
	{ .replay_window = -1, .local = "0.0.0.0/0", .remote = "0.0.0.0/0" },
};

static const struct {
	const char *encr, *integ;
} suites[] = {
	{ "aes128", "sha256" },
	{ "aes256ctr", "sha512" },
	{ "3des", "sha1" },
	{ "null", "aesxcbc" },
	{ "aes256ccm8", NULL },
	{ "chacha20poly1305", NULL },
	{ "aes128gmac", NULL },
	{ "aes256gcm16iiv", NULL },
	{ NULL, "sha256" },
	{ NULL, "aes128gmac" },
};

static const struct {
	bool transport, outer6, inner6;
} shapes[] = {
	{ false, false, false },
	{ false, false, true },
	{ false, true, false },
	{ false, true, true },
	{ true, false, false },
	{ true, true, true },
};

static_assert(ARRAY_LEN(special) + ARRAY_LEN(suites) * ARRAY_LEN(shapes) == KINDS, "a kind is six bits");

static struct rig_options kinds[KINDS];
static struct rig_pair pairs[KINDS];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void kinds_fill(void)
{
	memcpy(kinds, special, sizeof(special));
	for (size_t i = 0; i + ARRAY_LEN(special) < KINDS; i++) {
		size_t suite = i / ARRAY_LEN(shapes), shape = i % ARRAY_LEN(shapes);
		struct rig_options *o = &kinds[i + ARRAY_LEN(special)];
		*o = rig_suite(suites[suite].encr, suites[suite].integ);
		o->transport = shapes[shape].transport;
		o->outer6 = shapes[shape].outer6;
		o->inner6 = shapes[shape].inner6;
		o->esn = (suite + shape) % 2;
		o->udp = o->encr && suite % 3 == 1;
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	/* the pairs live until the end, held by DPDK memory that the leak check does not look into */
	__lsan_disable();
	rig_eal();
	rig_pool();
	kinds_fill();
	for (size_t i = 0; i < KINDS; i++)
		rig_pair_open(&pairs[i], &kinds[i]);
	__lsan_enable();
	return 0;
}

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_good(const struct rig_pair *p, const struct rte_mbuf *m)
{
	const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);
	struct flow f;

	must(m->pkt_len == m->data_len && m->nb_segs == 1);
	if (ip[0] >> 4 == 6) {
		must(m->data_len >= 40 && load_be16(ip + 4) + 40 == m->data_len);
	} else {
		must(m->data_len >= 20 && ip[0] >> 4 == 4 && load_be16(ip + 2) == m->data_len);
		must((ip[0] & 15) >= 5 && (ip[0] & 15) * 4 <= m->data_len);
	}
	flow_read(ip, m->data_len, false, &f);
	must(sa_selectors_match(p->in, &f));
}

/* The next number of the pair, whoever uses it. */
static uint64_t sequence_next(struct rig_pair *p)
{
	uint64_t sequence = count_read(&p->out->sequence) + 1;

	atomic_store_explicit(&p->out->sequence, sequence, memory_order_relaxed);
	return sequence;
}

static struct rte_mbuf *sealed_esp(struct rig_pair *p, const uint8_t *data, uint16_t size)
{
	static uint8_t text[BYTES_MAX];
	uint16_t block = (uint16_t)(p->out->pad_mask + 1u), bytes = (uint16_t)(size & ~(block - 1));

	/* from the end: that is where the trailer is */
	memset(text, 0, block);
	memcpy(text, data + size - bytes, bytes);
	return rig_seal(p, sequence_next(p), text, bytes ? bytes : block);
}

/* Next header first. */
static struct rte_mbuf *sealed_ah(struct rig_pair *p, const uint8_t *data, uint16_t size)
{
	uint8_t header[64];
	struct rig_ah a = {
		.header = header, .header_bytes = rig_ah_header(p, header), .next_header = size ? data[0] : 0
	};

	a.payload = size ? data + 1 : data;
	a.bytes = size ? (uint16_t)(size - 1) : 0;
	a.sequence = sequence_next(p);
	return rig_seal_ah(p, &a);
}

/* Lengths that are right by themselves are found by mutation only after very long. */
static struct rte_mbuf *outer(const uint8_t *data, uint16_t size)
{
	struct rte_mbuf *m = rig_mbuf(data, size);

	if (size >= 40 && data[8] & 1)
		rig_length_fit(m);
	return m;
}

/* Contents as a packet in clear of the pair, with the header that everything in front of the bursts checks; NULL: they
 * do not make one. */
static struct rte_mbuf *clear(size_t kind, const uint8_t *data, uint16_t size)
{
	struct rte_mbuf *like = rig_packet_for(&kinds[kind], 60, 0), *m = NULL;
	const uint8_t *wanted = rte_pktmbuf_mtod(like, const uint8_t *);
	struct ip6_layout l;
	uint8_t *ip;

	if (size >= 60) {
		m = rig_mbuf(data, size);
		ip = rte_pktmbuf_mtod(m, uint8_t *);
		ip[0] = (uint8_t)((wanted[0] & 0xf0) | (ip[0] & 15));
		if (wanted[0] >> 4 == 6) {
			memcpy(ip + 8, wanted + 8, 32);
		} else {
			ip[0] = (ip[0] & 15) < 5 ? 0x45 : ip[0];
			memcpy(ip + 12, wanted + 12, 8);
		}
		rig_length_fit(m);
		if (wanted[0] >> 4 == 4) {
			rig_checksum((struct rte_ipv4_hdr *)ip);
		} else if (ip6_walk(ip, size, &l) != IP6_WALK_GOOD) {
			rte_pktmbuf_free(m);
			m = NULL;
		}
	}
	rte_pktmbuf_free(like);
	return m;
}

/* What a receiver may have against a packet that our own sender made of a good one: no selectors of ports in a
 * fragment, or a payload that says it is a dummy. */
static void through(size_t kind, struct rte_mbuf *m)
{
	struct rte_mbuf *before = rig_copy(m);
	enum drop_reason reason = rig_out(&pairs[kind], m);

	if (!reason) {
		reason = rig_in(&pairs[kind], m);
		must(!reason || reason == DROP_SELECTOR_IN || reason == DROP_DUMMY);
		must(reason ||
			(m->data_len == before->data_len &&
				!memcmp(rte_pktmbuf_mtod(m, void *), rte_pktmbuf_mtod(before, void *), m->data_len)));
		if (!reason)
			check_good(&pairs[kind], m);
	} else {
		/* before it, a number may have been used up by nobody */
		must(reason == DROP_FRAGMENT || reason == DROP_IP_HEADER || reason == DROP_NO_HEADROOM);
	}
	rte_pktmbuf_free(before);
	rte_pktmbuf_free(m);
}

static void arrives(size_t kind, struct rte_mbuf *m)
{
	enum drop_reason reason = rig_in(&pairs[kind], m);

	must(reason < DROP_REASON_COUNT);
	if (!reason)
		check_good(&pairs[kind], m);
	rte_pktmbuf_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	size_t kind = data[0] % KINDS;
	uint8_t way = data[0] & (WAY_SEAL | WAY_OUT);
	uint16_t bytes = (uint16_t)RTE_MIN(size - 1, (size_t)BYTES_MAX);

	if (way == WAY_OUT) {
		struct rte_mbuf *m = clear(kind, data + 1, bytes);
		if (m)
			through(kind, m);
	} else if (!way) {
		arrives(kind, outer(data + 1, bytes));
	} else if (pairs[kind].out->protocol == PROTOCOL_AH) {
		arrives(kind, sealed_ah(&pairs[kind], data + 1, bytes));
	} else {
		arrives(kind, sealed_esp(&pairs[kind], data + 1, bytes));
	}
	must(rte_mempool_avail_count(rig_pool()) == RIG_POOL);
	return 0;
}
