/* SPDX-License-Identifier: BSD-3-Clause */
/* Installed pairs against a fake packet path: order of steps, failures that leave nothing, sweeps that tell once. */
#include "sa_lifecycle_priv.h"

#include <errno.h>
#include <unistd.h>

#include "fake_packet_path.h"
#include "harness.h"
#include "loop_priv.h"

static struct sa_registry r;
static const struct sa_owner child = { .tunnel = 4, .child = 0 }, manual = { .tunnel = -1, .child = -1 };

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

static struct sa_lifetime lifetime; /* of what is installed next */

static int install(const struct sa_owner *owner, uint32_t spi_in, uint32_t spi_out, bool switch_now)
{
	struct sa_spec in = {
		.name = "net", .direction = SA_IN, .spi = spi_in, .tunnel_slot = 3, .lifetime = lifetime
	};
	struct sa_spec out = {
		.name = "net", .direction = SA_OUT, .spi = spi_out, .tunnel_slot = 3, .lifetime = lifetime
	};
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

static void test_sa_lifecycle_pieces_of_a_policy_share_its_slot(void)
{
	begin();
	fake.apart = true;
	CU_ASSERT_EQUAL(install(&child, 0x1001, 0x2002, true), 0);
	CU_ASSERT_EQUAL(install(&child, 0x1003, 0x2004, true), 0);
	struct sa_pair *first = sa_pair_lookup(&r, 0x1001), *second = sa_pair_lookup(&r, 0x1003);
	CU_ASSERT_TRUE(first->held && second->held);
	CU_ASSERT_PTR_EQUAL(sa_pair_of_slot(&r, 3), second);
	/* a successor of the one leaves the other alone once they are apart; of the same traffic only one is used */
	fake.apart = false;
	CU_ASSERT_EQUAL(install(&child, 0x1005, 0x2006, true), 0);
	CU_ASSERT_FALSE(first->held || second->held);
	CU_ASSERT_EQUAL(sa_pair_switch(&r, first), 0);
	CU_ASSERT_TRUE(first->held);
	CU_ASSERT_FALSE(sa_pair_lookup(&r, 0x1005)->held);
	sa_pair_retire(&r, first);
	CU_ASSERT_PTR_NULL(sa_pair_of_slot(&r, 3));
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

/* The facts of one sweep so much later as text: kind and SPI. */
static const char *sweep_after(uint64_t ns)
{
	static const char *const names[] = { [IKE_SOFT_EXPIRE] = "soft",
		[IKE_EXPIRE] = "expire",
		[IKE_USED] = "used",
		[IKE_SENT] = "sent",
		[IKE_ADDRESS_CHANGED] = "moved" };
	static char text[256];
	struct sa_facts facts = { 0 };
	size_t len = 0;

	text[0] = '\0';
	sa_registry_sweep(&r, loop_now_ns() + ns, &facts);
	for (size_t i = 0; i < facts.count; i++)
		len += (size_t)snprintf(
			text + len, sizeof(text) - len, "%s:%x ", names[facts.items[i].kind], facts.items[i].spi);
	sa_facts_done(&facts);
	return text;
}

static const char *sweep(void)
{
	return sweep_after(0);
}

static void test_sa_lifecycle_sweep_tells_use_when_packets_advanced(void)
{
	begin();
	install(&child, 0x1001, 0x2002, true);
	CU_ASSERT_STRING_EQUAL(sweep(), "");
	fake.stats[SA_OUT].packets = 9; /* sending proves nothing about the peer, but the pair is not idle */
	CU_ASSERT_STRING_EQUAL(sweep(), "sent:1001 ");
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

/* What a sweep so much later logs, from standard error; the level of lines at the front is cut. */
static const char *logged_after(uint64_t ns)
{
	static char text[1024];
	int fds[2], saved = dup(2);
	ssize_t n;

	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	log_set_level(LOG_NOTICE);
	fflush(stderr);
	dup2(fds[1], 2);
	CU_ASSERT_STRING_EQUAL(sweep_after(ns), "");
	fflush(stderr);
	dup2(saved, 2);
	close(fds[1]);
	n = read(fds[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	close(fds[0]);
	close(saved);
	return text;
}

/* The clock starts at birth; each end is said once, of each SA of the pair. */
static void test_sa_lifecycle_time_of_a_manual_sa_runs_out(void)
{
	begin();
	lifetime = (struct sa_lifetime){ .soft_ns = 10000000000, .hard_ns = 20000000000 };
	install(&manual, 0x1001, 0x2002, true);
	lifetime = (struct sa_lifetime){ 0 };
	CU_ASSERT_STRING_EQUAL(logged_after(9000000000), "");
	CU_ASSERT_PTR_NOT_NULL(strstr(
		logged_after(10000000000), "notice sallyportd: expiring manual-sa net spi-in 00001001: new keys"));
	CU_ASSERT_STRING_EQUAL(logged_after(11000000000), "");
	CU_ASSERT_PTR_NOT_NULL(strstr(logged_after(20000000000),
		"error sallyportd: expired manual-sa net spi-in 00001001: its lifetime is over, new keys"));
	CU_ASSERT_STRING_EQUAL(logged_after(21000000000), "");
	end();
}

/* Packets and numbers run out on one side first: the line names the SA that ended, and the other still has its own. */
static void test_sa_lifecycle_each_manual_sa_ends_for_itself(void)
{
	begin();
	install(&manual, 0x1001, 0x2002, true);
	fake.stats[SA_OUT].flags = SA_SOFT_EXPIRED | SA_SEQUENCE_END;
	CU_ASSERT_PTR_NOT_NULL(strstr(logged_after(0),
		"expired manual-sa net spi-out 00002002: no sequence number is left, new keys are needed\n"));
	CU_ASSERT_STRING_EQUAL(logged_after(0), "");
	fake.stats[SA_IN].flags = SA_HARD_EXPIRED;
	CU_ASSERT_PTR_NOT_NULL(strstr(
		logged_after(0), "expired manual-sa net spi-in 00001001: its lifetime is over, new keys are needed\n"));
	end();
}

/* It is no news to the operator: the engine rekeys. */
static void test_sa_lifecycle_soft_end_of_a_child_is_told_once(void)
{
	begin();
	install(&child, 0x1001, 0x2002, true);
	fake.stats[SA_OUT].flags = SA_SOFT_EXPIRED;
	CU_ASSERT_STRING_EQUAL(sweep_after(0), "soft:1001 ");
	CU_ASSERT_STRING_EQUAL(logged_after(0), "");
	end();
}

static const struct sa_view *view_of(
	const struct sa_owner *owner, uint8_t protocol, const struct alg *encr, const struct alg *integ)
{
	struct sa_spec in = { .direction = SA_IN, .protocol = protocol, .spi = 0x1001, .encr = encr, .integ = integ };
	struct sa_spec out = { .direction = SA_OUT, .protocol = protocol, .spi = 0x2002, .encr = encr, .integ = integ };
	const char *reason;

	out.tfc_bytes = TFC_TO_MTU;
	CU_ASSERT_EQUAL_FATAL(sa_pair_install(&r, owner, &in, &out, true, &reason), 0);
	return &sa_pair_lookup(&r, 0x1001)->out_view;
}

static void test_sa_lifecycle_view_says_what_is_weak(void)
{
	static const struct {
		bool manual;
		uint8_t protocol;
		const char *encr, *integ, *suite, *weak;
	} rows[] = {
		{ true, PROTOCOL_ESP, "aes256gcm16", NULL, "AES-GCM-256", "manual keys repeat nonces after a restart" },
		{ false, PROTOCOL_ESP, "aes256gcm16", NULL, "AES-GCM-256", "" },
		{ true, PROTOCOL_ESP, "aes128", "sha256", "AES-CBC-128/HMAC-SHA2-256-128", "" },
		{ true, PROTOCOL_AH, NULL, "sha512", "HMAC-SHA2-512-256", "" },
		{ true, PROTOCOL_AH, NULL, "aes128gmac", "AES-GMAC-128", "manual keys repeat nonces after a restart" },
		{ true, PROTOCOL_ESP, "aes128gmac", NULL, "NULL-AES-GMAC-128",
			"manual keys repeat nonces after a restart; NULL-AES-GMAC-128 does not encrypt" },
		{ false, PROTOCOL_ESP, "null", "sha1", "NULL/HMAC-SHA1-96",
			"NULL does not encrypt; HMAC-SHA1-96 rests on SHA-1, which is on its way out (RFC 8221 6)" },
		{ false, PROTOCOL_ESP, "3des", "sha256", "3DES-CBC/HMAC-SHA2-256-128",
			"3DES-CBC should not be used any more (RFC 8221 5)" },
	};

	begin();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *encr = rows[i].encr, *integ = rows[i].integ;
		const struct sa_view *v = view_of(rows[i].manual ? &manual : &child, rows[i].protocol,
			encr ? alg_lookup_keyword(TRANSFORM_ENCR, encr, strlen(encr)) : NULL,
			integ ? alg_lookup_keyword(TRANSFORM_INTEG, integ, strlen(integ)) : NULL);
		CU_ASSERT_STRING_EQUAL(v->suite, rows[i].suite);
		CU_ASSERT_STRING_EQUAL(v->weak, rows[i].weak);
		CU_ASSERT(v->protocol == rows[i].protocol && v->tfc_bytes == TFC_TO_MTU);
		sa_pair_retire(&r, sa_pair_lookup(&r, 0x1001));
	}
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

/* ---- one tunnel of many peers ---- */

static int install_peer(const char *id, const char *remote, uint32_t spi_in, uint32_t spi_out)
{
	struct identity peer;
	const struct sa_owner owner = { .tunnel = 4, .child = 0, .peer = &peer };
	struct sa_spec in = { .name = "net", .direction = SA_IN, .spi = spi_in, .tunnel_slot = 3 };
	struct sa_spec out = { .name = "net", .direction = SA_OUT, .spi = spi_out, .tunnel_slot = 3 };
	const char *reason = NULL;

	identity_parse(id, &peer);
	out.remote.count = 1;
	CU_ASSERT_EQUAL_FATAL(selector_parse(remote, &out.remote.items[0]), 0);
	int rc = sa_pair_install(&r, &owner, &in, &out, true, &reason);
	CU_ASSERT_TRUE(!rc || reason);
	return rc;
}

static void test_sa_lifecycle_peers_have_a_place_each(void)
{
	begin();
	CU_ASSERT_EQUAL(install_peer("a.example.net", "10.9.0.1/32", 0x1001, 0x2002), 0);
	CU_ASSERT_EQUAL(install_peer("c.example.net", "10.9.0.2/32", 0x1003, 0x2004), 0);
	CU_ASSERT_STRING_EQUAL(fake.calls, "child:3/10.9.0.1/32=8 in:1001 publish:8=2002 "
					   "child:3/10.9.0.2/32=9 in:1003 publish:9=2004 ");
	CU_ASSERT_STRING_EQUAL(sa_pair_lookup(&r, 0x1003)->peer, "c.example.net");
	CU_ASSERT_EQUAL(sa_pair_lookup(&r, 0x1003)->tunnel_slot, 3);
	CU_ASSERT_PTR_NULL(sa_pair_of_slot(&r, 3));
	fake.calls[0] = '\0';
	sa_pair_retire(&r, sa_pair_lookup(&r, 0x1001));
	CU_ASSERT_STRING_EQUAL(fake.calls, "publish:8=0 no-child:8 out-retire:2002 retire:1001 ");
	end();
}

/* The successor has the place before the pair of before leaves it: packets never lack an SA. */
static void test_sa_lifecycle_peer_keeps_its_place_when_rekeyed(void)
{
	begin();
	CU_ASSERT_EQUAL(install_peer("a.example.net", "10.9.0.1/32", 0x1001, 0x2002), 0);
	CU_ASSERT_EQUAL(install_peer("a.example.net", "10.9.0.1/32", 0x1003, 0x2004), 0);
	fake.calls[0] = '\0';
	sa_pair_retire(&r, sa_pair_lookup(&r, 0x1001));
	CU_ASSERT_STRING_EQUAL(fake.calls, "out-retire:2002 retire:1001 ");
	CU_ASSERT_EQUAL(sa_pair_lookup(&r, 0x1003)->held, 1);
	end();
}

static void test_sa_lifecycle_range_of_a_peer_is_prefixes(void)
{
	begin();
	CU_ASSERT_EQUAL(install_peer("a.example.net", "10.9.0.1-10.9.0.6", 0x1001, 0x2002), 0);
	CU_ASSERT_STRING_EQUAL(fake.calls,
		"child:3/10.9.0.1/32=8 child:3/10.9.0.2/31=9 child:3/10.9.0.4/31=10 child:3/10.9.0.6/32=11 in:1001 "
		"publish:8=2002 publish:9=2002 publish:10=2002 publish:11=2002 ");
	end();
	begin();
	CU_ASSERT_EQUAL(install_peer("a.example.net", "::/0", 0x1001, 0x2002), 0);
	CU_ASSERT_EQUAL(install_peer("b.example.net", "255.255.255.254-255.255.255.255", 0x1003, 0x2004), 0);
	CU_ASSERT_STRING_EQUAL(fake.calls, "child:3/::/0=8 in:1001 publish:8=2002 "
					   "child:3/255.255.255.254/31=9 in:1003 publish:9=2004 ");
	end();
}

static void test_sa_lifecycle_peer_without_room_installs_nothing(void)
{
	begin();
	fake.children_left = 2;
	CU_ASSERT_EQUAL(install_peer("a.example.net", "10.9.0.1-10.9.0.6", 0x1001, 0x2002), -ENOSPC);
	CU_ASSERT_STRING_EQUAL(fake.calls, "child:3/10.9.0.1/32=8 child:3/10.9.0.2/31=9 no-child:8 no-child:9 ");
	fake.children_left = 1000;
	CU_ASSERT_EQUAL(
		install_peer("a.example.net", "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", 0x1001, 0x2002), 0);
	end();
}

static const struct test tests[] = {
	TEST(test_sa_lifecycle_inbound_lives_before_outbound),
	TEST(test_sa_lifecycle_pieces_of_a_policy_share_its_slot),
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
	TEST(test_sa_lifecycle_time_of_a_manual_sa_runs_out),
	TEST(test_sa_lifecycle_each_manual_sa_ends_for_itself),
	TEST(test_sa_lifecycle_soft_end_of_a_child_is_told_once),
	TEST(test_sa_lifecycle_view_says_what_is_weak),
	TEST(test_sa_lifecycle_peers_have_a_place_each),
	TEST(test_sa_lifecycle_peer_keeps_its_place_when_rekeyed),
	TEST(test_sa_lifecycle_range_of_a_peer_is_prefixes),
	TEST(test_sa_lifecycle_peer_without_room_installs_nothing),
	TEST(test_sa_lifecycle_many_pairs_are_found_by_spi),
};

int main(int argc, char **argv)
{
	return test_main("control", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
