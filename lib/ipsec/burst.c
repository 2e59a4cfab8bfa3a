/* SPDX-License-Identifier: BSD-3-Clause */
/* A burst through its SAs, in either direction: prefetch, every packet prepared by its SA's function, one crypto call
 * for all that want the same engine function, every packet finished, bad ones sorted to the end. What ESP and AH do to
 * a packet is in esp_*.c and ah_*.c. */
#include "usual_priv.h"

static inline crypto_burst *op_crypt(const struct ipsec_worker *w, const struct burst_item *items, uint16_t op)
{
	return items[w->items[op]].sa->crypt;
}

/* A burst that wants several engine functions: one call for each, so that multi-buffer lanes are full however the SAs
 * are mixed. The operations are copied together and their verdicts copied back. Returns how many failed. */
static uint16_t ops_run_grouped(struct ipsec_worker *w, const struct burst_item *items, uint16_t n)
{
	struct crypto_op group[IPSEC_BURST];
	uint16_t places[IPSEC_BURST], failed = 0;
	uint64_t left = n < 64 ? (1ull << n) - 1 : UINT64_MAX;

	while (left) {
		crypto_burst *crypt = op_crypt(w, items, (uint16_t)__builtin_ctzll(left));
		uint16_t count = 0;
		for (uint64_t rest = left; rest; rest &= rest - 1) {
			uint16_t op = (uint16_t)__builtin_ctzll(rest);
			if (op_crypt(w, items, op) != crypt)
				continue;
			places[count] = op;
			group[count++] = w->ops[op];
			left &= ~(1ull << op);
		}
		failed += crypt(w, group, count);
		for (uint16_t i = 0; i < count; i++)
			w->ops[places[i]].key = group[i].key;
	}
	return failed;
}
static_assert(IPSEC_BURST == 64, "a bit for every operation");

/* The lines of the key that the crypto reads, once for all packets in a row that go through the same SA, whose own
 * lines came with the look-up (sad.c, tunnel.c): those of the round keys, and of its powers, of which four are in a
 * line, as many as the packet has blocks: what is fetched for nothing pushes out what is wanted. Asked for while the
 * packets are prepared, not all at once, since what comes faster than memory answers is dropped; and into the second
 * level, as the first one has no room for all of a burst. */
static inline void key_prefetch(const struct ipsec_worker *w, const struct sa *sa, uint32_t bytes)
{
	uint32_t lines = crypto_lines_needed(bytes, RTE_MIN(w->key_line_count, CRYPTO_LINES_EARLY));

	for (uint32_t line = 0; line < lines; line++)
		rte_prefetch1(sa->key + w->key_lines[line]);
}

static inline void item_drop(struct burst_item *item, enum drop_reason reason)
{
	item->drop = (uint16_t)reason;
	sa_count_drop(item->sa, reason);
}

/* Good packets first, in their order. */
static void burst_partition(struct burst_item *items, uint16_t n)
{
	struct burst_item bad[IPSEC_BURST];
	uint16_t good = 0, bad_count = 0;

	for (uint16_t i = 0; i < n; i++) {
		if (items[i].drop == DROP_NONE)
			items[good++] = items[i];
		else
			bad[bad_count++] = items[i];
	}
	memcpy(&items[good], bad, bad_count * sizeof(bad[0]));
}

/* The short way of a direction (usual_priv.h), in front of the crypto and behind it. */
struct usual_way {
	void (*run)(struct sa *sa, struct usual_run *ret_run);
	bool (*prepare)(struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op,
		const struct usual_run *run, struct usual_account *account);
	bool (*finish)(
		struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op, struct usual_account *account);
};

/* What the operations of a burst are, and what they need. */
struct plan {
	uint16_t ops;
	bool mixed;  /* not all SAs have the engine function `crypt` */
	bool finish; /* some SA has something to do behind the crypto */
	crypto_burst *crypt;
};

/* By the SA's own function. False: the packet ends here. */
static __rte_noinline bool item_prepare(struct ipsec_worker *w, struct burst_item *item, uint16_t op)
{
	enum drop_reason reason = sa_shape(item->sa)->prepare(w, item->m, item->sa, op);

	if (likely(!reason))
		return true;
	item_drop(item, reason);
	return false;
}

static __rte_always_inline void burst_prepare(struct ipsec_worker *w, struct burst_item *items, uint16_t n,
	const struct usual_way *usual, struct plan *ret_plan)
{
	struct plan plan = { .crypt = items[0].sa->crypt };
	struct usual_account account = { .sa = NULL };
	struct usual_run run = { .usual = false };
	uint16_t ended = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct burst_item *item = &items[i];
		struct sa *sa = item->sa;
		uint16_t op = (uint16_t)(i - ended);
		if (sa != account.sa) {
			key_prefetch(w, sa, item->m->data_len);
			usual_account_open(&account, sa, (uint16_t)(n - i));
			usual->run(sa, &run);
			plan.finish |= sa_shape(sa)->finish != NULL;
			plan.mixed |= sa->crypt != plan.crypt;
		}
		item->drop = DROP_NONE;
		w->items[op] = i;
		if (likely(usual->prepare(w, item->m, sa, op, &run, &account)))
			continue;
		usual_account_close(&account);
		ended += !item_prepare(w, item, op);
	}
	usual_account_close(&account);
	plan.ops = (uint16_t)(n - ended);
	*ret_plan = plan;
}

/* RFC 8200 8.1: over IPv6 a UDP checksum is not left out. It covers the pseudo header and the sealed datagram. */
static void udp6_checksum_set(struct rte_mbuf *m)
{
	struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod(m, struct rte_ipv6_hdr *);
	struct ip6_layout l;

	if (ip6_walk((const uint8_t *)ip, m->data_len, &l) != IP6_WALK_GOOD || l.protocol != IPPROTO_UDP)
		return;
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)((uint8_t *)ip + l.offset);
	uint16_t bytes = (uint16_t)(m->data_len - l.offset);
	struct {
		uint8_t addresses[32];
		uint32_t bytes_be, protocol_be;
	} pseudo = { .bytes_be = rte_cpu_to_be_32(bytes), .protocol_be = RTE_BE32(IPPROTO_UDP) };
	memcpy(pseudo.addresses, &ip->src_addr, sizeof(pseudo.addresses));
	udp->dgram_cksum = 0;
	uint32_t sum = (uint32_t)rte_raw_cksum(&pseudo, sizeof(pseudo)) + rte_raw_cksum(udp, bytes);
	uint16_t checksum = (uint16_t) ~((sum & 0xffff) + (sum >> 16));
	/* zero would say "none" */
	udp->dgram_cksum = checksum ? checksum : 0xffff;
}

/* Outbound nothing is left to do of the usual packet, and of others as it comes. */
static inline bool usual_finish_out(
	struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op, struct usual_account *account)
{
	RTE_SET_USED(account);
	RTE_SET_USED(w);
	RTE_SET_USED(m);
	RTE_SET_USED(op);
	return !sa_shape(sa)->finish;
}

/* By the SA's own function, if it has one. False: the packet ends here. */
static __rte_noinline bool item_finish(struct ipsec_worker *w, struct burst_item *item, uint16_t op)
{
	enum drop_reason reason = DROP_NONE;

	if (!w->ops[op].key)
		reason = DROP_CRYPTO;
	else if (sa_shape(item->sa)->finish)
		reason = sa_shape(item->sa)->finish(w, item->m, item->sa, op);
	if (w->udp6 >> op & 1)
		udp6_checksum_set(item->m);
	if (likely(!reason))
		return true;
	item_drop(item, reason);
	return false;
}

/* Returns how many packets are good. */
static __rte_always_inline uint16_t burst_finish(
	struct ipsec_worker *w, struct burst_item *items, uint16_t ops, const struct usual_way *usual)
{
	struct usual_account account = { .sa = NULL };
	uint16_t ended = 0;

	for (uint16_t i = 0; i < ops; i++) {
		struct burst_item *item = &items[w->items[i]];
		if (item->sa != account.sa)
			usual_account_open(&account, item->sa, (uint16_t)(ops - i));
		if (likely(w->ops[i].key && !(w->udp6 >> i & 1) && usual->finish(w, item->m, item->sa, i, &account)))
			continue;
		usual_account_close(&account);
		ended += !item_finish(w, item, i);
	}
	usual_account_close(&account);
	return (uint16_t)(ops - ended);
}

/* Returns how many failed. */
static inline uint16_t ops_run(struct ipsec_worker *w, const struct burst_item *items, const struct plan *plan)
{
	if (unlikely(plan->mixed))
		return ops_run_grouped(w, items, plan->ops);
	return likely(plan->ops) ? plan->crypt(w, w->ops, plan->ops) : 0;
}

static __rte_always_inline uint16_t burst_run(
	struct ipsec_worker *w, struct burst_item *items, uint16_t n, const struct usual_way *usual)
{
	uint16_t good, failed;
	struct plan plan;

	if (!n)
		return 0;
	w->udp6 = 0;
	stage_lap(w->clock, CYCLES_PREFETCH);
	burst_prepare(w, items, n, usual, &plan);
	stage_lap(w->clock, CYCLES_PREPARE);
	good = plan.ops;
	failed = ops_run(w, items, &plan);
	stage_lap(w->clock, CYCLES_CRYPTO);
	if (plan.finish || unlikely(failed || w->udp6))
		good = burst_finish(w, items, plan.ops, usual);
	if (unlikely(good != n))
		burst_partition(items, n);
	stage_lap(w->clock, CYCLES_FINISH);
	return good;
}

/* The lines of the packets around which headers go. */
static inline void out_prefetch(const struct burst_item *items, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		const uint8_t *inner = rte_pktmbuf_mtod(items[i].m, const uint8_t *);
		rte_prefetch0(inner - RTE_CACHE_LINE_SIZE);
		rte_prefetch0(inner + items[i].m->data_len);
	}
}

static inline void in_prefetch(const struct burst_item *items, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(items[i].m, const uint8_t *));
}

uint16_t burst_out(struct ipsec_worker *w, struct burst_item *items, uint16_t n)
{
	static const struct usual_way out = { usual_run_out, usual_prepare_out, usual_finish_out };

	out_prefetch(items, n);
	return burst_run(w, items, n, &out);
}

uint16_t burst_in(struct ipsec_worker *w, struct burst_item *items, uint16_t n)
{
	static const struct usual_way in = { usual_run_in, usual_prepare_in, usual_finish_in };

	in_prefetch(items, n);
	return burst_run(w, items, n, &in);
}

const uint8_t *iv_pool_pull(struct ipsec_worker *w, uint16_t n)
{
	if (unlikely(w->iv_left < n)) {
		if (w->engine->random_fill(w->manager, w->iv_pool, sizeof(w->iv_pool)))
			return NULL;
		w->iv_left = sizeof(w->iv_pool);
	}
	w->iv_left -= n;
	return w->iv_pool + w->iv_left;
}

bool ipsec_worker_random(struct ipsec_worker *w, uint32_t *ret_number)
{
	const uint8_t *at = iv_pool_pull(w, sizeof(*ret_number));

	if (at)
		memcpy(ret_number, at, sizeof(*ret_number));
	return at;
}
