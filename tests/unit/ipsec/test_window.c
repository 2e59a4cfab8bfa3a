/* SPDX-License-Identifier: BSD-3-Clause */
/* Sequence numbers through real packets: a sender with loss, reordering, copies and forgeries in front of an inbound
 * SA, one by one and in bursts, against a model that remembers every number (RFC 4303 3.4.3, A2). SALLYPORT_LONG=1
 * takes 3 * 10^5 steps a case. */
#include "harness.h"
#include "refusal.h"
#include "replay_model.h"

#define BURST 64

static const struct suite_row {
	const char *encr, *integ;
} suites[] = { { "null", "sha1" }, { "aes128gcm16", NULL }, { "aes128gcm16iiv", NULL }, { NULL, "aescmac" } };

struct stream {
	struct rig_options o;
	struct rig_pair p;
	struct replay_model model;
	uint64_t random;
	uint32_t leap;
};

/* What arrives: the number it was sealed with, and whether it is as it was sealed. */
struct arrival {
	uint64_t sequence;
	bool forged;
	bool judged; /* when it arrived, the window could tell its high half */
	enum drop_reason early;
};

static void stream_open(struct stream *s, const struct suite_row *suite, uint32_t window, bool esn, uint64_t start)
{
	s->o = rig_suite(suite->encr, suite->integ);
	s->o.esn = esn;
	s->o.replay_window = window;
	s->o.sequence = start;
	s->random = window + start + 1;
	s->leap = esn ? 1u << 31 : 100000;
	rig_pair_open(&s->p, &s->o);
	model_init(&s->model, window, start);
}

static void stream_close(struct stream *s)
{
	model_done(&s->model);
	rig_pair_close(&s->p);
}

static struct rte_mbuf *numbered_ah(struct rig_pair *p, uint64_t sequence, struct rte_mbuf *inner)
{
	uint8_t header[40];
	struct rig_ah a = { .sequence = sequence, .header = header, .next_header = IPPROTO_IPIP, .bytes = 30 };

	a.header_bytes = rig_ah_header(p, header);
	a.payload = rte_pktmbuf_mtod(inner, void *);
	return rig_seal_ah(p, &a);
}

/* A packet with the number of our choice. */
static struct rte_mbuf *numbered(struct stream *s, uint64_t sequence)
{
	struct rte_mbuf *inner = rig_packet(30, (uint8_t)sequence), *m;
	uint8_t text[32];

	if (!s->o.encr) {
		m = numbered_ah(&s->p, sequence, inner);
	} else {
		memcpy(text, rte_pktmbuf_mtod(inner, void *), 30);
		text[30] = 0;
		text[31] = IPPROTO_IPIP;
		m = rig_seal(&s->p, sequence, text, sizeof(text));
	}
	rte_pktmbuf_free(inner);
	return m;
}

static enum drop_reason verdict_reason(enum replay_verdict v)
{
	return v == REPLAY_NEW ? DROP_NONE : v == REPLAY_SEEN ? DROP_REPLAYED : DROP_TOO_OLD;
}

/* Chooses what arrives and what is known of it before crypto. */
static struct arrival arrive(struct stream *s, struct rte_mbuf **ret_m)
{
	struct arrival a = { .sequence = model_next(&s->model, &s->random, s->leap) };

	a.forged = model_random(&s->random) % 10 == 0;
	a.early = verdict_reason(model_check(&s->model, a.sequence));
	/* with ESN, what is left of the window is taken for a number 2^32 later */
	a.judged = !s->o.esn || a.early != DROP_TOO_OLD;
	if (!a.judged)
		a.early = DROP_NONE;
	*ret_m = numbered(s, a.sequence);
	if (a.forged)
		*rte_pktmbuf_mtod_offset(*ret_m, uint8_t *, (*ret_m)->data_len - 1) ^= 0x40;
	return a;
}

/* What becomes of it behind the crypto, in its turn. */
static enum drop_reason settle(struct stream *s, const struct arrival *a)
{
	if (a->early)
		return a->early;
	if (a->forged || !a->judged)
		return DROP_BAD_ICV;
	enum drop_reason late = verdict_reason(model_check(&s->model, a->sequence));
	if (!late)
		model_take(&s->model, a->sequence);
	return late;
}

/* Packets that came to another end than the model's. */
static uint64_t steps_wrong(struct stream *s, uint64_t steps)
{
	uint64_t wrong = 0;
	struct rte_mbuf *m;

	for (uint64_t i = 0; i < steps; i++) {
		struct arrival a = arrive(s, &m);
		enum drop_reason expected = settle(s, &a);
		wrong += rig_in(&s->p, m) != expected;
		wrong += replay_top(&s->p.in->replay) != s->model.top;
		rte_pktmbuf_free(m);
	}
	return wrong;
}

/* All of a burst are looked at before any of it is settled. */
static uint64_t burst_wrong(struct stream *s, uint16_t n)
{
	struct burst_item items[BURST];
	struct arrival arrivals[BURST];
	enum drop_reason expected[BURST];
	uint64_t wrong = 0;

	for (uint16_t i = 0; i < n; i++) {
		items[i] = (struct burst_item){ .sa = s->p.in, .worker_data = i };
		/* a third are copies of the one before */
		if (i && model_random(&s->random) % 3 == 0) {
			arrivals[i] = arrivals[i - 1];
			items[i].m = rig_copy(items[i - 1].m);
		} else {
			arrivals[i] = arrive(s, &items[i].m);
		}
	}
	for (uint16_t i = 0; i < n; i++)
		expected[i] = settle(s, &arrivals[i]);
	burst_in(s->p.in_worker, items, n);
	for (uint16_t i = 0; i < n; i++) {
		wrong += items[i].drop != expected[items[i].worker_data];
		rte_pktmbuf_free(items[i].m);
	}
	return wrong + (replay_top(&s->p.in->replay) != s->model.top);
}

static uint64_t bursts_wrong(struct stream *s, uint64_t steps)
{
	uint64_t wrong = 0;

	for (uint64_t done = 0; done < steps;) {
		uint16_t n = (uint16_t)(1 + model_random(&s->random) % BURST);
		wrong += burst_wrong(s, n);
		done += n;
	}
	return wrong;
}

/* Every window from the smallest to the largest, for each suite. */
static void all_windows(bool esn, uint64_t start, uint64_t (*walk)(struct stream *s, uint64_t steps))
{
	for (size_t i = 0; i < ARRAY_LEN(suites); i++)
		for (uint32_t window = 64; window <= REPLAY_WINDOW_MAX; window *= 2) {
			struct stream s;
			stream_open(&s, &suites[i], window, esn, start);
			CU_ASSERT_EQUAL(walk(&s, model_steps(4000, 300000)), 0);
			stream_close(&s);
		}
}

static void test_window_of_packets(void)
{
	all_windows(false, 0, steps_wrong);
}

static void test_window_of_packets_with_esn(void)
{
	all_windows(true, 0xfffffff0, steps_wrong);
}

static void test_window_of_bursts(void)
{
	all_windows(false, 0, bursts_wrong);
}

static void test_window_of_bursts_with_esn(void)
{
	all_windows(true, 0x2fffffff0, bursts_wrong);
}

/* From the first packet on: with ESN the numbers below the window's size have no high half to guess. */
static void test_window_at_its_beginning(void)
{
	all_windows(true, 0, steps_wrong);
}

/* RFC 4303 3.4.3: windows are for the receiver to choose; what is not a multiple of 64 is rounded up. */
static void test_window_of_odd_sizes(void)
{
	static const uint32_t windows[] = { 1, 63, 65, 100, 1000, 8191 };

	for (size_t i = 0; i < ARRAY_LEN(windows); i++)
		for (int esn = 0; esn < 2; esn++) {
			struct stream s;
			stream_open(&s, &suites[0], windows[i], esn, 0);
			CU_ASSERT_EQUAL(steps_wrong(&s, model_steps(4000, 300000)), 0);
			stream_close(&s);
		}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_window_of_packets),
		TEST(test_window_of_packets_with_esn),
		TEST(test_window_of_bursts),
		TEST(test_window_of_bursts_with_esn),
		TEST(test_window_at_its_beginning),
		TEST(test_window_of_odd_sizes),
	};

	rig_eal();
	return test_main("ipsec_window", tests, ARRAY_LEN(tests), argc, argv);
}
