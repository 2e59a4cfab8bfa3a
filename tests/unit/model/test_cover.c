/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether rules cover others: by example, and against every packet of a small universe. */
#include "cover.h"

#include "base.h"
#include "harness.h"

#define LISTS_MAX 4

/* A rule of texts: local and remote selectors, NULL behind the last. */
struct rule {
	const char *local[LISTS_MAX], *remote[LISTS_MAX];
};

static struct selector_list list_of(const char *const *texts)
{
	struct selector_list list = { 0 };

	for (int i = 0; i < LISTS_MAX && texts[i]; i++)
		CU_ASSERT_EQUAL_FATAL(selector_parse(texts[i], &list.items[list.count++]), 0);
	return list;
}

/* Whether the rules cover the last one. */
static enum cover cover_of(const struct rule *rules, size_t count, const struct rule *inner)
{
	struct selector_list local[LISTS_MAX], remote[LISTS_MAX], ours = list_of(inner->local);
	struct selector_list theirs = list_of(inner->remote);
	struct selector_sides outer[LISTS_MAX], sides = { &ours, &theirs };
	struct selector a, b;

	for (size_t i = 0; i < count; i++) {
		local[i] = list_of(rules[i].local);
		remote[i] = list_of(rules[i].remote);
		outer[i] = (struct selector_sides){ &local[i], &remote[i] };
	}
	return selector_sides_cover(outer, count, &sides, &a, &b);
}

static const struct rule net = { { "10.1.0.0/24" }, { "10.2.0.0/24" } };

static void test_cover_takes_several_rules_together(void)
{
	const struct rule halves[] = { { { "10.1.0.0/25" }, { "10.2.0.0/24" } },
		{ { "10.1.0.128-10.1.0.255" }, { "10.2.0.0-10.2.0.99", "10.2.0.100-10.2.1.9" } } };

	CU_ASSERT_EQUAL(cover_of(halves, 2, &net), COVER_WHOLE);
	CU_ASSERT_EQUAL(cover_of(halves, 1, &net), COVER_PART);
	CU_ASSERT_EQUAL(cover_of(halves, 0, &net), COVER_PART);
	/* two corners of four */
	const struct rule corners[] = { { { "10.1.0.0/25" }, { "10.2.0.0/25" } },
		{ { "10.1.0.128/25" }, { "10.2.0.128/25" } } };
	CU_ASSERT_EQUAL(cover_of(corners, 2, &net), COVER_PART);
}

static void test_cover_of_protocols_and_ports(void)
{
	const struct rule web = { { "10.1.0.0/24" }, { "10.2.0.0/24[tcp/80]" } };
	const struct rule tcp = { { "10.1.0.0/24[tcp]" }, { "10.2.0.0/24" } };
	const struct rule numbers[] = { { { "10.1.0.0/24" }, { "10.2.0.0/24[tcp/0-79]", "10.2.0.0/24[tcp/80-65534]" } },
		{ { "10.1.0.0/24" }, { "10.2.0.0/24[tcp/65535]" } },
		{ { "10.1.0.0/24" }, { "10.2.0.0/24[tcp/opaque]" } } };

	CU_ASSERT_EQUAL(cover_of(&web, 1, &net), COVER_PART);
	CU_ASSERT_EQUAL(cover_of(&net, 1, &web), COVER_WHOLE);
	CU_ASSERT_EQUAL(cover_of(&tcp, 1, &web), COVER_WHOLE);
	CU_ASSERT_EQUAL(cover_of(&web, 1, &tcp), COVER_PART);
	CU_ASSERT_EQUAL(cover_of(numbers, 3, &tcp), COVER_WHOLE);
	CU_ASSERT_EQUAL(cover_of(numbers, 2, &tcp), COVER_PART);
}

static void test_cover_of_what_no_packet_matches_is_whole(void)
{
	const struct rule nothing = { { "10.1.0.0/24[tcp]" }, { "10.2.0.0/24[udp]" } };
	const struct rule both = { { "10.1.0.0/24", "2001:db8:1::/64" }, { "10.2.0.0/24", "2001:db8:2::/64" } };

	CU_ASSERT_EQUAL(cover_of(NULL, 0, &nothing), COVER_WHOLE);
	CU_ASSERT_EQUAL(cover_of(&net, 1, &both), COVER_PART);
	CU_ASSERT_EQUAL(cover_of(&both, 1, &net), COVER_WHOLE);
}

/* ---- brute force: four addresses a side, two protocols, five ports or none ---- */

/* one of each range that the choices below cut the ports into */
static const uint16_t ports[] = { 0, 3, 7, 1000, 65535 };

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t n)
{
	/* a fixed sequence: failures repeat */
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % n;
}

static struct selector random_selector(void)
{
	static const struct {
		uint16_t low, high;
	} choices[] = { { 0, 65535 }, { 0, 65535 }, { 65535, 0 }, { 0, 6 }, { 7, 7 }, { 8, 65535 }, { 0, 65534 },
		{ 1, 65535 } };
	static const uint8_t protocols[] = { 0, 0, 6, 17 };
	uint32_t a = random_below(4), b = random_below(4), p = random_below(ARRAY_LEN(choices));

	return (struct selector){ .protocol = protocols[random_below(ARRAY_LEN(protocols))],
		.low = addr_from_ipv4(a < b ? a : b),
		.high = addr_from_ipv4(a < b ? b : a),
		.port_low = choices[p].low,
		.port_high = choices[p].high };
}

static struct selector_list random_list(void)
{
	struct selector_list list = { .count = (uint8_t)(1 + random_below(3)) };

	for (int i = 0; i < list.count; i++)
		list.items[i] = random_selector();
	return list;
}

struct packet {
	struct addr local, remote;
	uint8_t protocol;
	uint32_t local_port, remote_port; /* of ports; behind the last: none */
};

static bool list_matches(const struct selector_list *list, const struct addr *a, uint8_t protocol, uint32_t port)
{
	for (int i = 0; i < list->count; i++)
		if (selector_matches(&list->items[i], a, protocol, port < ARRAY_LEN(ports),
			    port < ARRAY_LEN(ports) ? ports[port] : 0))
			return true;
	return false;
}

static bool sides_match(const struct selector_sides *s, const struct packet *p)
{
	return list_matches(s->local, &p->local, p->protocol, p->local_port) &&
	       list_matches(s->remote, &p->remote, p->protocol, p->remote_port);
}

static struct packet packet_of(uint32_t n)
{
	/* of protocols no selector names, one stands for all */
	static const uint8_t protocols[] = { 6, 17, 50 };

	return (struct packet){ addr_from_ipv4(n % 4), addr_from_ipv4(n / 4 % 4), protocols[n / 16 % 3], n / 48 % 6,
		n / 288 % 6 };
}

#define PACKETS (48u * 6 * 6)

static void test_cover_agrees_with_brute_force(void)
{
	unsigned whole = 0, wrong = 0, met = 0;

	for (int round = 0; round < 4000; round++) {
		struct selector_list lists[8];
		struct selector_sides all[4];
		struct selector local, remote;
		bool lost = false, meets = false;
		for (int i = 0; i < 4; i++) {
			lists[2 * i] = random_list();
			lists[2 * i + 1] = random_list();
			all[i] = (struct selector_sides){ &lists[2 * i], &lists[2 * i + 1] };
		}
		for (uint32_t n = 0; n < PACKETS; n++) {
			const struct packet p = packet_of(n);
			bool inner = sides_match(&all[3], &p);
			lost = lost || (inner && !sides_match(&all[0], &p) && !sides_match(&all[1], &p) &&
					       !sides_match(&all[2], &p));
			meets = meets || (inner && sides_match(&all[0], &p));
		}
		enum cover c = selector_sides_cover(all, 3, &all[3], &local, &remote);
		wrong += c != (lost ? COVER_PART : COVER_WHOLE) || selector_sides_meet(&all[0], &all[3]) != meets;
		whole += !lost;
		met += meets;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(whole > 50 && met > 50);
}

/* As many hosts as the depth bounds: no answer, and no crash. */
static void test_cover_gives_up_on_too_many(void)
{
	static struct selector_list hosts[2000];
	static struct selector_sides outer[2000];
	struct selector_list any = { .count = 1, .items = { { .port_high = 65535 } } };
	const struct selector_sides inner = { &any, &any };
	struct selector local, remote;

	any.items[0].high = addr_from_ipv4(UINT32_MAX);
	any.items[0].low = addr_from_ipv4(0);
	for (uint32_t i = 0; i < ARRAY_LEN(hosts); i++) {
		hosts[i] = (struct selector_list){ .count = 1, .items = { any.items[0] } };
		hosts[i].items[0].low = hosts[i].items[0].high = addr_from_ipv4(2 * i);
		outer[i] = (struct selector_sides){ &hosts[i], &any };
	}
	CU_ASSERT_EQUAL(selector_sides_cover(outer, 100, &inner, &local, &remote), COVER_PART);
	CU_ASSERT_NOT_EQUAL(selector_sides_cover(outer, ARRAY_LEN(outer), &inner, &local, &remote), COVER_WHOLE);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_cover_takes_several_rules_together),
		TEST(test_cover_of_protocols_and_ports),
		TEST(test_cover_of_what_no_packet_matches_is_whole),
		TEST(test_cover_agrees_with_brute_force),
		TEST(test_cover_gives_up_on_too_many),
	};

	return test_main("model_cover", tests, ARRAY_LEN(tests), argc, argv);
}
