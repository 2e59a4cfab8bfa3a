/* SPDX-License-Identifier: BSD-3-Clause */
/* What single parts of the packet path cost, in TSC cycles a packet, everything in the cache unless it says otherwise:
 * replay window, flow cache, policy table, SAD, handoff ring, and the ESP bursts of the ipsec room without ports.
 */
#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "flow_cache_priv.h"
#include "ipsec.h"
#include "lab_sa.h"
#include "replay.h"

enum { BURST = 32, ROUNDS = 20000, SAS = 50000, SAD_SLOTS = 65536, RULES = 1000, FLOWS = 65536, SPI = 0x1001 };

/* The quartile that interrupts do not reach. Sorts the samples. */
static void report(const char *name, uint64_t *samples, size_t n)
{
	qsort(samples, n, sizeof(*samples), lab_compare);
	printf("{\"part\": \"%s\", \"cycles\": %.1f}\n", name, (double)samples[n / 4] / BURST);
}

static uint64_t samples[ROUNDS];

/* ---- replay window ---- */

static void replay_rising(void)
{
	static struct {
		struct replay replay;
		uint64_t words[1024];
	} window;
	struct replay *r = &window.replay;
	uint64_t sequence = 1, bad = 0;

	replay_init(r, 128, 0, window.words);
	for (size_t round = 0; round < ROUNDS; round++) {
		uint64_t start = rte_rdtsc_precise();
		for (int i = 0; i < BURST; i++, sequence++)
			bad += replay_check(r, sequence) != REPLAY_NEW || replay_advance(r, sequence) != REPLAY_NEW;
		samples[round] = rte_rdtsc_precise() - start;
	}
	must(!bad, "replay window");
	report("replay window: check and advance, rising", samples, ROUNDS);
}

/* ---- flow cache ---- */

static struct flow flow_of(uint32_t n)
{
	return (struct flow){ .protocol = IPPROTO_UDP,
		.family = ADDR_IPV4,
		.has_ports = true,
		.local_be = { rte_cpu_to_be_32(RTE_IPV4(10, 1, 0, 5)) },
		.remote_be = { rte_cpu_to_be_32(RTE_IPV4(10, 2, 0, 0) + n) },
		.local_port_be = 1,
		.remote_port_be = 2 };
}

/* Looks up `span` flows in turn, those from `first` on. */
static void flow_lookups(const struct flow_cache *c, const char *name, uint32_t first, uint32_t span)
{
	uint64_t found = 0;
	uint32_t n = 0;

	for (size_t round = 0; round < ROUNDS; round++) {
		uint64_t start = rte_rdtsc_precise();
		for (int i = 0; i < BURST; i++, n = n + 1 == span ? 0 : n + 1) {
			const struct flow f = flow_of(first + n);
			const struct flow_key4 key = flow_key4_of(&f, 0);
			found += flow_lookup4(flow_set4(c, flow_key4_hash(c, &key), 0), &key, 1) != NULL;
		}
		samples[round] = rte_rdtsc_precise() - start;
	}
	must(first ? !found : found, "flow cache");
	report(name, samples, ROUNDS);
}

static void flow_cache(void)
{
	const struct decision d = { .kind = DECISION_PROTECT };
	struct flow_cache c = { 0 };

	must(!flow_cache_init(&c, FLOWS), "flow cache");
	for (uint32_t n = 0; n < FLOWS / 2; n++) {
		const struct flow f = flow_of(n);
		const struct flow_key4 key = flow_key4_of(&f, 0);
		flow_insert4(&c, flow_key4_hash(&c, &key), &key, 1, &d);
	}
	flow_lookups(&c, "flow cache: hit, 512 flows", 0, 512);
	flow_lookups(&c, "flow cache: hit, 32768 flows, no prefetch", 0, FLOWS / 2);
	flow_lookups(&c, "flow cache: miss", 1 << 20, 512);
	flow_cache_done(&c);
}

/* ---- policy table ---- */

static void rule_fill(struct spd_rule *r, uint32_t n)
{
	char text[64];

	*r = (struct spd_rule){ .action = SPD_PROTECT, .tunnel_slot = n, .local.count = 1, .remote.count = 1 };
	snprintf(text, sizeof(text), "10.2.%u.%u/32", n >> 8, n & 255);
	must(!selector_parse("10.1.0.0/24", &r->local.items[0]) && !selector_parse(text, &r->remote.items[0]),
		"selector");
}

/* first: of the flows; those from RULES on match no rule. */
static void policy(uint32_t rules, uint32_t first, const char *name)
{
	struct spd_rule *list = calloc(rules, sizeof(*list));
	struct spd_verdict verdicts[BURST];
	struct flow flows[BURST];
	const char *reason = "";
	struct spd *spd;

	for (uint32_t n = 0; n < rules; n++)
		rule_fill(&list[n], n);
	spd = spd_create(list, rules, &reason);
	must(spd != NULL, reason);
	for (size_t round = 0; round < ROUNDS; round++) {
		for (uint32_t i = 0; i < BURST; i++)
			flows[i] = flow_of(first + (uint32_t)(round * BURST + i) % rules);
		uint64_t start = rte_rdtsc_precise();
		spd_lookup(spd, flows, BURST, verdicts);
		samples[round] = rte_rdtsc_precise() - start;
	}
	must(verdicts[0].matched == !first, "policy");
	report(name, samples, ROUNDS);
	spd_free(spd);
	free(list);
}

/* ---- SAs ---- */

/* SPIs of our range in slots that hold none, or another generation. */
static void sad_misses(const struct ipsec *ips)
{
	const uint8_t ip[20] = { 0x45 };
	uint64_t found = 0;
	uint32_t spi = 0x40000000;

	for (size_t round = 0; round < ROUNDS; round++) {
		uint64_t start = rte_rdtsc_precise();
		for (int i = 0; i < BURST; i++)
			found += sad_lookup(ips, &(struct sad_question){ spi += 0x10001, PROTOCOL_ESP, 0, ip }) != NULL;
		samples[round] = rte_rdtsc_precise() - start;
	}
	must(found < ROUNDS, "SAD");
	report("SAD: miss", samples, ROUNDS);
}

static void sad(uint32_t count, const char *name)
{
	struct ipsec *ips = ipsec_make(SAD_SLOTS, 4);
	uint32_t *spis = calloc(count, sizeof(*spis));
	const uint8_t ip[20] = { 0x45 };
	uint64_t found = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t j = (uint32_t)random() % (i + 1);
		spis[i] = spis[j];
		spis[j] = spi_reserve(ips, WORKER_NONE);
		must(!sad_insert(ips, sa_make(ips, SA_IN, spis[j], 0, 0)), "SAD");
	}
	for (size_t round = 0; round < ROUNDS; round++) {
		uint64_t start = rte_rdtsc_precise();
		for (int i = 0; i < BURST; i++, n = n + 1 == count ? 0 : n + 1)
			found += sad_lookup(ips, &(struct sad_question){ spis[n], PROTOCOL_ESP, 0, ip }) != NULL;
		samples[round] = rte_rdtsc_precise() - start;
	}
	must(found == (uint64_t)ROUNDS * BURST, "SAD");
	report(name, samples, ROUNDS);
	if (count > 1)
		sad_misses(ips);
	free(spis);
	ipsec_free(ips);
}

/* ---- handoff: one thread is both ends, so this is the ring's work without the line that moves between cores ---- */

static void handoff(struct rte_mbuf **m)
{
	struct rte_ring *ring = rte_ring_create("handoff", 1024, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);

	must(ring != NULL, "ring");
	for (size_t round = 0; round < ROUNDS; round++) {
		uint64_t start = rte_rdtsc_precise();
		rte_ring_sp_enqueue_burst(ring, (void **)m, BURST, NULL);
		rte_ring_sc_dequeue_burst(ring, (void **)m, BURST, NULL);
		samples[round] = rte_rdtsc_precise() - start;
	}
	report("handoff ring: push and pull, one core", samples, ROUNDS);
	rte_ring_free(ring);
}

/* ... and with it: the other lcore takes the packets, reads what a worker would, and gives them back. */
struct crossing {
	struct rte_ring *there, *back;
	volatile bool ended;
};

static int crossing_receive(void *argument)
{
	struct crossing *c = argument;
	struct rte_mbuf *m[BURST];
	volatile uint8_t seen = 0;

	for (size_t round = 0; round < ROUNDS;) {
		uint64_t start = rte_rdtsc();
		unsigned n = rte_ring_sc_dequeue_burst(c->there, (void **)m, BURST, NULL);
		for (unsigned i = 0; i < n; i++)
			rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
		for (unsigned i = 0; i < n; i++)
			seen = (uint8_t)(seen + *rte_pktmbuf_mtod(m[i], uint8_t *) + m[i]->data_len);
		if (n)
			samples[round++] = (rte_rdtsc() - start) * BURST / n;
		rte_ring_sp_enqueue_burst(c->back, (void **)m, n, NULL);
	}
	c->ended = true;
	return 0;
}

static void crossing_send(struct crossing *c, struct rte_mbuf **m)
{
	unsigned have = BURST;

	for (uint8_t mark = 0; !c->ended; mark++) {
		for (unsigned i = 0; i < have; i++)
			*rte_pktmbuf_mtod(m[i], uint8_t *) = mark;
		have -= rte_ring_sp_enqueue_burst(c->there, (void **)m, have, NULL);
		have += rte_ring_sc_dequeue_burst(c->back, (void **)m + have, BURST - have, NULL);
	}
}

static void handoff_between_cores(struct rte_mbuf **m)
{
	struct crossing c = { .there = rte_ring_create("there", 1024, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ),
		.back = rte_ring_create("back", 1024, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ) };
	unsigned other = rte_get_next_lcore(-1, 1, 0);

	if (other == RTE_MAX_LCORE)
		return;
	must(c.there && c.back && !rte_eal_remote_launch(crossing_receive, &c, other), "handoff");
	crossing_send(&c, m);
	rte_eal_wait_lcore(other);
	report("handoff between cores, at the receiver", samples, ROUNDS);
}

/* ---- ESP without ports ---- */

static struct rte_mempool *pool;

static void items_fill(struct burst_item *items, struct rte_mbuf **m, struct sa *sa)
{
	for (int i = 0; i < BURST; i++)
		items[i] = (struct burst_item){ .m = m[i], .sa = sa };
}

/* What the bursts are made of, by their own clocks: building headers, the engine, what is left to do inbound. */
static void esp_parts(struct ipsec_worker *out_worker, struct sa *out, struct ipsec_worker *in_worker, struct sa *in,
	struct rte_mbuf **m, uint16_t bytes)
{
	static const struct {
		enum cycle_stage stage;
		bool inbound;
		const char *name;
	} parts[] = { { CYCLES_PREPARE, false, "ESP out: header build" }, { CYCLES_CRYPTO, false, "ESP out: engine" },
		{ CYCLES_PREPARE, true, "ESP in: header and window" }, { CYCLES_CRYPTO, true, "ESP in: engine" },
		{ CYCLES_FINISH, true, "ESP in: ICV, window, trailer, selectors" } };
	static uint64_t found[RTE_DIM(parts)][ROUNDS];
	struct burst_item items[BURST];
	struct stage_clock clocks[2];
	char name[64];

	ipsec_worker_measure(out_worker, &clocks[0]);
	ipsec_worker_measure(in_worker, &clocks[1]);
	for (size_t round = 0; round < ROUNDS; round++) {
		items_fill(items, m, out);
		clocks[0] = (struct stage_clock){ .last = rte_rdtsc() };
		must(burst_out(out_worker, items, BURST) == BURST, "encap");
		items_fill(items, m, in);
		clocks[1] = (struct stage_clock){ .last = rte_rdtsc() };
		must(burst_in(in_worker, items, BURST) == BURST, "decap");
		for (size_t i = 0; i < RTE_DIM(parts); i++)
			found[i][round] = clocks[parts[i].inbound].cycles[parts[i].stage];
	}
	ipsec_worker_measure(out_worker, NULL);
	ipsec_worker_measure(in_worker, NULL);
	for (size_t i = 0; i < RTE_DIM(parts); i++) {
		snprintf(name, sizeof(name), "%s, %u bytes", parts[i].name, bytes);
		report(name, found[i], ROUNDS);
	}
}

/* Packets go out and come back in, with rising sequence numbers. */
static void esp(uint16_t bytes, uint32_t window)
{
	static uint64_t in_samples[ROUNDS];
	struct ipsec *out_ips = ipsec_make(256, 4), *in_ips = ipsec_make(256, 4);
	struct ipsec_worker *out_worker = ipsec_worker_create(out_ips, 0), *in_worker = ipsec_worker_create(in_ips, 0);
	struct sa *out = sa_make(out_ips, SA_OUT, SPI, 0, 0), *in = sa_make(in_ips, SA_IN, SPI, window, 0);
	struct burst_item items[BURST];
	struct rte_mbuf *m[BURST];
	char name[64];

	must(out_worker && in_worker && !sa_claim(out, 0) && !tunnel_publish(out_ips, 0, out) &&
			!sad_insert(in_ips, in),
		"SAs");
	for (int i = 0; i < BURST; i++)
		m[i] = packet_make(pool, bytes);
	for (size_t round = 0; round < ROUNDS; round++) {
		items_fill(items, m, out);
		uint64_t start = rte_rdtsc_precise();
		must(burst_out(out_worker, items, BURST) == BURST, "encap");
		samples[round] = rte_rdtsc_precise() - start;
		items_fill(items, m, in);
		start = rte_rdtsc_precise();
		must(burst_in(in_worker, items, BURST) == BURST, "decap");
		in_samples[round] = rte_rdtsc_precise() - start;
	}
	if (window)
		esp_parts(out_worker, out, in_worker, in, m, bytes);
	snprintf(name, sizeof(name), "ESP out, %u bytes", bytes);
	if (window)
		report(name, samples, ROUNDS);
	snprintf(name, sizeof(name), "ESP in, %u bytes, replay window %u", bytes, window);
	report(name, in_samples, ROUNDS);
	rte_pktmbuf_free_bulk(m, BURST);
	ipsec_worker_free(out_worker);
	ipsec_worker_free(in_worker);
	ipsec_free(out_ips);
	ipsec_free(in_ips);
}

int main(int argc, char **argv)
{
	static const uint16_t sizes[] = { 64, 256, 576, 1420 };
	struct rte_mbuf *m[BURST];

	must(rte_eal_init(argc, argv) >= 0, "usage: micro EAL-ARGUMENTS");
	pool = rte_pktmbuf_pool_create("mbufs", 1023, 0, 256, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	must(pool && !rte_pktmbuf_alloc_bulk(pool, m, BURST), "packet buffers");
	replay_rising();
	flow_cache();
	policy(1, 0, "policy table: 1 rule");
	policy(RULES, 0, "policy table: 1000 rules");
	policy(RULES, RULES, "policy table: 1000 rules, miss");
	sad(1, "SAD: 1 SA");
	sad(SAS, "SAD: 50000 SAs, no prefetch");
	handoff(m);
	handoff_between_cores(m);
	for (size_t i = 0; i < RTE_DIM(sizes); i++) {
		esp(sizes[i], 0);
		esp(sizes[i], 128);
	}
	return 0;
}
