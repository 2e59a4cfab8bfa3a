/* SPDX-License-Identifier: BSD-3-Clause */
/* The functions of ipsec.h without tables, crypto or concurrency. Not a model of the room: only what the datapath's own
 * tests need it to answer. */
#include "fake_ipsec.h"

#include <rte_ether.h>

#include <rte_ip.h>
#include <stdlib.h>

#include "ip6.h"
#include "tunnel_ask.h"

#define DEFERRED_MAX 8192 /* a whole neighbour table twice */
#define ESP_BYTES    8

struct fake fake;

struct ipsec {
	struct {
		void (*free_fn)(void *object);
		void *object;
	} deferred[DEFERRED_MAX];
	unsigned count;
};

struct ipsec_worker {
	uint16_t id;
};

struct spd {
	size_t count;
	struct spd_rule rules[];
};

struct ipsec *ipsec_create(const struct ipsec_config *config, const char **ret_reason)
{
	(void)config;
	*ret_reason = NULL;
	fake = (struct fake){ .deferred = 0 };
	return calloc(1, sizeof(struct ipsec));
}

size_t reclaim_poll(struct ipsec *ips)
{
	if (fake.hold_reclaim)
		return ips->count;
	for (unsigned i = 0; i < ips->count; i++)
		ips->deferred[i].free_fn(ips->deferred[i].object);
	ips->count = fake.deferred = 0;
	return 0;
}

void ipsec_free(struct ipsec *ips)
{
	if (!ips)
		return;
	fake.hold_reclaim = false;
	reclaim_poll(ips);
	free(ips);
}

void reclaim_later(struct ipsec *ips, void (*free_fn)(void *object), void *object)
{
	if (ips->count == DEFERRED_MAX)
		abort();
	ips->deferred[ips->count].free_fn = free_fn;
	ips->deferred[ips->count++].object = object;
	fake.deferred = ips->count;
}

/* 1, 2, 3 */
bool ipsec_worker_random(struct ipsec_worker *w, uint32_t *ret_number)
{
	(void)w;
	if (!fake.no_random)
		*ret_number = ++fake.random;
	return !fake.no_random;
}

struct ipsec_worker *ipsec_worker_create(struct ipsec *ips, uint16_t worker)
{
	struct ipsec_worker *w = calloc(1, sizeof(*w));

	(void)ips;
	if (w)
		w->id = worker;
	return w;
}

void ipsec_worker_free(struct ipsec_worker *w)
{
	free(w);
}

void ipsec_worker_quiescent(struct ipsec_worker *w)
{
	(void)w;
}

void ipsec_worker_offline(struct ipsec_worker *w)
{
	(void)w;
}

void ipsec_worker_online(struct ipsec_worker *w)
{
	(void)w;
}

void ipsec_worker_measure(struct ipsec_worker *w, struct stage_clock *clock)
{
	(void)w;
	(void)clock;
}

struct path *path_create(const struct path_spec *spec, uint16_t mtu, uint16_t port, uint32_t neighbour)
{
	struct path *p = calloc(1, sizeof(*p));

	if (p)
		*p = (struct path){ .mtu = mtu, .port = port, .neighbour = neighbour, .spec = *spec };
	return p;
}

void path_on_free(struct path *p, void (*release)(void *context, uint32_t neighbour), void *context)
{
	p->release = release;
	p->release_context = context;
}

void path_free(void *path)
{
	struct path *p = path;

	if (p && p->release)
		p->release(p->release_context, p->neighbour);
	free(p);
}

uint32_t sa_spi(const struct sa *sa)
{
	return sa->spi;
}

uint32_t sa_tunnel_slot(const struct sa *sa)
{
	return sa->tunnel_slot;
}

uint32_t sa_policy_slot(const struct sa *sa)
{
	return sa->tunnel_slot;
}

bool sa_takes_fragments(const struct sa *sa)
{
	return !sa->wants_ports;
}

bool sa_joins_fragments(const struct sa *sa)
{
	return sa->wants_ports;
}

static bool still_moving(void)
{
	return fake.moving_reads && fake.moving_reads--;
}

uint8_t sa_owner(const struct sa *sa)
{
	return still_moving() ? WORKER_MOVING : sa->owner;
}

uint8_t sa_claim(struct sa *sa, uint8_t worker)
{
	if (sa->owner == WORKER_NONE)
		sa->owner = worker;
	return sa->owner;
}

void sa_count_drop(struct sa *sa, enum drop_reason reason)
{
	sa->drops[reason]++;
}

uint16_t sa_inner_mtu(const struct sa *sa)
{
	return sa->inner_mtu;
}

const struct path *sa_path(const struct sa *sa)
{
	return sa->path;
}

bool sa_selectors_match(const struct sa *sa, const struct flow *flow)
{
	(void)flow;
	return !sa->outside;
}

bool spi_filter_has(const struct ipsec *ips, uint32_t spi)
{
	(void)ips;
	(void)spi;
	return !fake.no_spi_out;
}

struct sa *sad_lookup(const struct ipsec *ips, const struct sad_question *question)
{
	(void)ips;
	for (int i = 0; i < FAKE_SLOTS; i++)
		if (fake.inbound[i] && fake.inbound[i]->spi == question->spi)
			return fake.inbound[i];
	return NULL;
}

struct sa *sad_lookup_slot(const struct ipsec *ips, uint32_t spi)
{
	const struct sad_question question = { .spi = spi };

	return fake.all_foreign ? NULL : sad_lookup(ips, &question);
}

void sad_lookup_burst(const struct ipsec *ips, const struct sad_question *questions, uint16_t n, struct sa **ret_sas)
{
	for (uint16_t i = 0; i < n; i++)
		ret_sas[i] = sad_lookup(ips, &questions[i]);
}

uint16_t sad_lookup_plain(
	const struct ipsec *ips, uint8_t worker, struct rte_mbuf **pkts, uint16_t n, struct burst_item *ret_items)
{
	uint16_t found = 0, rest = 0;
	bool moving = false;

	for (uint16_t i = 0; i < n; i++) {
		uint32_t spi = load_be32(rte_pktmbuf_mtod_offset(pkts[i], const uint8_t *, 20));
		uint8_t turn = owner_turn(sad_bucket_worker(ips, spi), worker);
		moving |= turn == WORKER_MOVING;
		struct sa *sa = turn == worker && !moving ? sad_lookup_slot(ips, spi) : NULL;
		if (sa)
			ret_items[found++] = (struct burst_item){ .m = pkts[i], .sa = sa };
		else
			pkts[rest++] = pkts[i];
	}
	return found;
}

uint8_t sad_bucket_worker(const struct ipsec *ips, uint32_t spi)
{
	(void)ips;
	return still_moving() ? WORKER_MOVING : fake.buckets[spi % SA_BUCKETS];
}

void sad_bucket_publish(struct ipsec *ips, uint8_t bucket, uint8_t owner)
{
	(void)ips;
	fake.buckets[bucket] = owner;
}

static void owners_change(uint64_t workers, uint8_t low, uint8_t high, uint8_t set, uint8_t clear)
{
	for (int i = 0; i < FAKE_SLOTS; i++) {
		struct sa *sa = fake.tunnels[i];
		if (sa && sa->owner >= low && sa->owner <= high && (low || workers >> sa->owner & 1))
			sa->owner = (sa->owner | set) & (uint8_t)~clear;
	}
}

void sa_owners_leave(struct ipsec *ips, uint64_t workers)
{
	(void)ips;
	owners_change(workers, 0, IPSEC_WORKERS_MAX - 1, WORKER_LEAVING, 0);
}

void sa_owners_hold(struct ipsec *ips)
{
	(void)ips;
	owners_change(0, WORKER_LEAVING, WORKER_MOVING - 1, WORKER_MOVING, 1);
}

void sa_owners_release(struct ipsec *ips)
{
	(void)ips;
	owners_change(0, WORKER_MOVING, WORKER_MOVING, WORKER_NONE, 0);
}

struct sa *tunnel_lookup(const struct ipsec *ips, uint32_t slot)
{
	(void)ips;
	return slot < FAKE_SLOTS ? fake.tunnels[slot] : NULL;
}

/* What a word has beside the address is not looked at by the datapath. */
struct tunnel_words tunnel_words(const struct ipsec *ips)
{
	static _Atomic uint64_t words[FAKE_SLOTS];

	(void)ips;
	for (uint32_t i = 0; i < FAKE_SLOTS; i++)
		words[i] = sa_word_make(i, fake.tunnels[i], false);
	return (struct tunnel_words){ words, FAKE_SLOTS, 0 };
}

uint16_t sa_selectors_number(const struct sa *sa, const struct flow *flow)
{
	(void)flow;
	return sa->outside ? 0 : sa->number;
}

struct sa *tunnel_select(struct sa *sa, const struct flow *flow)
{
	while (sa && !sa_selectors_match(sa, flow))
		sa = sa->behind;
	return sa;
}

bool tunnel_holds(const struct ipsec *ips, uint32_t slot, const struct sa *sa)
{
	const struct sa *at = tunnel_lookup(ips, slot);

	while (at && at != sa)
		at = at->behind;
	return at;
}

uint32_t tunnel_child_lookup(const struct ipsec *ips, uint32_t tunnel_slot, const struct flow *flow)
{
	(void)ips;
	return fake.child && fake.child_of == tunnel_slot && flow->remote_be[0] == fake.child_addr_be ? fake.child
												      : tunnel_slot;
}

uint32_t tunnel_child_epoch(const struct ipsec *ips)
{
	(void)ips;
	return fake.child_epoch;
}

struct spd *spd_create(const struct spd_rule *rules, size_t count, const char **ret_reason)
{
	struct spd *s = calloc(1, sizeof(*s) + count * sizeof(*rules));

	*ret_reason = NULL;
	if (!s)
		return NULL;
	s->count = count;
	memcpy(s->rules, rules, count * sizeof(*rules));
	return s;
}

void spd_free(void *spd)
{
	free(spd);
}

static bool list_matches(const struct selector_list *l, const uint32_t *addr_be, const struct flow *f, uint16_t port_be)
{
	struct addr a = addr_from_bytes((enum addr_family)f->family, (const uint8_t *)addr_be);

	for (int i = 0; i < l->count; i++)
		if (selector_matches(&l->items[i], &a, f->protocol, f->has_ports, rte_be_to_cpu_16(port_be)))
			return true;
	return false;
}

void spd_lookup(const struct spd *spd, const struct flow *flows, uint16_t n, struct spd_verdict *ret_verdicts)
{
	for (uint16_t i = 0; i < n; i++) {
		ret_verdicts[i] = (struct spd_verdict){ .action = SPD_DISCARD };
		for (size_t r = 0; r < spd->count && !ret_verdicts[i].matched; r++)
			if (list_matches(&spd->rules[r].local, flows[i].local_be, &flows[i], flows[i].local_port_be) &&
				list_matches(
					&spd->rules[r].remote, flows[i].remote_be, &flows[i], flows[i].remote_port_be))
				ret_verdicts[i] = (struct spd_verdict){ (uint8_t)spd->rules[r].action, true,
					spd->rules[r].tunnel_slot, (uint32_t)r };
	}
}

static void outer6_fill(struct rte_ipv6_hdr *ip, const struct burst_item *item)
{
	*ip = (struct rte_ipv6_hdr){
		.vtc_flow = RTE_BE32(0x60000000),
		.hop_limits = 64,
		.proto = IPPROTO_ESP,
		.payload_len = rte_cpu_to_be_16((uint16_t)(item->m->data_len - sizeof(*ip))),
	};
	memcpy(&ip->src_addr, item->sa->path->spec.local.addr.bytes, 16);
	memcpy(&ip->dst_addr, item->sa->path->spec.remote.addr.bytes, 16);
}

static void outer4_fill(struct rte_ipv4_hdr *ip, const struct burst_item *item)
{
	*ip = (struct rte_ipv4_hdr){ .version_ihl = 0x45, .time_to_live = 64, .next_proto_id = IPPROTO_ESP };
	ip->total_length = rte_cpu_to_be_16(item->m->data_len);
	memcpy(&ip->src_addr, item->sa->path->spec.local.addr.bytes, 4);
	memcpy(&ip->dst_addr, item->sa->path->spec.remote.addr.bytes, 4);
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

static enum drop_reason outer_add(struct burst_item *item)
{
	bool six = item->sa->path->spec.local.addr.family == ADDR_IPV6;
	uint16_t ip_bytes = six ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);
	uint8_t *outer = (uint8_t *)rte_pktmbuf_prepend(item->m, (uint16_t)(ip_bytes + ESP_BYTES));

	if (six)
		outer6_fill((struct rte_ipv6_hdr *)outer, item);
	else
		outer4_fill((struct rte_ipv4_hdr *)outer, item);
	store_be32(outer + ip_bytes, item->sa->spi);
	store_be32(outer + ip_bytes + 4, (uint32_t)++item->sa->packets);
	return DROP_NONE;
}

/* With a number: it is the SA's, which is this worker's, and the packet is not too large. Nor is what is behind one
 * that does not fit. */
static bool fits(const struct ipsec_worker *w, const struct burst_item *items, uint16_t at, uint64_t returned)
{
	const struct burst_item *item = &items[at];

	for (uint16_t i = 0; i < at; i++)
		if (returned >> i & 1 && items[i].sa == item->sa)
			return false;
	return sa_owner(item->sa) == w->id && item->sa->number == item->number &&
	       item->m->data_len <= item->sa->inner_mtu;
}

/* Good ones first, as the contract says. w: outbound. */
static uint16_t burst(const struct ipsec_worker *w, struct burst_item *items, uint16_t n,
	enum drop_reason (*work)(struct burst_item *item))
{
	struct burst_item sorted[2][64];
	uint16_t count[2] = { 0, 0 };
	uint64_t returned = 0;

	for (uint16_t i = 0; i < n; i++) {
		bool good = false;
		items[i].drop = DROP_NONE;
		if (w && items[i].number && !fits(w, items, i, returned)) {
			returned |= 1ull << i;
			fake.returned++;
		} else {
			items[i].drop = items[i].sa->refuse ? items[i].sa->refuse : work(&items[i]);
			good = !items[i].drop;
		}
		sorted[good][count[good]++] = items[i];
	}
	memcpy(items, sorted[true], count[true] * sizeof(*items));
	memcpy(items + count[true], sorted[false], count[false] * sizeof(*items));
	return count[true];
}

static void frame(struct burst_item *item, struct framing *framing)
{
	const struct path *p = item->sa->path;
	const struct egress to = { p->neighbour, p->port };
	const struct frame_head *head = framing->head(framing, &to);
	uint32_t bytes = item->m->data_len;

	/* which frames IPv4 in IPv4 */
	if (*rte_pktmbuf_mtod(item->m, const uint8_t *) >> 4 != 4 || bytes > head->most || bytes > p->mtu ||
		(item->sa->framed_most && bytes > item->sa->framed_most))
		return;
	memcpy(rte_pktmbuf_prepend(item->m, RTE_ETHER_HDR_LEN), head->bytes + FRAME_HEAD_BYTES - RTE_ETHER_HDR_LEN,
		RTE_ETHER_HDR_LEN);
	item->framed_port = to.port;
	fake.framed++;
}

uint16_t burst_out_framed(
	struct ipsec_worker *w, struct burst_item *items, uint16_t n, bool plain, struct framing *framing)
{
	uint16_t good;

	for (uint16_t i = 0; plain && i < n; i++)
		if (items[i].m->nb_segs != 1 || *rte_pktmbuf_mtod(items[i].m, const uint8_t *) >> 4 != 4)
			abort();
	good = burst(w, items, n, outer_add);
	for (uint16_t i = 0; i < n; i++) {
		items[i].framed_port = FRAMED_NONE;
		if (framing && i < good)
			frame(&items[i], framing);
	}
	return good;
}

/* Bytes of everything outside, 8 of ESP or 12 of AH (no ICV here). */
static uint16_t outer_bytes(const struct rte_mbuf *m)
{
	const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);
	uint16_t bytes = (uint16_t)((ip[0] & 15) * 4);
	uint8_t protocol = ip[9];
	struct ip6_layout l;

	if (ip[0] >> 4 == 6) {
		if (ip6_walk(ip, m->data_len, &l) != IP6_WALK_GOOD)
			abort();
		bytes = l.offset;
		protocol = l.protocol;
	}
	return (uint16_t)(bytes + (protocol == IPPROTO_UDP ? 16 : protocol == IPPROTO_AH ? 12 : ESP_BYTES));
}

/* Length of the inner packet from the net behind the tunnel (10.2.0.0/24, 2001:db8:2::/64), or 0 with the reason. */
static uint32_t inner_bytes(const struct rte_mbuf *m, bool any_source, uint16_t *ret_drop)
{
	static const uint8_t far6[8] = { 0x20, 0x01, 0x0d, 0xb8, 0, 2 };
	const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);
	uint32_t header = m->data_len && ip[0] >> 4 == 6 ? 40 : m->data_len ? (ip[0] & 15) * 4u : 0, total;
	bool outside;

	*ret_drop = DROP_INNER_HEADER;
	if (m->data_len < header || header < 20 || (ip[0] >> 4 != 4 && ip[0] >> 4 != 6))
		return 0;
	total = header == 40 && ip[0] >> 4 == 6 ? 40u + load_be16(ip + 4) : load_be16(ip + 2);
	if (total < header || total > m->data_len)
		return 0;
	outside = ip[0] >> 4 == 6 ? memcmp(ip + 8, far6, sizeof(far6)) != 0 : load_be32(ip + 12) >> 8 != 0x0a0200;
	outside &= !any_source;
	*ret_drop = outside ? DROP_SELECTOR_IN : DROP_NONE;
	return outside ? 0 : total;
}

/* Strips, and promises of the inner packet what the contract does: lengths that fit, inside its selectors. */
static enum drop_reason outer_strip(struct burst_item *item)
{
	struct rte_mbuf *m = item->m;
	uint16_t drop = DROP_INNER_HEADER;
	uint32_t total = rte_pktmbuf_adj(m, outer_bytes(m)) ? inner_bytes(m, item->sa->any_source, &drop) : 0;

	if (!total)
		return (enum drop_reason)drop;
	rte_pktmbuf_trim(m, (uint16_t)(m->data_len - total));
	item->sa->packets++;
	return DROP_NONE;
}

/* What the contract says of packets in burst_in_plain. */
static bool is_plain(const struct rte_mbuf *m)
{
	const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);

	return m->nb_segs == 1 && m->data_len >= 20 && ip[0] == 0x45 && !(load_be16(ip + 6) & 0x3fff) &&
	       ip[9] == IPPROTO_ESP && load_be16(ip + 2) == m->data_len;
}

uint16_t burst_in_plain(struct ipsec_worker *w, struct burst_item *items, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		if (!is_plain(items[i].m)) {
			fprintf(stderr, "burst_in_plain was given another packet\n");
			abort();
		}
	return burst_in(w, items, n);
}

uint16_t burst_in(struct ipsec_worker *w, struct burst_item *items, uint16_t n)
{
	(void)w;
	return burst(NULL, items, n, outer_strip);
}

void sa_stats_read(const struct sa *sa, struct sa_stats *ret_stats)
{
	*ret_stats = (struct sa_stats){ .packets = sa->packets, .owner = sa->owner, .flags = sa->flags };
}
