/* SPDX-License-Identifier: BSD-3-Clause */
/* A burst through its SAs, in either direction: prefetch, every packet prepared by its SA's function, one crypto call
 * for all that want the same engine function, every packet finished, bad ones sorted to the end. What ESP and AH do to
 * a packet is in esp_*.c and ah_*.c. */
#include "burst_priv.h"

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

/* Returns how many failed. */
static inline uint16_t ops_run(struct ipsec_worker *w, const struct burst_item *items, uint16_t n)
{
	crypto_burst *first = n ? op_crypt(w, items, 0) : NULL;

	for (uint16_t i = 1; i < n; i++)
		if (unlikely(op_crypt(w, items, i) != first))
			return ops_run_grouped(w, items, n);
	return n ? first(w, w->ops, n) : 0;
}

/* The lines of SA and key that the next stages touch; once for all packets in a row that go through the same SA. */
static inline void sa_prefetch(const struct ipsec_worker *w, const struct sa *sa)
{
	rte_prefetch0(sa);
	rte_prefetch0(&sa->sequence);
	for (uint16_t line = 0; line < w->key_line_count; line++)
		rte_prefetch0(sa->key + w->key_lines[line]);
}

static inline void item_drop(struct burst_item *item, enum drop_reason reason)
{
	item->drop = (uint16_t)reason;
	sa_count_drop(item->sa, reason);
}

/* Good packets first, in their order. Returns how many. */
static uint16_t burst_partition(struct burst_item *items, uint16_t n)
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
	return good;
}

/* Returns how many operations there are. ret_finish: some SA has something to do behind the crypto. */
static inline uint16_t burst_prepare(struct ipsec_worker *w, struct burst_item *items, uint16_t n, bool *ret_finish)
{
	uint16_t ops = 0;

	*ret_finish = false;
	for (uint16_t i = 0; i < n; i++) {
		enum drop_reason reason = items[i].sa->prepare(w, items[i].m, items[i].sa, ops);
		*ret_finish |= items[i].sa->finish != NULL;
		items[i].drop = DROP_NONE;
		w->items[ops] = i;
		if (likely(reason == DROP_NONE))
			ops++;
		else
			item_drop(&items[i], reason);
	}
	return ops;
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

/* Returns how many packets are good. */
static inline uint16_t burst_finish(struct ipsec_worker *w, struct burst_item *items, uint16_t ops)
{
	uint16_t good = 0;

	for (uint16_t i = 0; i < ops; i++) {
		struct burst_item *item = &items[w->items[i]];
		enum drop_reason reason = DROP_NONE;
		if (unlikely(!w->ops[i].key))
			reason = DROP_CRYPTO;
		else if (item->sa->finish)
			reason = item->sa->finish(w, item->m, item->sa, i);
		if (unlikely(w->udp6 >> i & 1))
			udp6_checksum_set(item->m);
		if (likely(reason == DROP_NONE))
			good++;
		else
			item_drop(item, reason);
	}
	return good;
}

static inline uint16_t burst_run(struct ipsec_worker *w, struct burst_item *items, uint16_t n)
{
	uint16_t ops, good, failed;
	bool finish;

	w->udp6 = 0;
	ops = good = burst_prepare(w, items, n, &finish);
	failed = ops_run(w, items, ops);
	if (finish || unlikely(failed || w->udp6))
		good = burst_finish(w, items, ops);
	return likely(good == n) ? n : burst_partition(items, n);
}

/* The SA's lines, its path's, and the packet's around which headers go. */
static inline void out_prefetch(const struct ipsec_worker *w, const struct burst_item *items, uint16_t n)
{
	const struct sa *before = NULL;

	for (uint16_t i = 0; i < n; i++) {
		const uint8_t *inner = rte_pktmbuf_mtod(items[i].m, const uint8_t *);
		rte_prefetch0(inner - RTE_CACHE_LINE_SIZE);
		rte_prefetch0(inner + items[i].m->data_len);
		if (items[i].sa == before)
			continue;
		before = items[i].sa;
		sa_prefetch(w, before);
		rte_prefetch0(atomic_load_explicit(&before->path, memory_order_relaxed));
	}
}

static inline void in_prefetch(const struct ipsec_worker *w, const struct burst_item *items, uint16_t n)
{
	const struct sa *before = NULL;

	for (uint16_t i = 0; i < n; i++) {
		rte_prefetch0(rte_pktmbuf_mtod(items[i].m, const uint8_t *));
		if (items[i].sa == before)
			continue;
		before = items[i].sa;
		sa_prefetch(w, before);
		rte_prefetch0(before->selectors);
	}
}

uint16_t burst_out(struct ipsec_worker *w, struct burst_item *items, uint16_t n)
{
	out_prefetch(w, items, n);
	return burst_run(w, items, n);
}

uint16_t burst_in(struct ipsec_worker *w, struct burst_item *items, uint16_t n)
{
	in_prefetch(w, items, n);
	return burst_run(w, items, n);
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
