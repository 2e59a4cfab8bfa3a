/* SPDX-License-Identifier: BSD-3-Clause */
/* Fragments through the workers: for ourselves, in clear where rules ask for ports, out of an SA whose selectors do;
 * and whole datagrams out again in fragments. */
#include <errno.h>

#include "fake_ipsec.h"
#include "harness.h"
#include "rig.h"

#define SPI 0x1001

static struct sa in_sa;

/* ---- big packets, and their fragments as frames ---- */

/* An IP packet without a limit of size; UDP's ports are 5000 and 80, ICMP is an echo request. */
static struct rte_mbuf *big_packet(const char *src, const char *dst, uint8_t protocol, uint16_t payload)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(rig.dp->large_pool);
	bool six = strchr(src, ':');
	struct probe p = { .src = src, .dst = dst, .protocol = protocol, .bytes = six ? 40 : 20 };
	struct rte_mbuf *small = rig_packet(&p);
	uint16_t header = small->data_len;
	uint8_t *at = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(header + payload));

	memcpy(at, rte_pktmbuf_mtod(small, void *), header);
	rte_pktmbuf_free(small);
	for (uint16_t i = 0; i < payload; i++)
		at[header + i] = (uint8_t)(i * 13 + i / 256);
	if (six) {
		store_be16(at + 4, payload);
	} else {
		((struct rte_ipv4_hdr *)at)->total_length = rte_cpu_to_be_16(m->data_len);
		((struct rte_ipv4_hdr *)at)->packet_id = RTE_BE16(0x4711);
		ip_checksum_set((struct rte_ipv4_hdr *)at);
	}
	store_be32(at + header, protocol == IPPROTO_UDP      ? 5000u << 16 | 80
				: protocol == IPPROTO_ICMP   ? 8u << 24
				: protocol == IPPROTO_ICMPV6 ? 128u << 24
							     : SPI);
	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
		uint32_t sum = rte_raw_cksum(at + header, payload) + (six ? pseudo_sum(m, protocol, payload) : 0);
		sum = (sum & 0xffff) + (sum >> 16);
		uint16_t checksum = (uint16_t) ~((sum & 0xffff) + (sum >> 16));
		memcpy(at + header + 2, &checksum, 2);
	}
	return m;
}

static void frame_send(uint16_t port, struct rte_mbuf *m)
{
	bool six = packet_is_ip6(m);
	struct rte_ether_hdr *eth = (struct rte_ether_hdr *)rte_pktmbuf_prepend(m, RTE_ETHER_HDR_LEN);

	memset(eth, 0, sizeof(*eth));
	memcpy(&eth->dst_addr, rig.dp->ports[port].mac, 6);
	eth->ether_type = six ? RTE_BE16(RTE_ETHER_TYPE_IPV6) : RTE_BE16(RTE_ETHER_TYPE_IPV4);
	rig_send_mbuf(port, m);
}

static int fragments_of(const struct rte_mbuf *m, uint16_t mtu, struct rte_mbuf **ret_f)
{
	int n = packet_is_ip6(m) ? fragment6_packet(rig.dp->pool, m, mtu, 0x815, ret_f, FRAGMENTS_MAX)
				 : fragment_packet(rig.dp->pool, m, mtu, ret_f, FRAGMENTS_MAX);

	CU_ASSERT_FATAL(n > 1);
	return n;
}

/* The last one first, which no order of arrival may mind. Takes m. */
static void send_in_fragments(uint16_t port, struct rte_mbuf *m, uint16_t mtu)
{
	struct rte_mbuf *f[FRAGMENTS_MAX];

	for (int n = fragments_of(m, mtu, f); n--;)
		frame_send(port, f[n]);
	rte_pktmbuf_free(m);
	rig_step();
}

/* What a port sent, put together by hand: payload bytes, 0 when there is a gap. */
static uint32_t received_join(uint16_t port, uint8_t *ret_payload, uint16_t *ret_largest, uint32_t *ret_id)
{
	uint32_t bytes = 0, end = 0;
	struct rte_mbuf *m;

	*ret_largest = 0;
	while ((m = rig_receive(port))) {
		bool six = *(uint8_t *)frame_ip(m) >> 4 == 6;
		const uint8_t *ip = (const uint8_t *)frame_ip(m);
		uint16_t header = six ? 48 : 20, word = load_be16(ip + (six ? 42 : 6));
		uint16_t offset = six ? word & 0xfff8 : (uint16_t)(word << 3),
			 len = (uint16_t)(m->data_len - 14 - header);
		bool more = six ? word & 1 : word & RTE_IPV4_HDR_MF_FLAG;
		if (six ? ip[6] != IPPROTO_FRAGMENT : !ip_checksum_valid(frame_ip(m)))
			bytes = 1u << 30;
		memcpy(ret_payload + offset, ip + header, len);
		bytes += len;
		end = more ? end : (uint32_t)offset + len;
		*ret_largest = RTE_MAX(*ret_largest, (uint16_t)(m->data_len - 14));
		*ret_id = six ? load_be32(ip + 44) : load_be16(ip + 4);
		rte_pktmbuf_free(m);
	}
	return bytes == end ? bytes : 0;
}

static uint8_t joined[65536];

/* ---- for ourselves ---- */

static void test_defragment_big_echo_is_answered_in_fragments(void)
{
	uint16_t largest;
	uint32_t id;

	rig_open_reassembly(1);
	RIG_POLICY("bypass 10.1.0.0/24 10.1.0.0/24");
	static const uint16_t sizes[] = { 1400, 1900, 4008, 65000 };
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct rte_mbuf *m = big_packet(LAN_HOST, LAN_OWN, IPPROTO_ICMP, sizes[i]);
		uint8_t *copy = malloc(sizes[i]);
		memcpy(copy, rte_pktmbuf_mtod_offset(m, uint8_t *, 20), sizes[i]);
		send_in_fragments(LAN, m, 1300);
		if (sizes[i] + 20 <= 1500) {
			CU_ASSERT_EQUAL(rig_sent(LAN), 1);
		} else {
			CU_ASSERT_EQUAL(received_join(LAN, joined, &largest, &id), sizes[i]);
			CU_ASSERT_EQUAL(joined[0] | memcmp(joined + 4, copy + 4, sizes[i] - 4u), 0);
		}
		free(copy);
	}
	CU_ASSERT_EQUAL(rig_counter(DP_C_REASSEMBLED), 4);
	CU_ASSERT_EQUAL(rig_counter(DP_C_LOCAL), 4);
	rig_close();
}

static void test_defragment_big_ipv6_echo_is_answered_in_fragments(void)
{
	uint16_t largest;
	uint32_t id;

	rig_open_reassembly(1);
	RIG_POLICY("bypass 2001:db8:1::/64 2001:db8:1::/64");
	send_in_fragments(LAN, big_packet(LAN_HOST6, LAN_OWN6, IPPROTO_ICMPV6, 4008), 1300);
	CU_ASSERT_EQUAL(received_join(LAN, joined, &largest, &id), 4008);
	CU_ASSERT_EQUAL(joined[0], 129);
	CU_ASSERT(largest > 1400 && largest <= 1500);
	/* of the engine's random numbers (RFC 7739); without one it is not sent */
	CU_ASSERT(id == 1 && fake.random == 1);
	fake.no_random = true;
	send_in_fragments(LAN, big_packet(LAN_HOST6, LAN_OWN6, IPPROTO_ICMPV6, 4008), 1300);
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	CU_ASSERT_EQUAL(rig_drops(DROP_CRYPTO), 1);
	rig_close();
}

/* An address of ours on one link: as long as any other's, and no datagram has pieces of two links. */
static void test_defragment_link_local_echo_is_answered_in_fragments(void)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 0x50 };
	struct rte_mbuf *f[FRAGMENTS_MAX];
	struct addr own, host;
	char text[ADDR_TEXT_MAX];
	uint16_t largest;
	uint32_t id;

	rig_open_reassembly(1);
	CU_ASSERT_EQUAL_FATAL(addr_parse("fe80::50", &host), 0);
	CU_ASSERT_EQUAL(datapath_neighbour_add(rig.dp, LAN, &host, mac), 0);
	own = addr_from_bytes(ADDR_IPV6, rig.dp->ports[LAN].link_local);
	addr_format(&own, text);
	send_in_fragments(LAN, big_packet("fe80::50", text, IPPROTO_ICMPV6, 4008), 1300);
	CU_ASSERT_EQUAL(received_join(LAN, joined, &largest, &id), 4008);
	CU_ASSERT_EQUAL(joined[0], 129);
	CU_ASSERT(largest > 1400 && largest <= 1500);
	struct rte_mbuf *m = big_packet("fe80::50", text, IPPROTO_ICMPV6, 1208);
	CU_ASSERT_EQUAL_FATAL(fragments_of(m, 700, f), 2);
	frame_send(LAN, f[0]);
	frame_send(WAN, f[1]);
	rte_pktmbuf_free(m);
	rig_step();
	CU_ASSERT_EQUAL(rig_counter(DP_C_REASSEMBLED), 1);
	rig_forget_fragments();
	CU_ASSERT_EQUAL(rig_drops(DROP_FRAGMENT_TIMEOUT), 2);
	rig_close();
}

static struct rte_mbuf *echo_behind_options(const char *src, const char *dst, uint16_t bytes)
{
	struct rte_mbuf *m = big_packet(src, dst, IPPROTO_ICMPV6, bytes), *longer;

	longer = rte_pktmbuf_alloc(rig.dp->large_pool);
	rte_pktmbuf_append(longer, (uint16_t)(m->data_len + 8));
	uint8_t *at = rte_pktmbuf_mtod(longer, uint8_t *);
	memcpy(at, rte_pktmbuf_mtod(m, uint8_t *), 40);
	memcpy(at + 40, "\x3a\0\1\4\0\0\0\0", 8);
	memcpy(at + 48, rte_pktmbuf_mtod_offset(m, uint8_t *, 40), bytes);
	at[6] = IPPROTO_DSTOPTS;
	store_be16(at + 4, (uint16_t)(bytes + 8));
	rte_pktmbuf_free(m);
	return longer;
}

/* The chain of a datagram may go on behind its first header: only the whole shows it. */
static void test_defragment_ipv6_chain_in_the_fragmentable_part(void)
{
	uint16_t largest;
	uint32_t id;

	rig_open_reassembly(1);
	send_in_fragments(LAN, echo_behind_options(LAN_HOST6, LAN_OWN6, 2000), 1300);
	CU_ASSERT_EQUAL(received_join(LAN, joined, &largest, &id), 2000);
	rig_close();
}

/* ESP header and an inner packet behind an outer header that is cut. */
static struct rte_mbuf *sealed_packet(uint16_t inner_payload, bool udp)
{
	struct rte_mbuf *inner = big_packet(FAR_HOST, LAN_HOST, IPPROTO_UDP, inner_payload), *m;
	uint16_t udp_bytes = udp ? 8 : 0;

	m = big_packet(WAN_PEER, WAN_OWN, udp ? IPPROTO_UDP : IPPROTO_ESP, (uint16_t)(udp_bytes + 8 + inner->data_len));
	uint8_t *at = rte_pktmbuf_mtod_offset(m, uint8_t *, 20);
	if (udp) {
		store_be16(at, PORT_NATT);
		store_be16(at + 2, PORT_NATT);
		store_be16(at + 4, (uint16_t)(8 + 8 + inner->data_len));
		store_be16(at + 6, 0);
	}
	store_be32(at + udp_bytes, SPI);
	memcpy(at + udp_bytes + 8, rte_pktmbuf_mtod(inner, void *), inner->data_len);
	rte_pktmbuf_free(inner);
	return m;
}

static void sa_open(uint16_t workers)
{
	rig_open_reassembly(workers);
	in_sa = (struct sa){ .spi = SPI, .tunnel_slot = 3 };
	fake.inbound[0] = &in_sa;
}

/* RFC 6980 5: put together or not, what discovers neighbours is not heard; nor does an SA end there. */
static void test_defragment_link_local_fragments_are_no_way_around(void)
{
	static const struct {
		uint8_t protocol;
		enum drop_reason reason;
	} cases[] = { { IPPROTO_ICMPV6, DROP_LOCAL_UNHANDLED }, { IPPROTO_ESP, DROP_LOCAL_UNHANDLED } };
	char text[ADDR_TEXT_MAX];
	struct addr own;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		sa_open(1);
		own = addr_from_bytes(ADDR_IPV6, rig.dp->ports[LAN].link_local);
		struct rte_mbuf *m = big_packet(LAN_HOST6, addr_format(&own, text), cases[i].protocol, 1208);
		if (cases[i].protocol == IPPROTO_ICMPV6)
			*rte_pktmbuf_mtod_offset(m, uint8_t *, 40) = ND_SOLICITATION;
		send_in_fragments(LAN, m, 700);
		CU_ASSERT_EQUAL(rig_counter(DP_C_REASSEMBLED), 1);
		CU_ASSERT_EQUAL(rig_drops(cases[i].reason), 1);
		CU_ASSERT_EQUAL(rig_counter(DP_C_DECAP), 0);
		rig_sent(LAN);
		rig_close();
	}
}

static void test_defragment_outer_fragments_are_joined_before_the_sa(void)
{
	uint16_t largest;
	uint32_t id;

	sa_open(1);
	for (int udp = 0; udp < 2; udp++) {
		send_in_fragments(WAN, sealed_packet(1400, udp), 800);
		CU_ASSERT_EQUAL(rig_sent(LAN), 1);
		send_in_fragments(WAN, sealed_packet(9000, udp), 1500);
		CU_ASSERT_EQUAL(received_join(LAN, joined, &largest, &id), 9000);
	}
	CU_ASSERT_EQUAL(rig_counter(DP_C_DECAP), 4);
	CU_ASSERT_EQUAL(in_sa.packets, 4);
	CU_ASSERT_EQUAL(rig_drops(DROP_FRAGMENT), 0);
	rig_close();
}

/* RFC 8200 5: what came out of a tunnel in one piece is not cut because its outer packet was. */
static void test_defragment_outer_fragments_do_not_let_inner_ipv6_be_cut(void)
{
	sa_open(1);
	in_sa.any_source = true;
	struct rte_mbuf *inner = big_packet(FAR_HOST6, LAN_HOST6, IPPROTO_UDP, 1800), *m;
	m = big_packet(WAN_PEER, WAN_OWN, IPPROTO_ESP, (uint16_t)(8 + inner->data_len));
	memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, 28), rte_pktmbuf_mtod(inner, void *), inner->data_len);
	rte_pktmbuf_free(inner);
	send_in_fragments(WAN, m, 1000);
	CU_ASSERT_EQUAL(rig_drops(DROP_TOO_BIG), 1);
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	rig_close();
}

static void test_defragment_ike_in_fragments_reaches_control(void)
{
	rig_open_reassembly(1);
	struct rte_mbuf *m = big_packet(WAN_PEER, WAN_OWN, IPPROTO_UDP, 1808);
	uint8_t *udp = rte_pktmbuf_mtod_offset(m, uint8_t *, 20);
	store_be16(udp + 2, PORT_IKE);
	store_be16(udp + 4, 1808);
	store_be16(udp + 6, 0);
	send_in_fragments(WAN, m, 800);
	rig_poll();
	CU_ASSERT_EQUAL(rig.ike_count, 1);
	CU_ASSERT_EQUAL(rig.ike.data.len, 1800);
	rig_close();
}

/* ---- several workers ---- */

static void test_defragment_one_worker_gets_all_fragments(void)
{
	uint16_t largest;
	uint32_t id;
	unsigned wrong = 0;

	sa_open(3);
	RIG_POLICY("bypass 10.1.0.0/24 10.1.0.0/24");
	for (uint16_t i = 0; i < 30; i++) {
		struct rte_mbuf *m = big_packet(LAN_HOST, LAN_OWN, IPPROTO_ICMP, 3000);
		packet_ip(m)->packet_id = rte_cpu_to_be_16(i);
		ip_checksum_set(packet_ip(m));
		send_in_fragments(LAN, m, 1500);
		wrong += received_join(LAN, joined, &largest, &id) != 3000;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(rig_counter(DP_C_REASSEMBLED), 30);
	for (uint16_t i = 0; i < 3; i++)
		CU_ASSERT(atomic_load(&rig.dp->workers[i]->counters[DP_C_REASSEMBLED]) > 0);
	send_in_fragments(WAN, sealed_packet(5000, false), 1500);
	CU_ASSERT_EQUAL(received_join(LAN, joined, &largest, &id), 5000);
	rig_close();
}

/* Of echo request number `id`, the first fragments or the others. */
static void part_send(uint16_t id, bool first)
{
	struct rte_mbuf *m = big_packet(LAN_HOST, LAN_OWN, IPPROTO_ICMP, 3000), *f[FRAGMENTS_MAX];
	int n;

	packet_ip(m)->packet_id = rte_cpu_to_be_16(id);
	ip_checksum_set(packet_ip(m));
	n = fragments_of(m, 1500, f);
	for (int i = 0; i < n; i++) {
		if ((i == 0) == first)
			frame_send(LAN, f[i]);
		else
			rte_pktmbuf_free(f[i]);
	}
	rte_pktmbuf_free(m);
	rig_step();
}

static void workers_change(uint16_t active)
{
	CU_ASSERT_EQUAL(datapath_workers_set(rig.dp, active), 0);
	for (int i = 0; i < 2000 && !datapath_workers_settled(rig.dp); i++) {
		rig.now_ns += SECOND_NS / 1000;
		rig_poll();
	}
	CU_ASSERT(datapath_workers_settled(rig.dp));
}

static unsigned waiting(uint16_t worker)
{
	return rig.dp->workers[worker]->reassembly->all.count;
}

/* Half of each datagram before, the rest after: those that take part have all, and none is lost. */
static void test_defragment_workers_change_under_datagrams(void)
{
	static const uint16_t actives[] = { 1, 3, 2, 1, 2, 3 };
	uint16_t largest, id = 0;
	uint32_t seen;
	unsigned wrong = 0;

	rig_open_reassembly(3);
	RIG_POLICY("bypass 10.1.0.0/24 10.1.0.0/24");
	for (size_t change = 0; change < ARRAY_LEN(actives); change++) {
		for (uint16_t i = 0; i < 12; i++)
			part_send((uint16_t)(id + i), true);
		workers_change(actives[change]);
		CU_ASSERT_EQUAL(waiting(0) + waiting(1) + waiting(2), 12);
		for (uint16_t w = actives[change]; w < 3; w++)
			CU_ASSERT_EQUAL(waiting(w), 0);
		for (uint16_t i = 0; i < 12; i++) {
			part_send(id++, false);
			wrong += received_join(LAN, joined, &largest, &seen) != 3000;
		}
		CU_ASSERT_EQUAL(waiting(0) + waiting(1) + waiting(2), 0);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(rig_counter(DP_C_REASSEMBLED), id);
	rig_close();
}

/* A fragment handed over by a worker that had not seen the change goes on to whom it belongs. */
static void test_defragment_late_fragment_follows(void)
{
	const struct note note = { .stage = STAGE_FRAGMENT, .fragment = FRAGMENT_OWN };
	struct rte_mbuf *m, *f[FRAGMENTS_MAX];
	int n;

	rig_open_reassembly(2);
	RIG_POLICY("bypass 10.1.0.0/24 10.1.0.0/24");
	workers_change(1);
	m = big_packet(LAN_HOST, LAN_OWN, IPPROTO_ICMP, 3000);
	n = fragments_of(m, 1500, f);
	for (int i = 0; i < n; i++)
		handoff_push(rig.dp->workers[0], f[i], 1, &note);
	handoff_flush(rig.dp->workers[0]);
	rte_pktmbuf_free(m);
	rig_step();
	CU_ASSERT_EQUAL(waiting(0) + waiting(1), 0);
	CU_ASSERT_EQUAL(rig_counter(DP_C_REASSEMBLED), 1);
	CU_ASSERT(rig_sent(LAN) > 1);
	rig_close();
}

/* Worker 1 has the first fragment of a packet out of an SA, whose bucket goes to worker 0. */
static struct sa moving_sa;
static struct rte_mbuf *second_fragment;

static void inner_wait_at_1(bool foreign)
{
	struct rte_mbuf *m, *f[FRAGMENTS_MAX];

	rig_open_reassembly(2);
	fake.all_foreign = foreign;
	RIG_POLICY("bypass 10.2.0.0/24 10.1.0.0/24[udp/7]");
	moving_sa = (struct sa){ .spi = SPI, .owner = 1 };
	fake.inbound[0] = &moving_sa;
	fake.buckets[SPI % SA_BUCKETS] = 1;
	m = big_packet(FAR_HOST, LAN_OWN, IPPROTO_ICMP, 2000);
	CU_ASSERT_EQUAL_FATAL(fragments_of(m, 1500, f), 2);
	rte_pktmbuf_free(m);
	CU_ASSERT_PTR_NULL(defragment_inner(rig.dp->workers[1], f[0], &moving_sa));
	second_fragment = f[1];
	fake.buckets[SPI % SA_BUCKETS] = WORKER_LEAVING | 1;
	defragment_part(rig.dp->workers[1]);
	CU_ASSERT_EQUAL(waiting(1), 1);
	fake.buckets[SPI % SA_BUCKETS] = WORKER_MOVING;
	defragment_part(rig.dp->workers[1]);
	CU_ASSERT_EQUAL(waiting(1), 0);
}

/* What waits inside of an SA follows it to its next owner, in front of the rest of its datagram. */
static void test_defragment_inner_follows_its_sa(void)
{
	const struct note rest = { .stage = STAGE_INNER, .spi = SPI };

	inner_wait_at_1(false);
	CU_ASSERT_EQUAL(rig.dp->workers[1]->parked.count, 1);
	worker_step(rig.dp->workers[1]);
	CU_ASSERT_EQUAL(rig.dp->workers[1]->parked.count, 1);
	fake.buckets[SPI % SA_BUCKETS] = 0;
	rig_step();
	CU_ASSERT_EQUAL(rig.dp->workers[1]->parked.count, 0);
	rig_step();
	CU_ASSERT_EQUAL(waiting(0), 1);
	handoff_push(rig.dp->workers[1], second_fragment, 0, &rest);
	handoff_flush(rig.dp->workers[1]);
	rig_step();
	CU_ASSERT_EQUAL(waiting(0), 0);
	CU_ASSERT_EQUAL(rig_counter(DP_C_REASSEMBLED), 1);
	CU_ASSERT_EQUAL(rig_drops(DROP_OWNER_MOVING), 0);
	fake.inbound[0] = NULL;
	rig_close();
}

/* The SA has gone while its fragment waited for the next owner. */
static void test_defragment_inner_ends_with_its_sa(void)
{
	inner_wait_at_1(false);
	fake.inbound[0] = NULL;
	fake.buckets[SPI % SA_BUCKETS] = 0;
	rig_step();
	rig_step();
	CU_ASSERT_EQUAL(waiting(0) + rig.dp->workers[1]->parked.count, 0);
	CU_ASSERT_EQUAL(rig_drops(DROP_OWNER_MOVING), 1);
	rte_pktmbuf_free(second_fragment);
	rig_close();
}

/* Nothing tells which of the foreign SAs with this SPI it came out of. */
static void test_defragment_inner_of_a_foreign_sa_ends_by_name(void)
{
	inner_wait_at_1(true);
	CU_ASSERT_EQUAL(rig_drops(DROP_OWNER_MOVING), 1);
	CU_ASSERT_EQUAL(rig.dp->workers[1]->parked.count, 0);
	fake.all_foreign = false;
	fake.inbound[0] = NULL;
	rte_pktmbuf_free(second_fragment);
	rig_close();
}

/* ---- in clear ---- */

static void test_defragment_clear_before_rules_with_ports(void)
{
	uint16_t largest;
	uint32_t id;

	rig_open_reassembly(1);
	RIG_POLICY("bypass 10.1.0.0/24 0.0.0.0/0[udp/80]");
	send_in_fragments(LAN, big_packet(LAN_HOST, WAN_PEER, IPPROTO_UDP, 3000), 700);
	CU_ASSERT_EQUAL(received_join(WAN, joined, &largest, &id), 3000);
	/* no larger than they came */
	CU_ASSERT(largest <= 700 && id == 0x4711);
	RIG_POLICY("bypass 10.1.0.0/24 0.0.0.0/0[udp/81]");
	send_in_fragments(LAN, big_packet(LAN_HOST, WAN_PEER, IPPROTO_UDP, 3000), 700);
	CU_ASSERT_EQUAL(rig_drops(DROP_NO_POLICY), 1);
	CU_ASSERT_EQUAL(rig_sent(WAN), 0);
	/* nobody asks: each for itself */
	RIG_POLICY("bypass 10.1.0.0/24 0.0.0.0/0");
	send_in_fragments(LAN, big_packet(LAN_HOST, WAN_PEER, IPPROTO_UDP, 3000), 700);
	CU_ASSERT_EQUAL(received_join(WAN, joined, &largest, &id), 3000);
	CU_ASSERT_EQUAL(rig_counter(DP_C_REASSEMBLED), 2);
	rig_close();
}

/* RFC 4301 6.1.1: an error about protected traffic is judged by what it quotes, which fragments do not show. */
static void test_defragment_clear_icmp_where_something_is_protected(void)
{
	uint16_t largest;
	uint32_t id;

	rig_open_reassembly(1);
	RIG_POLICY("bypass 10.1.0.0/24 0.0.0.0/0");
	send_in_fragments(LAN, big_packet(LAN_HOST, WAN_PEER, IPPROTO_ICMP, 3000), 700);
	CU_ASSERT_EQUAL(rig_counter(DP_C_REASSEMBLED), 0);
	CU_ASSERT_EQUAL(received_join(WAN, joined, &largest, &id), 3000);
	RIG_POLICY("protect 3 10.1.0.0/24 10.2.0.0/24", "bypass 10.1.0.0/24 0.0.0.0/0", "bypass 2001:db8:1::/64 ::/0");
	send_in_fragments(LAN, big_packet(LAN_HOST, WAN_PEER, IPPROTO_ICMP, 3000), 700);
	CU_ASSERT_EQUAL(rig_counter(DP_C_REASSEMBLED), 1);
	CU_ASSERT_EQUAL(received_join(WAN, joined, &largest, &id), 3000);
	CU_ASSERT(largest <= 700);
	send_in_fragments(LAN, big_packet(LAN_HOST, WAN_PEER, IPPROTO_UDP, 3000), 700);
	CU_ASSERT_EQUAL(rig_counter(DP_C_REASSEMBLED), 1);
	CU_ASSERT_EQUAL(received_join(WAN, joined, &largest, &id), 3000);
	/* whatever it is that stands behind options */
	send_in_fragments(LAN, echo_behind_options(LAN_HOST6, WAN_PEER6, 2000), 1280);
	CU_ASSERT_EQUAL(rig_counter(DP_C_REASSEMBLED), 2);
	CU_ASSERT(rig_sent(WAN) > 1);
	rig_close();
}

static void test_defragment_clear_ipv6_goes_on_as_it_was_cut(void)
{
	uint16_t largest;
	uint32_t id;

	rig_open_reassembly(1);
	RIG_POLICY("bypass 2001:db8:1::/64 ::/0[udp/80]");
	send_in_fragments(LAN, big_packet(LAN_HOST6, WAN_PEER6, IPPROTO_UDP, 1420), 1280);
	/* the whole would fit the port, but not what the sender found out about the way */
	CU_ASSERT_EQUAL(received_join(WAN, joined, &largest, &id), 1420);
	CU_ASSERT(largest <= 1280 && id == 0x815);
	CU_ASSERT_EQUAL(rig_counter(DP_C_REASSEMBLED), 1);
	rig_close();
}

/* Fragments that would not have fitted are not made smaller on their way (RFC 8200 5): their sender hears what fits. */
static void test_defragment_clear_ipv6_that_came_too_large_is_told(void)
{
	uint16_t largest;
	uint32_t id;

	rig_open_reassembly(1);
	RIG_POLICY("bypass 2001:db8:1::/64 ::/0[udp/80]");
	rig.dp->ports[WAN].mtu = 1350;
	send_in_fragments(LAN, big_packet(LAN_HOST6, WAN_PEER6, IPPROTO_UDP, 1800), 1400);
	CU_ASSERT_EQUAL(rig_drops(DROP_TOO_BIG), 1);
	CU_ASSERT_EQUAL(rig_sent(WAN), 0);
	struct rte_mbuf *m = rig_receive(LAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	const uint8_t *icmp = (const uint8_t *)(frame_ip6(m) + 1);
	CU_ASSERT_EQUAL(load_be16(icmp), 0x0200);
	CU_ASSERT_EQUAL(load_be32(icmp + 4), 1350);
	rte_pktmbuf_free(m);
	/* and then it sends such */
	send_in_fragments(LAN, big_packet(LAN_HOST6, WAN_PEER6, IPPROTO_UDP, 1800), 1350);
	CU_ASSERT_EQUAL(received_join(WAN, joined, &largest, &id), 1800);
	CU_ASSERT(largest <= 1350);
	rig_close();
}

/* Somebody on the other side of the gateway adds nothing to the datagram of a protected host. */
static void test_defragment_clear_fragments_of_two_ports_do_not_mix(void)
{
	struct rte_mbuf *f[FRAGMENTS_MAX];

	rig_open_reassembly(1);
	RIG_POLICY("bypass 10.1.0.0/24 0.0.0.0/0[udp/80]");
	struct rte_mbuf *m = big_packet(LAN_HOST, WAN_PEER, IPPROTO_UDP, 1200);
	CU_ASSERT_EQUAL_FATAL(fragments_of(m, 700, f), 2);
	frame_send(LAN, f[0]);
	frame_send(WAN, f[1]);
	rte_pktmbuf_free(m);
	rig_step();
	CU_ASSERT_EQUAL(rig_counter(DP_C_REASSEMBLED), 0);
	rig_forget_fragments();
	CU_ASSERT_EQUAL(rig_drops(DROP_FRAGMENT_TIMEOUT), 2);
	rig_close();
}

/* ---- out of an SA ---- */

/* Takes m. */
static void inner_fragments_send_of(struct rte_mbuf *m)
{
	struct rte_mbuf *f[FRAGMENTS_MAX];

	for (int n = fragments_of(m, 900, f); n--;) {
		struct rte_mbuf *outer = big_packet(WAN_PEER, WAN_OWN, IPPROTO_ESP, (uint16_t)(8 + f[n]->data_len));
		memcpy(rte_pktmbuf_mtod_offset(outer, uint8_t *, 28), rte_pktmbuf_mtod(f[n], void *), f[n]->data_len);
		frame_send(WAN, outer);
		rte_pktmbuf_free(f[n]);
	}
	rte_pktmbuf_free(m);
	rig_step();
}

static void inner_fragments_send(void)
{
	inner_fragments_send_of(big_packet(FAR_HOST, LAN_HOST, IPPROTO_UDP, 2000));
}

/* Later fragments alone say nothing of what is behind the destination options. */
static void test_defragment_inner_ipv6_with_options_in_the_fragmentable_part(void)
{
	sa_open(1);
	inner_fragments_send_of(echo_behind_options(FAR_HOST6, LAN_OWN6, 2000));
	CU_ASSERT_EQUAL(rig_counter(DP_C_REASSEMBLED), 1);
	CU_ASSERT_EQUAL(rig_drops(DROP_INNER_HEADER), 0);
	inner_fragments_send_of(echo_behind_options(FAR_HOST6, LAN_HOST6, 2000));
	CU_ASSERT_EQUAL(rig_counter(DP_C_REASSEMBLED), 1);
	CU_ASSERT_EQUAL(rig_sent(LAN), 1); /* the first fragment shows all */
	CU_ASSERT(rig_drops(DROP_FRAGMENT) > 0);
	rig_close();
}

static void test_defragment_inner_before_selectors_with_ports(void)
{
	uint16_t largest;
	uint32_t id;

	sa_open(1);
	inner_fragments_send();
	CU_ASSERT_EQUAL(received_join(LAN, joined, &largest, &id), 2000);
	CU_ASSERT_EQUAL(rig_counter(DP_C_REASSEMBLED), 0);
	in_sa.wants_ports = true;
	inner_fragments_send();
	CU_ASSERT_EQUAL(received_join(LAN, joined, &largest, &id), 2000);
	CU_ASSERT_EQUAL(rig_counter(DP_C_REASSEMBLED), 1);
	/* the whole datagram is not what was negotiated */
	in_sa.outside = true;
	inner_fragments_send();
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	CU_ASSERT_EQUAL(rig_drops(DROP_SELECTOR_IN), 1);
	CU_ASSERT_EQUAL(in_sa.drops[DROP_SELECTOR_IN], 1);
	rig_close();
}

/* ---- ends ---- */

static void test_defragment_ends_have_names(void)
{
	struct probe p = {
		.src = LAN_HOST, .dst = LAN_OWN, .protocol = IPPROTO_TCP, .bytes = 36, .fragment = RTE_IPV4_HDR_MF_FLAG
	};

	rig_open_reassembly(1);
	CU_ASSERT(dropped_as(LAN, &p, DROP_FRAGMENT_TINY));
	p.fragment = 1;
	CU_ASSERT(dropped_as(LAN, &p, DROP_FRAGMENT_TINY));
	p.protocol = IPPROTO_UDP;
	p.fragment = 0x1fff;
	CU_ASSERT(dropped_as(LAN, &p, DROP_FRAGMENT_BEYOND));
	p.fragment = RTE_IPV4_HDR_MF_FLAG;
	p.bytes = 35;
	CU_ASSERT(dropped_as(LAN, &p, DROP_FRAGMENT_LENGTH));
	p.bytes = 84;
	rig_send(LAN, &p);
	rig_step();
	CU_ASSERT(dropped_as(LAN, &p, DROP_FRAGMENT_DUPLICATE));
	p.fragment |= 4;
	rig_send(LAN, &p);
	rig_step();
	CU_ASSERT_EQUAL(rig_drops(DROP_FRAGMENT_OVERLAP), 2);
	rig_close();
}

/* The time of what waits is over, within a loop. */
static void time_passes(void)
{
	struct reassembly *r = rig.dp->workers[0]->reassembly;

	for (uint16_t i = 0; i < r->config.datagrams; i++)
		r->datagrams[i].ends = 0;
	rig_step();
}

/* RFC 792, RFC 4443 3.3: only who sent a first fragment is told, in its own address's name. */
static void test_defragment_timeout_is_told_when_the_first_fragment_is_here(void)
{
	static const char *const sources[] = { LAN_HOST, LAN_HOST6 }, *const ours[] = { LAN_OWN, LAN_OWN6 };
	static const uint16_t told[] = { 0x0b01, 0x0301 };
	struct rte_mbuf *f[FRAGMENTS_MAX];

	for (int six = 0; six < 2; six++)
		for (int first = 0; first < 2; first++) {
			rig_open_reassembly(1);
			RIG_POLICY("bypass 0.0.0.0/0 0.0.0.0/0", "bypass ::/0 ::/0");
			struct rte_mbuf *m = big_packet(sources[six], ours[six], IPPROTO_UDP, 1200);
			CU_ASSERT_EQUAL_FATAL(fragments_of(m, 700, f), 2);
			frame_send(LAN, f[!first]);
			rte_pktmbuf_free(f[first]);
			rte_pktmbuf_free(m);
			rig_step();
			CU_ASSERT_EQUAL(rig_sent(LAN), 0);
			time_passes();
			CU_ASSERT_EQUAL(rig_drops(DROP_FRAGMENT_TIMEOUT), 1);
			CU_ASSERT_EQUAL(is_refusal(LAN, told[six]), first);
			CU_ASSERT_EQUAL(rig_sent(LAN), 0);
			rig_close();
		}
}

/* Who joins what goes on does not speak for its receiver. */
static void test_defragment_timeout_of_others_is_silent(void)
{
	struct rte_mbuf *f[FRAGMENTS_MAX];

	rig_open_reassembly(1);
	RIG_POLICY("bypass 10.1.0.0/24 0.0.0.0/0[udp/80]");
	struct rte_mbuf *m = big_packet(LAN_HOST, WAN_PEER, IPPROTO_UDP, 1200);
	CU_ASSERT_EQUAL_FATAL(fragments_of(m, 700, f), 2);
	frame_send(LAN, f[0]);
	rte_pktmbuf_free(f[1]);
	rte_pktmbuf_free(m);
	rig_step();
	time_passes();
	CU_ASSERT_EQUAL(rig_drops(DROP_FRAGMENT_TIMEOUT), 1);
	CU_ASSERT_EQUAL(rig_sent(LAN) + rig_sent(WAN), 0);
	rig_close();
}

/* RFC 8200 4.5. */
static void test_defragment_ipv6_fragment_of_odd_length_is_told(void)
{
	const uint8_t odd[8 + 12] = { IPPROTO_UDP, 0, 0, 1, 0, 0, 0, 7, 0x13, 0x88, 0, 80, 4, 0 };
	const uint8_t beyond[8 + 16] = { IPPROTO_UDP, 0, 0xff, 0xf8, 0, 0, 0, 7 };
	struct probe p = { .src = LAN_HOST6,
		.dst = LAN_OWN6,
		.protocol = IPPROTO_FRAGMENT,
		.payload = odd,
		.payload_bytes = sizeof(odd) };

	rig_open_reassembly(1);
	RIG_POLICY("bypass ::/0 ::/0");
	CU_ASSERT(refused_as(LAN, &p, DROP_FRAGMENT_LENGTH, 0x0400));
	p.payload = beyond;
	p.payload_bytes = sizeof(beyond);
	CU_ASSERT(refused_as(LAN, &p, DROP_FRAGMENT_BEYOND, 0x0400));
	rig_close();
}

static void test_defragment_datagram_too_long_for_a_buffer(void)
{
	rig_open_reassembly(1);
	send_in_fragments(LAN, big_packet(LAN_HOST, LAN_OWN, IPPROTO_UDP, 65370), 1500);
	CU_ASSERT_EQUAL(rig_drops(DROP_FRAGMENT_BUFFER), 45);
	rig_close();
}

/* RFC 3168 5.3. */
static void test_defragment_congestion_marks_are_kept(void)
{
	static const struct {
		uint8_t first, second;
		int result; /* -1: dropped */
	} rows[] = { { 2, 2, 2 }, { 2, 3, 3 }, { 3, 1, 3 }, { 0, 0, 0 }, { 0, 3, -1 }, { 0, 2, 0 } };
	struct rte_mbuf *f[FRAGMENTS_MAX];

	rig_open_reassembly(1);
	RIG_POLICY("bypass 10.1.0.0/24 0.0.0.0/0[udp/80]");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rte_mbuf *m = big_packet(LAN_HOST, WAN_PEER, IPPROTO_UDP, 1200);
		CU_ASSERT_EQUAL_FATAL(fragments_of(m, 700, f), 2);
		packet_ip(f[0])->type_of_service = rows[i].first;
		packet_ip(f[1])->type_of_service = rows[i].second;
		for (int k = 0; k < 2; k++) {
			ip_checksum_set(packet_ip(f[k]));
			frame_send(LAN, f[k]);
		}
		rte_pktmbuf_free(m);
		rig_step();
		struct rte_mbuf *sent = rig_receive(WAN);
		CU_ASSERT_EQUAL(sent ? frame_ip(sent)->type_of_service : -1, rows[i].result);
		rte_pktmbuf_free(sent);
		rig_sent(WAN);
	}
	CU_ASSERT_EQUAL(rig_drops(DROP_ECN), 2);
	rig_close();
}

static void test_defragment_floods_are_bounded_and_forgotten(void)
{
	struct probe p = { .src = LAN_HOST, .dst = LAN_OWN, .bytes = 84, .fragment = RTE_IPV4_HDR_MF_FLAG };
	uint32_t least = UINT32_MAX;

	rig_open_reassembly(2);
	for (unsigned i = 0; i < 20000; i++) {
		struct rte_mbuf *m = rig_packet(&p);
		packet_ip(m)->packet_id = (uint16_t)i;
		packet_ip(m)->src_addr += rte_cpu_to_be_32(i % 50);
		ip_checksum_set(packet_ip(m));
		frame_send(LAN, m);
		rig_step();
		least = RTE_MIN(least, datapath_mbufs_free(rig.dp));
	}
	CU_ASSERT(least >= rig.mbufs - 2 * 64 - 64);
	CU_ASSERT(rig_drops(DROP_FRAGMENT_EVICTED) > 19000);
	/* time passes */
	for (uint16_t i = 0; i < 2; i++)
		reassembly_expire(rig.dp->workers[i]->reassembly, UINT64_MAX, 1000);
	CU_ASSERT_EQUAL(rig_drops(DROP_FRAGMENT_EVICTED) + rig_drops(DROP_FRAGMENT_TIMEOUT), 20000);
	CU_ASSERT_EQUAL(datapath_mbufs_free(rig.dp), rig.mbufs);
	rig_close();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_defragment_big_echo_is_answered_in_fragments),
		TEST(test_defragment_big_ipv6_echo_is_answered_in_fragments),
		TEST(test_defragment_link_local_echo_is_answered_in_fragments),
		TEST(test_defragment_link_local_fragments_are_no_way_around),
		TEST(test_defragment_ipv6_chain_in_the_fragmentable_part),
		TEST(test_defragment_outer_fragments_are_joined_before_the_sa),
		TEST(test_defragment_outer_fragments_do_not_let_inner_ipv6_be_cut),
		TEST(test_defragment_ike_in_fragments_reaches_control),
		TEST(test_defragment_one_worker_gets_all_fragments),
		TEST(test_defragment_workers_change_under_datagrams),
		TEST(test_defragment_late_fragment_follows),
		TEST(test_defragment_inner_follows_its_sa),
		TEST(test_defragment_inner_ends_with_its_sa),
		TEST(test_defragment_inner_of_a_foreign_sa_ends_by_name),
		TEST(test_defragment_clear_before_rules_with_ports),
		TEST(test_defragment_clear_icmp_where_something_is_protected),
		TEST(test_defragment_clear_ipv6_goes_on_as_it_was_cut),
		TEST(test_defragment_clear_ipv6_that_came_too_large_is_told),
		TEST(test_defragment_clear_fragments_of_two_ports_do_not_mix),
		TEST(test_defragment_inner_before_selectors_with_ports),
		TEST(test_defragment_inner_ipv6_with_options_in_the_fragmentable_part),
		TEST(test_defragment_ends_have_names),
		TEST(test_defragment_timeout_is_told_when_the_first_fragment_is_here),
		TEST(test_defragment_timeout_of_others_is_silent),
		TEST(test_defragment_ipv6_fragment_of_odd_length_is_told),
		TEST(test_defragment_datagram_too_long_for_a_buffer),
		TEST(test_defragment_congestion_marks_are_kept),
		TEST(test_defragment_floods_are_bounded_and_forgotten),
	};

	rig_eal();
	return test_main("datapath_defragment", tests, ARRAY_LEN(tests), argc, argv);
}
