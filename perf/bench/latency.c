/* SPDX-License-Identifier: BSD-3-Clause */
/* How long a packet takes through the gateway at parts of the rate it can do: from where this program gives it to the
 * device until it has it back as ESP. It has the other ends of the gateway's two ports (net_virtio_user to its
 * net_vhost).
 *
 * The SA numbers packets in the order they were given, so the ESP sequence number says which one came back. That holds
 * while nothing is lost in front of the SA, which whoever runs this asks the gateway. Times count from the moment of
 * sending, not from when the packet was due: this program shares its core, and its own delays are not the gateway's.
 */
#include <inttypes.h>
#include <stdio.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_pause.h>

#include "lab_sa.h"

enum {
	BURST = 32,
	DESCRIPTORS = 256,
	FLIGHT_MOST = 192, /* on the way at once, when as many pass as can */
	SENT_RING = 1 << 16,
	SAMPLES_MOST = 1 << 21,
	WARM_MS = 300,
	LINK_MS = 5000,
	QUIET_MS = 50, /* without a packet: what did not come is lost */
	TO_GATEWAY = 0,
	FROM_GATEWAY = 1
};

static const unsigned percents[] = { 10, 50, 90 };

struct run {
	struct rte_mempool *pool;
	struct rte_ether_hdr ethernet;
	uint16_t bytes;
	uint64_t sent, received; /* since the start: sequence numbers */
	uint64_t at[SENT_RING];  /* when, by sequence number */
	uint32_t samples[SAMPLES_MOST];
	size_t sample_count;
};

static void port_begin(uint16_t port, struct rte_mempool *pool)
{
	const struct rte_eth_conf conf = { 0 };
	struct rte_eth_link link = { 0 };

	must(!rte_eth_dev_configure(port, 1, 1, &conf) &&
			!rte_eth_rx_queue_setup(port, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL, pool) &&
			!rte_eth_tx_queue_setup(port, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL) && !rte_eth_dev_start(port),
		"a port does not start");
	for (int ms = 0; link.link_status != RTE_ETH_LINK_UP && ms < LINK_MS; ms++) {
		rte_delay_ms(1);
		must(!rte_eth_link_get_nowait(port, &link), "link");
	}
	must(link.link_status == RTE_ETH_LINK_UP, "a port has no link");
}

static void packets_send(struct run *r, uint16_t n)
{
	struct rte_mbuf *m[BURST];
	uint64_t now;

	for (uint16_t i = 0; i < n; i++) {
		m[i] = packet_make(r->pool, r->bytes);
		rte_memcpy(rte_pktmbuf_prepend(m[i], sizeof(r->ethernet)), &r->ethernet, sizeof(r->ethernet));
	}
	now = rte_rdtsc();
	for (uint16_t i = 0; i < n; i++)
		r->at[(r->sent + 1 + i) % SENT_RING] = now;
	uint16_t taken = rte_eth_tx_burst(TO_GATEWAY, 0, m, n);
	r->sent += taken;
	rte_pktmbuf_free_bulk(m + taken, (unsigned)(n - taken));
}

/* Sequence number of an ESP packet over IPv4; 0: it is none. */
static uint32_t sequence_of(const struct rte_mbuf *m)
{
	const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, sizeof(struct rte_ether_hdr));
	uint32_t sequence_be;

	if (m->data_len < sizeof(struct rte_ether_hdr) + 28 || ip[0] != 0x45 || ip[9] != IPPROTO_ESP)
		return 0;
	memcpy(&sequence_be, ip + 24, sizeof(sequence_be));
	return rte_be_to_cpu_32(sequence_be);
}

static uint16_t packets_receive(struct run *r)
{
	struct rte_mbuf *m[BURST];
	uint16_t n = rte_eth_rx_burst(FROM_GATEWAY, 0, m, BURST), esp = 0;
	uint64_t now = rte_rdtsc();

	for (uint16_t i = 0; i < n; i++) {
		uint32_t sequence = sequence_of(m[i]);
		if (!sequence)
			continue;
		esp++;
		must(sequence <= r->sent, "a sequence number that no packet can have");
		if (r->sample_count < SAMPLES_MOST)
			r->samples[r->sample_count++] = (uint32_t)(now - r->at[sequence % SENT_RING]);
	}
	r->received += esp;
	if (n)
		rte_pktmbuf_free_bulk(m, n);
	return esp;
}

/* What is on the way comes back, or is lost. */
static void drain(struct run *r)
{
	uint64_t quiet = rte_get_tsc_hz() / 1000 * QUIET_MS, last = rte_rdtsc();

	while (r->received < r->sent && rte_rdtsc() - last < quiet)
		if (packets_receive(r))
			last = rte_rdtsc();
	r->received = r->sent;
}

/* As many as pass when FLIGHT_MOST are on the way; packets a second. */
static double rate_most(struct run *r, double seconds)
{
	uint64_t hz = rte_get_tsc_hz(), start = rte_rdtsc(), end = start + (uint64_t)(seconds * (double)hz);
	uint64_t before = r->received, last = start;

	while (rte_rdtsc() < end) {
		if (r->sent - r->received <= FLIGHT_MOST - BURST)
			packets_send(r, BURST);
		if (packets_receive(r))
			last = rte_rdtsc();
		must(rte_rdtsc() - last < hz, "the gateway forwards nothing");
	}
	double rate = (double)(r->received - before) * (double)hz / (double)(rte_rdtsc() - start);
	drain(r);
	return rate;
}

/* Evenly, one by one; what is due when this program was away leaves together. */
static uint64_t paced(struct run *r, double rate, double seconds)
{
	double hz = (double)rte_get_tsc_hz(), per_packet = hz / rate;
	uint64_t start = rte_rdtsc(), now = start, before = r->sent, received = r->received;

	r->sample_count = 0;
	while ((double)(now - start) < seconds * hz) {
		uint64_t due = (uint64_t)((double)(now - start) / per_packet), left = before + due - r->sent;
		if (before + due > r->sent)
			packets_send(r, (uint16_t)RTE_MIN(left, (uint64_t)BURST));
		packets_receive(r);
		now = rte_rdtsc();
	}
	uint64_t sent = r->sent - before;
	/* those on the way count, too */
	for (uint64_t end = rte_rdtsc() + rte_get_tsc_hz() / 1000 * QUIET_MS;
		r->received - received < sent && rte_rdtsc() < end;)
		packets_receive(r);
	uint64_t lost = sent - RTE_MIN(sent, r->received - received);
	r->received = r->sent;
	return lost;
}

static int compare32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static double us_at(const struct run *r, double part)
{
	size_t place = (size_t)((double)(r->sample_count - 1) * part);

	return (double)r->samples[place] / (double)rte_get_tsc_hz() * 1e6;
}

static void report(struct run *r, unsigned percent, double rate, uint64_t lost)
{
	must(r->sample_count > 0, "no packet came back");
	qsort(r->samples, r->sample_count, sizeof(r->samples[0]), compare32);
	printf("{\"bytes\": %u, \"percent\": %u, \"rate\": %.0f, \"packets\": %zu, \"lost\": %" PRIu64
	       ", \"p50_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f}\n",
		r->bytes, percent, rate, r->sample_count, lost, us_at(r, 0.5), us_at(r, 0.99), us_at(r, 0.999));
}

int main(int argc, char **argv)
{
	static struct run r = { .ethernet.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4) };
	int used = rte_eal_init(argc, argv);
	double seconds;

	must(used >= 0 && argc - used == 4, "usage: latency EAL-ARGUMENTS -- MAC-OF-THE-GATEWAY BYTES SECONDS");
	must(!rte_ether_unformat_addr(argv[used + 1], &r.ethernet.dst_addr), "MAC");
	rte_ether_unformat_addr("02:00:00:00:00:99", &r.ethernet.src_addr);
	r.bytes = (uint16_t)strtoul(argv[used + 2], NULL, 10);
	seconds = strtod(argv[used + 3], NULL);
	r.pool = rte_pktmbuf_pool_create("mbufs", 8191, BURST, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	must(r.pool != NULL, "packet buffers");
	port_begin(TO_GATEWAY, r.pool);
	port_begin(FROM_GATEWAY, r.pool);
	rate_most(&r, WARM_MS / 1e3);
	double most = rate_most(&r, seconds);
	for (size_t i = 0; i < RTE_DIM(percents); i++) {
		double rate = most * percents[i] / 100;
		uint64_t lost = paced(&r, rate, seconds);
		report(&r, percents[i], rate, lost);
	}
	rte_eth_dev_stop(TO_GATEWAY);
	rte_eth_dev_stop(FROM_GATEWAY);
	return 0;
}
