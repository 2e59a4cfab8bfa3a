/* SPDX-License-Identifier: BSD-3-Clause */
/* The seam towards control: creation and its refusals, publishing, sending UDP, the event descriptor, real worker
 * threads. */
#include <poll.h>
#include <unistd.h>

#include "harness.h"
#include "idle_priv.h"
#include "rig.h"
#include "fake_ipsec.h"

static bool readable(void)
{
	struct pollfd p = { .fd = datapath_event_fd(rig.dp), .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static struct endpoint at(const char *address, uint16_t port)
{
	struct endpoint e = { .port = port };

	addr_parse(address, &e.addr);
	return e;
}

static void test_datapath_send_udp_is_a_right_datagram(void)
{
	const struct endpoint local = at(WAN_OWN, 4500), remote = at(WAN_PEER, 4501);

	rig_open(1);
	CU_ASSERT_EQUAL(datapath_send_udp(rig.dp, &local, &remote, BYTES("hello", 5), true), 0);
	rig_step();
	struct rte_mbuf *m = rig_receive(WAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	struct rte_ipv4_hdr *ip = frame_ip(m);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
	CU_ASSERT_EQUAL(ip_total_bytes(ip), 37);
	CU_ASSERT(ip_checksum_valid(ip));
	CU_ASSERT_EQUAL(udp->src_port, RTE_BE16(4500));
	CU_ASSERT_EQUAL(udp->dst_port, RTE_BE16(4501));
	CU_ASSERT_EQUAL(udp->dgram_len, RTE_BE16(17));
	CU_ASSERT_EQUAL(memcmp(udp + 1, "\0\0\0\0hello", 9), 0);
	uint16_t sum = udp->dgram_cksum;
	udp->dgram_cksum = 0;
	CU_ASSERT_EQUAL(rte_ipv4_udptcp_cksum(ip, udp), sum);
	rte_pktmbuf_free(m);
	rig_close();
}

static void test_datapath_send_udp_bypasses_policy_not_routing(void)
{
	const struct endpoint local = at(WAN_OWN, 500), remote = at("127.0.0.1", 500), v6 = at("2001:db8::1", 500);
	static uint8_t big[65536];

	rig_open(1);
	RIG_POLICY("discard 0.0.0.0/0 0.0.0.0/0");
	CU_ASSERT_EQUAL(datapath_send_udp(rig.dp, &local, &remote, BYTES("x", 1), false), 0);
	rig_step();
	CU_ASSERT_EQUAL(rig_drops(DROP_NO_ROUTE), 1);
	CU_ASSERT_EQUAL(datapath_send_udp(rig.dp, &local, &v6, BYTES("x", 1), false), -EMSGSIZE);
	CU_ASSERT_EQUAL(datapath_send_udp(rig.dp, &local, &remote, BYTES(big, 65508), false), -EMSGSIZE);
	rig_close();
}

static void test_datapath_send_udp_fragments_at_the_mtu(void)
{
	const struct endpoint local = at(WAN_OWN, 500), remote = at(WAN_PEER, 500);
	uint8_t data[4000];
	struct rte_mbuf *m;
	unsigned bytes = 0, n = 0;
	uint16_t id = 0;

	rig_open(1);
	memset(data, 7, sizeof(data));
	CU_ASSERT_EQUAL(datapath_send_udp(rig.dp, &local, &remote, BYTES_OF(data), false), 0);
	rig_step();
	for (; (m = rig_receive(WAN)); n++) {
		struct rte_ipv4_hdr *ip = frame_ip(m);
		CU_ASSERT(ip_checksum_valid(ip));
		CU_ASSERT_EQUAL((rte_be_to_cpu_16(ip->fragment_offset) & RTE_IPV4_HDR_OFFSET_MASK) * 8u, bytes);
		CU_ASSERT(n == 0 || id == ip->packet_id);
		id = ip->packet_id;
		bytes += ip_total_bytes(ip) - 20u;
		rte_pktmbuf_free(m);
	}
	CU_ASSERT_EQUAL(n, 3);
	CU_ASSERT_EQUAL(bytes, 4008);
	rig_close();
}

static void test_datapath_send_udp_over_ipv6_is_a_right_datagram(void)
{
	const struct endpoint local = at(WAN_OWN6, 4500), remote = at(WAN_PEER6, 4501);

	rig_open(1);
	CU_ASSERT_EQUAL(datapath_send_udp(rig.dp, &local, &remote, BYTES("hello", 5), true), 0);
	rig_step();
	struct rte_mbuf *m = rig_receive(WAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	struct rte_ipv6_hdr *ip = frame_ip6(m);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
	CU_ASSERT(ip6_is(ip6_source(ip), WAN_OWN6) && ip6_is(ip6_destination(ip), WAN_PEER6));
	CU_ASSERT_EQUAL(ip->proto, IPPROTO_UDP);
	CU_ASSERT_EQUAL(ip->payload_len, RTE_BE16(17));
	CU_ASSERT_EQUAL(udp->src_port, RTE_BE16(4500));
	CU_ASSERT_EQUAL(udp->dst_port, RTE_BE16(4501));
	CU_ASSERT_EQUAL(memcmp(udp + 1, "\0\0\0\0hello", 9), 0);
	uint16_t sum = udp->dgram_cksum;
	udp->dgram_cksum = 0;
	CU_ASSERT_EQUAL(rte_ipv6_udptcp_cksum(ip, udp), sum);
	rte_pktmbuf_free(m);
	rig_close();
}

/* The next fragment begins where the former ended; its bytes, or 0 when there is none. */
static unsigned next_fragment6(unsigned begin, uint32_t *identification)
{
	struct rte_mbuf *m = rig_receive(WAN);

	if (!m)
		return 0;
	struct rte_ipv6_hdr *ip = frame_ip6(m);
	const uint8_t *fragment = (const uint8_t *)(ip + 1);
	unsigned bytes = rte_be_to_cpu_16(ip->payload_len) - 8u;
	CU_ASSERT_EQUAL(ip->proto, IPPROTO_FRAGMENT);
	CU_ASSERT_EQUAL(fragment[0], IPPROTO_UDP);
	CU_ASSERT_EQUAL(load_be16(fragment + 2), begin | (begin + bytes < 4008));
	CU_ASSERT(begin == 0 || *identification == load_be32(fragment + 4));
	CU_ASSERT(m->pkt_len <= 14 + RTE_IPV6_MIN_MTU);
	*identification = load_be32(fragment + 4);
	rte_pktmbuf_free(m);
	return bytes;
}

/* What fits the link goes whole; anything longer in pieces that fit every path. */
static void test_datapath_send_udp_over_ipv6_fragments_at_the_least_mtu(void)
{
	const struct endpoint local = at(WAN_OWN6, 500), remote = at(WAN_PEER6, 500);
	static const uint8_t data[4000];
	unsigned at_byte = 0, bytes, n = 0;
	uint32_t identification = 0;

	rig_open(1);
	CU_ASSERT_EQUAL(datapath_send_udp(rig.dp, &local, &remote, BYTES(data, 1500 - 48), false), 0);
	rig_step();
	struct rte_mbuf *m = rig_receive(WAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(m->pkt_len, 1514);
	rte_pktmbuf_free(m);
	CU_ASSERT_EQUAL(datapath_send_udp(rig.dp, &local, &remote, BYTES_OF(data), false), 0);
	rig_step();
	for (; (bytes = next_fragment6(at_byte, &identification)); n++)
		at_byte += bytes;
	CU_ASSERT_EQUAL(n, 4);
	CU_ASSERT_EQUAL(at_byte, 4008);
	rig_close();
}

static void test_datapath_inject_ring_full_is_enobufs(void)
{
	const struct endpoint local = at(WAN_OWN, 500), remote = at(WAN_PEER, 500);
	int sent = 0, error;

	rig_open(1);
	while (!(error = datapath_send_udp(rig.dp, &local, &remote, BYTES("x", 1), false)))
		sent++;
	CU_ASSERT_EQUAL(error, -ENOBUFS);
	CU_ASSERT_EQUAL(sent, INJECT_RING_SIZE - 1);
	CU_ASSERT_EQUAL(rig_drops(DROP_HANDOFF_FULL), 1);
	do
		worker_step(rig.dp->workers[0]);
	while (rig_sent(WAN));
	rig_close();
}

static void test_datapath_event_fd_wakes_once_and_again(void)
{
	static const char arp_request[42] = "\xff\xff\xff\xff\xff\xff\2\0\0\0\0\1\x08\x06"
					    "\0\1\x08\0\6\4\0\1\2\0\0\0\0\1\x0a\1\0\x3c\0\0\0\0\0\0\x0a\1\0\1";
	const struct probe p = { .src = LAN_HOST, .dst = FAR_HOST };
	const char *const rule = "protect 3 10.1.0.0/24 10.2.0.0/24";

	rig_open(1);
	rig_policy(&rule, 1);
	rig_poll();
	CU_ASSERT_FALSE(readable());
	rig_send(LAN, &p);
	rig_step();
	CU_ASSERT(readable());
	rig_poll();
	CU_ASSERT_FALSE(readable());
	CU_ASSERT_EQUAL(rig.event_count, 1);
	rig_send_frame(LAN, arp_request, sizeof(arp_request));
	rig_step();
	CU_ASSERT(readable());
	rig_poll();
	rig_step();
	rte_pktmbuf_free(rig_receive(LAN));
	rig_close();
}

static void test_datapath_publish_refuses_bad_routes_and_keeps_the_old(void)
{
	static const char *const vias[] = { "172.16.0.1", WAN_OWN, "2001:db8::1" };
	struct datapath_route route;
	const char *reason;

	rig_open(1);
	struct snapshot *before = rig.dp->snapshot;
	prefix_parse("10.9.0.0/16", &route.prefix);
	for (size_t i = 0; i < ARRAY_LEN(vias); i++) {
		const struct datapath_snapshot s = { .routes = &route, .route_count = 1 };
		addr_parse(vias[i], &route.via);
		reason = NULL;
		CU_ASSERT_EQUAL(datapath_publish(rig.dp, &s, &reason), -EINVAL);
		CU_ASSERT_PTR_NOT_NULL(reason);
		CU_ASSERT_PTR_EQUAL(rig.dp->snapshot, before);
	}
	rig_close();
}

static void test_datapath_replaced_snapshot_is_reclaimed(void)
{
	rig_open(1);
	reclaim_poll(rig.ips);
	CU_ASSERT_EQUAL(fake.deferred, 0);
	RIG_POLICY("bypass 0.0.0.0/0 0.0.0.0/0");
	CU_ASSERT_EQUAL(fake.deferred, 1);
	rig_close();
}

static void test_datapath_subnet_edges_and_nowhere_have_no_route(void)
{
	static const char *const edges[] = { "10.1.0.0", "10.1.0.255" };
	static const char *const nowhere[] = { "127.0.0.1", "224.0.0.5", "255.255.255.255", "0.0.0.1" };

	rig_open(1);
	RIG_POLICY("bypass 0.0.0.0/0 0.0.0.0/0");
	for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
		const struct probe p = { .src = WAN_PEER, .dst = edges[i] };
		CU_ASSERT(dropped_as(WAN, &p, DROP_NO_ROUTE));
	}
	for (size_t i = 0; i < ARRAY_LEN(nowhere); i++) {
		const struct probe p = { .src = WAN_PEER, .dst = nowhere[i] };
		CU_ASSERT(dropped_as(WAN, &p, DROP_MARTIAN));
	}
	rig_close();
}

static void test_datapath_path_needs_a_route(void)
{
	struct path_spec spec = { 0 };
	struct path *path = NULL;

	rig_open(1);
	addr_parse("8.8.8.8", &spec.remote.addr);
	CU_ASSERT_EQUAL(datapath_path_create(rig.dp, &spec, &path), 0);
	CU_ASSERT_EQUAL(path->port, WAN);
	CU_ASSERT_EQUAL(path->mtu, 1500);
	CU_ASSERT_EQUAL(path->neighbour, neighbour_lookup(rig.dp->neighbours, WAN, ip4(WAN_GW)));
	path_free(path);
	addr_parse(WAN_OWN, &spec.remote.addr);
	CU_ASSERT_EQUAL(datapath_path_create(rig.dp, &spec, &path), -EHOSTUNREACH);
	addr_parse("127.0.0.1", &spec.remote.addr);
	CU_ASSERT_EQUAL(datapath_path_create(rig.dp, &spec, &path), -EHOSTUNREACH);
	rig_close();
}

static void test_datapath_create_refuses_with_a_reason(void)
{
	struct datapath_config c = { .workers = 1, .mbufs = 1023, .port_count = 1 };
	const struct ipsec_config ic = { .workers = 1 };
	const char *reason;
	struct ipsec *ips = ipsec_create(&ic, &reason);
	char text[256] = "";

	prefix_parse("10.1.0.1/24", &c.ports[0].address);
	c.ports[0].mtu = 1500;
	strcpy(c.ports[0].name, "lan");
	strcpy(c.ports[0].device, "net_nothing0");
	CU_ASSERT_PTR_NULL(datapath_create(ips, &c, text, sizeof(text)));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "net_nothing0"));
	c.workers = 0;
	CU_ASSERT_PTR_NULL(datapath_create(ips, &c, text, sizeof(text)));
	c.workers = IPSEC_WORKERS_MAX + 1;
	CU_ASSERT_PTR_NULL(datapath_create(ips, &c, text, sizeof(text)));
	ipsec_free(ips);
}

/* The next IPv4 packet of the LAN; what a start says about our IPv6 addresses is passed over. */
static struct rte_mbuf *echo_receive(void)
{
	struct rte_mbuf *m = rig_receive(LAN);

	if (!m || load_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, 12)) == RTE_ETHER_TYPE_IPV4)
		return m;
	rte_pktmbuf_free(m);
	return NULL;
}

/* The real threads: started, fed until the answer is there, stopped; what was injected before the stop still leaves. */
static void test_datapath_threads_start_forward_and_stop(void)
{
	const struct probe p = { .src = LAN_HOST, .dst = LAN_OWN, .protocol = IPPROTO_ICMP };
	const struct endpoint local = at(WAN_OWN, 500), remote = at(WAN_PEER, 500);
	struct rte_mbuf *m = NULL;
	char reason[128];

	rig_open(2);
	for (uint16_t i = 0; i < 2; i++)
		worker_detach(rig.dp->workers[i]);
	rig.dp->idle = DATAPATH_ADAPTIVE;
	CU_ASSERT_EQUAL_FATAL(datapath_start(rig.dp, reason, sizeof(reason)), 0);
	rig_send(LAN, &p);
	for (long tries = 0; !m && tries < 100000000; tries++) {
		m = echo_receive();
		if (!m)
			sched_yield();
	}
	CU_ASSERT_PTR_NOT_NULL(m);
	rte_pktmbuf_free(m);
	for (int i = 0; i < 100; i++)
		CU_ASSERT_EQUAL(datapath_send_udp(rig.dp, &local, &remote, BYTES("bye", 3), false), 0);
	datapath_stop(rig.dp);
	CU_ASSERT_EQUAL(rig_sent(WAN), 100);
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	struct datapath_worker_stats s;
	datapath_worker_stats_read(rig.dp, 0, &s);
	CU_ASSERT(s.loops > 0);
	for (uint16_t i = 0; i < 2; i++) {
		worker_attach(rig.dp->workers[i]);
		device_start(rig.dp, i);
	}
	rig_close();
}

/* ---- IPv6 ---- */

static void test_datapath_ipv6_subnet_edge_and_nowhere_have_no_route(void)
{
	static const char *const nowhere[] = { "2001:db8:1::", "::1.2.3.4", "::ffff:1.2.3.4", "fe80::1", "ff02::1",
		"::1" };
	const struct probe anycast = { .src = WAN_PEER6, .dst = "2001:db8:1::" };
	struct datapath_neighbour n;
	struct addr a;

	rig_open(1);
	RIG_POLICY("bypass ::/0 ::/0");
	CU_ASSERT(dropped_as(WAN, &anycast, DROP_NO_ROUTE));
	for (size_t i = 0; i < ARRAY_LEN(nowhere); i++) {
		addr_parse(nowhere[i], &a);
		CU_ASSERT_EQUAL(datapath_next_hop_read(rig.dp, &a, &n), -EHOSTUNREACH);
	}
	addr_parse("2001:db8:1:0:ffff:ffff:ffff:ffff", &a); /* a host like any other */
	CU_ASSERT_EQUAL(datapath_next_hop_read(rig.dp, &a, &n), 0);
	CU_ASSERT_EQUAL(n.port, LAN);
	rig_close();
}

static void test_datapath_ipv6_path_needs_a_route(void)
{
	struct path_spec spec = { 0 };
	struct path *path = NULL;
	struct addr gateway;

	rig_open(1);
	addr_parse("2001:db8:99::1", &spec.remote.addr);
	CU_ASSERT_EQUAL_FATAL(datapath_path_create(rig.dp, &spec, &path), 0);
	addr_parse(WAN_GW6, &gateway);
	CU_ASSERT(path->port == WAN && path->neighbour == neighbour_find(rig.dp->neighbours, WAN, &gateway));
	path_free(path);
	addr_parse(WAN_PEER6, &spec.remote.addr);
	CU_ASSERT_EQUAL_FATAL(datapath_path_create(rig.dp, &spec, &path), 0);
	CU_ASSERT_EQUAL(path->neighbour, neighbour_find(rig.dp->neighbours, WAN, &spec.remote.addr));
	path_free(path);
	addr_parse(WAN_OWN6, &spec.remote.addr);
	CU_ASSERT_EQUAL(datapath_path_create(rig.dp, &spec, &path), -EHOSTUNREACH);
	addr_parse("ff02::1", &spec.remote.addr);
	CU_ASSERT_EQUAL(datapath_path_create(rig.dp, &spec, &path), -EHOSTUNREACH);
	spec.remote.addr = (struct addr){ .family = ADDR_NONE };
	CU_ASSERT_EQUAL(datapath_path_create(rig.dp, &spec, &path), -EHOSTUNREACH);
	rig_close();
}

static void test_datapath_ipv6_addresses_are_local(void)
{
	struct addr own, other;
	uint16_t port = 9;

	rig_open(1);
	addr_parse(WAN_OWN6, &own);
	addr_parse(WAN_PEER6, &other);
	CU_ASSERT(datapath_address_local(rig.dp, &own, &port) && port == WAN);
	CU_ASSERT_FALSE(datapath_address_local(rig.dp, &other, NULL));
	CU_ASSERT_FALSE(address6_own(rig.dp, 0, other.bytes));
	CU_ASSERT_TRUE(address6_own(rig.dp, 0, own.bytes));
	rig_close();
}

/* A port of one family only: neither zero is taken for an address of ours, and ARP is not answered without one. */
static void test_datapath_port_of_one_family(void)
{
	struct datapath_config c = { .workers = 1, .mbufs = 1023, .port_count = 1 };
	const struct ipsec_config ic = { .workers = 1 };
	const char *reason;
	struct ipsec *ips = ipsec_create(&ic, &reason);
	char text[256] = "";

	c.ports[0].mtu = 1500;
	strcpy(c.ports[0].name, "lan");
	strcpy(c.ports[0].device, "net_nothing0");
	CU_ASSERT_PTR_NULL(datapath_create(ips, &c, text, sizeof(text)));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "needs an IPv4 or an IPv6 address"));
	prefix_parse("2001:db8::1/64", &c.ports[0].address6);
	c.ports[0].mtu = 1279;
	CU_ASSERT_PTR_NULL(datapath_create(ips, &c, text, sizeof(text)));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "with IPv6 1280"));
	c.ports[0].mtu = 1280;
	CU_ASSERT_PTR_NULL(datapath_create(ips, &c, text, sizeof(text)));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "net_nothing0"));
	ipsec_free(ips);
	rig_open_families(false, true);
	CU_ASSERT_FALSE(address_own(rig.dp, 0, 0));
	CU_ASSERT_EQUAL(rig.dp->own4.count, 0);
	CU_ASSERT_EQUAL(rig.dp->own6.count, 2);
	uint8_t arp[60] = "\xff\xff\xff\xff\xff\xff\2\0\0\0\0\1\x08\x06\0\1\x08\0\6\4\0\1\2\0\0\0\0\1";
	rig_send_frame(LAN, arp, sizeof(arp));
	rig_step();
	rig_poll();
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	const struct probe ping = { .src = LAN_HOST6, .dst = LAN_OWN6, .protocol = IPPROTO_ICMPV6 };
	rig_send(LAN, &ping);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(LAN), 1);
	rig_close();
	rig_open_families(true, false);
	CU_ASSERT_EQUAL(rig.dp->own6.count, 0);
	CU_ASSERT(dropped_as(LAN, &ping, DROP_NO_POLICY));
	rig_close();
}

static uint64_t port_drops(uint16_t port, enum drop_reason reason)
{
	struct datapath_port_stats s;

	datapath_port_stats_read(rig.dp, port, &s);
	return s.drops[reason];
}

static void test_datapath_drops_are_counted_by_port_too(void)
{
	const struct probe nowhere = { .src = LAN_HOST, .dst = FAR_HOST };
	const struct probe expired = { .src = LAN_HOST, .dst = WAN_PEER, .ttl = 1 };

	rig_open(1);
	CU_ASSERT(dropped_as(LAN, &nowhere, DROP_NO_POLICY));
	CU_ASSERT(dropped_as(WAN, &nowhere, DROP_NO_POLICY));
	CU_ASSERT(dropped_as(WAN, &nowhere, DROP_NO_POLICY));
	CU_ASSERT_EQUAL(port_drops(LAN, DROP_NO_POLICY), 1);
	CU_ASSERT_EQUAL(port_drops(WAN, DROP_NO_POLICY), 2);
	/* its buffer lives on as the answer */
	RIG_POLICY("bypass 10.1.0.0/24 192.0.2.0/24");
	rig_send(LAN, &expired);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(LAN), 1);
	CU_ASSERT_EQUAL(port_drops(LAN, DROP_TTL), 1);
	CU_ASSERT_EQUAL(port_drops(WAN, DROP_TTL), 0);
	rig_close();
}

static void test_datapath_workers_count_packets_bursts_and_what_they_own(void)
{
	const struct probe p = { .src = LAN_HOST, .dst = FAR_HOST };
	struct datapath_worker_stats s;

	rig_open(1);
	for (int i = 0; i < 3; i++)
		rig_send(LAN, &p);
	rig_step();
	datapath_worker_stats_read(rig.dp, 0, &s);
	CU_ASSERT_EQUAL(s.packets, 3);
	CU_ASSERT_EQUAL(s.bursts, 1);
	CU_ASSERT_EQUAL(s.rx_queues, 2);
	rig_close();
}

static uint64_t stages_sum(const struct datapath_worker_stats *s)
{
	uint64_t sum = 0;

	for (int i = 0; i < CYCLE_STAGE_COUNT; i++)
		sum += s->stage_cycles[i];
	return sum;
}

/* One in so many loops with packets, by stage; loops without do not count. */
static void test_datapath_workers_measure_some_loops_by_stage(void)
{
	const struct probe p = { .src = LAN_HOST, .dst = FAR_HOST };
	struct datapath_worker_stats s;

	rig_open(1);
	rig.dp->workers[0]->unmeasured = 0;
	rig_step();
	datapath_worker_stats_read(rig.dp, 0, &s);
	CU_ASSERT_EQUAL(s.measured_loops, 0);
	CU_ASSERT_EQUAL(stages_sum(&s), 0);
	for (int loop = 0; loop < 2; loop++) {
		for (int i = 0; i < 3; i++)
			rig_send(LAN, &p);
		rig_step();
	}
	datapath_worker_stats_read(rig.dp, 0, &s);
	CU_ASSERT_EQUAL(s.measured_loops, 1);
	CU_ASSERT_EQUAL(s.measured_packets, 3);
	CU_ASSERT(s.stage_cycles[CYCLES_RECEIVE] && s.stage_cycles[CYCLES_CLASSIFY] && s.stage_cycles[CYCLES_DECIDE]);
	CU_ASSERT_EQUAL(s.stage_cycles[CYCLES_CRYPTO], 0);
	CU_ASSERT(stages_sum(&s) <= s.busy_cycles);
	rig_close();
}

/* What CPU or device cannot do is refused by name, and nothing runs. */
static void test_datapath_start_refuses_an_idle_way_that_is_not_there(void)
{
	char reason[128] = "";

	rig_open(1);
	worker_detach(rig.dp->workers[0]);
	rig.dp->idle = DATAPATH_INTERRUPT;
	CU_ASSERT_EQUAL(datapath_start(rig.dp, reason, sizeof(reason)), -ENOTSUP);
	CU_ASSERT_PTR_NOT_NULL(strstr(reason, "system.idle: interrupt: device net_ring_"));
	CU_ASSERT_PTR_NOT_NULL(strstr(reason, " has no RX interrupts"));
	if (idle_pause_fault()) {
		rig.dp->idle = DATAPATH_PAUSE;
		CU_ASSERT_EQUAL(datapath_start(rig.dp, reason, sizeof(reason)), -ENOTSUP);
		CU_ASSERT_STRING_EQUAL(reason, "system.idle: pause: this CPU has no pause with an end (TPAUSE)");
	}
	if (idle_monitor_fault()) {
		rig.dp->idle = DATAPATH_MONITOR;
		CU_ASSERT_EQUAL(datapath_start(rig.dp, reason, sizeof(reason)), -ENOTSUP);
		CU_ASSERT_PTR_NOT_NULL(strstr(reason, "system.idle: monitor: this CPU does not watch"));
	}
	CU_ASSERT_FALSE(rig.dp->started);
	rig.dp->idle = DATAPATH_POLL;
	worker_attach(rig.dp->workers[0]);
	for (uint16_t i = 0; i < 2; i++)
		device_start(rig.dp, i);
	rig_close();
}

static void test_datapath_stages_have_names(void)
{
	CU_ASSERT_STRING_EQUAL(datapath_stage_name(CYCLES_RECEIVE), "receive");
	CU_ASSERT_STRING_EQUAL(datapath_stage_name(CYCLE_STAGE_COUNT), "unknown");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_datapath_send_udp_is_a_right_datagram),
		TEST(test_datapath_send_udp_bypasses_policy_not_routing),
		TEST(test_datapath_send_udp_fragments_at_the_mtu),
		TEST(test_datapath_send_udp_over_ipv6_is_a_right_datagram),
		TEST(test_datapath_send_udp_over_ipv6_fragments_at_the_least_mtu),
		TEST(test_datapath_inject_ring_full_is_enobufs),
		TEST(test_datapath_event_fd_wakes_once_and_again),
		TEST(test_datapath_publish_refuses_bad_routes_and_keeps_the_old),
		TEST(test_datapath_replaced_snapshot_is_reclaimed),
		TEST(test_datapath_subnet_edges_and_nowhere_have_no_route),
		TEST(test_datapath_path_needs_a_route),
		TEST(test_datapath_create_refuses_with_a_reason),
		TEST(test_datapath_threads_start_forward_and_stop),
		TEST(test_datapath_ipv6_subnet_edge_and_nowhere_have_no_route),
		TEST(test_datapath_ipv6_path_needs_a_route),
		TEST(test_datapath_ipv6_addresses_are_local),
		TEST(test_datapath_port_of_one_family),
		TEST(test_datapath_drops_are_counted_by_port_too),
		TEST(test_datapath_workers_count_packets_bursts_and_what_they_own),
		TEST(test_datapath_workers_measure_some_loops_by_stage),
		TEST(test_datapath_start_refuses_an_idle_way_that_is_not_there),
		TEST(test_datapath_stages_have_names),
	};

	rig_eal();
	return test_main("datapath_datapath", tests, ARRAY_LEN(tests), argc, argv);
}
