/* SPDX-License-Identifier: BSD-3-Clause */
/* Installed pairs against a fake packet path: order of steps, failures that leave nothing, sweeps that tell once. */
#include "sa_lifecycle_priv.h"

#include <errno.h>

#include "fake_packet_path.h"
#include "harness.h"

static struct sa_registry r;
static const struct sa_owner child = { 4, 0 }, manual = { -1, -1 };

static void begin(void)
{
	fake_init();
	CU_ASSERT_EQUAL_FATAL(sa_registry_init(&r, NULL, NULL, 8), 0);
}

/* Ends with nothing alive: what tables hold is retired first. */
static void end(void)
{
	while (!TAILQ_EMPTY(&r.pairs))
		sa_pair_retire(&r, TAILQ_FIRST(&r.pairs));
	CU_ASSERT_EQUAL(fake.sas, 0);
	CU_ASSERT_EQUAL(fake.paths, 0);
	CU_ASSERT_EQUAL(r.count, 0);
	sa_registry_done(&r);
}

static int install(const struct sa_owner *owner, uint32_t spi_in, uint32_t spi_out, bool switch_now)
{
	struct sa_spec in = { .name = "net", .direction = SA_IN, .spi = spi_in, .tunnel_slot = 3 };
	struct sa_spec out = { .name = "net", .direction = SA_OUT, .spi = spi_out, .tunnel_slot = 3 };
	const char *reason = NULL;
	int rc = sa_pair_install(&r, owner, &in, &out, switch_now, &reason);

	CU_ASSERT_TRUE(!rc || reason);
	return rc;
}

static void test_sa_lifecycle_inbound_lives_before_outbound(void)
{
	begin();
	CU_ASSERT_EQUAL(install(&child, 0x1001, 0x2002, true), 0);
	CU_ASSERT_STRING_EQUAL(fake.calls, "in:1001 publish:3=2002 ");
	CU_ASSERT_PTR_NOT_NULL(sa_pair_lookup(&r, 0x1001));
	CU_ASSERT_PTR_NULL(sa_pair_lookup(&r, 0x2002));
	end();
}

static void test_sa_lifecycle_outbound_waits_for_switch(void)
{
	begin();
	CU_ASSERT_EQUAL(install(&child, 0x1001, 0x2002, false), 0);
	CU_ASSERT_STRING_EQUAL(fake.calls, "in:1001 ");
	CU_ASSERT_EQUAL(sa_pair_switch(&r, sa_pair_lookup(&r, 0x1001)), 0);
	CU_ASSERT_EQUAL(sa_pair_switch(&r, sa_pair_lookup(&r, 0x1001)), 0);
	CU_ASSERT_STRING_EQUAL(fake.calls, "in:1001 publish:3=2002 ");
	end();
}

static void test_sa_lifecycle_never_switched_outbound_is_freed(void)
{
	begin();
	CU_ASSERT_EQUAL(install(&child, 0x1001, 0x2002, false), 0);
	sa_pair_retire(&r, sa_pair_lookup(&r, 0x1001));
	CU_ASSERT_STRING_EQUAL(fake.calls, "in:1001 out-retire:2002 retire:1001 ");
	end();
}

/* A successor takes over the slot: the old pair's end must not take the new SA away. */
static void test_sa_lifecycle_old_pair_leaves_new_outbound_alone(void)
{
	begin();
	CU_ASSERT_EQUAL(install(&child, 0x1001, 0x2002, true), 0);
	CU_ASSERT_EQUAL(install(&child, 0x1003, 0x2004, true), 0);
	fake.calls[0] = '\0';
	sa_pair_retire(&r, sa_pair_lookup(&r, 0x1001));
	CU_ASSERT_STRING_EQUAL(fake.calls, "out-retire:2002 retire:1001 ");
	fake.calls[0] = '\0';
	sa_pair_retire(&r, sa_pair_lookup(&r, 0x1003));
	CU_ASSERT_STRING_EQUAL(fake.calls, "publish:3=0 out-retire:2004 retire:1003 ");
	end();
}

/* Both sides began at once: the engine tries the second pair and goes back to the first. */
static void test_sa_lifecycle_switches_back_to_an_older_pair(void)
{
	begin();
	CU_ASSERT_EQUAL(install(&child, 0x1001, 0x2002, true), 0);
	CU_ASSERT_EQUAL(install(&child, 0x1003, 0x2004, true), 0);
	fake.calls[0] = '\0';
	CU_ASSERT_EQUAL(sa_pair_switch(&r, sa_pair_lookup(&r, 0x1001)), 0);
	sa_pair_retire(&r, sa_pair_lookup(&r, 0x1003));
	CU_ASSERT_STRING_EQUAL(fake.calls, "publish:3=2002 out-retire:2004 retire:1003 ");
	end();
}

static void test_sa_lifecycle_no_route_installs_nothing(void)
{
	begin();
	fake.no_route = true;
	CU_ASSERT_EQUAL(install(&child, 0x1001, 0x2002, true), -EHOSTUNREACH);
	CU_ASSERT_STRING_EQUAL(fake.calls, "");
	end();
}

static void test_sa_lifecycle_refused_sa_installs_nothing(void)
{
	begin();
	fake.no_sa = true;
	CU_ASSERT_EQUAL(install(&child, 0x1001, 0x2002, true), -EINVAL);
	CU_ASSERT_EQUAL(r.count, 0);
	end();
}

static void test_sa_lifecycle_taken_spi_installs_nothing(void)
{
	begin();
	fake.insert_result = -EEXIST;
	CU_ASSERT_EQUAL(install(&child, 0x1001, 0x2002, true), -EEXIST);
	CU_ASSERT_EQUAL(r.count, 0);
	end();
}

static void test_sa_lifecycle_slot_out_of_range_installs_nothing(void)
{
	begin();
	r.slot_count = 2;
	CU_ASSERT_EQUAL(install(&child, 0x1001, 0x2002, true), -EINVAL);
	CU_ASSERT_PTR_NULL(sa_pair_lookup(&r, 0x1001));
	end();
}

static void test_sa_lifecycle_update_swaps_the_path_only(void)
{
	struct path_spec moved = { .remote = { .port = 4501 }, .encap = SA_ENCAP_UDP };

	begin();
	CU_ASSERT_EQUAL(install(&child, 0x1001, 0x2002, true), 0);
	fake.calls[0] = '\0';
	CU_ASSERT_EQUAL(sa_pair_update(&r, sa_pair_lookup(&r, 0x1001), &moved), 0);
	CU_ASSERT_STRING_EQUAL(fake.calls, "path:2002=4501 ");
	CU_ASSERT_EQUAL(sa_pair_lookup(&r, 0x1001)->out_view.path.remote.port, 4501);
	fake.no_route = true;
	CU_ASSERT_EQUAL(sa_pair_update(&r, sa_pair_lookup(&r, 0x1001), &moved), -EHOSTUNREACH);
	end();
}

/* The facts of one sweep as text: kind and SPI. */
static const char *sweep(void)
{
	static const char *const names[] = {
		[IKE_EXPIRE] = "expire", [IKE_USED] = "used", [IKE_ADDRESS_CHANGED] = "moved"
	};
	static char text[256];
	struct sa_facts facts = { 0 };
	size_t len = 0;

	text[0] = '\0';
	sa_registry_sweep(&r, &facts);
	for (size_t i = 0; i < facts.count; i++)
		len += (size_t)snprintf(
			text + len, sizeof(text) - len, "%s:%x ", names[facts.items[i].kind], facts.items[i].spi);
	sa_facts_done(&facts);
	return text;
}

static void test_sa_lifecycle_sweep_tells_use_when_packets_advanced(void)
{
	begin();
	install(&child, 0x1001, 0x2002, true);
	CU_ASSERT_STRING_EQUAL(sweep(), "");
	fake.stats[SA_OUT].packets = 9; /* sending proves nothing about the peer */
	CU_ASSERT_STRING_EQUAL(sweep(), "");
	fake.stats[SA_IN].packets = 1;
	CU_ASSERT_STRING_EQUAL(sweep(), "used:1001 ");
	CU_ASSERT_STRING_EQUAL(sweep(), "");
	end();
}

static void test_sa_lifecycle_sweep_tells_expiry_once(void)
{
	begin();
	install(&child, 0x1001, 0x2002, true);
	fake.stats[SA_OUT].flags = SA_SEQUENCE_END;
	fake.stats[SA_IN].flags = SA_HARD_EXPIRED;
	CU_ASSERT_STRING_EQUAL(sweep(), "expire:1001 ");
	CU_ASSERT_STRING_EQUAL(sweep(), "");
	end();
}

static void test_sa_lifecycle_sweep_tells_a_new_source_and_acknowledges(void)
{
	begin();
	install(&child, 0x1001, 0x2002, true);
	fake.stats[SA_IN].flags = SA_NEW_SOURCE;
	CU_ASSERT_STRING_EQUAL(sweep(), "moved:1001 ");
	CU_ASSERT_EQUAL(fake.acknowledged, SA_NEW_SOURCE);
	end();
}

static void test_sa_lifecycle_manual_sas_tell_the_engine_nothing(void)
{
	begin();
	install(&manual, 0x1001, 0x2002, true);
	fake.stats[SA_IN].flags = SA_NEW_SOURCE | SA_HARD_EXPIRED;
	fake.stats[SA_IN].packets = 5;
	log_set_level(LOG_ERROR);
	CU_ASSERT_STRING_EQUAL(sweep(), "");
	end();
}

static void test_sa_lifecycle_many_pairs_are_found_by_spi(void)
{
	begin();
	for (uint32_t i = 1; i <= 10000; i++)
		CU_ASSERT_EQUAL(install(&child, i, i + 0x80000000u, false), 0);
	CU_ASSERT_EQUAL(r.count, 10000);
	for (uint32_t i = 1; i <= 10000; i++)
		CU_ASSERT_EQUAL(sa_pair_lookup(&r, i)->out_view.spi, i + 0x80000000u);
	end();
}

static const struct test tests[] = {
	TEST(test_sa_lifecycle_inbound_lives_before_outbound),
	TEST(test_sa_lifecycle_outbound_waits_for_switch),
	TEST(test_sa_lifecycle_never_switched_outbound_is_freed),
	TEST(test_sa_lifecycle_old_pair_leaves_new_outbound_alone),
	TEST(test_sa_lifecycle_switches_back_to_an_older_pair),
	TEST(test_sa_lifecycle_no_route_installs_nothing),
	TEST(test_sa_lifecycle_refused_sa_installs_nothing),
	TEST(test_sa_lifecycle_taken_spi_installs_nothing),
	TEST(test_sa_lifecycle_slot_out_of_range_installs_nothing),
	TEST(test_sa_lifecycle_update_swaps_the_path_only),
	TEST(test_sa_lifecycle_sweep_tells_use_when_packets_advanced),
	TEST(test_sa_lifecycle_sweep_tells_expiry_once),
	TEST(test_sa_lifecycle_sweep_tells_a_new_source_and_acknowledges),
	TEST(test_sa_lifecycle_manual_sas_tell_the_engine_nothing),
	TEST(test_sa_lifecycle_many_pairs_are_found_by_spi),
};

int main(int argc, char **argv)
{
	return test_main("control", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
