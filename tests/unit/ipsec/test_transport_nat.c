/* SPDX-License-Identifier: BSD-3-Clause */
/* ESP in transport mode whose packets NATs have changed on the way: checksums that were right over the addresses of the
 * sender are right over those that arrive (RFC 3948 3.1.2). DPDK's own checksum functions are the judge. */
#include <rte_tcp.h>
#include <rte_udp.h>

#include "harness.h"
#include "rig.h"

/* What the addresses of either end are behind the NATs. */
struct nat {
	const char *source, *destination; /* NULL: as they were */
};

static struct addr parse(const char *text)
{
	struct addr a;

	if (addr_parse(text, &a))
		abort();
	return a;
}

static uint8_t *source_of(uint8_t *ip)
{
	return ip + (ip[0] >> 4 == 6 ? 8 : 12);
}

/* What routers do: addresses, and the checksum of an IPv4 header. */
static void translate(struct rte_mbuf *m, const struct nat *nat)
{
	uint8_t *ip = rte_pktmbuf_mtod(m, uint8_t *);
	size_t bytes = ip[0] >> 4 == 6 ? 16 : 4;

	if (nat->source)
		memcpy(source_of(ip), parse(nat->source).bytes, bytes);
	if (nat->destination)
		memcpy(source_of(ip) + bytes, parse(nat->destination).bytes, bytes);
	if (bytes == 4)
		rig_checksum((struct rte_ipv4_hdr *)ip);
}

static void replace(struct selector_list *side, struct addr *of_path, struct addr *ret_original, const char *seen)
{
	if (!seen)
		return;
	*ret_original = side->items[0].low;
	*of_path = side->items[0].low = side->items[0].high = parse(seen);
}

/* The receiver's SA in place of the one that knows of no NAT; not in the table, which bursts do not ask. */
static struct sa *behind(const struct rig_pair *p, const struct rig_options *o, const struct nat *nat)
{
	struct sa_spec spec;
	const char *reason;

	rig_spec(o, SA_IN, &spec);
	replace(&spec.remote, &spec.path.remote.addr, &spec.original_remote, nat->source);
	replace(&spec.local, &spec.path.local.addr, &spec.original_local, nat->destination);
	struct sa *sa = sa_create(p->in_ips, &spec, NULL, &reason);
	sa_spec_done(&spec);
	return sa;
}

static size_t checksum_place(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? 16 : protocol == IPPROTO_ICMPV6 ? 2 : 6;
}

static uint16_t checksum_of(const uint8_t *ip, const uint8_t *payload)
{
	if (ip[0] >> 4 == 6)
		return rte_ipv6_udptcp_cksum((const struct rte_ipv6_hdr *)ip, payload);
	return rte_ipv4_udptcp_cksum((const struct rte_ipv4_hdr *)ip, payload);
}

/* What stands in the packet is what it should be; 0 and 0xffff are one number, and UDP never sends 0. */
static bool checksum_right(const uint8_t *ip, uint16_t bytes, uint8_t protocol)
{
	uint8_t copy[RIG_ROOM], *payload = copy + (ip[0] >> 4 == 6 ? 40 : 20), *at = payload + checksum_place(protocol);
	uint16_t stands;

	memcpy(copy, ip, bytes);
	memcpy(&stands, at, sizeof(stands));
	memset(at, 0, sizeof(stands));
	uint16_t wanted = checksum_of(copy, payload);
	return stands == wanted || (protocol != IPPROTO_UDP && (stands ^ wanted) == UINT16_MAX && (!stands || !wanted));
}

/* A packet between the ends whose checksum is right, or none. */
static struct rte_mbuf *packet(const struct rig_options *o, uint8_t protocol, uint8_t seed, bool without)
{
	struct rte_mbuf *m = rig_packet_for(o, 120, seed);
	uint8_t *ip = rte_pktmbuf_mtod(m, uint8_t *), *payload = ip + (o->outer6 ? 40 : 20);
	uint16_t sum = 0;

	ip[o->outer6 ? 6 : 9] = protocol;
	if (!o->outer6)
		rig_checksum((struct rte_ipv4_hdr *)ip);
	memset(payload + checksum_place(protocol), 0, sizeof(sum));
	if (!without)
		sum = checksum_of(ip, payload);
	memcpy(payload + checksum_place(protocol), &sum, sizeof(sum));
	return m;
}

static void check(const struct rig_options *o, const struct nat *nat, uint8_t protocol)
{
	struct rig_pair p;

	rig_pair_open(&p, o);
	p.in = behind(&p, o, nat);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p.in);
	for (int seed = 0; seed < 200; seed++) {
		struct rte_mbuf *m = packet(o, protocol, (uint8_t)seed, false);
		CU_ASSERT_EQUAL(rig_out(&p, m), DROP_NONE);
		translate(m, nat);
		CU_ASSERT_EQUAL(rig_in(&p, m), DROP_NONE);
		CU_ASSERT_TRUE(checksum_right(rte_pktmbuf_mtod(m, uint8_t *), m->data_len, protocol));
		rte_pktmbuf_free(m);
	}
	sa_free(p.in);
	rig_pair_close(&p);
}

static const struct nat nats4[] = { { "203.0.113.9", NULL }, { NULL, "10.0.0.2" }, { "203.0.113.9", "10.0.0.2" } };
static const struct nat nats6[] = { { "2001:db8:9::9", NULL }, { NULL, "fd00::2" }, { "2001:db8:9::9", "fd00::2" } };

static void test_transport_nat_tcp_and_udp(void)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	const struct rig_options o = { .transport = true, .udp = true };

	for (size_t i = 0; i < RTE_DIM(nats4); i++)
		for (size_t k = 0; k < RTE_DIM(protocols); k++)
			check(&o, &nats4[i], protocols[k]);
}

static void test_transport_nat_over_ipv6(void)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMPV6 };
	const struct rig_options o = { .transport = true, .outer6 = true, .udp = true };

	for (size_t i = 0; i < RTE_DIM(nats6); i++)
		for (size_t k = 0; k < RTE_DIM(protocols); k++)
			check(&o, &nats6[i], protocols[k]);
}

/* UDP says by 0 that it has none; ICMP of IPv4 has one that is not over addresses. */
static void test_transport_nat_leaves_others_alone(void)
{
	static const uint8_t protocols[] = { IPPROTO_UDP, IPPROTO_ICMP };
	const struct rig_options o = { .transport = true, .udp = true };
	struct rig_pair p;

	rig_pair_open(&p, &o);
	p.in = behind(&p, &o, &nats4[0]);
	for (size_t k = 0; k < RTE_DIM(protocols); k++) {
		struct rte_mbuf *m = packet(&o, protocols[k], 3, true), *before = rig_copy(m);
		CU_ASSERT_EQUAL(rig_out(&p, m), DROP_NONE);
		translate(m, &nats4[0]);
		CU_ASSERT_EQUAL(rig_in(&p, m), DROP_NONE);
		CU_ASSERT_EQUAL(m->data_len, before->data_len);
		CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod(m, uint8_t *) + 20, rte_pktmbuf_mtod(before, uint8_t *) + 20,
					m->data_len - 20u),
			0);
		rte_pktmbuf_free(m);
		rte_pktmbuf_free(before);
	}
	sa_free(p.in);
	rig_pair_close(&p);
}

/* A segment that ends in front of its checksum is passed on as it is. */
static void test_transport_nat_short_segments(void)
{
	const struct rig_options o = { .transport = true, .udp = true };
	struct rig_pair p;

	rig_pair_open(&p, &o);
	p.in = behind(&p, &o, &nats4[0]);
	for (uint16_t bytes = 0; bytes < 24; bytes++) {
		struct rte_mbuf *m = rig_packet_for(&o, (uint16_t)(20 + bytes), 1);
		rte_pktmbuf_mtod(m, uint8_t *)[9] = IPPROTO_TCP;
		rig_checksum(rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *));
		CU_ASSERT_EQUAL(rig_out(&p, m), DROP_NONE);
		translate(m, &nats4[0]);
		CU_ASSERT_EQUAL(rig_in(&p, m), DROP_NONE);
		CU_ASSERT_EQUAL(m->data_len, 20 + bytes);
		rte_pktmbuf_free(m);
	}
	sa_free(p.in);
	rig_pair_close(&p);
}

static const struct test tests[] = {
	TEST(test_transport_nat_tcp_and_udp),
	TEST(test_transport_nat_over_ipv6),
	TEST(test_transport_nat_leaves_others_alone),
	TEST(test_transport_nat_short_segments),
};

int main(int argc, char **argv)
{
	rig_eal();
	return test_main("ipsec_transport_nat", tests, ARRAY_LEN(tests), argc, argv);
}
