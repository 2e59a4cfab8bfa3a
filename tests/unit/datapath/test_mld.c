/* SPDX-License-Identifier: BSD-3-Clause */
/* Multicast listener discovery: what is reported unasked, how queries of both versions are answered, and which are not.
 */
#include "harness.h"
#include "rig.h"
#include "fake_ipsec.h"

#define QUERIER    "fe80::99"
#define OUR_GROUP  "ff02::1:ff00:1" /* of LAN_OWN6 */
#define TO_EXCLUDE 4
#define IS_EXCLUDE 2

/* A query as a router of the LAN sends it. Zero fields: usual values. */
struct query {
	const char *src, *dst, *group; /* group NULL: all */
	uint16_t code;
	uint8_t robustness, interval;
	uint16_t sources; /* said to follow, which none does */
	uint8_t hop_limit, type;
	bool v1, no_alert, bad_checksum, short_message;
};

static uint16_t sum_of(const uint8_t *ip, const uint8_t *icmp, uint16_t bytes)
{
	uint16_t words[2] = { rte_cpu_to_be_16(bytes), RTE_BE16(IPPROTO_ICMPV6) };
	uint32_t sum = (uint32_t)words[0] + words[1] + rte_raw_cksum(ip + 8, 32) + rte_raw_cksum(icmp, bytes);

	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

static uint16_t query_make(uint8_t f[128], const struct query *q)
{
	static const uint8_t alert[8] = { IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0 };
	uint16_t bytes = q->v1 ? 24 : q->short_message ? 26 : 28, extra = q->no_alert ? 0 : 8;
	uint8_t *icmp = f + 54 + extra;

	memset(f, 0, 128);
	memcpy(f + 6, "\2\0\0\0\0\x99\x86\xdd\x60", 9);
	store_be16(f + 18, (uint16_t)(bytes + extra));
	f[20] = q->no_alert ? IPPROTO_ICMPV6 : IPPROTO_HOPOPTS;
	f[21] = q->hop_limit ? q->hop_limit : 1;
	ip6(q->src ? q->src : QUERIER, f + 22);
	ip6(q->dst ? q->dst : q->group ? q->group : "ff02::1", f + 38);
	f[0] = f[1] = 0x33;
	memcpy(f + 2, f + 50, 4);
	memcpy(f + 54, alert, extra);
	icmp[0] = q->type ? q->type : MLD_QUERY;
	store_be16(icmp + 4, q->code);
	if (q->group)
		ip6(q->group, icmp + 8);
	icmp[24] = q->robustness;
	icmp[25] = q->interval;
	if (!q->v1 && !q->short_message)
		store_be16(icmp + 26, q->sources);
	if (q->v1)
		memset(icmp + 24, 0, 4);
	uint16_t checksum = (uint16_t)~sum_of(f + 14, icmp, bytes);
	memcpy(icmp + 2, &checksum, sizeof(checksum));
	icmp[3] ^= q->bad_checksum;
	return (uint16_t)(54 + extra + bytes);
}

static void ask(const struct query *q)
{
	uint8_t f[128];
	uint16_t bytes = query_make(f, q);

	rig_send_frame(LAN, f, bytes);
	rig_step();
	rig_poll();
}

/* What the LAN port sent next. */
struct report {
	uint8_t type, record;
	uint16_t records;
	uint8_t first[16];
	uint8_t source[16], destination[16];
};

/* A well-formed report of either version: from the link, with the alert and a good checksum (RFC 3810 5.2). */
static bool report_read(const uint8_t *f, uint16_t bytes, struct report *r)
{
	static const uint8_t alert[8] = { IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0 };
	const uint8_t *icmp = f + 62;

	if (bytes < 62 + 24 || f[20] != IPPROTO_HOPOPTS || f[21] != 1 || memcmp(f + 54, alert, 8) != 0 ||
		sum_of(f + 14, icmp, (uint16_t)(bytes - 62)) != 0xffff || f[0] != 0x33 || memcmp(f + 2, f + 50, 4) != 0)
		return false;
	*r = (struct report){ .type = icmp[0] };
	memcpy(r->source, f + 22, 16);
	memcpy(r->destination, f + 38, 16);
	r->record = r->type == MLD_REPORT_V2 ? icmp[8] : 0;
	r->records = r->type == MLD_REPORT_V2 ? load_be16(icmp + 6) : 0;
	memcpy(r->first, r->type == MLD_REPORT_V2 ? icmp + 12 : icmp + 8, 16);
	return r->type == MLD_REPORT_V1 ? bytes == 62 + 24 : bytes == 62 + 8 + 20 * r->records;
}

static bool reported(struct report *ret_report)
{
	struct rte_mbuf *m = rig_receive(LAN);
	bool good = m && report_read(rte_pktmbuf_mtod(m, uint8_t *), m->data_len, ret_report);

	rte_pktmbuf_free(m);
	return good;
}

static void after(uint64_t ns)
{
	rig.now_ns += ns;
	rig_poll();
}

static void quiet_open(void)
{
	rig_open(1);
	mld_start(rig.dp);
	after(0);
	after(2 * SECOND_NS);
	rig_sent(LAN);
	rig_sent(WAN);
}

/* RFC 3810 6.1: as often as the robustness variable says. */
static void test_mld_reports_its_groups_at_the_start(void)
{
	struct report r;

	rig_open(1);
	mld_start(rig.dp);
	after(0);
	CU_ASSERT(reported(&r) && r.type == MLD_REPORT_V2 && r.record == TO_EXCLUDE && r.records == 3);
	CU_ASSERT(ip6_is(r.destination, "ff02::16") && ip6_is(r.first, "ff02::2"));
	CU_ASSERT_EQUAL(memcmp(r.source, rig.dp->ports[LAN].link_local, 16), 0);
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	after(SECOND_NS + 1);
	CU_ASSERT(reported(&r) && r.record == TO_EXCLUDE);
	after(100 * SECOND_NS);
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	CU_ASSERT_EQUAL(rig_sent(WAN), 2);
	rig_close();
}

static void test_mld_answers_a_general_query_within_its_delay(void)
{
	struct query q = { .code = 10000 };
	struct report r;

	quiet_open();
	ask(&q);
	CU_ASSERT_EQUAL(rig_counter(DP_C_PUNT_MLD), 1);
	/* once, however often it is asked meanwhile; what is due sooner is not put off */
	ask(&q);
	uint64_t due = rig.dp->links[LAN].mld.general_ns;
	CU_ASSERT(due > rig.now_ns && due <= rig.now_ns + 10 * SECOND_NS && datapath_next_deadline(rig.dp) <= due);
	after(due - rig.now_ns);
	CU_ASSERT(reported(&r) && r.record == IS_EXCLUDE && r.records == 3);
	after(100 * SECOND_NS);
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	rig_close();
}

static void test_mld_answers_a_query_for_one_group(void)
{
	struct query q = { .code = 1000, .group = OUR_GROUP };
	struct report r;

	quiet_open();
	ask(&q);
	after(SECOND_NS + 1);
	CU_ASSERT(reported(&r) && r.record == IS_EXCLUDE && r.records == 1 && ip6_is(r.first, OUR_GROUP));
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	/* nobody here listens to that one */
	q.group = "ff02::1:ff00:77";
	q.dst = LAN_OWN6;
	ask(&q);
	after(2 * SECOND_NS);
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	rig_close();
}

/* RFC 3810 5.1.3, 5.1.8, 5.1.9 */
static void test_mld_reads_what_a_query_says(void)
{
	struct query q = { .code = 0x8000 | 1, .robustness = 0x0b, .interval = 0x8f };
	struct mld_query read;
	uint8_t f[128];

	CU_ASSERT_EQUAL(mld_decode(BYTES(f, query_make(f, &q)), &read), DROP_NONE);
	CU_ASSERT(read.general && !read.v1 && read.response_ms == (0x1001 << 3));
	CU_ASSERT(read.robustness == 3 && read.interval_s == (0x1f << 3));
	q = (struct query){ .code = 0xffff, .v1 = true, .group = OUR_GROUP };
	CU_ASSERT_EQUAL(mld_decode(BYTES(f, query_make(f, &q)), &read), DROP_NONE);
	CU_ASSERT(!read.general && read.v1 && read.response_ms == 65535);
}

/* RFC 3810 8.2.1: each group in a report of its own, until no such querier was heard for long enough. */
static void test_mld_speaks_version_1_while_its_querier_does(void)
{
	struct query one = { .code = 1000, .v1 = true }, two = { .code = 1000 };
	struct report r;

	quiet_open();
	ask(&one);
	after(SECOND_NS + 1);
	for (int i = 0; i < 3; i++)
		CU_ASSERT(reported(&r) && r.type == MLD_REPORT_V1 && !memcmp(r.destination, r.first, 16));
	ask(&two);
	after(SECOND_NS + 1);
	for (int i = 0; i < 3; i++)
		CU_ASSERT(reported(&r) && r.type == MLD_REPORT_V1);
	/* 2 x 125 s and the delay */
	after(251 * SECOND_NS);
	ask(&two);
	after(SECOND_NS + 1);
	CU_ASSERT(reported(&r) && r.type == MLD_REPORT_V2 && r.records == 3);
	rig_close();
}

static void test_mld_invalid_queries_are_named(void)
{
	static const struct query bad[] = {
		{ .hop_limit = 2 },
		{ .src = "2001:db8:1::99" },
		{ .no_alert = true },
		{ .bad_checksum = true },
		{ .short_message = true },
		{ .sources = 1 },
		{ .group = LAN_HOST6, .dst = "ff02::1" },
	};
	static const struct query others[] = { { .type = MLD_REPORT_V1, .v1 = true },
		{ .type = MLD_DONE, .v1 = true } };

	quiet_open();
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ask(&bad[i]);
		CU_ASSERT_EQUAL(rig_drops(DROP_MLD), i + 1);
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		ask(&others[i]);
		CU_ASSERT_EQUAL(rig_drops(DROP_MLD_IGNORED), i + 1);
	}
	after(100 * SECOND_NS);
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	CU_ASSERT_EQUAL(rig_counter(DP_C_PUNT_MLD), 0);
	rig_close();
}

static void test_mld_decode_refuses_every_cut(void)
{
	const struct query q = { .code = 1000 };
	struct mld_query read;
	uint8_t f[128];
	uint16_t bytes = query_make(f, &q);

	for (uint16_t cut = 14; cut < bytes; cut++) {
		uint8_t *copy = malloc(cut);
		memcpy(copy, f, cut);
		CU_ASSERT_EQUAL(mld_decode(BYTES(copy, cut), &read), DROP_MLD);
		free(copy);
	}
	CU_ASSERT_EQUAL(mld_decode(BYTES(f, bytes), &read), DROP_NONE);
}

/* Minutes apart by nature: what a flood makes control do is bounded, and other classes do not feel it. */
static void test_mld_flood_is_limited(void)
{
	const struct query q = { .code = 1 };

	quiet_open();
	for (int i = 0; i < 200; i++)
		ask(&q);
	CU_ASSERT(rig_counter(DP_C_PUNT_MLD) < 100 && rig_drops(DROP_RATE_LIMIT) > 100);
	after(SECOND_NS);
	rig_sent(LAN);
	rig_close();
}

static void test_mld_without_ipv6_listens_to_nothing(void)
{
	rig_open_families(true, false);
	mld_start(rig.dp);
	after(0);
	after(2 * SECOND_NS);
	CU_ASSERT_EQUAL(rig_sent(LAN) + rig_sent(WAN), 0);
	rig_close();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_mld_reports_its_groups_at_the_start),
		TEST(test_mld_answers_a_general_query_within_its_delay),
		TEST(test_mld_answers_a_query_for_one_group),
		TEST(test_mld_reads_what_a_query_says),
		TEST(test_mld_speaks_version_1_while_its_querier_does),
		TEST(test_mld_invalid_queries_are_named),
		TEST(test_mld_decode_refuses_every_cut),
		TEST(test_mld_flood_is_limited),
		TEST(test_mld_without_ipv6_listens_to_nothing),
	};

	rig_eal();
	return test_main("datapath_mld", tests, ARRAY_LEN(tests), argc, argv);
}
