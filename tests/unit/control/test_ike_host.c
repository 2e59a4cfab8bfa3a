/* SPDX-License-Identifier: BSD-3-Clause */
/* Actions of a scripted engine carried out on a fake packet path. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "control_priv.h"
#include "fake_packet_path.h"
#include "harness.h"

static struct control c;
static struct config config;
static struct tunnel_profile tunnel;
static struct history history;

/* ---- the engine: answers each call with the next script ---- */

static struct ike_action script[4];
static size_t script_len;
static char told[256]; /* commands it got */

static void play(struct ike_actions *out)
{
	out->items = realloc(out->items, sizeof(script));
	memcpy(out->items, script, script_len * sizeof(script[0]));
	out->count = script_len;
	script_len = 0;
}

void ike_tick(struct ike_engine *e, uint64_t now_ns, struct ike_actions *out)
{
	(void)e;
	(void)now_ns;
	play(out);
}

void ike_input(struct ike_engine *e, const struct ike_datagram *d, uint64_t now_ns, struct ike_actions *out)
{
	(void)d;
	strcat(told, "input ");
	ike_tick(e, now_ns, out);
}

void ike_command(struct ike_engine *e, const struct ike_command *k, uint64_t now_ns, struct ike_actions *out)
{
	size_t len = strlen(told);

	snprintf(told + len, sizeof(told) - len, "command:%d:%x ", k->kind, k->spi);
	ike_tick(e, now_ns, out);
}

void ike_job_done(struct ike_engine *e, struct crypto_job *job, uint64_t now_ns, struct ike_actions *out)
{
	crypto_job_free(job);
	ike_tick(e, now_ns, out);
}

void ike_actions_clear(struct ike_actions *out)
{
	out->count = 0;
}

const char *ike_event_name(enum ike_event_kind kind)
{
	return kind == IKE_EV_FAILED ? "failed" : "other";
}

const struct secret *config_psk_lookup(
	const struct config *conf, const struct identity *local, const struct identity *remote)
{
	static uint8_t bytes[] = "a key between two";
	static const struct secret psk = { bytes, sizeof(bytes) };

	(void)conf;
	(void)remote;
	return local->type == ID_FQDN ? &psk : NULL;
}

/* ---- set-up ---- */

static void begin(void)
{
	fake_init();
	told[0] = '\0';
	script_len = 0;
	memset(&c, 0, sizeof(c));
	tunnel = (struct tunnel_profile){ .name = "paris", .child_count = 1, .children = { { .tunnel_slot = 5 } } };
	config = (struct config){ .tunnels = &tunnel, .tunnel_count = 1 };
	c.config = &config;
	c.histories = &history;
	c.eal.workers = 1;
	limits_init(c.limits);
	log_set_level(LOG_ERROR);
	CU_ASSERT_EQUAL_FATAL(sa_registry_init(&c.sas, NULL, NULL, 8), 0);
}

static void end(void)
{
	while (!TAILQ_EMPTY(&c.sas.pairs))
		sa_pair_retire(&c.sas, TAILQ_FIRST(&c.sas.pairs));
	CU_ASSERT_EQUAL(fake.sas, 0);
	CU_ASSERT_EQUAL(fake.paths, 0);
	sa_registry_done(&c.sas);
	free(c.actions.items);
	history_done(&history);
}

static void add(const struct ike_action *a)
{
	script[script_len++] = *a;
}

static struct sa_spec in_spec, out_spec;

static void add_install(bool switch_now)
{
	struct ike_action a = { .kind = IKE_INSTALL };

	in_spec = (struct sa_spec){ .direction = SA_IN, .spi = 0x1001 };
	out_spec = (struct sa_spec){ .direction = SA_OUT, .spi = 0x2002 };
	a.install.in = &in_spec;
	a.install.out = &out_spec;
	a.install.switch_now = switch_now;
	add(&a);
}

static void add_child(enum ike_action_kind kind)
{
	struct ike_action a = { .kind = kind };

	a.child.spi_in = 0x1001;
	a.child.spi_out = 0x2002;
	add(&a);
}

static void add_send(uint16_t port, bool keepalive)
{
	static uint8_t data[] = { 0xff, 1, 2, 3 };
	struct ike_action a = { .kind = IKE_SEND };

	a.send.local.port = port;
	a.send.remote.port = port;
	a.send.data = data;
	a.send.len = keepalive ? 1 : sizeof(data);
	a.send.keepalive = keepalive;
	add(&a);
}

/* ---- tests ---- */

static void test_ike_host_installs_before_it_sends(void)
{
	begin();
	add_install(true);
	add_send(500, false);
	ike_host_tick(&c);
	CU_ASSERT_STRING_EQUAL(fake.calls, "in:1001 publish:5=2002 send ");
	end();
}

/* The engine knows nothing of them: the header's rules come from the configuration, and stay when the peer moves. */
static void test_ike_host_adds_what_only_the_packet_path_knows(void)
{
	begin();
	tunnel.outer = (struct header_rules){ .dscp_set = true, .dscp = 46, .df = DF_SET };
	add_install(true);
	ike_host_tick(&c);
	CU_ASSERT(fake.header[SA_OUT].dscp == 46 && fake.header[SA_OUT].df == DF_SET);
	CU_ASSERT(fake.header[SA_IN].dscp_set && fake.header[SA_IN].dscp == 46);
	memset(fake.header, 0, sizeof(fake.header));
	add_child(IKE_UPDATE);
	ike_host_tick(&c);
	CU_ASSERT(fake.header[SA_OUT].dscp_set && fake.header[SA_OUT].dscp == 46 && fake.header[SA_OUT].df == DF_SET);
	end();
}

static void test_ike_host_marks_ike_on_4500_only(void)
{
	begin();
	add_send(500, false);
	ike_host_tick(&c);
	CU_ASSERT_FALSE(fake.sent_marker);
	add_send(4500, false);
	ike_host_tick(&c);
	CU_ASSERT_TRUE(fake.sent_marker);
	CU_ASSERT_EQUAL(fake.sent_len, 4);
	add_send(4500, true);
	ike_host_tick(&c);
	CU_ASSERT_FALSE(fake.sent_marker);
	CU_ASSERT_EQUAL(fake.sent_len, 1);
	end();
}

static void test_ike_host_switch_and_retire_follow_install(void)
{
	begin();
	add_install(false);
	add_child(IKE_SWITCH);
	add_child(IKE_RETIRE);
	ike_host_tick(&c);
	CU_ASSERT_STRING_EQUAL(fake.calls, "in:1001 publish:5=2002 publish:5=0 out-retire:2002 retire:1001 ");
	end();
}

/* RFC 7296 2.19: what comes to an address that the peer gave us is for us, until it is gone. */
static void test_ike_host_virtual_address_is_ours(void)
{
	struct ike_action a = { .kind = IKE_ADDRESS };

	begin();
	a.address.addrs[0] = addr_from_ipv4(0x0a080005);
	a.address.given = true;
	add(&a);
	ike_host_tick(&c);
	a.address.given = false;
	add(&a);
	ike_host_tick(&c);
	CU_ASSERT_STRING_EQUAL(fake.calls, "own:05 own:-05 ");
	end();
}

static void test_ike_host_tells_the_engine_what_it_cannot_install(void)
{
	begin();
	fake.no_route = true;
	log_set_level(LOG_ERROR);
	add_install(true);
	ike_host_tick(&c);
	CU_ASSERT_STRING_EQUAL(told, "command:6:1001 ");
	CU_ASSERT_EQUAL(IKE_EXPIRE, 6);
	CU_ASSERT_EQUAL(c.uninstalled_count, 0);
	end();
}

static void test_ike_host_retire_of_what_was_not_installed_frees_the_spi(void)
{
	begin();
	add_child(IKE_RETIRE);
	ike_host_tick(&c);
	CU_ASSERT_EQUAL(fake.released_spi, 0x1001);
	end();
}

static void test_ike_host_ignores_messages_to_other_addresses(void)
{
	struct ike_datagram d = { .local = { .addr = addr_from_ipv4(0xc0000209), .port = 500 } };

	begin();
	ike_host_input(&c, &d);
	CU_ASSERT_STRING_EQUAL(told, "");
	d.local.addr = addr_from_ipv4(0xc0000201);
	ike_host_input(&c, &d);
	CU_ASSERT_STRING_EQUAL(told, "input ");
	end();
}

static void test_ike_host_gives_the_engine_a_copy_of_the_psk(void)
{
	struct ike_host host = ike_host_functions(&c);
	struct identity known = { .type = ID_FQDN }, unknown = { .type = ID_KEY_ID };
	struct secret psk = { 0 };

	begin();
	CU_ASSERT_EQUAL(host.psk_lookup(&c, &unknown, &known, &psk), -ENOENT);
	CU_ASSERT_EQUAL(host.psk_lookup(&c, &known, &unknown, &psk), 0);
	CU_ASSERT_TRUE(bytes_equal(secret_view(&psk), BYTES("a key between two", 18)));
	secret_done(&psk);
	end();
}

static void test_ike_host_spi_of_the_predicted_worker(void)
{
	struct ike_host host = ike_host_functions(&c);
	struct addr a = { 0 };

	begin();
	CU_ASSERT_EQUAL(host.spi_reserve(&c, &a, &a), 0x1001);
	fake.predicted = 3;
	fake.full = 3;
	CU_ASSERT_EQUAL(host.spi_reserve(&c, &a, &a), 0x1001);
	CU_ASSERT_STRING_EQUAL(fake.calls, "reserve:0 reserve:3 reserve:255 ");
	end();
}

static void test_ike_host_tells_workers_of_ike_sas(void)
{
	struct ike_host host = ike_host_functions(&c);

	begin();
	host.sa_news(&c, 0x10000000000a1, IKE_SA_OPENING);
	host.sa_news(&c, 0x10000000000a1, IKE_SA_UP);
	fake.no_sa = true; /* there are too many, which ends nothing */
	host.sa_news(&c, 0x10000000000a2, IKE_SA_UP);
	host.sa_news(&c, 0x10000000000a1, IKE_SA_GONE);
	CU_ASSERT_STRING_EQUAL(
		fake.calls, "ike:10000000000a1=1 ike:10000000000a1=2 ike:10000000000a2=2 ike:10000000000a1=0 ");
	end();
}

static void test_ike_host_failure_goes_into_the_history(void)
{
	struct ike_event *e = calloc(1, sizeof(*e));
	struct ike_action a = { .kind = IKE_EVENT, .event = e };

	begin();
	*e = (struct ike_event){ .kind = IKE_EV_FAILED, .tunnel = 0, .child = -1 };
	e->failure = (struct ike_failure){ .phase = 1, .exchange = IKE_AUTH, .notify = 24, .reason = "wrong key" };
	add(&a);
	ike_host_tick(&c);
	CU_ASSERT_EQUAL_FATAL(history.count, 1);
	CU_ASSERT_STRING_EQUAL(
		history_at(&history, 0)->text, "IKE_AUTH as responder: wrong key (AUTHENTICATION_FAILED)");
	free(e);
	end();
}

/* A failure of the engine as it went into history and show tunnels. */
static void report_silence(uint16_t notify, const char *ret_hint[1])
{
	static struct config_interface wan = { .name = "wan" };
	struct ike_event e = { .kind = IKE_EV_FAILED, .child = -1 };
	struct ike_action a = { .kind = IKE_EVENT, .event = &e };

	config.interfaces = &wan;
	config.interface_count = 1;
	e.remote = (struct endpoint){ addr_from_ipv4(0xc6336407), 500 };
	e.failure = (struct ike_failure){ .phase = 1,
		.exchange = IKE_SA_INIT,
		.initiator = true,
		.notify = notify,
		.at_ns = 42,
		.reason = "peer did not answer",
		.hint = "engine" };
	add(&a);
	ike_host_tick(&c);
	*ret_hint = hint_of(&history, &e.failure);
	e.failure.at_ns = 43; /* another failure is not explained by this one */
	CU_ASSERT_STRING_EQUAL(hint_of(&history, &e.failure), "engine");
	if (*ret_hint == e.failure.hint)
		*ret_hint = "engine";
}

static void test_ike_host_silence_without_a_route_says_so(void)
{
	const char *hint;

	begin();
	fake.no_route = true;
	report_silence(0, &hint);
	CU_ASSERT_STRING_EQUAL(hint, "no route to 198.51.100.7: add one under routes");
	CU_ASSERT_PTR_NOT_NULL(strstr(history_at(&history, 0)->text, "did not answer; no route to 198.51.100.7"));
	end();
}

static void test_ike_host_silence_of_the_next_hop_says_so(void)
{
	const char *hint;

	begin();
	fake.next_hop = (struct datapath_neighbour){ .addr = addr_from_ipv4(0xc0000207),
		.state = NEIGHBOUR_INCOMPLETE };
	report_silence(0, &hint);
	CU_ASSERT_STRING_EQUAL(hint, "next hop 192.0.2.7 does not answer ARP on wan");
	fake.next_hop.state = NEIGHBOUR_FREE; /* given up since */
	report_silence(0, &hint);
	CU_ASSERT_STRING_EQUAL(hint, "next hop 192.0.2.7 does not answer ARP on wan");
	end();
}

static void test_ike_host_other_failures_keep_the_engines_hint(void)
{
	const char *hint;

	begin();
	fake.next_hop.state = NEIGHBOUR_STALE;
	report_silence(0, &hint);
	CU_ASSERT_STRING_EQUAL(hint, "engine");
	fake.no_route = true;
	report_silence(14, &hint);
	CU_ASSERT_STRING_EQUAL(hint, "engine");
	end();
}

/* The line itself, from standard error. */
static void test_ike_host_phase1_lines_name_no_esp_spis(void)
{
	struct ike_event e = { .kind = IKE_EV_PHASE1_UP, .child = -1, .spi_i = 1, .child_spi_in = 0x1001 };
	struct ike_action a = { .kind = IKE_EVENT, .event = &e };
	char line[512];
	int fds[2], saved = dup(2);
	ssize_t n;

	begin();
	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	log_set_level(LOG_NOTICE);
	fflush(stderr);
	dup2(fds[1], 2);
	add(&a);
	ike_host_tick(&c);
	e.kind = IKE_EV_PHASE2_UP;
	add(&a);
	ike_host_tick(&c);
	fflush(stderr);
	dup2(saved, 2);
	n = read(fds[0], line, sizeof(line) - 1);
	line[n > 0 ? n : 0] = '\0';
	CU_ASSERT_PTR_NOT_NULL_FATAL(strchr(line, '\n'));
	CU_ASSERT_PTR_NOT_NULL(strstr(strchr(line, '\n'), "esp-in 00001001"));
	*strchr(line, '\n') = '\0';
	CU_ASSERT_PTR_NULL(strstr(line, "esp-"));
	close(fds[0]);
	close(fds[1]);
	close(saved);
	end();
}

static const struct test tests[] = {
	TEST(test_ike_host_silence_without_a_route_says_so),
	TEST(test_ike_host_silence_of_the_next_hop_says_so),
	TEST(test_ike_host_other_failures_keep_the_engines_hint),
	TEST(test_ike_host_phase1_lines_name_no_esp_spis),
	TEST(test_ike_host_installs_before_it_sends),
	TEST(test_ike_host_adds_what_only_the_packet_path_knows),
	TEST(test_ike_host_marks_ike_on_4500_only),
	TEST(test_ike_host_switch_and_retire_follow_install),
	TEST(test_ike_host_virtual_address_is_ours),
	TEST(test_ike_host_tells_the_engine_what_it_cannot_install),
	TEST(test_ike_host_retire_of_what_was_not_installed_frees_the_spi),
	TEST(test_ike_host_ignores_messages_to_other_addresses),
	TEST(test_ike_host_gives_the_engine_a_copy_of_the_psk),
	TEST(test_ike_host_spi_of_the_predicted_worker),
	TEST(test_ike_host_tells_workers_of_ike_sas),
	TEST(test_ike_host_failure_goes_into_the_history),
};

int main(int argc, char **argv)
{
	return test_main("control", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
