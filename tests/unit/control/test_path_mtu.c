/* SPDX-License-Identifier: BSD-3-Clause */
/* What a packet too big is worth, how long it is remembered, and what it does to installed pairs (a fake packet path).
 */
#include "sa_lifecycle_priv.h"

#include <errno.h>

#include "fake_packet_path.h"
#include "harness.h"
#include "loop_priv.h"

static struct sa_registry r;

/* ---- the claim alone ---- */

static enum drop_reason judge(uint8_t family, uint16_t mtu, uint16_t quoted, uint16_t current, uint16_t *ret_mtu)
{
	const struct path_mtu_claim claim = { family, mtu, quoted };

	*ret_mtu = 0;
	return path_mtu_judge(&claim, current, PATH_MTU_FLOOR, ret_mtu);
}

static void test_path_mtu_only_lowers_and_not_below_the_floor(void)
{
	static const struct {
		uint8_t family;
		uint16_t mtu, current;
		enum drop_reason reason;
	} claims[] = {
		{ ADDR_IPV4, 1499, 1500, DROP_NONE },
		{ ADDR_IPV4, 1500, 1500, DROP_PMTU_NOT_LOWER },
		{ ADDR_IPV4, 9000, 1500, DROP_PMTU_NOT_LOWER },
		{ ADDR_IPV4, UINT16_MAX, 1500, DROP_PMTU_NOT_LOWER },
		{ ADDR_IPV4, 1400, 1300, DROP_PMTU_NOT_LOWER },
		{ ADDR_IPV4, 576, 1500, DROP_NONE },
		{ ADDR_IPV4, 575, 1500, DROP_PMTU_FLOOR },
		{ ADDR_IPV4, 1, 1500, DROP_PMTU_FLOOR },
		{ ADDR_IPV6, 1280, 1500, DROP_NONE },
		/* RFC 8201 4: discarded */
		{ ADDR_IPV6, 1279, 1500, DROP_PMTU_FLOOR },
		{ ADDR_IPV6, 0, 1500, DROP_PMTU_FLOOR },
		{ ADDR_IPV6, 1280, 1280, DROP_PMTU_NOT_LOWER },
	};
	uint16_t mtu;

	for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
		CU_ASSERT_EQUAL(
			judge(claims[i].family, claims[i].mtu, 1500, claims[i].current, &mtu), claims[i].reason);
		CU_ASSERT_EQUAL(mtu, claims[i].reason ? 0 : claims[i].mtu);
	}
}

/* RFC 1191 5, 7.1: the next common MTU below the packet that did not pass, never above what we know already. */
static void test_path_mtu_of_an_old_router_is_the_next_plateau(void)
{
	static const struct {
		uint16_t quoted, current, mtu;
	} claims[] = { { 1500, 1500, 1492 }, { 1492, 1500, 1006 }, { 1400, 1500, 1006 }, { 1006, 1500, 576 },
		{ 600, 1500, 576 }, { 0, 1500, 576 }, { UINT16_MAX, 9000, 8166 }, { 9000, 1300, 1006 } };
	uint16_t mtu;

	for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
		CU_ASSERT_EQUAL(judge(ADDR_IPV4, 0, claims[i].quoted, claims[i].current, &mtu), DROP_NONE);
		CU_ASSERT_EQUAL(mtu, claims[i].mtu);
	}
	CU_ASSERT_EQUAL(judge(ADDR_IPV4, 0, 576, 576, &mtu), DROP_PMTU_NOT_LOWER);
}

/* ---- memory by path ---- */

static void test_path_mtu_is_forgotten_after_its_time(void)
{
	struct path_mtus m = { .count = 0 };
	struct addr us = addr_from_ipv4(0xc0000201), them = addr_from_ipv4(0xc6336401), others = addr_from_ipv4(1);
	uint64_t learnt;

	path_mtus_note(&m, 0, &us, &them, 1400, 1000);
	path_mtus_note(&m, 0, &us, &them, 1300, 2000);
	CU_ASSERT_EQUAL(m.count, 1);
	CU_ASSERT_EQUAL(path_mtus_lookup(&m, 0, &us, &them, 2500, 600, &learnt), 1300);
	CU_ASSERT_EQUAL(learnt, 2000);
	CU_ASSERT_EQUAL(path_mtus_lookup(&m, 1, &us, &them, 2500, 600, &learnt), 0);
	CU_ASSERT_EQUAL(path_mtus_lookup(&m, 0, &us, &others, 2500, 600, &learnt), 0);
	CU_ASSERT_EQUAL(path_mtus_lookup(&m, 0, &others, &them, 2500, 600, &learnt), 0);
	CU_ASSERT_EQUAL(path_mtus_lookup(&m, 0, &us, &them, 2600, 600, &learnt), 0);
	CU_ASSERT_EQUAL(m.count, 0);
	path_mtus_done(&m);
}

static void test_path_mtu_memory_is_bounded(void)
{
	struct path_mtus m = { .count = 0 };
	struct addr us = addr_from_ipv4(0xc0000201);
	uint64_t learnt;

	for (uint32_t i = 0; i <= PATH_MTU_PEERS_MAX; i++) {
		struct addr them = addr_from_ipv4(0x0a000000 + i);
		path_mtus_note(&m, 0, &us, &them, 1300, 1 + i);
	}
	struct addr last = addr_from_ipv4(0x0a000000 + PATH_MTU_PEERS_MAX), first = addr_from_ipv4(0x0a000000);
	CU_ASSERT_EQUAL(m.count, PATH_MTU_PEERS_MAX);
	/* the oldest made room */
	CU_ASSERT_EQUAL(path_mtus_lookup(&m, 0, &us, &last, 2 * PATH_MTU_PEERS_MAX, 1u << 30, &learnt), 1300);
	CU_ASSERT_EQUAL(path_mtus_lookup(&m, 0, &us, &first, 2 * PATH_MTU_PEERS_MAX, 1u << 30, &learnt), 0);
	path_mtus_done(&m);
	CU_ASSERT_EQUAL(m.count, 0);
}

/* ---- pairs ---- */

static struct path_spec path_of(enum sa_encap encap)
{
	struct path_spec p = { .encap = encap };

	p.local = (struct endpoint){ addr_from_ipv4(0xc0000201), encap == SA_ENCAP_UDP ? 4500 : 0 };
	p.remote = (struct endpoint){ addr_from_ipv4(0xc6336401), encap == SA_ENCAP_UDP ? 50123 : 0 };
	return p;
}

static struct sa_pair *install(uint32_t spi_in, uint32_t spi_out, uint8_t protocol, enum sa_encap encap)
{
	static const struct sa_owner child = { .tunnel = 0, .child = 0 };
	struct sa_spec in = { .name = "net",
		.direction = SA_IN,
		.protocol = protocol,
		.spi = spi_in,
		.tunnel_slot = 3,
		.path = path_of(encap) };
	struct sa_spec out = in;
	const char *reason;

	out.direction = SA_OUT;
	out.spi = spi_out;
	CU_ASSERT_EQUAL_FATAL(sa_pair_install(&r, &child, &in, &out, true, &reason), 0);
	return sa_pair_lookup(&r, spi_in);
}

static void begin(void)
{
	fake_init();
	CU_ASSERT_EQUAL_FATAL(sa_registry_init(&r, NULL, NULL, 8), 0);
}

static void end(void)
{
	while (!TAILQ_EMPTY(&r.pairs))
		sa_pair_retire(&r, TAILQ_FIRST(&r.pairs));
	CU_ASSERT_EQUAL(fake.paths, 0);
	sa_registry_done(&r);
	CU_ASSERT_EQUAL(r.mtus.count, 0);
}

/* As a worker reports a packet too big about the pair installed with `encap`. */
static struct datapath_event report_of(uint32_t spi, uint16_t mtu, enum sa_encap encap)
{
	struct path_spec p = path_of(encap);

	return (struct datapath_event){ .kind = DATAPATH_PATH_MTU,
		.spi = spi,
		.local = p.local,
		.remote = p.remote,
		.mtu = mtu,
		.quoted_bytes = 1500,
		.udp = encap == SA_ENCAP_UDP };
}

static void test_path_mtu_of_a_pair_is_lowered_and_raised(void)
{
	const struct datapath_event e = report_of(0x2002, 1300, SA_ENCAP_NONE);
	uint64_t now_ns = loop_now_ns();
	struct sa_facts facts = { 0 };
	struct sa_pair *pair, *told = NULL;

	begin();
	pair = install(0x1001, 0x2002, PROTOCOL_ESP, SA_ENCAP_NONE);
	CU_ASSERT_EQUAL(pair->link_mtu, FAKE_LINK_MTU);
	CU_ASSERT_EQUAL(pair->path_mtu, 0);
	CU_ASSERT_EQUAL(sa_path_mtu_lower(&r, &e, now_ns, &told), DROP_NONE);
	CU_ASSERT_PTR_EQUAL(told, pair);
	CU_ASSERT_EQUAL(pair->path_mtu, 1300);
	CU_ASSERT_EQUAL(pair->link_mtu, FAKE_LINK_MTU);
	CU_ASSERT_EQUAL(fake.path_mtu, 1300);
	CU_ASSERT_EQUAL(sa_path_mtu_lower(&r, &e, now_ns, &told), DROP_PMTU_NOT_LOWER);
	sa_registry_sweep(&r, now_ns + PATH_MTU_HOLD_NS - 1, &facts);
	CU_ASSERT_EQUAL(fake.path_mtu, 1300);
	sa_registry_sweep(&r, now_ns + PATH_MTU_HOLD_NS, &facts);
	CU_ASSERT_EQUAL(fake.path_mtu, FAKE_LINK_MTU);
	CU_ASSERT_EQUAL(pair->path_mtu, 0);
	sa_facts_done(&facts);
	end();
}

static void test_path_mtu_is_that_of_successors_too(void)
{
	const struct datapath_event e = report_of(0x2002, 1300, SA_ENCAP_NONE);
	struct path_spec moved = path_of(SA_ENCAP_NONE);
	struct sa_pair *pair;

	begin();
	install(0x1001, 0x2002, PROTOCOL_ESP, SA_ENCAP_NONE);
	CU_ASSERT_EQUAL(sa_path_mtu_lower(&r, &e, loop_now_ns(), &pair), DROP_NONE);
	sa_pair_retire(&r, pair);
	pair = install(0x1003, 0x2004, PROTOCOL_ESP, SA_ENCAP_NONE);
	CU_ASSERT_EQUAL(pair->path_mtu, 1300);
	/* another path is another matter */
	moved.remote.addr = addr_from_ipv4(0xcb007101);
	CU_ASSERT_EQUAL(sa_pair_update(&r, pair, &moved), 0);
	CU_ASSERT_EQUAL(pair->path_mtu, 0);
	CU_ASSERT_EQUAL(fake.path_mtu, FAKE_LINK_MTU);
	moved = path_of(SA_ENCAP_NONE);
	CU_ASSERT_EQUAL(sa_pair_update(&r, pair, &moved), 0);
	CU_ASSERT_EQUAL(fake.path_mtu, 1300);
	end();
}

/* Each field of the quoted packet has to be that of the SA. */
static void test_path_mtu_is_that_of_all_on_the_path(void)
{
	const struct datapath_event e = report_of(0x2002, 1300, SA_ENCAP_NONE);
	struct path_spec elsewhere = path_of(SA_ENCAP_NONE);
	struct sa_pair *told, *sibling, *other;
	uint64_t now_ns = loop_now_ns();
	struct sa_facts facts = { 0 };

	begin();
	install(0x1001, 0x2002, PROTOCOL_ESP, SA_ENCAP_NONE);
	sibling = install(0x1003, 0x2004, PROTOCOL_ESP, SA_ENCAP_NONE);
	other = install(0x1005, 0x2006, PROTOCOL_ESP, SA_ENCAP_NONE);
	elsewhere.remote.addr = addr_from_ipv4(0xcb007101);
	CU_ASSERT_EQUAL(sa_pair_update(&r, other, &elsewhere), 0);
	CU_ASSERT_EQUAL(sa_path_mtu_lower(&r, &e, now_ns, &told), DROP_NONE);
	CU_ASSERT_EQUAL(told->path_mtu, 1300);
	CU_ASSERT_EQUAL(sibling->path_mtu, 1300);
	CU_ASSERT_EQUAL(other->path_mtu, 0);
	/* they forget it together too */
	sa_registry_sweep(&r, now_ns + PATH_MTU_HOLD_NS, &facts);
	CU_ASSERT_EQUAL(told->path_mtu, 0);
	CU_ASSERT_EQUAL(sibling->path_mtu, 0);
	sa_facts_done(&facts);
	end();
}

static void test_path_mtu_about_another_packet_is_spoofed(void)
{
	struct datapath_event e[8];
	struct sa_pair *told = NULL;

	begin();
	install(0x1001, 0x2002, PROTOCOL_ESP, SA_ENCAP_NONE);
	for (size_t i = 0; i < ARRAY_LEN(e); i++)
		e[i] = report_of(0x2002, 1300, SA_ENCAP_NONE);
	e[0].spi = 0x2003;
	e[1].spi = 0x1001; /* the inbound one */
	e[2].remote.addr = addr_from_ipv4(0xc6336402);
	e[3].local.addr = addr_from_ipv4(0xc0000202);
	e[4].ah = true;
	e[5].udp = true;
	e[6].spi = 0x2002 + SA_REGISTRY_BUCKETS; /* the same bucket */
	e[7].remote.addr.family = ADDR_IPV6;
	for (size_t i = 0; i < ARRAY_LEN(e); i++)
		CU_ASSERT_EQUAL(sa_path_mtu_lower(&r, &e[i], 1, &told), DROP_PMTU_SPOOFED);
	CU_ASSERT_PTR_NULL(told);
	CU_ASSERT_EQUAL(sa_pair_lookup(&r, 0x1001)->path_mtu, 0);
	CU_ASSERT_EQUAL(r.mtus.count, 0);
	end();
}

static void test_path_mtu_in_udp_and_of_ah(void)
{
	struct datapath_event udp = report_of(0x2002, 1300, SA_ENCAP_UDP), ah = report_of(0x2004, 1290, SA_ENCAP_NONE);
	struct sa_pair *told = NULL;

	begin();
	install(0x1001, 0x2002, PROTOCOL_ESP, SA_ENCAP_UDP);
	install(0x1003, 0x2004, PROTOCOL_AH, SA_ENCAP_NONE);
	udp.remote.port++;
	CU_ASSERT_EQUAL(sa_path_mtu_lower(&r, &udp, 1, &told), DROP_PMTU_SPOOFED);
	udp.remote.port--;
	CU_ASSERT_EQUAL(sa_path_mtu_lower(&r, &udp, 1, &told), DROP_NONE);
	CU_ASSERT_EQUAL(sa_path_mtu_lower(&r, &ah, 1, &told), DROP_PMTU_SPOOFED);
	ah.ah = true;
	CU_ASSERT_EQUAL(sa_path_mtu_lower(&r, &ah, 1, &told), DROP_NONE);
	CU_ASSERT_EQUAL(told->path_mtu, 1290);
	end();
}

static void test_path_mtu_of_a_retired_pair_is_spoofed(void)
{
	const struct datapath_event e = report_of(0x2002, 1300, SA_ENCAP_NONE);
	struct sa_pair *told = NULL;

	begin();
	sa_pair_retire(&r, install(0x1001, 0x2002, PROTOCOL_ESP, SA_ENCAP_NONE));
	CU_ASSERT_EQUAL(sa_path_mtu_lower(&r, &e, 1, &told), DROP_PMTU_SPOOFED);
	end();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_path_mtu_only_lowers_and_not_below_the_floor),
		TEST(test_path_mtu_of_an_old_router_is_the_next_plateau),
		TEST(test_path_mtu_is_forgotten_after_its_time),
		TEST(test_path_mtu_memory_is_bounded),
		TEST(test_path_mtu_of_a_pair_is_lowered_and_raised),
		TEST(test_path_mtu_is_that_of_successors_too),
		TEST(test_path_mtu_is_that_of_all_on_the_path),
		TEST(test_path_mtu_about_another_packet_is_spoofed),
		TEST(test_path_mtu_in_udp_and_of_ah),
		TEST(test_path_mtu_of_a_retired_pair_is_spoofed),
	};

	return test_main("control", tests, ARRAY_LEN(tests), argc, argv);
}
