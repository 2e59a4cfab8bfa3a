/* SPDX-License-Identifier: BSD-3-Clause */
/* Random policies and packets: the compiled table and an SA's selectors against a slow model, a first match down a list
 * written from RFC 4301 4.4.1 and 7. The packets are bytes, read by flow_read; the model knows what they were made of.
 * The model decides as the RFC leaves open: a packet that shows no ports may be a rule's of particular ports, so it is
 * not bypassed for that, and is protected or discarded. */
#include <stdlib.h>

#include "harness.h"
#include "rig.h"

#define SEED          4301
#define LISTS         400
#define PACKETS       256 /* for each list, in bursts */
#define BURST         64
#define RULES_MAX     12
#define SELECTORS     3
#define PROTOCOL_GRE  47
#define PROTOCOL_SCTP 132

/* A packet as its maker means it. Ports of ICMP: type and code. */
struct made {
	struct addr source, destination;
	uint8_t protocol;
	bool leaving, later_fragment;
	uint16_t source_port, destination_port;
};

static uint32_t below(uint32_t n)
{
	return (uint32_t)random() % n;
}

static bool is_icmp(uint8_t protocol)
{
	return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

/* ---- the model ---- */

static bool shows_ports(const struct made *p)
{
	return !p->later_fragment && p->protocol != PROTOCOL_GRE;
}

/* RFC 4301 4.4.1.1: ANY matches everything, OPAQUE what has no ports (to see), a range its ports. `unseen` is the
 * answer for a range when there is nothing to see. */
static bool model_port(const struct selector *s, const struct made *p, uint16_t port, bool unseen)
{
	bool any = s->port_low == 0 && s->port_high == 65535, opaque = s->port_low > s->port_high;

	if (any)
		return true;
	if (!shows_ports(p))
		return opaque || unseen;
	return !opaque && port >= s->port_low && port <= s->port_high;
}

static bool model_side(const struct selector *s, const struct made *p, bool local, bool unseen)
{
	bool source = local == p->leaving;
	const struct addr *a = source ? &p->source : &p->destination;
	uint16_t port = is_icmp(p->protocol) || source ? p->source_port : p->destination_port;

	if (a->family != s->low.family || memcmp(a->bytes, s->low.bytes, 16) < 0 ||
		memcmp(a->bytes, s->high.bytes, 16) > 0)
		return false;
	return (!s->protocol || s->protocol == p->protocol) && model_port(s, p, port, unseen);
}

static bool model_list(const struct selector_list *l, const struct made *p, bool local, bool unseen)
{
	for (int i = 0; i < l->count; i++)
		if (model_side(&l->items[i], p, local, unseen))
			return true;
	return false;
}

/* The first rule, or count. */
static size_t model_lookup(const struct spd_rule *rules, size_t count, const struct made *p)
{
	for (size_t i = 0; i < count; i++) {
		bool unseen = rules[i].action != SPD_BYPASS;
		if (model_list(&rules[i].local, p, true, unseen) && model_list(&rules[i].remote, p, false, unseen))
			return i;
	}
	return count;
}

/* ---- what is thrown at both ---- */

/* Few different ones, so that rules overlap and packets meet edges. */
static struct addr random_addr(bool six)
{
	static const uint8_t lasts[] = { 0, 1, 2, 7, 8, 15, 16, 127, 128, 255 };
	uint8_t bytes[16] = { 10 };

	bytes[six ? 14 : 2] = (uint8_t)below(3);
	bytes[six ? 15 : 3] = lasts[below(sizeof(lasts))];
	bytes[six ? 7 : 1] = (uint8_t)(below(4) ? 0 : 1);
	return addr_from_bytes(six ? ADDR_IPV6 : ADDR_IPV4, bytes);
}

static uint8_t random_protocol(bool six)
{
	const uint8_t all[] = { IPPROTO_TCP, IPPROTO_UDP, PROTOCOL_SCTP, six ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
		PROTOCOL_GRE };

	return all[below(sizeof(all))];
}

/* As ports and as type and code: edges, and what is beside them. */
static uint16_t random_port(void)
{
	static const uint16_t all[] = { 0, 1, 0x0300, 0x0301, 0x0303, 0x0800, 0x0803, 0x8000, 0xfffe, 0xffff };

	return all[below(ARRAY_LEN(all))];
}

static void random_range(bool six, struct selector *s)
{
	struct addr other = random_addr(six);

	s->low = random_addr(six);
	s->high = other;
	if (addr_compare(&s->low, &other) > 0) {
		s->high = s->low;
		s->low = other;
	}
}

static struct selector random_selector(bool six, uint8_t protocol)
{
	static const uint8_t lengths[2][6] = { { 0, 8, 16, 23, 24, 32 }, { 0, 64, 112, 119, 120, 128 } };
	struct selector s = { .protocol = protocol, .port_high = 65535 };
	const struct prefix p = { random_addr(six), lengths[six][below(6)] };

	if (below(3))
		prefix_range(&p, &s.low, &s.high);
	else
		random_range(six, &s);
	if (!protocol || !below(3))
		return s;
	s.port_low = random_port();
	s.port_high = random_port();
	if (s.port_low > s.port_high || !below(6)) {
		s.port_low = 65535; /* OPAQUE */
		s.port_high = 0;
	}
	return s;
}

static void random_lists(struct selector_list *local, struct selector_list *remote)
{
	bool six = below(2);
	uint8_t protocol = below(3) ? random_protocol(six) : 0;

	local->count = (uint8_t)(1 + below(SELECTORS));
	remote->count = (uint8_t)(1 + below(SELECTORS));
	for (int i = 0; i < local->count; i++)
		local->items[i] = random_selector(six, below(5) ? protocol : random_protocol(six));
	for (int i = 0; i < remote->count; i++)
		remote->items[i] = random_selector(six, below(5) ? protocol : random_protocol(six));
}

static struct made random_packet(void)
{
	bool six = below(2);
	struct made p = { .source = random_addr(six), .destination = random_addr(six) };

	p.protocol = random_protocol(six);
	p.leaving = below(2);
	p.later_fragment = !below(6);
	p.source_port = random_port();
	p.destination_port = random_port();
	return p;
}

/* ---- its bytes ---- */

static uint32_t upper_write(const struct made *p, uint8_t *at)
{
	memset(at, 0x5a, 8);
	if (shows_ports(p)) {
		store_be16(at, p->source_port);
		if (!is_icmp(p->protocol))
			store_be16(at + 2, p->destination_port);
	}
	return 8;
}

static uint32_t packet4_write(const struct made *p, uint8_t *ret_bytes)
{
	memset(ret_bytes, 0, 20);
	ret_bytes[0] = 0x45;
	store_be16(ret_bytes + 2, 28);
	store_be16(ret_bytes + 6, p->later_fragment ? 185 : 0);
	ret_bytes[8] = 64;
	ret_bytes[9] = p->protocol;
	memcpy(ret_bytes + 12, p->source.bytes, 4);
	memcpy(ret_bytes + 16, p->destination.bytes, 4);
	return 20 + upper_write(p, ret_bytes + 20);
}

static uint32_t packet6_write(const struct made *p, uint8_t *ret_bytes)
{
	uint32_t at = 40;

	memset(ret_bytes, 0, 64);
	ret_bytes[0] = 0x60;
	ret_bytes[6] = p->later_fragment ? IPPROTO_FRAGMENT : p->protocol;
	ret_bytes[7] = 64;
	memcpy(ret_bytes + 8, p->source.bytes, 16);
	memcpy(ret_bytes + 24, p->destination.bytes, 16);
	if (p->later_fragment) {
		ret_bytes[at] = p->protocol;
		store_be16(ret_bytes + at + 2, 185 << 3);
		at += 8;
	}
	at += upper_write(p, ret_bytes + at);
	store_be16(ret_bytes + 4, (uint16_t)(at - 40));
	return at;
}

static struct flow packet_flow(const struct made *p)
{
	uint8_t bytes[80];
	struct flow f;
	uint32_t n = p->source.family == ADDR_IPV6 ? packet6_write(p, bytes) : packet4_write(p, bytes);

	flow_read(bytes, n, p->leaving, &f);
	return f;
}

static void packets_make(struct made *ret_made, struct flow *ret_flows)
{
	for (int i = 0; i < PACKETS; i++) {
		ret_made[i] = random_packet();
		ret_flows[i] = packet_flow(&ret_made[i]);
	}
}

/* ---- the tests ---- */

static bool verdict_is(const struct spd_verdict *v, const struct spd_rule *rules, size_t count, size_t wanted)
{
	if (wanted == count)
		return !v->matched && v->action == SPD_DISCARD;
	return v->matched && v->rule == wanted && v->action == rules[wanted].action &&
	       v->tunnel_slot == rules[wanted].tunnel_slot;
}

static void report(const char *what, unsigned lists, unsigned agreed, unsigned disagreed, const unsigned *kinds)
{
	printf("# %s: %u policies x %u packets, %u agreed, %u disagreed (discard %u, bypass %u, protect %u, none %u; "
	       "seed %d)\n",
		what, lists, PACKETS, agreed, disagreed, kinds[SPD_DISCARD], kinds[SPD_BYPASS], kinds[SPD_PROTECT],
		kinds[3], SEED);
	CU_ASSERT_EQUAL(disagreed, 0);
	CU_ASSERT_EQUAL(agreed, lists * PACKETS);
}

static void test_spd_model_first_match_agrees(void)
{
	static struct spd_rule rules[RULES_MAX];
	struct made made[PACKETS];
	struct flow flows[PACKETS];
	struct spd_verdict verdicts[PACKETS];
	unsigned agreed = 0, disagreed = 0, kinds[4] = { 0 };

	srandom(SEED);
	for (unsigned list = 0; list < LISTS; list++) {
		size_t count = 1 + below(RULES_MAX);
		const char *reason;
		for (size_t i = 0; i < count; i++) {
			rules[i].action = (enum spd_action)below(3);
			rules[i].tunnel_slot = (uint32_t)random();
			random_lists(&rules[i].local, &rules[i].remote);
		}
		struct spd *spd = spd_create(rules, count, &reason);
		CU_ASSERT_PTR_NOT_NULL_FATAL(spd);
		packets_make(made, flows);
		for (int i = 0; i < PACKETS; i += BURST)
			spd_lookup(spd, &flows[i], BURST, &verdicts[i]);
		for (int i = 0; i < PACKETS; i++) {
			size_t wanted = model_lookup(rules, count, &made[i]);
			bool good = verdict_is(&verdicts[i], rules, count, wanted);
			kinds[wanted < count ? rules[wanted].action : 3]++;
			agreed += good;
			disagreed += !good;
		}
		spd_free(spd);
	}
	report("spd model", LISTS, agreed, disagreed, kinds);
	CU_ASSERT(kinds[0] > 1000 && kinds[1] > 1000 && kinds[2] > 1000 && kinds[3] > 1000);
}

/* An SA takes what certainly fits: an unseen port fits ANY and OPAQUE only (RFC 4301 5.2, 7). */
static void test_spd_model_sa_selectors_agree(void)
{
	struct ipsec *ips = rig_ipsec(1, 256, 1);
	const struct rig_options o = { 0 };
	struct made made[PACKETS];
	struct flow flows[PACKETS];
	unsigned agreed = 0, disagreed = 0, kinds[4] = { 0 };

	srandom(SEED + 1);
	for (unsigned list = 0; list < LISTS; list++) {
		struct sa_spec spec;
		const char *reason = NULL;
		rig_spec(&o, SA_IN, &spec);
		random_lists(&spec.local, &spec.remote);
		struct sa *sa = sa_create(ips, &spec, NULL, &reason);
		CU_ASSERT_PTR_NOT_NULL_FATAL(sa);
		packets_make(made, flows);
		for (int i = 0; i < PACKETS; i++) {
			bool wanted = model_list(&spec.local, &made[i], true, false) &&
				      model_list(&spec.remote, &made[i], false, false);
			bool good = sa_selectors_match(sa, &flows[i]) == wanted;
			kinds[wanted ? SPD_PROTECT : 3]++;
			agreed += good;
			disagreed += !good;
		}
		sa_free(sa);
		sa_spec_done(&spec);
	}
	report("sa selectors model", LISTS, agreed, disagreed, kinds);
	CU_ASSERT(kinds[SPD_PROTECT] > 1000);
	ipsec_free(ips);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_spd_model_first_match_agrees),
		TEST(test_spd_model_sa_selectors_agree),
	};

	rig_eal();
	return test_main("ipsec_spd_model", tests, ARRAY_LEN(tests), argc, argv);
}
