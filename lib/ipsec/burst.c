/* SPDX-License-Identifier: BSD-3-Clause */
/* A burst through its SAs, in either direction: every packet prepared by its SA's function, one crypto call for all
 * that want the same engine function, every packet finished, bad ones sorted to the end. What ESP and AH do to a packet
 * is in esp_*.c and ah_*.c. */
#include "usual_priv.h"

/* Operations that cannot go to the engine as they stand, since they want several of its functions or some ended before:
 * one call for each function, so that multi-buffer lanes are full however the SAs are mixed. left: a bit for each of
 * them. They are copied together and their verdicts copied back. Returns how many failed. */
static uint16_t ops_run_grouped(struct ipsec_worker *w, const struct burst_item *items, uint64_t left)
{
	struct crypto_op group[IPSEC_BURST];
	uint16_t places[IPSEC_BURST], failed = 0;

	while (left) {
		uint8_t crypt = sa_crypt(items[__builtin_ctzll(left)].sa);
		uint16_t count = 0;
		for (uint64_t rest = left; rest; rest &= rest - 1) {
			uint16_t op = (uint16_t)__builtin_ctzll(rest);
			if (sa_crypt(items[op].sa) != crypt)
				continue;
			places[count] = op;
			group[count++] = w->ops[op];
			left &= ~(1ull << op);
		}
		failed += w->crypts[crypt](w, group, count);
		for (uint16_t i = 0; i < count; i++)
			w->ops[places[i]].key = group[i].key;
	}
	return failed;
}
static_assert(IPSEC_BURST == 64, "a bit for every operation");

static inline void item_drop(struct burst_item *item, enum drop_reason reason)
{
	item->drop = (uint16_t)reason;
	sa_count_drop(item->sa, reason);
}

/* Good packets first, in their order. bad: a bit for each that is not. */
static void burst_partition(struct burst_item *items, uint16_t n, uint64_t bad)
{
	struct burst_item ended[IPSEC_BURST];
	uint16_t good = 0, bad_count = 0;

	for (uint16_t i = 0; i < n; i++) {
		if (bad >> i & 1)
			ended[bad_count++] = items[i];
		else
			items[good++] = items[i];
	}
	memcpy(&items[good], ended, bad_count * sizeof(ended[0]));
}

/* What became of a burst in front of the crypto. Of item i it is operation i; a bit for each. */
struct plan {
	uint64_t ended;  /* there is no operation */
	uint64_t closer; /* not a usual packet: the SA's own functions have it */
	bool mixed;      /* not all SAs have the same engine function */
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

/* Outbound; an item that does not fit its SA ends here, too, as it came. */
static __rte_noinline bool item_prepare_out(
	struct ipsec_worker *w, struct burst_item *item, uint16_t op, struct usual_burst *b)
{
	if (!item->number || usual_fits(w, item, op, b))
		return item_prepare(w, item, op);
	item->drop = DROP_NONE;
	b->returned |= 1ull << op;
	b->state.flags |= SA_AGAIN;
	return false;
}

/* The short way in front of the crypto where it is to be had (usual_priv.h). outbound: a constant. */
static __rte_always_inline void burst_prepare(struct ipsec_worker *w, struct burst_item *items, uint16_t n,
	bool outbound, struct usual_burst *burst, struct plan *ret_plan)
{
	uint64_t ended = 0, closer = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct burst_item *item = &items[i];
		if (likely(outbound ? usual_prepare_out(w, item, i, burst) : usual_prepare_in(w, item, i, burst)))
			continue;
		item->framed_port = FRAMED_NONE;
		closer |= 1ull << i;
		bool good = outbound ? item_prepare_out(w, item, (uint16_t)i, burst)
				     : item_prepare(w, item, (uint16_t)i);
		ended |= (uint64_t)!good << i;
	}
	*ret_plan = (struct plan){ ended, closer, burst->mixed };
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

/* Outbound nothing is left to do of usual packets. Returns a bit for each packet that ended. */
static inline uint64_t burst_finish_out(struct ipsec_worker *w, struct burst_item *items, const struct plan *plan)
{
	uint64_t ended = plan->ended;

	for (uint64_t rest = plan->closer & ~ended; rest; rest &= rest - 1) {
		uint16_t i = (uint16_t)__builtin_ctzll(rest);
		ended |= (uint64_t)!item_finish(w, &items[i], i) << i;
	}
	return ended;
}

static inline uint64_t burst_finish_in(
	struct ipsec_worker *w, struct burst_item *items, uint16_t n, const struct plan *plan)
{
	uint64_t ended = plan->ended;

	for (uint32_t i = 0; i < n; i++) {
		if (likely(!(plan->closer >> i & 1) && usual_finish_in(w, &items[i], i)))
			continue;
		if (!(plan->ended >> i & 1))
			ended |= (uint64_t)!item_finish(w, &items[i], (uint16_t)i) << i;
	}
	return ended;
}

/* A bit for each operation that the engine failed. */
static __rte_noinline uint64_t ops_failed(const struct ipsec_worker *w, uint16_t n)
{
	uint64_t failed = 0;

	for (uint16_t i = 0; i < n; i++)
		failed |= (uint64_t)!w->ops[i].key << i;
	return failed;
}

/* What the engine failed has a closer look, too. */
static inline void burst_crypt(struct ipsec_worker *w, const struct burst_item *items, uint16_t n, struct plan *plan)
{
	const uint64_t all = UINT64_MAX >> (IPSEC_BURST - n);
	uint16_t failed;

	if (unlikely(plan->mixed || plan->ended))
		failed = ops_run_grouped(w, items, all & ~plan->ended);
	else
		failed = w->crypts[sa_crypt(items[0].sa)](w, w->ops, n);
	if (unlikely(failed))
		plan->closer |= ops_failed(w, n);
}

static __rte_always_inline void burst_begin(struct ipsec_worker *w, struct burst_item *items, uint16_t n, bool outbound,
	struct usual_burst *burst, struct plan *ret_plan)
{
	w->udp6 = 0;
	burst_prepare(w, items, n, outbound, burst, ret_plan);
	stage_lap(w->clock, CYCLES_PREPARE);
	burst_crypt(w, items, n, ret_plan);
	stage_lap(w->clock, CYCLES_CRYPTO);
}

/* ended: a bit for each packet that did. Returns how many are good. */
static inline uint16_t burst_end(struct ipsec_worker *w, struct burst_item *items, uint16_t n, uint64_t ended)
{
	if (unlikely(ended))
		burst_partition(items, n, ended);
	stage_lap(w->clock, CYCLES_FINISH);
	return (uint16_t)(n - __builtin_popcountll(ended));
}

uint16_t burst_out_framed(
	struct ipsec_worker *w, struct burst_item *items, uint16_t n, bool plain, struct framing *framing)
{
	struct usual_burst burst;
	struct plan plan;

	if (!n)
		return 0;
	usual_burst_begin(&burst, w, items[0].sa, plain);
	usual_alike_begin(&burst.alike, framing);
	burst_begin(w, items, n, true, &burst, &plan);
	return burst_end(w, items, n, likely(!plan.closer) ? 0 : burst_finish_out(w, items, &plan));
}

uint16_t burst_out(struct ipsec_worker *w, struct burst_item *items, uint16_t n)
{
	return burst_out_framed(w, items, n, false, NULL);
}

/* The line in which a packet begins is here: its SPI was read. */
static uint16_t burst_in_as(struct ipsec_worker *w, struct burst_item *items, uint16_t n, bool plain)
{
	struct usual_burst burst;
	struct plan plan;

	if (!n)
		return 0;
	usual_burst_begin(&burst, w, items[0].sa, plain);
	burst_begin(w, items, n, false, &burst, &plan);
	return burst_end(w, items, n, burst_finish_in(w, items, n, &plan));
}

uint16_t burst_in(struct ipsec_worker *w, struct burst_item *items, uint16_t n)
{
	return burst_in_as(w, items, n, false);
}

uint16_t burst_in_plain(struct ipsec_worker *w, struct burst_item *items, uint16_t n)
{
	return burst_in_as(w, items, n, true);
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
