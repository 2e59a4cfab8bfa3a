/* SPDX-License-Identifier: BSD-3-Clause */
/* SPIs as addresses: reservation, generations, reuse order, buckets, foreign SPIs in slots and in their table,
 * retirement under a reader, and readers while SAs go from one place to another. */
#include <errno.h>
#include <pthread.h>

#include "harness.h"
#include "rig.h"

#define LENT_SPI 0xc0000007 /* of slot 7: foreign, but found there */

static struct sa *inbound(struct ipsec *ips, uint32_t spi)
{
	const struct rig_options o = { .spi = spi };

	return rig_sa(ips, &o, SA_IN);
}

/* As a packet of ESP or AH to an address of a table. */
static struct sa *find_in(struct ipsec *ips, uint16_t table_id, uint32_t spi, uint8_t protocol, const char *destination)
{
	uint8_t ip[40] = { strchr(destination, ':') ? 0x60 : 0x45 };
	struct addr a;

	CU_ASSERT_EQUAL_FATAL(addr_parse(destination, &a), 0);
	memcpy(ip + (a.family == ADDR_IPV6 ? 24 : 16), a.bytes, addr_len(&a));
	return sad_lookup(
		ips, &(struct sad_question){ .spi = spi, .protocol = protocol, .table_id = table_id, .ip = ip });
}

static struct sa *find_at(struct ipsec *ips, uint32_t spi, uint8_t protocol, const char *destination)
{
	return find_in(ips, 0, spi, protocol, destination);
}

static struct sa *find(struct ipsec *ips, uint32_t spi)
{
	return find_at(ips, spi, PROTOCOL_ESP, RIG_RIGHT4);
}

static uint32_t slot_of(uint32_t spi)
{
	return spi & 0xfffff;
}

static void test_sad_spi_has_slot_and_generation(void)
{
	struct ipsec *ips = rig_ipsec(1, 1024, 1);
	uint8_t used[1024] = { 0 };

	for (int i = 0; i < 1024; i++) {
		uint32_t spi = spi_reserve(ips, WORKER_NONE);
		CU_ASSERT(spi >= 256);
		CU_ASSERT(spi >> 20 != 0);
		CU_ASSERT_FATAL(slot_of(spi) < 1024);
		CU_ASSERT_EQUAL(used[slot_of(spi)]++, 0);
	}
	CU_ASSERT_EQUAL(spi_reserve(ips, WORKER_NONE), 0);
	ipsec_free(ips);
}

static void test_sad_reserve_stays_in_the_workers_buckets(void)
{
	struct ipsec *ips = rig_ipsec(3, 512, 1);
	unsigned got[3] = { 0 };

	for (uint8_t worker = 0; worker < 3; worker++) {
		uint32_t spi;
		while ((spi = spi_reserve(ips, worker))) {
			CU_ASSERT_EQUAL(sad_bucket_worker(ips, spi), worker);
			got[worker]++;
		}
	}
	CU_ASSERT_EQUAL(got[0] + got[1] + got[2], 512);
	CU_ASSERT(got[0] > 100 && got[1] > 100 && got[2] > 100);
	ipsec_free(ips);
}

static void test_sad_freed_slots_come_back_first_in_first_out(void)
{
	/* 1024 slots are four to a bucket */
	struct ipsec *ips = rig_ipsec(1, 1024, 1);
	uint32_t spis[1024], again;

	for (int i = 0; i < 1024; i++)
		spis[i] = spi_reserve(ips, WORKER_NONE);
	/* three of one bucket, in an order of our own */
	uint32_t bucket = spis[5] % SA_BUCKETS;
	uint32_t freed[3] = { 0 };
	for (int i = 1023, n = 0; i >= 0 && n < 3; i--)
		if (spis[i] % SA_BUCKETS == bucket) {
			freed[n++] = spis[i];
			spi_release(ips, spis[i]);
		}
	for (int n = 0; n < 3; n++) {
		again = spi_reserve(ips, WORKER_NONE);
		CU_ASSERT_EQUAL(slot_of(again), slot_of(freed[n]));
		CU_ASSERT(again >> 20 == (freed[n] >> 20) % 4095 + 1);
	}
	ipsec_free(ips);
}

static void test_sad_freed_slot_rests_longest(void)
{
	/* an SPI that was in use a moment ago is the last to come back, with one tunnel coming and going too */
	struct ipsec *ips = rig_ipsec(1, 1024, 1);
	uint8_t used[1024] = { 0 };

	for (int i = 0; i < 1024; i++) {
		uint32_t spi = spi_reserve(ips, WORKER_NONE);
		CU_ASSERT_EQUAL(used[slot_of(spi)]++, 0);
		spi_release(ips, spi);
	}
	ipsec_free(ips);
}

static void test_sad_generation_wraps_past_zero(void)
{
	struct ipsec *ips = rig_ipsec(1, 1, 1);
	uint32_t first = spi_reserve(ips, WORKER_NONE), spi = first;
	unsigned distinct = 0;

	do {
		CU_ASSERT(spi >> 20 != 0);
		spi_release(ips, spi);
		spi = spi_reserve(ips, WORKER_NONE);
		distinct++;
	} while (spi != first && distinct < 10000);
	CU_ASSERT_EQUAL(distinct, 4095);
	ipsec_free(ips);
}

static void test_sad_release_ignores_what_is_not_reserved(void)
{
	struct ipsec *ips = rig_ipsec(1, 1, 1);
	uint32_t spi = spi_reserve(ips, WORKER_NONE);

	spi_release(ips, 0);
	spi_release(ips, 0xc0000100);
	spi_release(ips, spi ^ 1u << 25); /* another generation */
	CU_ASSERT_EQUAL(spi_reserve(ips, WORKER_NONE), 0);
	CU_ASSERT_EQUAL(sad_insert(ips, inbound(ips, spi)), 0);
	spi_release(ips, spi); /* an SA holds it */
	CU_ASSERT_EQUAL(spi_reserve(ips, WORKER_NONE), 0);
	CU_ASSERT_PTR_NOT_NULL(find(ips, spi));
	ipsec_free(ips);
}

static void test_sad_lookup_compares_the_whole_spi(void)
{
	struct ipsec *ips = rig_ipsec(1, 1024, 1);
	uint32_t spi = spi_reserve(ips, WORKER_NONE);
	struct sa *sa = inbound(ips, spi);

	CU_ASSERT_PTR_NULL(find(ips, spi));
	CU_ASSERT_EQUAL(sad_insert(ips, sa), 0);
	CU_ASSERT_PTR_EQUAL(find(ips, spi), sa);
	for (int bit = 0; bit < 32; bit++)
		CU_ASSERT_PTR_NULL(find(ips, spi ^ 1u << bit));
	struct sa_stats stats;
	sa_stats_read(sa, &stats);
	CU_ASSERT_EQUAL(stats.owner, sad_bucket_worker(ips, spi));
	ipsec_free(ips);
}

static void test_sad_same_spi_twice_is_refused(void)
{
	struct ipsec *ips = rig_ipsec(1, 256, 1);
	uint32_t spis[] = { spi_reserve(ips, WORKER_NONE), 0xc0000100 };

	for (size_t i = 0; i < ARRAY_LEN(spis); i++) {
		struct sa *second = inbound(ips, spis[i]);
		CU_ASSERT_EQUAL(sad_insert(ips, inbound(ips, spis[i])), 0);
		CU_ASSERT_EQUAL(sad_insert(ips, second), -EEXIST);
		sa_free(second);
		CU_ASSERT_PTR_NOT_NULL(find(ips, spis[i]));
	}
	ipsec_free(ips);
}

static void test_sad_foreign_spis(void)
{
	struct ipsec *ips = rig_ipsec(1, 256, 1);
	struct ipsec_worker *w = ipsec_worker_create(ips, 0);
	struct sa *sas[200];

	for (uint32_t i = 0; i < 200; i++) {
		/* a few of them look like ours: slot in range, generation never reserved */
		sas[i] = inbound(ips, i < 10 ? 0x00100000 + i : 0xabc00000 + 300 + i * 7);
		CU_ASSERT_EQUAL(sad_insert(ips, sas[i]), 0);
	}
	for (uint32_t i = 0; i < 200; i++)
		CU_ASSERT_PTR_EQUAL(find(ips, sa_spi(sas[i])), sas[i]);
	CU_ASSERT_PTR_NULL(find(ips, 0xabc00000 + 299));
	for (uint32_t i = 0; i < 200; i++) {
		uint32_t spi = sa_spi(sas[i]);
		sad_retire(ips, sas[i]);
		CU_ASSERT_PTR_NULL(find(ips, spi));
	}
	ipsec_worker_quiescent(w);
	CU_ASSERT_EQUAL(reclaim_poll(ips), 0);
	/* the places in the hash came back as well */
	for (uint32_t round = 0; round < 100; round++) {
		for (uint32_t i = 0; i < 100; i++)
			CU_ASSERT_EQUAL(sad_insert(ips, sas[i] = inbound(ips, 0xabc00000 + i)), 0);
		for (uint32_t i = 0; i < 100; i++)
			sad_retire(ips, sas[i]);
		ipsec_worker_quiescent(w);
		reclaim_poll(ips);
	}
	ipsec_worker_free(w);
	ipsec_free(ips);
}

static void test_sad_foreign_spis_as_many_as_slots(void)
{
	enum { SLOTS = 4096 };
	struct ipsec *ips = rig_ipsec(1, SLOTS, 1);
	static struct sa *sas[SLOTS];
	uint32_t wrong = 0;

	/* numbers as operators choose them: one after the other */
	for (uint32_t i = 0; i < SLOTS; i++) {
		sas[i] = inbound(ips, 0xc0001000 + i);
		CU_ASSERT_EQUAL_FATAL(sad_insert(ips, sas[i]), 0);
	}
	for (uint32_t i = 0; i < SLOTS; i++)
		wrong += find(ips, 0xc0001000 + i) != sas[i];
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_PTR_NULL(find(ips, 0xc0001000 + SLOTS));
	ipsec_free(ips);
}

/* Numbers of a generation of its own in the range of our slots, idle or not. */
static uint32_t spi_of_kind(struct ipsec *ips, uint32_t i)
{
	return i % 3 == 0 ? spi_reserve(ips, WORKER_NONE) : i % 3 == 1 ? 0xc0001000 + 7 * i : 0xc0000000 + i % 4096;
}

/* Questions of a burst, of ours, of foreign ones in slots and in the table, and of none, are answered as each alone is.
 */
static void test_sad_burst_answers_as_each_look_up(void)
{
	enum { SAS = 3000, BURST = 64 };
	struct ipsec *ips = rig_ipsec(1, 4096, 1);
	struct ipsec_worker *w = ipsec_worker_create(ips, 0);
	const uint8_t ip[20] = { 0x45, [16] = 198, 51, 100, 2 };
	static struct sa *sas[SAS];
	uint32_t wrong = 0;

	for (uint32_t i = 0; i < SAS; i++) {
		struct sad_question questions[BURST];
		struct sa *found[BURST];
		sas[i] = inbound(ips, spi_of_kind(ips, i));
		CU_ASSERT_EQUAL_FATAL(sad_insert(ips, sas[i]), 0);
		/* places become free, and are taken by others */
		if (i % 5 == 4)
			sad_retire(ips, sas[i - 2]);
		for (uint32_t k = 0; k < BURST; k++) {
			uint32_t of = (i * 31 + k * 17) % (i + 1);
			bool gone = of % 5 == 2 && of + 2 <= i, none = k % 16 == 15;
			uint32_t spi = none ? 0xd0000000 + k : gone ? RIG_SPI : sa_spi(sas[of]);
			questions[k] = (struct sad_question){ .spi = spi, .protocol = PROTOCOL_ESP, .ip = ip };
			found[k] = (struct sa *)&wrong;
			wrong += !gone && !none && sad_lookup(ips, &questions[k]) != sas[of];
		}
		sad_lookup_burst(ips, questions, BURST, found);
		for (uint32_t k = 0; k < BURST; k++)
			wrong += found[k] != sad_lookup(ips, &questions[k]);
		ipsec_worker_quiescent(w);
		reclaim_poll(ips);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	ipsec_worker_free(w);
	ipsec_free(ips);
}

/* Whose a bucket is while these packets come. */
static uint8_t owner_of(uint32_t spi)
{
	static const uint8_t owners[] = { 0, 0, 0, 1, WORKER_LEAVING | 0, 0, 0, 0 };

	return owners[spi % SA_BUCKETS % ARRAY_LEN(owners)];
}

/* Of packets of ours, of foreign ones in slots and in the table, of none and of others: those whose SPI alone is enough
 * have their SA, the rest is left, and nothing changes its order. */
static void test_sad_plain_packets_have_their_sa_or_are_left(void)
{
	enum { SAS = 300, BURST = 64 };
	struct ipsec *ips = rig_ipsec(2, 4096, 1);
	static struct sa *sas[SAS];
	uint32_t wrong = 0, found_in_all = 0;

	for (unsigned b = 0; b < SA_BUCKETS; b++)
		sad_bucket_publish(ips, (uint8_t)b, owner_of(b));
	for (uint32_t i = 0; i < SAS; i++) {
		sas[i] = inbound(ips, spi_of_kind(ips, i));
		CU_ASSERT_EQUAL_FATAL(sad_insert(ips, sas[i]), 0);
	}
	for (uint32_t round = 0; round < 100; round++) {
		struct rte_mbuf *sent[BURST], *pkts[BURST];
		struct burst_item items[BURST];
		uint16_t found, rest = 0, at = 0;
		for (uint32_t k = 0; k < BURST; k++) {
			uint8_t packet[64] = { 0x45 };
			/* now and then several in a row of one */
			uint32_t of = (round * 31 + k / (1 + round % 3) * 17) % SAS;
			store_be32(packet + 20, k % 16 == 15 ? k / 16 % 2 * 0xd0000000 : sa_spi(sas[of]));
			sent[k] = pkts[k] = rig_mbuf(packet, sizeof(packet));
		}
		found = sad_lookup_plain(ips, 0, pkts, BURST, items);
		found_in_all += found;
		for (uint32_t k = 0; k < BURST; k++) {
			uint32_t spi = load_be32(rte_pktmbuf_mtod_offset(sent[k], const uint8_t *, 20));
			bool ours = owner_of(spi) == 0 || owner_of(spi) == (WORKER_LEAVING | 0);
			struct sa *sa = ours ? sad_lookup_slot(ips, spi) : NULL;
			if (sa)
				wrong += at >= found || items[at].m != sent[k] || items[at].sa != sa, at++;
			else
				wrong += pkts[rest] != sent[k], rest++;
			rte_pktmbuf_free(sent[k]);
		}
		wrong += at != found || rest != BURST - found;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(found_in_all > 1000 && found_in_all < 5000);
	ipsec_free(ips);
}

/* The owner of a bucket may appear between two packets of a burst: behind one that waits for it none is found. */
static void test_sad_plain_packets_do_not_overtake_one_that_moves(void)
{
	struct ipsec *ips = rig_ipsec(1, 4096, 1);
	struct sa *first = inbound(ips, 0xc0000100), *second = inbound(ips, 0xc0000101);
	struct rte_mbuf *pkts[3];
	struct burst_item items[3];

	CU_ASSERT_EQUAL(sad_insert(ips, first), 0);
	CU_ASSERT_EQUAL(sad_insert(ips, second), 0);
	sad_bucket_publish(ips, 0, 0);
	sad_bucket_publish(ips, 1, WORKER_MOVING);
	for (uint32_t i = 0; i < ARRAY_LEN(pkts); i++) {
		uint8_t packet[64] = { 0x45 };
		store_be32(packet + 20, sa_spi(i % 2 ? second : first));
		pkts[i] = rig_mbuf(packet, sizeof(packet));
	}
	struct rte_mbuf *sent[] = { pkts[0], pkts[1], pkts[2] };
	CU_ASSERT_EQUAL(sad_lookup_plain(ips, 0, pkts, 3, items), 1);
	CU_ASSERT(items[0].m == sent[0] && items[0].sa == first && pkts[0] == sent[1] && pkts[1] == sent[2]);
	for (uint32_t i = 0; i < ARRAY_LEN(sent); i++)
		rte_pktmbuf_free(sent[i]);
	ipsec_free(ips);
}

static void test_sad_foreign_spi_comes_again_before_the_worker_is_quiescent(void)
{
	struct ipsec *ips = rig_ipsec(1, 256, 1);
	struct ipsec_worker *w = ipsec_worker_create(ips, 0);
	struct sa *sa = NULL, *other = inbound(ips, RIG_SPI + 1);

	for (int i = 0; i < 50; i++) {
		if (sa)
			sad_retire(ips, sa);
		CU_ASSERT_PTR_NULL(find(ips, RIG_SPI));
		sa = inbound(ips, RIG_SPI);
		CU_ASSERT_EQUAL(sad_insert(ips, sa), 0);
		CU_ASSERT_PTR_EQUAL(find(ips, RIG_SPI), sa);
	}
	ipsec_worker_quiescent(w);
	CU_ASSERT_EQUAL(reclaim_poll(ips), 0);
	/* the grace period of those before frees nothing of the one in use */
	CU_ASSERT_EQUAL(sad_insert(ips, other), 0);
	CU_ASSERT_PTR_EQUAL(find(ips, RIG_SPI), sa);
	CU_ASSERT_PTR_EQUAL(find(ips, RIG_SPI + 1), other);
	ipsec_worker_free(w);
	ipsec_free(ips);
}

static struct sa *inbound_at(struct ipsec *ips, struct rig_options o, const char *destination)
{
	struct sa_spec spec;
	const char *reason;
	struct sa *sa;

	o.outer6 = strchr(destination, ':') != NULL;
	rig_spec(&o, SA_IN, &spec);
	addr_parse(destination, &spec.path.local.addr);
	sa = sa_create(ips, &spec, NULL, &reason);
	CU_ASSERT_PTR_NOT_NULL_FATAL(sa);
	sa_spec_done(&spec);
	return sa;
}

static void each_destination_and_protocol(uint32_t spi)
{
	static const struct {
		const char *destination;
		uint8_t protocol;
	} rows[] = { { "192.0.2.1", PROTOCOL_ESP }, { "192.0.2.2", PROTOCOL_ESP }, { "192.0.2.1", PROTOCOL_AH },
		{ "2001:db8::1", PROTOCOL_ESP }, { "2001:db8::2", PROTOCOL_ESP }, { "2001:db8::1", PROTOCOL_AH } };
	struct rig_options esp = { .spi = spi }, ah = rig_suite(NULL, "sha256");
	struct ipsec *ips = rig_ipsec(1, 256, 1);
	struct sa *sas[ARRAY_LEN(rows)], *again;

	ah.spi = spi;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		sas[i] = inbound_at(ips, rows[i].protocol == PROTOCOL_AH ? ah : esp, rows[i].destination);
		CU_ASSERT_EQUAL(sad_insert(ips, sas[i]), 0);
	}
	again = inbound_at(ips, esp, rows[0].destination);
	CU_ASSERT_EQUAL(sad_insert(ips, again), -EEXIST);
	sa_free(again);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CU_ASSERT_PTR_EQUAL(find_at(ips, spi, rows[i].protocol, rows[i].destination), sas[i]);
	CU_ASSERT_PTR_NULL(find_at(ips, spi, PROTOCOL_ESP, "192.0.2.3"));
	CU_ASSERT_PTR_NULL(find_at(ips, spi, PROTOCOL_AH, "192.0.2.2"));
	CU_ASSERT_PTR_NULL(find_at(ips, spi + 1, PROTOCOL_ESP, "192.0.2.1"));
	sad_retire(ips, sas[0]);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CU_ASSERT_PTR_EQUAL(find_at(ips, spi, rows[i].protocol, rows[i].destination), i ? sas[i] : NULL);
	ipsec_free(ips);
}

static void test_sad_foreign_spi_at_each_destination_and_protocol(void)
{
	each_destination_and_protocol(RIG_SPI);
	each_destination_and_protocol(LENT_SPI);
}

/* The same address in two tables is two of ours. */
static void in_each_table(uint32_t spi)
{
	static const char *const destinations[] = { "192.0.2.1", "2001:db8::1" };
	const struct rig_options o = { .spi = spi };
	struct ipsec *ips = rig_ipsec(1, 256, 1);

	for (size_t i = 0; i < ARRAY_LEN(destinations); i++) {
		struct sa *main = inbound_at(ips, o, destinations[i]), *other = inbound_at(ips, o, destinations[i]);
		other->table_id = 255;
		CU_ASSERT_EQUAL(sad_insert(ips, main), 0);
		/* alone in a slot it is found by its SPI */
		CU_ASSERT_PTR_EQUAL(
			find_in(ips, 255, spi, PROTOCOL_ESP, destinations[i]), spi == LENT_SPI && !i ? main : NULL);
		CU_ASSERT_EQUAL(sad_insert(ips, other), 0);
		CU_ASSERT_PTR_EQUAL(find_in(ips, 0, spi, PROTOCOL_ESP, destinations[i]), main);
		CU_ASSERT_PTR_EQUAL(find_in(ips, 255, spi, PROTOCOL_ESP, destinations[i]), other);
		CU_ASSERT_PTR_NULL(find_in(ips, 1, spi, PROTOCOL_ESP, destinations[i]));
	}
	ipsec_free(ips);
}

static void test_sad_foreign_spi_in_each_table(void)
{
	in_each_table(RIG_SPI);
	in_each_table(LENT_SPI);
}

/* Each with the same address and SPI. */
static void test_sad_foreign_spi_in_every_table(void)
{
	const struct rig_options o = { .spi = 0 };
	struct ipsec *ips = rig_ipsec(1, 512, 1);
	static const uint16_t far[] = { 4095, 4096, 65535 };
	struct sa *sas[300];

	for (uint16_t t = 0; t < ARRAY_LEN(sas); t++) {
		sas[t] = inbound_at(ips, o, "192.0.2.1");
		sas[t]->table_id = t < 297 ? t : far[t - 297];
		CU_ASSERT_EQUAL(sad_insert(ips, sas[t]), 0);
	}
	for (uint16_t t = 0; t < ARRAY_LEN(sas); t++)
		CU_ASSERT_PTR_EQUAL(find_in(ips, sas[t]->table_id, RIG_SPI, PROTOCOL_ESP, "192.0.2.1"), sas[t]);
	CU_ASSERT_PTR_NULL(find_in(ips, 297, RIG_SPI, PROTOCOL_ESP, "192.0.2.1"));
	ipsec_free(ips);
}

static void test_sad_reserve_keeps_off_an_spi_until_its_last_foreign_sa(void)
{
	struct ipsec *ips = rig_ipsec(1, 1, 1);
	uint32_t spi = spi_reserve(ips, WORKER_NONE), next = ((spi >> 20) % 4095 + 1) << 20;
	const struct rig_options o = { .spi = next };
	struct sa *first = inbound_at(ips, o, "192.0.2.1"), *second = inbound_at(ips, o, "192.0.2.2");

	CU_ASSERT_EQUAL(sad_insert(ips, first), 0);
	CU_ASSERT_EQUAL(sad_insert(ips, second), 0);
	sad_retire(ips, first);
	spi_release(ips, spi);
	CU_ASSERT_NOT_EQUAL(spi_reserve(ips, WORKER_NONE), next);
	CU_ASSERT_PTR_EQUAL(find_at(ips, next, PROTOCOL_ESP, "192.0.2.2"), second);
	ipsec_free(ips);
}

static void test_sad_reserve_steps_over_foreign_spis(void)
{
	struct ipsec *ips = rig_ipsec(1, 1, 1);
	uint32_t spi = spi_reserve(ips, WORKER_NONE), next;

	/* the generation that would come next belongs to a manual SA */
	next = ((spi >> 20) % 4095 + 1) << 20;
	CU_ASSERT_EQUAL(sad_insert(ips, inbound(ips, next)), 0);
	spi_release(ips, spi);
	spi = spi_reserve(ips, WORKER_NONE);
	CU_ASSERT_EQUAL(spi >> 20, (next >> 20) % 4095 + 1);
	ipsec_free(ips);
}

/* ---- foreign SAs in slots ---- */

static uint32_t spi_with(uint32_t generation, uint32_t slot)
{
	return ((generation - 1) % 4095 + 1) << 20 | slot;
}

/* Every slot that is left, in any order. Returns how many; those of `slot` in *ret_spi. */
static unsigned reserve_all(struct ipsec *ips, uint32_t slot, uint32_t *ret_spi)
{
	unsigned n = 0;
	uint32_t spi;

	*ret_spi = 0;
	for (; (spi = spi_reserve(ips, WORKER_NONE)); n++)
		if (slot_of(spi) == slot) {
			CU_ASSERT_EQUAL(*ret_spi, 0); /* handed out once */
			*ret_spi = spi;
		}
	return n;
}

static void test_sad_foreign_spi_alone_is_found_in_its_slot(void)
{
	struct ipsec *ips = rig_ipsec(1, 8192, 1);
	/* the last two: SPIs of no slot, of none at all */
	const uint32_t spis[] = { 0x1001, 0x256, LENT_SPI, 0xfff01fff, 0x2000, 0xc0002000 };
	struct sa *sas[ARRAY_LEN(spis)];

	for (size_t i = 0; i < ARRAY_LEN(spis); i++)
		CU_ASSERT_EQUAL(sad_insert(ips, sas[i] = inbound(ips, spis[i])), 0);
	for (size_t i = 0; i < ARRAY_LEN(spis); i++) {
		bool lent = i < ARRAY_LEN(spis) - 2;
		CU_ASSERT_PTR_EQUAL(find(ips, spis[i]), sas[i]);
		CU_ASSERT_PTR_EQUAL(sad_lookup_slot(ips, spis[i]), lent ? sas[i] : NULL);
		/* that SPI is enough, as with ours (RFC 4301 4.1); whether the packet fits the SA is seen later */
		CU_ASSERT_PTR_EQUAL(find_in(ips, 9, spis[i], PROTOCOL_AH, "2001:db8::1"), lent ? sas[i] : NULL);
		for (int bit = 0; bit < 32; bit++)
			CU_ASSERT_PTR_NULL(find(ips, spis[i] ^ 1u << bit));
	}
	ipsec_free(ips);
}

static void test_sad_foreign_spi_of_a_slot_in_use_is_in_the_table(void)
{
	struct ipsec *ips = rig_ipsec(1, 2, 1);
	uint32_t ours = spi_reserve(ips, WORKER_NONE), reserved = spi_reserve(ips, WORKER_NONE);
	uint32_t foreign = spi_with((ours >> 20) + 9, slot_of(ours)),
		 other = spi_with((reserved >> 20) + 9, slot_of(reserved));
	struct sa *sas[3] = { inbound(ips, ours), inbound(ips, foreign), inbound(ips, other) };

	for (size_t i = 0; i < ARRAY_LEN(sas); i++)
		CU_ASSERT_EQUAL(sad_insert(ips, sas[i]), 0);
	CU_ASSERT_PTR_EQUAL(find(ips, ours), sas[0]);
	CU_ASSERT_PTR_EQUAL(find(ips, foreign), sas[1]);
	CU_ASSERT_PTR_EQUAL(find(ips, other), sas[2]);
	CU_ASSERT_PTR_EQUAL(sad_lookup_slot(ips, ours), sas[0]);
	CU_ASSERT_PTR_NULL(sad_lookup_slot(ips, foreign));
	CU_ASSERT_PTR_NULL(sad_lookup_slot(ips, other));
	/* the reservation is what it was */
	CU_ASSERT_EQUAL(sad_insert(ips, sas[2] = inbound(ips, reserved)), 0);
	CU_ASSERT_PTR_EQUAL(sad_lookup_slot(ips, reserved), sas[2]);
	ipsec_free(ips);
}

/* As one of ours would be, it keeps being found by its SPI. */
static void test_sad_foreign_spi_refused_twice_stays_in_its_slot(void)
{
	struct ipsec *ips = rig_ipsec(1, 256, 1);
	struct sa *sa = inbound(ips, LENT_SPI), *again = inbound(ips, LENT_SPI);

	CU_ASSERT_EQUAL(sad_insert(ips, sa), 0);
	CU_ASSERT_EQUAL(sad_insert(ips, again), -EEXIST);
	sa_free(again);
	CU_ASSERT_PTR_EQUAL(sad_lookup_slot(ips, LENT_SPI), sa);
	ipsec_free(ips);
}

/* With a second one of the SPI both are told apart, whichever of them goes first, and the slot is for others. */
static void test_sad_foreign_spi_with_a_second_leaves_its_slot(void)
{
	const struct rig_options o = { .spi = LENT_SPI };

	for (int first = 0; first < 2; first++) {
		struct ipsec *ips = rig_ipsec(1, 256, 1);
		struct sa *sas[2] = { inbound_at(ips, o, "192.0.2.1"), inbound_at(ips, o, "192.0.2.2") };
		const char *const at[2] = { "192.0.2.1", "192.0.2.2" };
		uint32_t ours;

		CU_ASSERT_EQUAL(sad_insert(ips, sas[0]), 0);
		CU_ASSERT_PTR_EQUAL(find_at(ips, LENT_SPI, PROTOCOL_ESP, at[1]), sas[0]);
		CU_ASSERT_EQUAL(sad_insert(ips, sas[1]), 0);
		CU_ASSERT_PTR_NULL(sad_lookup_slot(ips, LENT_SPI));
		for (int i = 0; i < 2; i++)
			CU_ASSERT_PTR_EQUAL(find_at(ips, LENT_SPI, PROTOCOL_ESP, at[i]), sas[i]);
		CU_ASSERT_PTR_NULL(find_at(ips, LENT_SPI, PROTOCOL_AH, at[0]));
		sad_retire(ips, sas[first]);
		CU_ASSERT_PTR_NULL(find_at(ips, LENT_SPI, PROTOCOL_ESP, at[first]));
		CU_ASSERT_PTR_EQUAL(find_at(ips, LENT_SPI, PROTOCOL_ESP, at[!first]), sas[!first]);
		/* the one that is left stays in the table, though alone there */
		CU_ASSERT_PTR_NULL(sad_lookup_slot(ips, LENT_SPI));
		CU_ASSERT_EQUAL(reserve_all(ips, 7, &ours), 256);
		CU_ASSERT(ours != 0 && ours != LENT_SPI);
		ipsec_free(ips);
	}
}

/* Nobody gets the slot before the grace period is over, and one afterwards. */
static void test_sad_foreign_spi_gives_its_slot_back_once(void)
{
	struct ipsec *ips = rig_ipsec(1, 256, 1);
	struct ipsec_worker *w = ipsec_worker_create(ips, 0);
	uint32_t spi;

	struct sa *sa = inbound(ips, LENT_SPI);
	CU_ASSERT_EQUAL(sad_insert(ips, sa), 0);
	sad_retire(ips, sa);
	CU_ASSERT_PTR_NULL(find(ips, LENT_SPI));
	CU_ASSERT_EQUAL(reserve_all(ips, 7, &spi), 255);
	CU_ASSERT_EQUAL(spi, 0);
	CU_ASSERT_EQUAL(sa_spi(sa), LENT_SPI);
	ipsec_worker_quiescent(w);
	CU_ASSERT_EQUAL(reclaim_poll(ips), 0);
	CU_ASSERT_EQUAL(reserve_all(ips, 7, &spi), 1);
	CU_ASSERT(spi != 0 && spi != LENT_SPI);
	ipsec_worker_free(w);
	ipsec_free(ips);
}

/* As a reload replaces it: the slot is lent again before the worker has let go of those that were there. */
static void test_sad_foreign_spi_comes_again_into_its_resting_slot(void)
{
	struct ipsec *ips = rig_ipsec(1, 256, 1);
	struct ipsec_worker *w = ipsec_worker_create(ips, 0);
	struct sa *sa = NULL;
	uint32_t spi;

	for (int i = 0; i < 50; i++) {
		if (sa)
			sad_retire(ips, sa);
		CU_ASSERT_PTR_NULL(find(ips, LENT_SPI));
		sa = inbound(ips, LENT_SPI);
		CU_ASSERT_EQUAL(sad_insert(ips, sa), 0);
		CU_ASSERT_PTR_EQUAL(sad_lookup_slot(ips, LENT_SPI), sa);
	}
	ipsec_worker_quiescent(w);
	CU_ASSERT_EQUAL(reclaim_poll(ips), 0);
	/* the end of those before does not take the slot from the one in it */
	CU_ASSERT_PTR_EQUAL(sad_lookup_slot(ips, LENT_SPI), sa);
	/* two retired in one grace period give it back once */
	sad_retire(ips, sa);
	CU_ASSERT_EQUAL(sad_insert(ips, sa = inbound(ips, LENT_SPI)), 0);
	sad_retire(ips, sa);
	CU_ASSERT_EQUAL(reclaim_poll(ips), 2);
	CU_ASSERT_EQUAL(reserve_all(ips, 7, &spi), 255);
	ipsec_worker_quiescent(w);
	CU_ASSERT_EQUAL(reclaim_poll(ips), 0);
	CU_ASSERT_EQUAL(reserve_all(ips, 7, &spi), 1);
	CU_ASSERT(spi != 0);
	ipsec_worker_free(w);
	ipsec_free(ips);
}

/* One of ours that was retired leaves its SPI to an SA that has it by hand. */
static void test_sad_foreign_spi_of_ours_that_just_left(void)
{
	struct ipsec *ips = rig_ipsec(1, 1, 1);
	struct ipsec_worker *w = ipsec_worker_create(ips, 0);
	uint32_t spi = spi_reserve(ips, WORKER_NONE);
	struct sa *ours = inbound(ips, spi), *foreign = inbound(ips, spi);

	CU_ASSERT_EQUAL(sad_insert(ips, ours), 0);
	CU_ASSERT_EQUAL(sad_insert(ips, foreign), -EEXIST);
	sad_retire(ips, ours);
	CU_ASSERT_EQUAL(sad_insert(ips, foreign), 0);
	CU_ASSERT_PTR_EQUAL(sad_lookup_slot(ips, spi), foreign);
	ipsec_worker_quiescent(w);
	CU_ASSERT_EQUAL(reclaim_poll(ips), 0);
	CU_ASSERT_PTR_EQUAL(sad_lookup_slot(ips, spi), foreign);
	spi_release(ips, spi); /* nobody's reservation */
	CU_ASSERT_PTR_EQUAL(sad_lookup_slot(ips, spi), foreign);
	ipsec_worker_free(w);
	ipsec_free(ips);
}

/* Our SPIs of a slot go on where they were, and not with the one that a foreign SA had a moment ago. */
static void test_sad_foreign_spi_leaves_our_generations_alone(void)
{
	struct ipsec *ips = rig_ipsec(1, 1, 1);
	uint32_t spi = spi_reserve(ips, WORKER_NONE), generation = spi >> 20;
	static const uint32_t rows[][2] = { { 100, 1 }, { 1, 2 }, { 4095 - 1, 1 }, { 2, 1 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		spi_release(ips, spi);
		struct sa *sa = inbound(ips, spi_with(generation + rows[i][0], 0));
		CU_ASSERT_EQUAL(sad_insert(ips, sa), 0);
		CU_ASSERT_PTR_EQUAL(sad_lookup_slot(ips, sa_spi(sa)), sa);
		sad_retire(ips, sa);
		CU_ASSERT_EQUAL(reclaim_poll(ips), 0);
		spi = spi_reserve(ips, WORKER_NONE);
		CU_ASSERT_EQUAL(spi, spi_with(generation + rows[i][1], 0));
		generation = spi >> 20;
	}
	ipsec_free(ips);
}

/* As many manual SAs as slots leave all of them for those that are negotiated: each takes one back, of its worker. */
static void test_sad_foreign_spis_make_room_for_ours(void)
{
	enum { SLOTS = 4096 };
	struct ipsec *ips = rig_ipsec(2, SLOTS, 1);
	static struct sa *sas[SLOTS];
	uint32_t lent = 0, wrong = 0, spi;

	for (uint32_t i = 0; i < SLOTS; i++) {
		sas[i] = inbound(ips, 0x1000 + i);
		CU_ASSERT_EQUAL_FATAL(sad_insert(ips, sas[i]), 0);
	}
	spi = spi_reserve(ips, 1);
	CU_ASSERT_EQUAL(sad_bucket_worker(ips, spi), 1);
	CU_ASSERT_EQUAL(reserve_all(ips, SLOTS, &spi), SLOTS - 1);
	for (uint32_t i = 0; i < SLOTS; i++) {
		wrong += find(ips, 0x1000 + i) != sas[i];
		lent += sad_lookup_slot(ips, 0x1000 + i) != NULL;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(lent, 0);
	ipsec_free(ips);
}

/* A slot that is free goes before one that is lent. */
static void test_sad_reserve_takes_free_slots_first(void)
{
	struct ipsec *ips = rig_ipsec(1, 1024, 1);
	struct sa *sas[300];
	uint32_t wrong = 0;

	for (uint32_t i = 0; i < ARRAY_LEN(sas); i++)
		CU_ASSERT_EQUAL_FATAL(sad_insert(ips, sas[i] = inbound(ips, 0x300000 + 3 * i)), 0);
	for (uint32_t i = 0; i < 1024 - ARRAY_LEN(sas); i++) {
		uint32_t spi = spi_reserve(ips, WORKER_NONE);
		wrong += !spi || sad_lookup_slot(ips, 0x300000 + slot_of(spi)) != NULL;
	}
	for (uint32_t i = 0; i < ARRAY_LEN(sas); i++)
		wrong += sad_lookup_slot(ips, sa_spi(sas[i])) != sas[i];
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(spi_reserve(ips, WORKER_NONE) != 0);
	ipsec_free(ips);
}

/* ---- readers ---- */

/* An SA that a reader asks for: odd, while it has to be found. */
struct watched {
	const char *destination;
	_Atomic uint32_t turn;
};

static struct {
	struct ipsec *ips;
	struct watched sas[2]; /* of one SPI */
	_Atomic bool stop;
	_Atomic uint32_t found, found_plain, wrong;
} race = { .sas = { { .destination = "192.0.2.1" }, { .destination = "192.0.2.2" } } };

static bool is_at(const struct sa *sa, const char *destination)
{
	struct addr a;

	return sa && sa_spi(sa) == LENT_SPI && !addr_parse(destination, &a) && addr_equal(&a, &sa->destination);
}

/* As a plain packet, whose SPI may lead to an SA in its slot or to none; never to another one, or one that is gone. */
static void race_ask_plain(void)
{
	_Alignas(64) uint8_t packet[64] = { 0x45 };
	struct rte_mbuf m = { .buf_addr = packet, .data_len = sizeof(packet) }, *pkts[] = { &m };
	struct burst_item item;

	store_be32(packet + 20, LENT_SPI);
	if (sad_lookup_plain(race.ips, sad_bucket_worker(race.ips, LENT_SPI), pkts, 1, &item))
		atomic_fetch_add(sa_spi(item.sa) == LENT_SPI ? &race.found_plain : &race.wrong, 1);
}

/* Alone, and in a burst with others. */
static void race_ask(struct watched *watched)
{
	uint8_t ip[20] = { 0x45 };
	struct sad_question questions[3];
	struct sa *found[4];
	struct addr a;

	addr_parse(watched->destination, &a);
	memcpy(ip + 16, a.bytes, 4);
	for (uint32_t i = 0; i < ARRAY_LEN(questions); i++)
		questions[i] = (struct sad_question){ .spi = i ? LENT_SPI : RIG_SPI, PROTOCOL_ESP, .ip = ip };
	uint32_t turn = atomic_load(&watched->turn);
	sad_lookup_burst(race.ips, questions, ARRAY_LEN(questions), found);
	found[3] = sad_lookup(race.ips, &questions[1]);
	race_ask_plain();
	if (turn % 2 == 0 || turn != atomic_load(&watched->turn))
		return;
	for (uint32_t i = 1; i < ARRAY_LEN(found); i++)
		atomic_fetch_add(is_at(found[i], watched->destination) ? &race.found : &race.wrong, 1);
}

static void *race_run(void *arg)
{
	struct ipsec_worker *w = (struct ipsec_worker *)arg;

	rig_cpu_leave();
	while (!atomic_load(&race.stop)) {
		for (size_t i = 0; i < ARRAY_LEN(race.sas); i++)
			race_ask(&race.sas[i]);
		ipsec_worker_quiescent(w);
	}
	return NULL;
}

static struct sa *watched_insert(struct watched *watched)
{
	const struct rig_options o = { .spi = LENT_SPI };
	struct sa *sa = inbound_at(race.ips, o, watched->destination);

	CU_ASSERT_EQUAL(sad_insert(race.ips, sa), 0);
	atomic_fetch_add(&watched->turn, 1);
	return sa;
}

static void watched_retire(struct watched *watched, struct sa *sa)
{
	atomic_fetch_add(&watched->turn, 1);
	sad_retire(race.ips, sa);
}

/* Every slot is wanted for ours, that of the SA too. */
static void slots_want(void)
{
	static uint32_t spis[256];
	unsigned n = 0;

	while (n < ARRAY_LEN(spis) && (spis[n] = spi_reserve(race.ips, WORKER_NONE)))
		n++;
	while (n)
		spi_release(race.ips, spis[--n]);
}

/* Lives of the SAs: alone in the slot, out of it for ours or for the second, and either of them the first to go; the
 * table grows under way. */
static void race_turn(unsigned i)
{
	struct sa *others[64], *first = watched_insert(&race.sas[0]), *second = NULL;
	unsigned count = i % 8 == 7 ? ARRAY_LEN(others) : 0;

	if (i % 3 == 0)
		slots_want();
	if (i % 3 != 1)
		second = watched_insert(&race.sas[1]);
	for (unsigned k = 0; k < count; k++)
		CU_ASSERT_EQUAL(sad_insert(race.ips, others[k] = inbound(race.ips, RIG_SPI + 1 + k)), 0);
	if (i % 2)
		watched_retire(&race.sas[0], first);
	if (second)
		watched_retire(&race.sas[1], second);
	if (i % 2 == 0)
		watched_retire(&race.sas[0], first);
	for (unsigned k = 0; k < count; k++)
		sad_retire(race.ips, others[k]);
	reclaim_poll(race.ips);
}

static void test_sad_reader_always_finds_what_is_there(void)
{
	pthread_t threads[2];
	struct ipsec_worker *w[ARRAY_LEN(threads)];

	race.ips = rig_ipsec(ARRAY_LEN(threads), 256, 1);
	for (uint16_t i = 0; i < ARRAY_LEN(threads); i++) {
		w[i] = ipsec_worker_create(race.ips, i);
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, race_run, w[i]), 0);
	}
	for (unsigned i = 0; i < 2000 || atomic_load(&race.found) < 1000; i++)
		race_turn(i);
	atomic_store(&race.stop, true);
	for (uint16_t i = 0; i < ARRAY_LEN(threads); i++) {
		pthread_join(threads[i], NULL);
		ipsec_worker_free(w[i]);
	}
	CU_ASSERT_EQUAL(race.wrong, 0);
	CU_ASSERT(race.found_plain > 0);
	ipsec_free(race.ips);
}

static void test_sad_retired_slot_waits_for_the_worker(void)
{
	struct ipsec *ips = rig_ipsec(1, 1, 1);
	struct ipsec_worker *w = ipsec_worker_create(ips, 0);
	uint32_t spi = spi_reserve(ips, WORKER_NONE), again;
	struct sa *sa = inbound(ips, spi);

	CU_ASSERT_EQUAL(sad_insert(ips, sa), 0);
	CU_ASSERT_PTR_EQUAL(find(ips, spi), sa);
	sad_retire(ips, sa);
	CU_ASSERT_PTR_NULL(find(ips, spi));
	CU_ASSERT_EQUAL(reclaim_poll(ips), 1);
	/* the worker may still use it, and nobody gets its slot */
	CU_ASSERT_EQUAL(sa_spi(sa), spi);
	CU_ASSERT_EQUAL(spi_reserve(ips, WORKER_NONE), 0);
	ipsec_worker_quiescent(w);
	CU_ASSERT_EQUAL(reclaim_poll(ips), 0);
	again = spi_reserve(ips, WORKER_NONE);
	CU_ASSERT(again != 0 && again != spi);
	CU_ASSERT_PTR_NULL(find(ips, spi));
	ipsec_worker_free(w);
	ipsec_free(ips);
}

static void test_sad_config_is_checked(void)
{
	static const struct ipsec_config bad[] = { { 0, 256, 1, 0 }, { 65, 256, 1, 0 }, { 1, 300, 1, 0 },
		{ 1, 1u << 21, 1, 0 }, { 1, 0, 1, 0 }, { 1, 256, 0, 0 }, { 1, 256, 1u << 20, 0 },
		{ 1, 256, 1, (1u << 20) - 1 }, { 1, 256, UINT32_MAX, 2 } };
	const char *reason;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		reason = NULL;
		CU_ASSERT_PTR_NULL(ipsec_create(&bad[i], &reason));
		CU_ASSERT_PTR_NOT_NULL(reason);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_sad_spi_has_slot_and_generation),
		TEST(test_sad_reserve_stays_in_the_workers_buckets),
		TEST(test_sad_freed_slots_come_back_first_in_first_out),
		TEST(test_sad_freed_slot_rests_longest),
		TEST(test_sad_generation_wraps_past_zero),
		TEST(test_sad_release_ignores_what_is_not_reserved),
		TEST(test_sad_lookup_compares_the_whole_spi),
		TEST(test_sad_same_spi_twice_is_refused),
		TEST(test_sad_foreign_spis),
		TEST(test_sad_foreign_spis_as_many_as_slots),
		TEST(test_sad_burst_answers_as_each_look_up),
		TEST(test_sad_plain_packets_have_their_sa_or_are_left),
		TEST(test_sad_plain_packets_do_not_overtake_one_that_moves),
		TEST(test_sad_foreign_spi_comes_again_before_the_worker_is_quiescent),
		TEST(test_sad_foreign_spi_at_each_destination_and_protocol),
		TEST(test_sad_foreign_spi_in_each_table),
		TEST(test_sad_foreign_spi_in_every_table),
		TEST(test_sad_reserve_keeps_off_an_spi_until_its_last_foreign_sa),
		TEST(test_sad_reserve_steps_over_foreign_spis),
		TEST(test_sad_foreign_spi_alone_is_found_in_its_slot),
		TEST(test_sad_foreign_spi_of_a_slot_in_use_is_in_the_table),
		TEST(test_sad_foreign_spi_refused_twice_stays_in_its_slot),
		TEST(test_sad_foreign_spi_with_a_second_leaves_its_slot),
		TEST(test_sad_foreign_spi_gives_its_slot_back_once),
		TEST(test_sad_foreign_spi_comes_again_into_its_resting_slot),
		TEST(test_sad_foreign_spi_of_ours_that_just_left),
		TEST(test_sad_foreign_spi_leaves_our_generations_alone),
		TEST(test_sad_foreign_spis_make_room_for_ours),
		TEST(test_sad_reserve_takes_free_slots_first),
		TEST(test_sad_reader_always_finds_what_is_there),
		TEST(test_sad_retired_slot_waits_for_the_worker),
		TEST(test_sad_config_is_checked),
	};

	rig_eal();
	return test_main("ipsec_sad", tests, ARRAY_LEN(tests), argc, argv);
}
