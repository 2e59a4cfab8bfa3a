/* SPDX-License-Identifier: BSD-3-Clause */
/* libFuzzer target: ESP decapsulation. Half of the inputs are outer packets as they are, the other half are contents
 * that are sealed under the SA's key first, so that what is behind the ICV is reached. Whatever comes, the mbuf stays
 * whole, and what is let through is an inner packet of the SA's selectors. Input: kind (1), bytes. */
#include <sanitizer/lsan_interface.h>
#include <stdlib.h>

#include "rig.h"

#define BYTES_MAX (RIG_ROOM - 200)

static const struct rig_options kinds[] = {
	{ .natt = true },
	{ .udp = true, .natt = true, .esn = true, .sequence = 0xffffff00 },
	{ .key_bits = 256, .local = "10.1.0.0/16[udp/1000]", .remote = "10.2.0.0/16[udp/2000]" },
	{ .replay_window = -1, .local = "0.0.0.0/0", .remote = "0.0.0.0/0" },
};

static struct rig_pair pairs[ARRAY_LEN(kinds)];
static uint64_t sequences[ARRAY_LEN(kinds)];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	/* the pairs live until the end, held by DPDK memory that the leak check does not look into */
	__lsan_disable();
	rig_eal();
	rig_pool();
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		rig_pair_open(&pairs[i], &kinds[i]);
		sequences[i] = kinds[i].sequence;
	}
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
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *);
	struct flow f = { .protocol = ip->next_proto_id,
		.family = ADDR_IPV4,
		.local_be = { ip->dst_addr },
		.remote_be = { ip->src_addr } };

	must(m->data_len >= sizeof(*ip) && m->pkt_len == m->data_len);
	must(ip->version_ihl >> 4 == 4 && rte_be_to_cpu_16(ip->total_length) == m->data_len);
	must((ip->version_ihl & 15) * 4 <= m->data_len);
	if (!p->in->ports_matter)
		must(sa_selectors_match(p->in, &f));
}

/* Contents alone make a packet whose lengths are right: both are found by mutation only after very long. */
static struct rte_mbuf *packet_of(size_t kind, bool seal, const uint8_t *data, uint16_t size)
{
	struct rte_mbuf *m;

	if (seal)
		return rig_seal(&pairs[kind], ++sequences[kind], data, size);
	m = rig_mbuf(data, size);
	if (size >= 20 && data[8] & 1)
		store_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, 2), size);
	return m;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t kind;
	struct rte_mbuf *m;

	if (size < 1)
		return 0;
	kind = data[0] % ARRAY_LEN(kinds);
	m = packet_of(kind, data[0] & 0x80, data + 1, (uint16_t)RTE_MIN(size - 1, (size_t)BYTES_MAX));
	enum drop_reason reason = rig_in(&pairs[kind], m);
	must(reason < DROP_REASON_COUNT);
	if (!reason)
		check_good(&pairs[kind], m);
	rte_pktmbuf_free(m);
	must(rte_mempool_avail_count(rig_pool()) == RIG_POOL);
	return 0;
}
