/* SPDX-License-Identifier: BSD-3-Clause */
/* What rekeying costs the worker whose packets the SAs carry. The worker seals and opens packets of many tunnels for as
 * long as the program runs; the main lcore replaces the SA pairs under it, so many a second, as control does: the new
 * inbound SA, the new outbound one in the tunnel's slot, the old inbound one some time later. Every packet is compared.
 *
 * Three spans alternate: nothing is replaced; SAs are that no packet uses, which is what the other core's work costs
 * by itself (cache, memory); and those of the packets are.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_pause.h>

#include "lab_sa.h"
#include "tunnel_ask.h"

enum {
	BURST = 32,
	ROUNDS = 45,
	SPAN_MS = 50,
	REKEYS_PER_SECOND = 10000,
	TUNNELS = 1000, /* with traffic, and as many without */
	GRACE = 1000,   /* rekeys until an old inbound SA goes */
	SAD_SLOTS = 65536,
	BYTES_INNER = 256,
	WINDOW = 128
};

enum span { SPAN_REST, SPAN_ASIDE, SPAN_USED, SPANS };

/* W: worker; R: main, when the worker has ended. */
struct cell {
	uint64_t cycles, packets;
};

struct bench {
	struct ipsec *ips;
	struct rte_mbuf *packets[TUNNELS];
	uint8_t original[BYTES_INNER];
	uint16_t number; /* of the selectors of all outbound SAs, as a worker keeps it with a flow */
	struct cell cells[ROUNDS][SPANS];
	uint64_t wrong;                  /* W: worker */
	_Atomic uint32_t now;            /* W: main, R: worker: which cell */
	_Atomic bool ready, stop;        /* W: worker; W: main */
	struct sa *inbound[2 * TUNNELS]; /* main only */
	struct sa *old[GRACE];           /* main only; a ring */
	uint64_t rekeys, rekey_cycles;
};

/* ---- the worker ---- */

/* Out through the tunnels' SAs of this moment. Returns the good ones. */
static uint16_t seal(struct bench *b, struct ipsec_worker *w, uint32_t first, struct burst_item *items)
{
	const struct tunnel_words slots = tunnel_words(b->ips);

	for (uint16_t i = 0; i < BURST; i++)
		items[i] = (struct burst_item){
			.m = b->packets[first + i], .sa = tunnel_ask(&slots, first + i), .number = b->number
		};
	return burst_out(w, items, BURST);
}

/* ... and in again, by what they say. */
static uint16_t open_again(struct bench *b, struct ipsec_worker *w, struct burst_item *items, uint16_t n)
{
	struct rte_mbuf *pkts[BURST];

	for (uint16_t i = 0; i < n; i++)
		pkts[i] = items[i].m;
	return burst_in_plain(w, items, sad_lookup_plain(b->ips, 0, pkts, n, items));
}

static uint64_t differing(const struct bench *b, uint32_t first)
{
	uint64_t wrong = 0;

	for (uint32_t i = first; i < first + BURST; i++) {
		const struct rte_mbuf *m = b->packets[i];
		wrong += m->data_len != BYTES_INNER ||
			 memcmp(rte_pktmbuf_mtod(m, const uint8_t *), b->original, BYTES_INNER) != 0;
	}
	return wrong;
}

static int worker_run(void *argument)
{
	struct bench *b = argument;
	struct ipsec_worker *w = ipsec_worker_create(b->ips, 0);
	struct burst_item items[BURST];
	uint32_t first = 0;

	must(w != NULL, "worker");
	atomic_store_explicit(&b->ready, true, memory_order_release);
	while (!atomic_load_explicit(&b->stop, memory_order_relaxed) && !b->wrong) {
		uint32_t now = atomic_load_explicit(&b->now, memory_order_relaxed);
		uint64_t start = rte_rdtsc();
		uint16_t good = open_again(b, w, items, seal(b, w, first, items));
		ipsec_worker_quiescent(w);
		struct cell *cell = &b->cells[now / SPANS][now % SPANS];
		cell->cycles += rte_rdtsc() - start;
		cell->packets += BURST;
		b->wrong += good != BURST ? (uint64_t)(BURST - good) : differing(b, first);
		first = first + 2 * BURST > TUNNELS ? 0 : first + BURST;
	}
	ipsec_worker_offline(w);
	return 0;
}

/* ---- control ---- */

/* A new pair for a tunnel; returns the old inbound SA, or NULL. */
static struct sa *pair_replace(struct bench *b, uint32_t slot)
{
	struct sa *old = b->inbound[slot], *out;
	uint32_t spi = spi_reserve(b->ips, WORKER_NONE);

	must(spi != 0, "no SPI is free");
	b->inbound[slot] = sa_make(b->ips, SA_IN, spi, WINDOW, slot);
	must(!sad_insert(b->ips, b->inbound[slot]), "SAD");
	out = sa_make(b->ips, SA_OUT, spi, 0, slot);
	must(!sa_claim(out, 0) && !tunnel_publish(b->ips, slot, out), "tunnel");
	return old;
}

static void rekey(struct bench *b, uint32_t slot)
{
	struct sa **place = &b->old[b->rekeys++ % GRACE];
	uint64_t start = rte_rdtsc();

	if (*place)
		sad_retire(b->ips, *place);
	*place = pair_replace(b, slot);
	b->rekey_cycles += rte_rdtsc() - start;
}

static void span_run(struct bench *b, uint32_t round, enum span span)
{
	const uint64_t interval = rte_get_tsc_hz() / REKEYS_PER_SECOND, start = rte_rdtsc();
	const uint32_t rekeys = REKEYS_PER_SECOND / 1000 * SPAN_MS;

	atomic_store_explicit(&b->now, round * SPANS + span, memory_order_relaxed);
	for (uint32_t i = 0; i < rekeys; i++) {
		if (span != SPAN_REST)
			rekey(b, (i * 7) % TUNNELS + (span == SPAN_ASIDE ? TUNNELS : 0));
		reclaim_poll(b->ips);
		while (rte_rdtsc() - start < (i + 1) * interval)
			rte_pause();
	}
}

static uint64_t milli_cycles(const struct bench *b, uint32_t round, enum span span)
{
	const struct cell *c = &b->cells[round][span];

	return c->packets ? c->cycles * 1000 / c->packets : 0;
}

static double median(const struct bench *b, enum span span)
{
	uint64_t values[ROUNDS];

	for (uint32_t r = 0; r < ROUNDS; r++)
		values[r] = milli_cycles(b, r, span);
	qsort(values, ROUNDS, sizeof(values[0]), lab_compare);
	return (double)values[ROUNDS / 2] / 1000.0;
}

/* Over the span beside it: the machine's own drift is in both. */
static double median_ratio(const struct bench *b, enum span span)
{
	uint64_t values[ROUNDS];

	for (uint32_t r = 0; r < ROUNDS; r++)
		values[r] = milli_cycles(b, r, span) * 100000 / RTE_MAX(milli_cycles(b, r, SPAN_REST), (uint64_t)1);
	qsort(values, ROUNDS, sizeof(values[0]), lab_compare);
	return (double)values[ROUNDS / 2] / 100000.0;
}

static uint64_t packets_total(const struct bench *b)
{
	uint64_t sum = 0;

	for (uint32_t r = 0; r < ROUNDS; r++)
		for (int s = 0; s < SPANS; s++)
			sum += b->cells[r][s].packets;
	return sum;
}

/* rate: how many a second there were, less than wanted where the main lcore does not keep up. */
static void report(const struct bench *b, double rate)
{
	double hz = (double)rte_get_tsc_hz();

	printf("{\"tunnels\": %d, \"rekeys\": %" PRIu64 ", \"rekeys_per_second\": %.0f, \"us_per_rekey\": %.2f, "
	       "\"packets\": %" PRIu64 ", \"wrong\": %" PRIu64 ", \"cycles_rest\": %.1f, \"cycles_aside\": %.1f, "
	       "\"cycles_used\": %.1f, \"ratio_used\": %.4f}\n",
		TUNNELS, b->rekeys, rate, (double)b->rekey_cycles / (double)b->rekeys / hz * 1e6, packets_total(b),
		b->wrong, median(b, SPAN_REST), median(b, SPAN_ASIDE), median(b, SPAN_USED),
		median_ratio(b, SPAN_USED));
}

static void bench_begin(struct bench *b)
{
	struct rte_mempool *pool = rte_pktmbuf_pool_create(
		"mbufs", 2 * TUNNELS - 1, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	struct flow flow;

	must(pool != NULL, "packet buffers");
	b->ips = ipsec_make(SAD_SLOTS, 2 * TUNNELS);
	for (uint32_t slot = 0; slot < 2 * TUNNELS; slot++)
		pair_replace(b, slot);
	for (uint32_t i = 0; i < TUNNELS; i++)
		b->packets[i] = packet_make(pool, BYTES_INNER);
	memcpy(b->original, rte_pktmbuf_mtod(b->packets[0], const uint8_t *), BYTES_INNER);
	flow_read(b->original, BYTES_INNER, true, &flow);
	b->number = sa_selectors_number(tunnel_lookup(b->ips, 0), &flow);
	must(b->number != 0, "selectors with a number");
}

int main(int argc, char **argv)
{
	static struct bench b;
	uint64_t before, began;
	unsigned lcore;

	must(rte_eal_init(argc, argv) >= 0, "usage: churn EAL-ARGUMENTS (two lcores)");
	lcore = rte_get_next_lcore(-1, 1, 0);
	must(lcore != RTE_MAX_LCORE, "two lcores are needed");
	bench_begin(&b);
	must(!rte_eal_remote_launch(worker_run, &b, lcore), "worker");
	while (!atomic_load_explicit(&b.ready, memory_order_acquire))
		rte_pause();
	before = b.rekeys;
	began = rte_rdtsc();
	for (uint32_t round = 0; round < ROUNDS; round++)
		for (int span = 0; span < SPANS; span++)
			span_run(&b, round, (enum span)span);
	double seconds = (double)(rte_rdtsc() - began) / (double)rte_get_tsc_hz();
	atomic_store_explicit(&b.stop, true, memory_order_relaxed);
	rte_eal_wait_lcore(lcore);
	/* one span of three is without */
	report(&b, (double)(b.rekeys - before) / seconds * SPANS / (SPANS - 1));
	return b.wrong != 0;
}
