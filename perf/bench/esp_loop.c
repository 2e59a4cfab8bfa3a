/* SPDX-License-Identifier: BSD-3-Clause */
/* The floor under every figure: the least an ESP tunnel costs here with DPDK ports and ipsec-mb's direct GCM calls.
 * Headers, padding, crypto and I/O, done well and in bursts; no policy, no route, no replay window, no ownership. Mode
 * source only moves packets from the capture to the sink.
 */
#include <getopt.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <intel-ipsec-mb.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "lab.h"

enum {
	BURST = 32,
	ETH = 14,
	IP4 = 20,
	ESP = 8,
	IV = 8,
	ICV = 16,
	NONCE = 12,
	AHEAD = IP4 + ESP + IV,
	WARM_UP_MS = 300
};
enum {
	ROUND_LINES = 3,
	POWER_LINES = 3,
	TRAILER = 2
}; /* of gcm_key_data a short packet reads: round keys, hash powers */

struct sa {
	struct gcm_key_data key __rte_aligned(64);
	/* one line: what else a packet needs */
	struct rte_ipv4_hdr outer __rte_aligned(64); /* without length, identification and checksum */
	uint32_t outer_sum;                          /* of these */
	uint32_t spi_be;
	uint32_t sequence;
	uint8_t salt[LAB_SALT_BYTES];
	uint64_t packets, bytes;
} __rte_cache_aligned;

struct work {
	struct sa *sa;
	uint8_t *text; /* what is encrypted: behind the IV */
	uint32_t len;
	uint8_t nonce[NONCE + 4];
	uint8_t icv[ICV];
};

struct loop {
	IMB_MGR *mgr;
	struct sa *sas;
	struct sa **order; /* as the capture visits them; in memory they lie shuffled */
	uint32_t sa_count, next;
	uint64_t packets, bytes, bad;
	uint32_t first_power; /* offset of its line in gcm_key_data; the next powers are in front of it */
	uint16_t rx, tx;
	void (*burst)(struct loop *l, struct rte_mbuf **m, struct work *w, uint16_t n);
};

struct options {
	const char *mode;
	uint32_t sas;
	double seconds;
};

/* ---- what both directions do ---- */

/* ipsec-mb keeps eight hash powers, or 48 for VAES. */
static uint32_t first_power(const IMB_MGR *mgr)
{
	const uint64_t vaes = IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ;
	bool many = mgr->used_arch == IMB_ARCH_AVX512 && (mgr->features & vaes) == vaes;

	return many ? sizeof(struct gcm_key_data) - RTE_CACHE_LINE_SIZE : 320;
}

static void prefetch_sa(const struct loop *l, const struct sa *sa)
{
	const char *key = (const char *)&sa->key;

	for (unsigned line = 0; line < ROUND_LINES; line++)
		rte_prefetch0(key + RTE_CACHE_LINE_SIZE * line);
	for (unsigned line = 0; line < POWER_LINES; line++)
		rte_prefetch0(key + l->first_power - RTE_CACHE_LINE_SIZE * line);
	rte_prefetch0(&sa->outer);
}

/* The n-th packet of the capture belongs to the n-th SA. */
static void choose_sas(struct loop *l, struct work *w, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		w[i].sa = l->order[l->next];
		l->next = l->next + 1 == l->sa_count ? 0 : l->next + 1;
		prefetch_sa(l, w[i].sa);
	}
}

static void nonce_build(struct work *w, const uint8_t *iv)
{
	memcpy(w->nonce, w->sa->salt, LAB_SALT_BYTES);
	memcpy(w->nonce + LAB_SALT_BYTES, iv, IV);
}

static void count(struct work *w)
{
	w->sa->packets++;
	w->sa->bytes += w->len;
}

/* ---- encap ---- */

/* RFC 4303 2.4: pad bytes count from 1. One store of 8 bytes, whose rest the ICV overwrites. */
static uint32_t trailer_write(uint8_t *tail, uint32_t inner)
{
	static const uint8_t trailers[4][8] = { { 0, IPPROTO_IPIP }, { 1, 1, IPPROTO_IPIP }, { 1, 2, 2, IPPROTO_IPIP },
		{ 1, 2, 3, 3, IPPROTO_IPIP } };
	uint32_t pad = -(inner + TRAILER) & 3;

	memcpy(tail, trailers[pad], sizeof(trailers[pad]));
	return inner + pad + TRAILER;
}

static uint16_t outer_checksum(const struct sa *sa, uint16_t length_be, uint16_t id_be)
{
	uint32_t sum = sa->outer_sum + length_be + id_be;

	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

static void headers_write(struct work *w)
{
	struct sa *sa = w->sa;
	uint8_t *esp = w->text - IV - ESP;
	struct rte_ipv4_hdr outer = sa->outer;
	uint32_t sequence = ++sa->sequence;
	uint64_t iv = sequence, head = sa->spi_be | (uint64_t)rte_cpu_to_be_32(sequence) << 32;

	outer.total_length = rte_cpu_to_be_16((uint16_t)(AHEAD + w->len + ICV));
	outer.packet_id = (uint16_t)sequence;
	outer.hdr_checksum = outer_checksum(sa, outer.total_length, outer.packet_id);
	memcpy(esp - IP4, &outer, sizeof(outer));
	memcpy(esp, &head, sizeof(head));
	memcpy(esp + ESP, &iv, IV);
	nonce_build(w, (const uint8_t *)&iv);
}

static void encap_prepare(struct rte_mbuf *m, struct work *w)
{
	static const uint8_t link[ETH] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0 };
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, ETH);
	uint32_t inner = rte_be_to_cpu_16(ip->total_length);

	w->text = (uint8_t *)ip;
	w->len = trailer_write(w->text + inner, inner);
	headers_write(w);
	memcpy(w->text - AHEAD - ETH, link, ETH);
	m->data_off = (uint16_t)(m->data_off - AHEAD);
	m->pkt_len = ETH + AHEAD + w->len + ICV;
	m->data_len = (uint16_t)m->pkt_len;
	count(w);
}

static void encap_burst(struct loop *l, struct rte_mbuf **m, struct work *w, uint16_t n)
{
	struct gcm_context_data context;

	for (uint16_t i = 0; i < n; i++)
		encap_prepare(m[i], &w[i]);
	for (uint16_t i = 0; i < n; i++)
		IMB_AES128_GCM_ENC(l->mgr, &w[i].sa->key, &context, w[i].text, w[i].text, w[i].len, w[i].nonce,
			w[i].text - IV - ESP, ESP, w[i].text + w[i].len, ICV);
}

/* ---- decap ---- */

static void decap_prepare(struct rte_mbuf *m, struct work *w)
{
	w->text = rte_pktmbuf_mtod_offset(m, uint8_t *, ETH + AHEAD);
	w->len = m->data_len - (ETH + AHEAD + ICV);
	nonce_build(w, w->text - IV);
}

static bool authentic(const struct work *w)
{
	return memcmp(w->icv, w->text + w->len, ICV) == 0 && w->text[w->len - 1] == IPPROTO_IPIP;
}

static void decap_finish(struct rte_mbuf *m, struct work *w)
{
	static const uint8_t link[ETH] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0 };
	uint32_t trailer = TRAILER + w->text[w->len - TRAILER];

	memcpy(w->text - ETH, link, ETH);
	m->data_off = (uint16_t)(m->data_off + AHEAD);
	m->pkt_len = ETH + w->len - trailer;
	m->data_len = (uint16_t)m->pkt_len;
	count(w);
}

static void decap_burst(struct loop *l, struct rte_mbuf **m, struct work *w, uint16_t n)
{
	struct gcm_context_data context;

	for (uint16_t i = 0; i < n; i++)
		decap_prepare(m[i], &w[i]);
	for (uint16_t i = 0; i < n; i++)
		IMB_AES128_GCM_DEC(l->mgr, &w[i].sa->key, &context, w[i].text, w[i].text, w[i].len, w[i].nonce,
			w[i].text - IV - ESP, ESP, w[i].icv, ICV);
	for (uint16_t i = 0; i < n; i++) {
		l->bad += !authentic(&w[i]);
		decap_finish(m[i], &w[i]);
	}
}

static void source_burst(struct loop *l, struct rte_mbuf **m, struct work *w, uint16_t n)
{
	RTE_SET_USED(l);
	RTE_SET_USED(m);
	RTE_SET_USED(w);
	RTE_SET_USED(n);
}

/* ---- set-up and the loop itself ---- */

static void sa_init(struct loop *l, struct sa *sa, uint32_t number)
{
	uint8_t key[LAB_KEY_BYTES_MAX];

	lab_key(number, key);
	IMB_AES128_GCM_PRE(l->mgr, key, &sa->key);
	memcpy(sa->salt, lab_salt, sizeof(sa->salt));
	sa->spi_be = rte_cpu_to_be_32(LAB_SPI_FIRST + number);
	sa->outer = (struct rte_ipv4_hdr){ .version_ihl = RTE_IPV4_VHL_DEF,
		.time_to_live = 64,
		.next_proto_id = IPPROTO_ESP,
		.src_addr = rte_cpu_to_be_32(RTE_IPV4(192, 0, 2, 1)),
		.dst_addr = rte_cpu_to_be_32(RTE_IPV4(192, 0, 2, 2)) };
	sa->outer_sum = (uint16_t)~rte_ipv4_cksum(&sa->outer);
}

static void sas_create(struct loop *l)
{
	l->sas = (struct sa *)rte_zmalloc(NULL, sizeof(*l->sas) * l->sa_count, RTE_CACHE_LINE_SIZE);
	l->order = (struct sa **)calloc(l->sa_count, sizeof(struct sa *));
	if (!l->sas || !l->order)
		rte_exit(1, "no memory for %u SAs\n", l->sa_count);
	srandom(1);
	for (uint32_t i = 0; i < l->sa_count; i++) {
		uint32_t j = (uint32_t)random() % (i + 1);

		l->order[i] = l->order[j];
		l->order[j] = &l->sas[i];
	}
	for (uint32_t i = 0; i < l->sa_count; i++)
		sa_init(l, l->order[i], i);
}

static void port_start(uint16_t port, struct rte_mempool *pool)
{
	struct rte_eth_conf conf = { 0 };

	if (rte_eth_dev_configure(port, 1, 1, &conf) ||
		rte_eth_rx_queue_setup(port, 0, 512, SOCKET_ID_ANY, NULL, pool) ||
		rte_eth_tx_queue_setup(port, 0, 512, SOCKET_ID_ANY, NULL) || rte_eth_dev_start(port))
		rte_exit(1, "port %u does not start\n", port);
}

static void ports_start(uint32_t mbufs)
{
	struct rte_mempool *pool = rte_pktmbuf_pool_create(
		"mbufs", mbufs, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);

	if (!pool || rte_eth_dev_count_avail() != 2)
		rte_exit(1, "%s\n", pool ? "two ports are needed: source, sink" : "no memory for packet buffers");
	port_start(0, pool);
	port_start(1, pool);
}

static void once(struct loop *l)
{
	struct rte_mbuf *m[BURST];
	struct work w[BURST];
	uint16_t n = rte_eth_rx_burst(l->rx, 0, m, BURST), sent;

	choose_sas(l, w, n);
	l->burst(l, m, w, n);
	sent = rte_eth_tx_burst(l->tx, 0, m, n);
	rte_pktmbuf_free_bulk(m + sent, n - sent);
	l->packets += n;
}

/* Returns the cycles it took. */
static uint64_t run(struct loop *l, unsigned ms)
{
	uint64_t start = rte_rdtsc(), end = start + rte_get_tsc_hz() * ms / 1000;

	l->packets = 0;
	while (rte_rdtsc() < end)
		once(l);
	return rte_rdtsc() - start;
}

/* Packets and cycles of each window. */
static void measure(struct loop *l, double seconds)
{
	printf("{\"hz\": %" PRIu64 ", \"windows\": [", rte_get_tsc_hz());
	for (unsigned i = 0; i < lab_windows(seconds); i++) {
		uint64_t cycles = run(l, LAB_WINDOW_MS);
		printf("%s[%" PRIu64 ", %" PRIu64 "]", i ? ", " : "", l->packets, cycles);
	}
	printf("], \"bad\": %" PRIu64 "}\n", l->bad);
}

static void usage(void)
{
	rte_exit(2, "usage: esp_loop EAL-ARGUMENTS -- source|encap|decap SAS MBUFS SECONDS\n"
		    "the first device is the source, the second the sink\n");
}

static void mode_set(struct loop *l, const char *mode)
{
	static const struct {
		const char *word;
		void (*burst)(struct loop *l, struct rte_mbuf **m, struct work *w, uint16_t n);
	} modes[] = { { "source", source_burst }, { "encap", encap_burst }, { "decap", decap_burst } };

	for (size_t i = 0; i < RTE_DIM(modes); i++)
		if (!strcmp(mode, modes[i].word))
			l->burst = modes[i].burst;
	if (!l->burst)
		usage();
}

int main(int argc, char **argv)
{
	struct loop l = { .rx = 0, .tx = 1 };
	int used = rte_eal_init(argc, argv);
	char **args = argv + used;

	if (used < 0 || argc - used != 5)
		usage();
	mode_set(&l, args[1]);
	l.sa_count = (uint32_t)strtoul(args[2], NULL, 0);
	l.mgr = alloc_mb_mgr(0);
	if (!l.sa_count || !l.mgr)
		usage();
	init_mb_mgr_auto(l.mgr, NULL);
	l.first_power = first_power(l.mgr);
	sas_create(&l);
	ports_start((uint32_t)strtoul(args[3], NULL, 0));
	run(&l, WARM_UP_MS);
	measure(&l, strtod(args[4], NULL));
	return l.bad != 0;
}
