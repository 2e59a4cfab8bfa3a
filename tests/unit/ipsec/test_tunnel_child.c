/* SPDX-License-Identifier: BSD-3-Clause */
/* Children of tunnels: longest prefix against a slow list, what a kept answer may rely on, names that come back, and a
 * reader while they come and go. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "harness.h"
#include "rig.h"
#include "tunnel_ask.h"

#define TUNNELS 3

static struct ipsec *ipsec_with(uint32_t child_slots)
{
	const struct ipsec_config c = {
		.workers = 1, .sad_slots = 256, .tunnel_slots = TUNNELS, .child_slots = child_slots
	};
	const char *reason;
	struct ipsec *ips = ipsec_create(&c, &reason);

	CU_ASSERT_PTR_NOT_NULL_FATAL(ips);
	return ips;
}

static struct prefix prefix_of(const char *text)
{
	struct prefix p = { .len = 0 };

	CU_ASSERT_EQUAL_FATAL(prefix_parse(text, &p), 0);
	return p;
}

static struct flow flow_to(const struct addr *a)
{
	struct flow f = { .family = a->family, .protocol = IPPROTO_UDP };

	memcpy(f.remote_be, a->bytes, sizeof(f.remote_be));
	return f;
}

static uint32_t lookup(const struct ipsec *ips, uint32_t tunnel, const char *remote)
{
	struct addr a;

	CU_ASSERT_EQUAL_FATAL(addr_parse(remote, &a), 0);
	const struct flow f = flow_to(&a);
	return tunnel_child_lookup(ips, tunnel, &f);
}

static int insert(struct ipsec *ips, uint32_t tunnel, const char *prefix, uint32_t *ret_slot)
{
	const struct prefix p = prefix_of(prefix);

	return tunnel_child_insert(ips, tunnel, &p, ret_slot);
}

/* An SA for everything that goes to this prefix. */
static struct sa *outbound(struct ipsec *ips, const char *remote)
{
	const struct rig_options o = { .local = strchr(remote, ':') ? "::/0" : "0.0.0.0/0", .remote = remote };

	return rig_sa(ips, &o, SA_OUT);
}

static void test_tunnel_child_longest_prefix_of_the_tunnel(void)
{
	struct ipsec *ips = ipsec_with(16);
	uint32_t wide, narrow, six;

	CU_ASSERT_EQUAL(lookup(ips, 1, "10.2.0.7"), 1);
	CU_ASSERT_EQUAL(insert(ips, 1, "10.2.0.0/16", &wide), 0);
	CU_ASSERT_EQUAL(insert(ips, 1, "10.2.0.7", &narrow), 0);
	CU_ASSERT_EQUAL(insert(ips, 1, "2001:db8::/32", &six), 0);
	CU_ASSERT_EQUAL(lookup(ips, 1, "10.2.0.7"), narrow);
	CU_ASSERT_EQUAL(lookup(ips, 1, "10.2.0.8"), wide);
	CU_ASSERT_EQUAL(lookup(ips, 1, "10.3.0.7"), 1);
	CU_ASSERT_EQUAL(lookup(ips, 1, "2001:db8::7"), six);
	CU_ASSERT_EQUAL(lookup(ips, 1, "2001:db9::7"), 1);
	CU_ASSERT_EQUAL(lookup(ips, 2, "10.2.0.7"), 2); /* another tunnel's */
	CU_ASSERT_EQUAL(tunnel_child_remove(ips, narrow), 0);
	CU_ASSERT_EQUAL(lookup(ips, 1, "10.2.0.7"), wide);
	CU_ASSERT_EQUAL(tunnel_child_remove(ips, wide), 0);
	CU_ASSERT_EQUAL(lookup(ips, 1, "10.2.0.7"), 1);
	CU_ASSERT_EQUAL(lookup(ips, UINT32_MAX, "10.2.0.7"), UINT32_MAX);
	ipsec_free(ips);
}

static void test_tunnel_child_refuse_what_makes_no_sense(void)
{
	struct ipsec *ips = ipsec_with(1), *none = ipsec_with(0);
	struct prefix bad = prefix_of("10.0.0.0/8");
	uint32_t slot, other;

	CU_ASSERT_EQUAL(insert(none, 0, "10.0.0.0/8", &slot), -ENOSPC);
	CU_ASSERT_EQUAL(insert(ips, TUNNELS, "10.0.0.0/8", &slot), -EINVAL);
	bad.len = 33;
	CU_ASSERT_EQUAL(tunnel_child_insert(ips, 0, &bad, &slot), -EINVAL);
	bad.addr.family = ADDR_NONE;
	CU_ASSERT_EQUAL(tunnel_child_insert(ips, 0, &bad, &slot), -EINVAL);
	CU_ASSERT_EQUAL(insert(ips, 0, "10.0.0.0/8", &slot), 0);
	CU_ASSERT_EQUAL(insert(ips, 0, "10.1.2.3/8", &other), -EEXIST); /* host bits do not make another */
	CU_ASSERT_EQUAL(insert(ips, 0, "11.0.0.0/8", &other), -ENOSPC);
	CU_ASSERT_EQUAL(tunnel_child_remove(ips, 0), -ENOENT); /* a tunnel's own slot */
	CU_ASSERT_EQUAL(tunnel_child_remove(ips, slot ^ 1u << 20), -ENOENT);
	CU_ASSERT_EQUAL(tunnel_child_remove(ips, UINT32_MAX), -ENOENT);
	CU_ASSERT_EQUAL(tunnel_child_remove(ips, slot), 0);
	CU_ASSERT_EQUAL(tunnel_child_remove(ips, slot), -ENOENT);
	CU_ASSERT_EQUAL(tunnel_publish(ips, slot, NULL), -EINVAL);
	ipsec_free(ips);
	ipsec_free(none);
}

static void test_tunnel_child_slot_holds_an_sa(void)
{
	struct ipsec *ips = ipsec_with(2);
	struct sa *first = outbound(ips, "10.2.0.0/16"), *second = outbound(ips, "10.2.0.0/16"), *before;
	uint32_t slot;

	CU_ASSERT_EQUAL(insert(ips, 0, "10.2.0.0/16", &slot), 0);
	CU_ASSERT_PTR_NULL(tunnel_lookup(ips, slot));
	CU_ASSERT_EQUAL(tunnel_publish(ips, slot, first), 0);
	CU_ASSERT_PTR_EQUAL(tunnel_lookup(ips, slot), first);
	for (int bit = 0; bit < 32; bit++)
		CU_ASSERT_PTR_NULL(tunnel_lookup(ips, slot ^ 1u << bit));
	CU_ASSERT_EQUAL(tunnel_swap(ips, slot, second, &before), 0);
	CU_ASSERT_PTR_EQUAL(before, first);
	sa_retire(ips, before);
	CU_ASSERT_EQUAL(tunnel_child_remove(ips, slot), 0);
	CU_ASSERT_PTR_NULL(tunnel_lookup(ips, slot));
	ipsec_free(ips); /* with a child that nobody removed, too: the leak checker looks */
}

static void test_tunnel_child_names_rest_for_a_grace_and_differ(void)
{
	struct ipsec *ips = ipsec_with(1);
	struct ipsec_worker *w = ipsec_worker_create(ips, 0);
	uint32_t slot, again;

	CU_ASSERT_EQUAL(insert(ips, 0, "10.2.0.7", &slot), 0);
	CU_ASSERT_EQUAL(tunnel_publish(ips, slot, outbound(ips, "10.2.0.7")), 0);
	CU_ASSERT_EQUAL(tunnel_child_remove(ips, slot), 0);
	CU_ASSERT_EQUAL(insert(ips, 0, "10.2.0.7", &again), -ENOSPC);
	CU_ASSERT_EQUAL(reclaim_poll(ips), 2); /* SA and slot */
	ipsec_worker_quiescent(w);
	CU_ASSERT_EQUAL(reclaim_poll(ips), 0);
	CU_ASSERT_EQUAL(insert(ips, 1, "10.2.0.7", &again), 0);
	CU_ASSERT_NOT_EQUAL(again, slot);
	CU_ASSERT_EQUAL(tunnel_publish(ips, again, outbound(ips, "10.2.0.7")), 0);
	/* whoever kept the old name does not get another tunnel's SA */
	CU_ASSERT_PTR_NULL(tunnel_lookup(ips, slot));
	CU_ASSERT_PTR_NOT_NULL(tunnel_lookup(ips, again));
	ipsec_worker_free(w);
	ipsec_free(ips);
}

static void test_tunnel_child_epoch_changes_with_nested_prefixes_only(void)
{
	struct ipsec *ips = ipsec_with(16);
	uint32_t host, other, wide, epoch = tunnel_child_epoch(ips);

	CU_ASSERT_EQUAL(insert(ips, 0, "10.2.0.7", &host), 0);
	CU_ASSERT_EQUAL(insert(ips, 0, "10.2.0.8", &other), 0);
	CU_ASSERT_EQUAL(tunnel_child_remove(ips, other), 0);
	CU_ASSERT_EQUAL(insert(ips, 0, "10.2.0.0/16", &wide), 0); /* whoever had a child still has it */
	CU_ASSERT_EQUAL(tunnel_child_epoch(ips), epoch);
	CU_ASSERT_EQUAL(insert(ips, 0, "10.2.0.9", &other), 0); /* had the wide one */
	CU_ASSERT_EQUAL(tunnel_child_epoch(ips), ++epoch);
	CU_ASSERT_EQUAL(tunnel_child_remove(ips, host), 0); /* has the wide one now */
	CU_ASSERT_EQUAL(tunnel_child_epoch(ips), ++epoch);
	CU_ASSERT_EQUAL(tunnel_publish(ips, 0, outbound(ips, "10.0.0.0/8")), 0);
	CU_ASSERT_EQUAL(tunnel_child_epoch(ips), ++epoch);
	CU_ASSERT_EQUAL(insert(ips, 0, "10.3.0.9", &host), 0); /* had the tunnel's own */
	CU_ASSERT_EQUAL(tunnel_child_epoch(ips), ++epoch);
	CU_ASSERT_EQUAL(tunnel_child_epoch(ips), epoch);
	CU_ASSERT_EQUAL(tunnel_publish(ips, 1, outbound(ips, "10.0.0.0/8")), 0);
	CU_ASSERT_EQUAL(tunnel_child_epoch(ips), epoch); /* no children */
	ipsec_free(ips);
}

/* ---- against a slow list ---- */

#define MODEL_CHILDREN 200
#define MODEL_FLOWS    64
#define MODEL_STEPS    20000

struct model_child {
	uint32_t tunnel, slot;
	struct prefix prefix;
	bool used;
};

/* What a worker's flow cache keeps. */
struct kept {
	uint32_t slot, epoch;
	bool valid;
};

static struct {
	struct ipsec *ips;
	struct model_child children[MODEL_CHILDREN];
	struct addr addrs[MODEL_FLOWS];
	struct kept kept[TUNNELS][MODEL_FLOWS];
	unsigned inserted, removed, refound;
} model;

static uint32_t model_lookup(uint32_t tunnel, const struct addr *a)
{
	const struct model_child *best = NULL;

	for (size_t i = 0; i < MODEL_CHILDREN; i++) {
		const struct model_child *c = &model.children[i];
		if (c->used && c->tunnel == tunnel && prefix_contains(&c->prefix, a) &&
			(!best || c->prefix.len > best->prefix.len))
			best = c;
	}
	return best ? best->slot : tunnel;
}

/* An address that many random prefixes share bits with. */
static struct addr random_addr(void)
{
	uint8_t bytes[16] = { 10, 2 };
	bool six = random() % 2;

	if (!six)
		bytes[3] = (uint8_t)(random() % 8);
	else
		bytes[15] = (uint8_t)(random() % 4);
	bytes[six ? 7 : 2] = (uint8_t)(random() % 2);
	return addr_from_bytes(six ? ADDR_IPV6 : ADDR_IPV4, bytes);
}

static struct prefix random_prefix(void)
{
	static const uint8_t lengths[2][6] = { { 0, 8, 23, 24, 31, 32 }, { 0, 63, 64, 65, 127, 128 } };
	struct prefix p = { .addr = random_addr() };

	p.len = lengths[p.addr.family == ADDR_IPV6][random() % 6];
	return p;
}

static void model_insert(struct model_child *c)
{
	char text[PREFIX_TEXT_MAX];
	int error;

	c->tunnel = (uint32_t)random() % TUNNELS;
	c->prefix = random_prefix();
	error = tunnel_child_insert(model.ips, c->tunnel, &c->prefix, &c->slot);
	if (error) {
		CU_ASSERT_EQUAL(error, -EEXIST);
		return;
	}
	c->used = true;
	model.inserted++;
	/* now and then its SA comes later */
	if (random() % 4)
		CU_ASSERT_EQUAL(
			tunnel_publish(model.ips, c->slot, outbound(model.ips, prefix_format(&c->prefix, text))), 0);
}

static void model_remove(struct model_child *c)
{
	CU_ASSERT_EQUAL(tunnel_child_remove(model.ips, c->slot), 0);
	c->used = false;
	model.removed++;
}

static void model_tunnel_swap(void)
{
	uint32_t tunnel = (uint32_t)random() % TUNNELS;

	CU_ASSERT_EQUAL(tunnel_publish(model.ips, tunnel,
				tunnel_lookup(model.ips, tunnel) ? NULL : outbound(model.ips, "0.0.0.0/0")),
		0);
}

/* As a worker would: the kept answer for as long as the contract says that it holds. */
static uint32_t kept_lookup(uint32_t tunnel, const struct flow *f, struct kept *k)
{
	uint32_t epoch = tunnel_child_epoch(model.ips);
	const struct sa *sa = k->valid && k->epoch == epoch ? tunnel_lookup(model.ips, k->slot) : NULL;

	if (sa && sa_selectors_match(sa, f))
		return k->slot;
	model.refound++;
	*k = (struct kept){ tunnel_child_lookup(model.ips, tunnel, f), epoch, true };
	return k->slot;
}

static unsigned model_compare(void)
{
	unsigned wrong = 0;

	for (uint32_t t = 0; t < TUNNELS; t++)
		for (size_t i = 0; i < MODEL_FLOWS; i++) {
			/* not every flow speaks at every step: some kept answers are old */
			if (random() % 2)
				continue;
			const struct flow f = flow_to(&model.addrs[i]);
			uint32_t wanted = model_lookup(t, &model.addrs[i]);
			wrong += tunnel_child_lookup(model.ips, t, &f) != wanted;
			wrong += kept_lookup(t, &f, &model.kept[t][i]) != wanted;
		}
	return wrong;
}

static void test_tunnel_child_agree_with_a_slow_list(void)
{
	unsigned wrong = 0;
	struct ipsec_worker *w;

	srandom(4301);
	memset(&model, 0, sizeof(model));
	model.ips = ipsec_with(MODEL_CHILDREN + 50);
	w = ipsec_worker_create(model.ips, 0);
	for (size_t i = 0; i < MODEL_FLOWS; i++)
		model.addrs[i] = random_addr();
	for (int step = 0; step < MODEL_STEPS; step++) {
		struct model_child *c = &model.children[random() % MODEL_CHILDREN];
		if (c->used)
			model_remove(c);
		else
			model_insert(c);
		if (random() % 16 == 0)
			model_tunnel_swap();
		if (step % 8 == 0)
			wrong += model_compare();
		ipsec_worker_quiescent(w);
		reclaim_poll(model.ips);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(model.inserted > 1000 && model.removed > 1000 && model.refound > 1000);
	ipsec_worker_free(w);
	ipsec_free(model.ips);
}

/* ---- many ---- */

#define MANY 10000

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct prefix host_prefix(uint32_t i)
{
	return (struct prefix){ addr_from_ipv4(0x0a020000 + i), 32 };
}

static void many_insert(struct ipsec *ips, uint32_t *ret_slots)
{
	unsigned failed = 0;

	for (uint32_t i = 0; i < MANY; i++) {
		const struct prefix p = host_prefix(i);
		failed += tunnel_child_insert(ips, 1, &p, &ret_slots[i]) != 0;
	}
	CU_ASSERT_EQUAL(failed, 0);
}

static void many_find(const struct ipsec *ips, const uint32_t *slots)
{
	unsigned wrong = 0;

	for (uint32_t i = 0; i < MANY; i++) {
		const struct prefix p = host_prefix(i);
		const struct flow f = flow_to(&p.addr);
		wrong += tunnel_child_lookup(ips, 1, &f) != slots[i];
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

static void many_remove(struct ipsec *ips, struct ipsec_worker *w, const uint32_t *slots)
{
	unsigned failed = 0;

	for (uint32_t i = 0; i < MANY; i++)
		failed += tunnel_child_remove(ips, slots[i]) != 0;
	CU_ASSERT_EQUAL(failed, 0);
	do
		ipsec_worker_quiescent(w);
	while (reclaim_poll(ips));
}

static void test_tunnel_child_ten_thousand_hosts_come_and_go(void)
{
	/* exactly as many slots: after each round all of them, and all keys, are back */
	struct ipsec *ips = ipsec_with(MANY);
	struct ipsec_worker *w = ipsec_worker_create(ips, 0);
	uint32_t *slots = calloc(MANY, sizeof(*slots)), epoch = tunnel_child_epoch(ips);
	double start, inserted, found, removed;

	for (int round = 0; round < 5; round++) {
		start = seconds();
		many_insert(ips, slots);
		inserted = seconds();
		many_find(ips, slots);
		found = seconds();
		many_remove(ips, w, slots);
		removed = seconds();
	}
	CU_ASSERT_EQUAL(tunnel_child_epoch(ips), epoch);
	printf("# children: %d hosts inserted in %.1f ms, found in %.1f ms, removed in %.1f ms\n", MANY,
		(inserted - start) * 1e3, (found - inserted) * 1e3, (removed - found) * 1e3);
	free(slots);
	ipsec_worker_free(w);
	ipsec_free(ips);
}

/* ---- a reader ---- */

#define RACE_HOSTS 64

static struct {
	struct ipsec *ips;
	struct ipsec_worker *w;
	_Atomic bool stop;
	_Atomic unsigned lookups, wrong;
} race;

/* The wide child and one host never go; the others do. An SA that is found is the one for the address. */
static void *race_run(void *arg)
{
	const struct prefix stays = host_prefix(RACE_HOSTS);
	const struct flow fixed = flow_to(&stays.addr);
	const uint32_t slot = tunnel_child_lookup(race.ips, 0, &fixed);

	(void)arg;
	for (uint32_t i = 0; !atomic_load(&race.stop); i++) {
		const struct prefix p = host_prefix(i % RACE_HOSTS);
		const struct flow f = flow_to(&p.addr);
		const struct sa *sa = tunnel_lookup(race.ips, tunnel_child_lookup(race.ips, 0, &f));
		if (sa && !sa_selectors_match(sa, &f))
			atomic_fetch_add(&race.wrong, 1);
		if (tunnel_child_lookup(race.ips, 0, &fixed) != slot || tunnel_child_lookup(race.ips, 0, &f) == 0)
			atomic_fetch_add(&race.wrong, 1);
		atomic_fetch_add(&race.lookups, 1);
		ipsec_worker_quiescent(race.w);
	}
	return NULL;
}

static void race_churn(void)
{
	uint32_t slots[RACE_HOSTS];
	char text[PREFIX_TEXT_MAX];

	for (uint32_t i = 0; i < RACE_HOSTS; i++) {
		const struct prefix p = host_prefix(i);
		while (tunnel_child_insert(race.ips, 0, &p, &slots[i]) == -ENOSPC)
			reclaim_poll(race.ips);
		tunnel_publish(race.ips, slots[i], outbound(race.ips, prefix_format(&p, text)));
	}
	for (uint32_t i = 0; i < RACE_HOSTS; i++)
		tunnel_child_remove(race.ips, slots[i]);
	reclaim_poll(race.ips);
}

static void test_tunnel_child_reader_sees_whole_ones(void)
{
	pthread_t reader;
	uint32_t wide, host;

	memset(&race, 0, sizeof(race));
	race.ips = ipsec_with(2 * RACE_HOSTS + 2);
	race.w = ipsec_worker_create(race.ips, 0);
	CU_ASSERT_EQUAL(insert(race.ips, 0, "10.2.0.0/16", &wide), 0);
	CU_ASSERT_EQUAL(insert(race.ips, 0, "10.2.0.64", &host), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&reader, NULL, race_run, NULL), 0);
	for (int round = 0; round < 200 || atomic_load(&race.lookups) < 10000; round++)
		race_churn();
	atomic_store(&race.stop, true);
	pthread_join(reader, NULL);
	CU_ASSERT_EQUAL(atomic_load(&race.wrong), 0);
	ipsec_worker_free(race.w);
	ipsec_free(race.ips);
}

/* Inline, for many in a row: the same answers. */
static void test_tunnel_ask_finds_what_lookup_does(void)
{
	struct ipsec *ips = ipsec_with(16);
	const struct tunnel_words slots = tunnel_words(ips);
	struct sa *whole = outbound(ips, "10.0.0.0/8"), *piece = outbound(ips, "10.2.0.0/16");
	uint32_t child;

	CU_ASSERT_EQUAL(insert(ips, 1, "10.2.0.0/16", &child), 0);
	CU_ASSERT_PTR_NULL(tunnel_ask(&slots, child));
	CU_ASSERT_EQUAL(tunnel_publish(ips, 1, whole), 0);
	CU_ASSERT_EQUAL(tunnel_publish(ips, child, piece), 0);
	CU_ASSERT_PTR_EQUAL(tunnel_ask(&slots, 1), whole);
	CU_ASSERT_PTR_EQUAL(tunnel_ask(&slots, child), piece);
	CU_ASSERT_PTR_NULL(tunnel_ask(&slots, 0));
	CU_ASSERT_PTR_NULL(tunnel_ask(&slots, UINT32_MAX));
	/* what a flow still knows of a child that has gone */
	CU_ASSERT_EQUAL(tunnel_child_remove(ips, child), 0);
	CU_ASSERT_PTR_NULL(tunnel_ask(&slots, child));
	CU_ASSERT_EQUAL(tunnel_publish(ips, 1, NULL), 0);
	CU_ASSERT_PTR_NULL(tunnel_ask(&slots, 1));
	ipsec_free(ips);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_tunnel_child_longest_prefix_of_the_tunnel),
		TEST(test_tunnel_child_refuse_what_makes_no_sense),
		TEST(test_tunnel_child_slot_holds_an_sa),
		TEST(test_tunnel_child_names_rest_for_a_grace_and_differ),
		TEST(test_tunnel_child_epoch_changes_with_nested_prefixes_only),
		TEST(test_tunnel_child_agree_with_a_slow_list),
		TEST(test_tunnel_child_ten_thousand_hosts_come_and_go),
		TEST(test_tunnel_child_reader_sees_whole_ones),
		TEST(test_tunnel_ask_finds_what_lookup_does),
	};

	rig_eal();
	return test_main("ipsec_tunnel_child", tests, ARRAY_LEN(tests), argc, argv);
}
