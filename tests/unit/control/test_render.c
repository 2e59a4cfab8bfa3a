/* SPDX-License-Identifier: BSD-3-Clause */
/* Answers as text, and the finding of commands. */
#include "render_priv.h"

#include <stdlib.h>

#include "commands_priv.h"
#include "harness.h"

static char *rendered(int command, const char *json, bool detail)
{
	json_t *result = json_loads(json, 0, NULL);
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	CU_ASSERT_PTR_NOT_NULL_FATAL(result);
	render(out, command, result, detail);
	fclose(out);
	json_decref(result);
	return text;
}

static bool shows(int command, const char *json, bool detail, const char *part)
{
	char *text = rendered(command, json, detail);
	bool found = strstr(text, part) != NULL;

	if (!found)
		printf("no \"%s\" in:\n%s\n", part, text);
	free(text);
	return found;
}

static const char tunnels[] =
	"{\"tunnels\":[{\"name\":\"paris\",\"phase1\":{\"state\":\"up\",\"role\":\"initiator\",\"suite\":\"AES-GCM-"
	"256\","
	"\"spi_i\":\"0x01\",\"spi_r\":\"0x02\",\"local\":\"192.0.2.1:500\",\"remote\":\"192.0.2.2:500\","
	"\"remote_id\":\"gw-b\",\"nat_local\":false,\"nat_remote\":true,\"up_seconds\":7300},\"phase2\":[{\"name\":"
	"\"net\","
	"\"state\":\"negotiating\",\"suite\":\"\",\"spi_in\":null,\"spi_out\":null,\"local_selectors\":[\"10.1.0.0/"
	"24\"],"
	"\"remote_selectors\":[\"10.2.0.0/24\",\"10.3.0.0/"
	"24\"],\"encap\":\"none\",\"up_seconds\":0}],\"last_failure\":{"
	"\"phase\":2,\"exchange\":\"IKE_AUTH\",\"role\":\"responder\",\"reason\":\"no proposal chosen\",\"notify\":"
	"\"NO_PROPOSAL_CHOSEN\",\"ours\":\"AES-GCM-256\",\"theirs\":\"AES-CBC-128\",\"mismatch\":\"encryption: ours "
	"x\","
	"\"hint\":\"\",\"seconds_ago\":300.5},\"events\":[{\"time\":\"2026-01-01T00:00:00Z\",\"event\":\"failed\","
	"\"text\":\"why\"}]}]}";

static void test_render_tunnels_tells_both_phases(void)
{
	CU_ASSERT_TRUE(shows(COMMAND_SHOW_TUNNELS, tunnels, false, "paris: 192.0.2.1:500 -> 192.0.2.2:500"));
	CU_ASSERT_TRUE(shows(COMMAND_SHOW_TUNNELS, tunnels, false, "Phase 1  up 2 h 1 min"));
	CU_ASSERT_TRUE(shows(COMMAND_SHOW_TUNNELS, tunnels, false, "Phase 2  negotiating"));
	CU_ASSERT_TRUE(shows(COMMAND_SHOW_TUNNELS, tunnels, false, "10.1.0.0/24 === 10.2.0.0/24, 10.3.0.0/24"));
	CU_ASSERT_TRUE(shows(COMMAND_SHOW_TUNNELS, tunnels, false, "NAT in front of the peer"));
}

static void test_render_tunnels_names_the_protocol_of_a_child(void)
{
	static const char ah[] = "{\"tunnels\":[{\"name\":\"a\",\"phase1\":{},\"phase2\":[{\"name\":\"net\",\"state\":"
				 "\"up\",\"suite\":\"HMAC-SHA2-256-128\",\"spi_in\":\"0x01\",\"spi_out\":\"0x02\","
				 "\"protocol\":\"ah\",\"encap\":\"none\"}]}]}";

	CU_ASSERT_TRUE(shows(COMMAND_SHOW_TUNNELS, ah, false, "HMAC-SHA2-256-128  AH  SPI in 0x01 out 0x02"));
}

static void test_render_tunnels_tells_of_an_unanswered_request(void)
{
	static const char silent[] =
		"{\"tunnels\":[{\"name\":\"a\",\"phase1\":{\"state\":\"negotiating\",\"unanswered\":{\"exchange\":"
		"\"IKE_SA_INIT\",\"sent\":3,\"hint\":\"\"}},\"phase2\":[]}]}";

	CU_ASSERT_TRUE(shows(COMMAND_SHOW_TUNNELS, silent, false, "IKE_SA_INIT sent 3 times without an answer\n"));
}

static void test_render_tunnels_lists_every_child_of_an_entry(void)
{
	const char *json =
		"{\"tunnels\":[{\"name\":\"a\",\"phase1\":{},\"phase2\":[{\"name\":\"net\",\"state\":\"up\",\"spi_in\":"
		"\"0x1\",\"spi_out\":\"0x2\",\"others\":[{\"name\":\"net\",\"state\":\"up\",\"spi_in\":\"0x3\","
		"\"spi_out\":\"0x4\"}]}],\"last_failure\":null,\"events\":[]}]}";

	CU_ASSERT_TRUE(shows(COMMAND_SHOW_TUNNELS, json, false, "SPI in 0x1 out 0x2"));
	CU_ASSERT_TRUE(shows(COMMAND_SHOW_TUNNELS, json, false, "SPI in 0x3 out 0x4"));
}

static void test_render_tunnels_marks_the_mismatch(void)
{
	CU_ASSERT_TRUE(shows(COMMAND_SHOW_TUNNELS, tunnels, false,
		"5 min ago: Phase 2, IKE_AUTH as responder: no proposal chosen (NO_PROPOSAL_CHOSEN)"));
	CU_ASSERT_TRUE(shows(COMMAND_SHOW_TUNNELS, tunnels, false, "ours         AES-GCM-256"));
	CU_ASSERT_TRUE(shows(COMMAND_SHOW_TUNNELS, tunnels, false, "theirs       AES-CBC-128"));
	CU_ASSERT_TRUE(shows(COMMAND_SHOW_TUNNELS, tunnels, false, "--> mismatch     encryption: ours x"));
}

static void test_render_tunnels_gives_events_for_one_tunnel_only(void)
{
	char *text = rendered(COMMAND_SHOW_TUNNELS, tunnels, false);

	CU_ASSERT_PTR_NULL(strstr(text, "Events"));
	free(text);
	CU_ASSERT_TRUE(shows(COMMAND_SHOW_TUNNELS, tunnels, true, "Events   2026-01-01T00:00:00Z  failed"));
}

static void test_render_no_tunnels_points_to_manual_sas(void)
{
	CU_ASSERT_TRUE(shows(COMMAND_SHOW_TUNNELS, "{\"tunnels\":[],\"manual_sas\":2}", false,
		"no tunnels; 2 manual SAs: see show sas\n"));
	CU_ASSERT_TRUE(shows(COMMAND_SHOW_TUNNELS, "{\"tunnels\":[],\"manual_sas\":0}", false, "no tunnels\n"));
}

static void test_render_policies_in_a_table(void)
{
	CU_ASSERT_TRUE(shows(COMMAND_SHOW_POLICIES,
		"{\"policies\":[{\"number\":1,\"action\":\"protect\",\"target\":\"paris\",\"local\":[\"10.1.0.0/24\"],"
		"\"remote\":[\"10.2.0.0/24\"],\"policy\":null}],\"default\":\"discard\"}",
		false, " 1  protect  paris   10.1.0.0/24  10.2.0.0/24  -\n"));
}

static void test_render_table_aligns_columns(void)
{
	char *text = rendered(COMMAND_SHOW_ROUTES,
		"{\"routes\":[{\"prefix\":\"0.0.0.0/"
		"0\",\"via\":\"192.0.2.254\",\"interface\":\"wan\",\"kind\":\"static\"},"
		"{\"prefix\":\"10.100.100.0/24\",\"via\":null,\"interface\":\"lan\",\"kind\":\"connected\"}]}",
		false);

	CU_ASSERT_STRING_EQUAL(text, "PREFIX           VIA          INTERFACE  KIND\n"
				     "0.0.0.0/0        192.0.2.254  wan        static\n"
				     "10.100.100.0/24  -            lan        connected\n");
	free(text);
}

static void test_render_table_of_nothing_has_its_titles(void)
{
	char *text = rendered(COMMAND_SHOW_NEIGHBOURS, "{\"neighbours\":[]}", false);

	CU_ASSERT_STRING_EQUAL(text, "ADDRESS  INTERFACE  MAC  STATE\n");
	free(text);
}

static void test_render_sas_names_drops(void)
{
	CU_ASSERT_TRUE(shows(COMMAND_SHOW_SAS,
		"{\"sas\":[{\"name\":\"net\",\"drops\":{\"replayed\":4,\"bad_icv\":2},\"flags\":[]}]}", false,
		"replayed 4, bad_icv 2"));
	CU_ASSERT_TRUE(
		shows(COMMAND_SHOW_SAS, "{\"sas\":[{\"peer_id\":\"ann@example.net\"}]}", false, "ann@example.net"));
}

static const char rig_sas[] =
	"{\"sas\":[{\"name\":\"lab\",\"direction\":\"in\",\"spi\":\"0x00001001\",\"protocol\":\"ah\",\"mode\":"
	"\"transport\",\"weak\":\"a "
	"reason\","
	"\"manual\":true,\"replay_window\":128,\"lifetime\":{},\"tfc_padding\":0,\"outer\":{}},"
	"{\"name\":\"lab\",\"direction\":\"out\",\"protocol\":\"ah\",\"mode\":\"transport\",\"weak\":\"a reason\","
	"\"manual\":true,\"replay_window\":0,\"lifetime\":{\"soft_seconds\":1.5,\"hard_bytes\":99},\"tfc_padding\":"
	"\"mtu\","
	"\"outer\":{\"dscp\":46,\"df\":\"set\"},\"inner_mtu\":1446}]}";

/* Once for both directions, in a line of its own. */
static void test_render_sas_says_what_is_weak(void)
{
	char *text = rendered(COMMAND_SHOW_SAS, rig_sas, false);
	const char *line = strstr(text, "\nWEAK lab: a reason\n");

	CU_ASSERT_PTR_NOT_NULL_FATAL(line);
	CU_ASSERT_PTR_NULL(strstr(line + 1, "\nWEAK"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "ah     transport"));
	CU_ASSERT_PTR_NULL(strstr(text, "tfc_padding"));
	free(text);
	text = rendered(COMMAND_SHOW_SAS, "{\"sas\":[{\"name\":\"net\",\"direction\":\"in\",\"weak\":null}]}", false);
	CU_ASSERT_PTR_NULL(strstr(text, "WEAK"));
	free(text);
}

static void test_render_sas_of_one_name_has_its_settings(void)
{
	CU_ASSERT_TRUE(
		shows(COMMAND_SHOW_SAS, rig_sas, true, "in 0x00001001: replay_window 128; lifetime -; outer -\n"));
	CU_ASSERT_TRUE(shows(COMMAND_SHOW_SAS, rig_sas, true,
		"out -: lifetime soft_seconds 1.5, hard_bytes 99; tfc_padding mtu; outer dscp 46, df "
		"set; inner_mtu 1446\n"));
	CU_ASSERT_TRUE(shows(COMMAND_SHOW_SAS,
		"{\"sas\":[{\"direction\":\"in\",\"replay_window\":64,\"manual\":false,\"lifetime\":{},\"outer\":{}}]}",
		true, "in -: replay_window 64; outer -\n"));
}

static void test_render_counters_leaves_out_zero_drops(void)
{
	static const char json[] =
		"{\"totals\":{\"counters\":{\"rx_packets\":0},\"drops\":{\"no_sa\":3,\"ttl_exceeded\":0}},"
		"\"ike\":{\"received\":0,\"sent\":1},\"mbufs\":{\"size\":16384,\"free\":0}}";
	char *text = rendered(COMMAND_SHOW_COUNTERS, json, false);

	CU_ASSERT_PTR_NOT_NULL(strstr(text, "rx_packets"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "no_sa"));
	CU_ASSERT_PTR_NULL(strstr(text, "ttl_exceeded"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "mbufs   free                                    0\n"));
	CU_ASSERT_PTR_NULL(strstr(text, "received"));
	free(text);
}

static void test_render_survives_answers_without_members(void)
{
	for (int command = 0; command < COMMAND_COUNT; command++)
		free(rendered(command, "{}", true));
	free(rendered(COMMAND_SHOW_TUNNELS, "{\"tunnels\":[{}]}", true));
	free(rendered(COMMAND_SHOW_SAS, "{\"sas\":[5, null, {}]}", true));
	CU_PASS("no crash");
}

static void test_render_durations(void)
{
	char text[32];

	CU_ASSERT_STRING_EQUAL(elapsed_format(-5, text, sizeof(text)), "0 s");
	CU_ASSERT_STRING_EQUAL(elapsed_format(119, text, sizeof(text)), "119 s");
	CU_ASSERT_STRING_EQUAL(elapsed_format(600, text, sizeof(text)), "10 min");
	CU_ASSERT_STRING_EQUAL(elapsed_format(7260, text, sizeof(text)), "2 h 1 min");
	CU_ASSERT_STRING_EQUAL(elapsed_format(200000, text, sizeof(text)), "2 d 7 h");
}

/* ---- commands ---- */

static const struct command_row *look_up(const char *first, const char *second, int *ret_words)
{
	char *argv[] = { (char *)first, (char *)second, NULL };

	return command_lookup(second ? 2 : 1, argv, ret_words);
}

static void test_command_lookup_takes_whole_words(void)
{
	int words;
	const struct command_row *row = look_up("show", "sas", &words);

	CU_ASSERT_PTR_NOT_NULL_FATAL(row);
	CU_ASSERT_EQUAL(row->id, COMMAND_SHOW_SAS);
	CU_ASSERT_EQUAL(words, 2);
	row = look_up("initiate", "paris", &words);
	CU_ASSERT_PTR_NOT_NULL_FATAL(row);
	CU_ASSERT_EQUAL(row->id, COMMAND_INITIATE);
	CU_ASSERT_EQUAL(words, 1);
	CU_ASSERT_PTR_NULL(look_up("show", "sa", &words));
	CU_ASSERT_PTR_NULL(look_up("show", NULL, &words));
	CU_ASSERT_PTR_NULL(look_up("showsas", NULL, &words));
	CU_ASSERT_PTR_NULL(command_lookup(0, NULL, &words));
}

static const char *meant(const char *first, const char *second)
{
	char *argv[] = { (char *)first, (char *)second, NULL };
	const struct command_row *row = command_nearest(second ? 2 : 1, argv);

	return row ? row->words : "nothing";
}

static void test_command_nearest_guesses_mistakes(void)
{
	char long_word[300];

	CU_ASSERT_STRING_EQUAL(meant("shov", "version"), "show version");
	CU_ASSERT_STRING_EQUAL(meant("show", "tunnel"), "show tunnels");
	CU_ASSERT_STRING_EQUAL(meant("inititae", "paris"), "initiate");
	CU_ASSERT_STRING_EQUAL(meant("completely", "different"), "nothing");
	memset(long_word, 'x', sizeof(long_word) - 1);
	long_word[sizeof(long_word) - 1] = '\0';
	CU_ASSERT_STRING_EQUAL(meant(long_word, long_word), "nothing");
}

static void test_render_ports_name_their_drops(void)
{
	static const char ports[] = "{\"ports\":[{\"name\":\"lan\",\"drops\":{\"no_policy\":3,\"martian\":1}},"
				    "{\"name\":\"wan\",\"drops\":{}}]}";
	char *text = rendered(COMMAND_SHOW_PORTS, ports, false);

	CU_ASSERT_PTR_NOT_NULL(strstr(text, "drops of lan: no_policy 3, martian 1\n"));
	CU_ASSERT_PTR_NULL(strstr(text, "drops of wan"));
	free(text);
}

static void test_render_workers_over_two_spans(void)
{
	static const char workers[] =
		"{\"workers\":[{\"worker\":0,\"rx_queues\":2,\"buckets\":256,\"last_second\":{\"busy_percent\":12.5,"
		"\"packets\":10,\"cycles_per_packet\":900.0,\"measured\":{\"loops\":2,\"packets\":9,\"all\":850.5,"
		"\"cycles_per_packet\":{\"receive\":20.5,\"crypto\":310.0}}},\"since_start\":{\"busy_percent\":null,"
		"\"packets\":0}}]}";

	CU_ASSERT_TRUE(shows(COMMAND_SHOW_WORKERS, workers, false, "last second    12.5"));
	CU_ASSERT_TRUE(shows(COMMAND_SHOW_WORKERS, workers, false, "since start       -"));
	CU_ASSERT_TRUE(shows(COMMAND_SHOW_WORKERS, workers, false, "MEASURED  RECEIVE"));
	CU_ASSERT_TRUE(shows(COMMAND_SHOW_WORKERS, workers, false, "last second         9     20.5"));
	CU_ASSERT_TRUE(shows(COMMAND_SHOW_WORKERS, workers, false, "850.5"));
}

static void test_render_counters_of_each_worker(void)
{
	static const char counters[] =
		"{\"workers\":[{\"worker\":0,\"counters\":{\"rx_packets\":7},\"drops\":{\"no_sa\":2,\"ttl\":0}},"
		"{\"worker\":1,\"counters\":{\"rx_packets\":0},\"drops\":{}}],\"totals\":{\"counters\":{},\"drops\":{}}"
		"}";

	CU_ASSERT_TRUE(shows(COMMAND_SHOW_COUNTERS, counters, false, "w0      rx_packets"));
	CU_ASSERT_TRUE(shows(COMMAND_SHOW_COUNTERS, counters, false, "w0 drop no_sa"));
}

static void test_render_explain_ends_with_the_verdict(void)
{
	static const char answer[] =
		"{\"ways\":[{\"way\":\"in clear\",\"steps\":[{\"step\":\"leaving\",\"text\":\"no rule matches\"}],"
		"\"drop\":\"no_policy\",\"verdict\":\"would be dropped: no_policy (no policy matches)\"}]}";
	char *text = rendered(COMMAND_EXPLAIN, answer, true);

	CU_ASSERT_STRING_EQUAL(text, "in clear:\n  leaving       no rule matches\n"
				     "would be dropped: no_policy (no policy matches)\n");
	free(text);
}

static void test_render_trace_a_block_a_packet(void)
{
	static const char answer[] =
		"{\"running\":false,\"packets\":[{\"packet\":1,\"cycles\":250,\"steps\":["
		"{\"worker\":0,\"stage\":\"received\",\"text\":\"on lan, 98 bytes\",\"cycles\":0},"
		"{\"worker\":1,\"stage\":\"taken\",\"text\":\"\",\"cycles\":250}]}],\"lost\":0,\"cycles_per_us\":2600}";
	char *text = rendered(COMMAND_TRACE_SHOW, answer, false);

	CU_ASSERT_STRING_EQUAL(text, "packet 1: 250 cycles\n"
				     "  worker 0          +0  received   on lan, 98 bytes\n"
				     "  worker 1        +250  taken      \n"
				     "1 packet, 0 records lost, stopped; 2600 cycles are a us\n");
	free(text);
}

static const struct test tests[] = {
	TEST(test_render_explain_ends_with_the_verdict),
	TEST(test_render_trace_a_block_a_packet),
	TEST(test_render_ports_name_their_drops),
	TEST(test_render_workers_over_two_spans),
	TEST(test_render_counters_of_each_worker),
	TEST(test_render_tunnels_tells_both_phases),
	TEST(test_render_tunnels_lists_every_child_of_an_entry),
	TEST(test_render_tunnels_names_the_protocol_of_a_child),
	TEST(test_render_tunnels_tells_of_an_unanswered_request),
	TEST(test_render_tunnels_marks_the_mismatch),
	TEST(test_render_tunnels_gives_events_for_one_tunnel_only),
	TEST(test_render_no_tunnels_points_to_manual_sas),
	TEST(test_render_policies_in_a_table),
	TEST(test_render_table_aligns_columns),
	TEST(test_render_table_of_nothing_has_its_titles),
	TEST(test_render_sas_names_drops),
	TEST(test_render_sas_says_what_is_weak),
	TEST(test_render_sas_of_one_name_has_its_settings),
	TEST(test_render_counters_leaves_out_zero_drops),
	TEST(test_render_survives_answers_without_members),
	TEST(test_render_durations),
	TEST(test_command_lookup_takes_whole_words),
	TEST(test_command_nearest_guesses_mistakes),
};

int main(int argc, char **argv)
{
	return test_main("control", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
