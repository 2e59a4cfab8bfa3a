/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets for control: one ring a class and worker; a limit per IKE SA for its messages, per source for those of none,
 * per class and port for what comes from links. A full ring is a counted drop. */
#include "stages_priv.h"

#include <rte_arp.h>

/* What names no IKE SA that is here is an answer that comes late, a hint, or a peer that lost us: of these the engine
 * heeds a few a second. */
#define STRAY_RATE  500 /* a second, worker and port */
#define STRAY_BURST 100

/* Neighbours of a link are few and repeat themselves: what a flood makes control do is bounded, and the other links do
 * not feel it. */
#define LINK_RATE  2000 /* a second, worker and port */
#define LINK_BURST 400  /* less than the ring: a flood does not fill what other ports need */

/* Of what all tunnels behind a port may have, a tenth. */
#define PEER_RATE  (LINK_RATE / 10)
#define PEER_BURST (LINK_BURST / 10)

/* Of one neighbour that was asked, or has proven itself: it asks, and answers, a few times a second at most. */
#define NEIGHBOUR_RATE  20
#define NEIGHBOUR_BURST 20

/* Queries are minutes apart. */
#define MLD_RATE  50 /* a second, worker and port */
#define MLD_BURST 50

static const struct {
	enum datapath_counter counter;
	uint32_t rate, burst; /* 0: limited elsewhere */
} punt_table[PUNT_CLASSES] = {
	[PUNT_IKE] = { DP_C_PUNT_IKE, 0, 0 },
	[PUNT_IKE_OPENING] = { DP_C_PUNT_IKE_OPENING, 0, 0 },
	[PUNT_IKE_NEW] = { DP_C_PUNT_IKE_NEW, 0, 0 },
	[PUNT_IKE_STRAY] = { DP_C_PUNT_IKE_STRAY, STRAY_RATE, STRAY_BURST },
	[PUNT_LINK] = { DP_C_PUNT_LINK, LINK_RATE, LINK_BURST },
	[PUNT_ARP] = { DP_C_PUNT_ARP, LINK_RATE, LINK_BURST },
	[PUNT_ND] = { DP_C_PUNT_ND, LINK_RATE, LINK_BURST },
	[PUNT_MLD] = { DP_C_PUNT_MLD, MLD_RATE, MLD_BURST },
	[PUNT_HOLD_VIA] = { DP_C_HELD, LINK_RATE, LINK_BURST },
	[PUNT_HOLD] = { DP_C_HELD, LINK_RATE, LINK_BURST },
};

/* What counts as one source: an IPv4 address; of IPv6 the /64, of which one host may have every address (RFC 4291
 * 2.5.4). */
static uint32_t source_hash(const struct rte_mbuf *m, uint32_t seed)
{
	uint32_t half[2];

	if (!packet_is_ip6(m))
		return rte_jhash_1word(packet_ip(m)->src_addr, seed);
	memcpy(half, ip6_source(packet_ip6(m)), sizeof(half));
	return rte_jhash_2words(half[0], half[1], seed);
}

/* A source anybody can pretend to be, the SPI of an IKE SA only who was told: its messages have a share of their own,
 * whatever is sent in its peer's name. */
static struct bucket *ike_bucket(struct worker *w, const struct rte_mbuf *m, enum punt_class class, uint32_t place)
{
	if (class == PUNT_IKE || class == PUNT_IKE_OPENING)
		return &w->ike_places[place];
	return &w->ike_sources[class == PUNT_IKE_STRAY][source_hash(m, w->dp->punt_seed) % IKE_BUCKETS];
}

bool punt_ike_allowed(struct worker *w, const struct rte_mbuf *m, enum punt_class class, uint32_t place)
{
	static const struct {
		uint32_t rate, burst; /* a second and IKE SA, or source */
	} limits[] = {
		[PUNT_IKE] = { 250, 256 },       /* a storm of rekeys; a message in as many fragments as may be */
		[PUNT_IKE_OPENING] = { 50, 64 }, /* the same with what an unproven peer may send (RFC 7383) */
		[PUNT_IKE_NEW] = { 1000, 1000 }, /* a NAT with many peers behind it */
		[PUNT_IKE_STRAY] = { 20, 20 },
	};

	return bucket_take(ike_bucket(w, m, class, place), w->now_cycles, w->dp->cycles_per_s, limits[class].rate,
		limits[class].burst);
}

/* Who sent it out of a tunnel: the far end of the SA back, as the peer's inner addresses and Child SAs may be many. */
static uint32_t peer_hash(const struct worker *w, const struct rte_mbuf *m)
{
	const struct sa *back = inbound_sa_back(w, m);
	uint32_t words[4];

	if (!back)
		return source_hash(m, w->dp->punt_seed);
	const struct endpoint *far = &sa_path(back)->spec.remote;
	static_assert(sizeof(words) == sizeof(far->addr.bytes), "all of an address");
	memcpy(words, far->addr.bytes, sizeof(words));
	return rte_jhash_32b(words, ARRAY_LEN(words), w->dp->punt_seed + far->port);
}

bool punt_peer_allowed(struct worker *w, const struct rte_mbuf *m)
{
	return bucket_take(&w->held_peers[peer_hash(w, m) % PEER_BUCKETS], w->now_cycles, w->dp->cycles_per_s,
		PEER_RATE, PEER_BURST);
}

/* By the port it came from, whoever asks for what. */
static bool class_allowed(struct worker *w, const struct rte_mbuf *m, enum punt_class class)
{
	struct bucket *b = &w->punts[class][RTE_MIN(m->port, (uint16_t)DATAPATH_PORTS_MAX)];

	return !punt_table[class].rate ||
	       bucket_take(b, w->now_cycles, w->dp->cycles_per_s, punt_table[class].rate, punt_table[class].burst);
}

void punt_push(struct worker *w, struct rte_mbuf *m, enum punt_class class)
{
	if (!class_allowed(w, m, class)) {
		worker_drop(w, m, DROP_RATE_LIMIT);
		return;
	}
	if (unlikely(w->trace != NULL))
		trace_push(w, m, TRACE_PUNTED, (uint16_t) class, 0);
	if (rte_ring_sp_enqueue(w->punt[class], m)) {
		worker_drop(w, m, DROP_PUNT_FULL);
		return;
	}
	worker_count(w, punt_table[class].counter, 1);
	event_signal(w->dp);
}

/* A limit for each, so that nobody who speaks in one neighbour's name costs another its turn. */
static bool neighbour_allowed(struct worker *w, uint32_t index, bool answer)
{
	return bucket_take(&w->link_sources[answer][index % LINK_BUCKETS], w->now_cycles, w->dp->cycles_per_s,
		NEIGHBOUR_RATE, NEIGHBOUR_BURST);
}

/* Answers are for who was asked, questions for who has proven himself. */
static bool is_awaited(struct worker *w, uint32_t index, bool answer)
{
	return (neighbour_marks(w->neighbours, index) & (answer ? NEIGHBOUR_ASKED : NEIGHBOUR_PROVEN)) &&
	       neighbour_allowed(w, index, answer);
}

void punt_arp(struct worker *w, struct rte_mbuf *m)
{
	struct arp a;

	if (!arp_decode(BYTES(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len), &a)) {
		worker_drop(w, m, DROP_ARP);
		return;
	}
	uint32_t index = neighbour_lookup(w->neighbours, m->port, a.sender_be);
	punt_push(w, m, is_awaited(w, index, a.operation == RTE_ARP_OP_REPLY) ? PUNT_LINK : PUNT_ARP);
}

/* RFC 4862 5.4: somebody has, or wants, the address that we want to use. */
static bool is_about_ours(struct worker *w, const struct rte_mbuf *m, const struct nd *nd)
{
	return unlikely(w->own6_unusable) && (nd->dad || nd->type == ND_ADVERTISEMENT) &&
	       address6_unusable(w->dp, m->port, nd->target.bytes) && neighbour_allowed(w, NEIGHBOURS_MAX, true);
}

void punt_nd(struct worker *w, struct rte_mbuf *m)
{
	struct nd nd;
	enum drop_reason reason = nd_decode(BYTES(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len), &nd);

	if (reason) {
		worker_drop(w, m, reason);
		return;
	}
	bool answer = nd.type == ND_ADVERTISEMENT;
	uint32_t index = neighbour6_lookup(w->neighbours, m->port, answer ? nd.target.bytes : nd.source.bytes);
	punt_push(w, m, is_awaited(w, index, answer) || is_about_ours(w, m, &nd) ? PUNT_LINK : PUNT_ND);
}
