/* SPDX-License-Identifier: BSD-3-Clause */
/* Narrowing as a pure decision, against a slow reference that asks about packets one by one. */
#include "harness.h"
#include "narrow.h"

static uint64_t state = 7;

static uint32_t below(uint32_t limit)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(state >> 33) % limit;
}

/* A small world: 12 addresses of each family, 3 protocols, 6 ports. */
struct packet {
	struct addr local, remote;
	uint8_t protocol;
	bool has_ports;
	uint16_t local_port, remote_port;
};

static struct addr address(enum addr_family family, uint32_t n)
{
	struct addr a;

	addr_parse(family == ADDR_IPV4 ? "10.0.0.0" : "2001:db8::", &a);
	a.bytes[addr_len(&a) - 1] = (uint8_t)n;
	return a;
}

static struct selector random_selector(void)
{
	enum addr_family family = below(3) ? ADDR_IPV4 : ADDR_IPV6;
	uint32_t low = below(12), high = low + below(12 - low), kind = below(6);
	struct selector s = { address(family, low), address(family, high), 0, 0, UINT16_MAX };

	if (kind > 2)
		s.protocol = below(2) ? 6 : 17;
	if (kind == 4) {
		s.port_low = (uint16_t)below(6);
		s.port_high = (uint16_t)(s.port_low + below(6u - s.port_low));
	}
	if (kind == 5) {
		s.port_low = UINT16_MAX;
		s.port_high = 0;
	}
	return s;
}

static struct selector_list random_list(uint32_t count_max)
{
	struct selector_list list = { .count = (uint8_t)(1 + below(count_max)) };

	for (int i = 0; i < list.count; i++)
		list.items[i] = random_selector();
	return list;
}

static struct ts_pair random_pair(uint32_t count_max)
{
	return (struct ts_pair){ random_list(count_max), random_list(count_max) };
}

static struct packet random_packet(void)
{
	static const uint8_t protocols[] = { 6, 17, 50 };
	enum addr_family family = below(3) ? ADDR_IPV4 : ADDR_IPV6;
	struct packet p = { address(family, below(12)), address(family, below(12)), protocols[below(3)], below(3) > 0,
		(uint16_t)below(6), (uint16_t)below(6) };

	p.has_ports = p.has_ports && p.protocol != 50;
	return p;
}

static bool side_has(const struct selector_list *list, const struct addr *a, const struct packet *p, uint16_t port)
{
	for (int i = 0; i < list->count; i++)
		if (selector_matches(&list->items[i], a, p->protocol, p->has_ports, port))
			return true;
	return false;
}

static bool pair_has(const struct ts_pair *ts, const struct packet *p)
{
	return side_has(&ts->local, &p->local, p, p->local_port) &&
	       side_has(&ts->remote, &p->remote, p, p->remote_port);
}

/* What is answered is what both want, no packet more and none less. */
static void test_narrow_answers_the_intersection(void)
{
	unsigned wrong = 0, inside = 0, none = 0, whole = 0;

	for (int round = 0; round < 4000; round++) {
		struct ts_pair offer = random_pair(4), policy = random_pair(4), ts = { 0 };
		enum narrowing result = narrow_answer(&offer, &policy, false, &ts);
		none += result == NARROW_NONE;
		whole += result == NARROW_WHOLE;
		for (int i = 0; i < 100; i++) {
			struct packet p = random_packet();
			bool wanted = pair_has(&offer, &p) && pair_has(&policy, &p);
			if (result == NARROW_NONE)
				wrong += wanted;
			else
				wrong += pair_has(&ts, &p) != wanted;
			inside += wanted;
		}
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(inside > 1000 && none > 100 && whole > 5);
}

/* With one selector a side the answer is a part of that, around the first selectors of the offer. */
static void test_narrow_answers_one_pair_around_the_packet(void)
{
	unsigned wrong = 0, additional = 0, single = 0;

	for (int round = 0; round < 4000; round++) {
		struct ts_pair offer = random_pair(3), policy = random_pair(3), all, one;
		bool host = below(2);
		if (host) {
			offer.local.items[0].high = offer.local.items[0].low;
			offer.remote.items[0].high = offer.remote.items[0].low;
		}
		enum narrowing result = narrow_answer(&offer, &policy, false, &all);
		enum narrowing result_one = narrow_answer(&offer, &policy, true, &one);
		additional += result_one == NARROW_ADDITIONAL;
		single += result_one == NARROW_SINGLE;
		wrong += (result == NARROW_NONE) != (result_one == NARROW_NONE);
		if (result_one != NARROW_ADDITIONAL)
			continue;
		wrong += one.local.count != 1 || one.remote.count != 1 || !narrow_within(&one, &all);
		wrong += !selector_contains(&one.local.items[0], &offer.local.items[0]);
		wrong += !selector_contains(&one.remote.items[0], &offer.remote.items[0]);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(additional > 20 && single > 100);
}

static void test_narrow_overlap_is_a_packet_in_both(void)
{
	unsigned wrong = 0, met = 0, apart = 0;

	for (int round = 0; round < 4000; round++) {
		struct ts_pair a = random_pair(2), b = random_pair(2);
		bool overlap = narrow_overlap(&a, &b), seen = false;
		for (int i = 0; i < 200 && !seen; i++) {
			struct packet p = random_packet();
			seen = pair_has(&a, &p) && pair_has(&b, &p);
		}
		wrong += seen && !overlap;
		wrong += overlap != narrow_overlap(&b, &a);
		met += overlap;
		apart += !overlap;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(met > 200 && apart > 200);
}

/* Together the pieces carry what the policy carries. */
static void test_narrow_pieces_make_up_the_policy(void)
{
	unsigned wrong = 0;

	for (int round = 0; round < 1000; round++) {
		struct ts_pair policy = random_pair(5), piece, pieces[25];
		size_t count = 0;
		uint16_t before = 0;
		for (uint16_t n = narrow_piece(&policy, 0, &piece); n;
			n = narrow_piece(&policy, (uint16_t)(n + 1), &piece)) {
			wrong += n <= before || count == ARRAY_LEN(pieces) || !narrow_within(&piece, &policy);
			wrong += piece.local.items[0].low.family != piece.remote.items[0].low.family;
			before = n;
			pieces[count++] = piece;
		}
		for (int i = 0; i < 50; i++) {
			struct packet p = random_packet();
			bool carried = false;
			for (size_t k = 0; k < count; k++)
				carried = carried || pair_has(&pieces[k], &p);
			wrong += carried != pair_has(&policy, &p);
		}
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

static struct ts_pair hosts(const char *local, const char *remote)
{
	struct ts_pair ts = { { .count = 1 }, { .count = 1 } };

	selector_parse(local, &ts.local.items[0]);
	selector_parse(remote, &ts.remote.items[0]);
	return ts;
}

static void test_narrow_puts_the_packet_first(void)
{
	struct ts_pair offer = hosts("10.1.0.0/16", "10.2.0.0/16"),
		       packet = hosts("10.1.0.1[tcp/9]", "10.2.0.1[tcp/80]"), stray = hosts("10.9.0.1", "10.2.0.1"),
		       full = offer;

	narrow_put_first(&offer, &stray);
	CU_ASSERT_EQUAL(offer.local.count, 1);
	narrow_put_first(&offer, &packet);
	CU_ASSERT_EQUAL(offer.local.count, 2);
	CU_ASSERT_TRUE(selector_equal(&offer.local.items[0], &packet.local.items[0]));
	CU_ASSERT_TRUE(selector_equal(&offer.remote.items[0], &packet.remote.items[0]));
	while (full.local.count < SELECTORS_MAX)
		full.local.items[full.local.count++] = full.local.items[0];
	narrow_put_first(&full, &packet);
	CU_ASSERT_EQUAL(full.local.count, SELECTORS_MAX);
	CU_ASSERT_EQUAL(full.remote.count, 1);
}

static void test_narrow_within_wants_both_sides(void)
{
	struct ts_pair outer = hosts("10.1.0.0/16", "10.2.0.0/16"), inner = hosts("10.1.3.0/24[udp]", "10.2.0.0/24"),
		       stray = hosts("10.1.3.0/24", "10.3.0.0/24"), empty = { 0 };

	CU_ASSERT_TRUE(narrow_within(&inner, &outer));
	CU_ASSERT_FALSE(narrow_within(&outer, &inner));
	CU_ASSERT_FALSE(narrow_within(&stray, &outer));
	CU_ASSERT_FALSE(narrow_within(&empty, &outer));
}

static const struct test tests[] = {
	TEST(test_narrow_answers_the_intersection),
	TEST(test_narrow_answers_one_pair_around_the_packet),
	TEST(test_narrow_overlap_is_a_packet_in_both),
	TEST(test_narrow_pieces_make_up_the_policy),
	TEST(test_narrow_puts_the_packet_first),
	TEST(test_narrow_within_wants_both_sides),
};

int main(int argc, char **argv)
{
	return test_main("ike", tests, ARRAY_LEN(tests), argc, argv);
}
