/* SPDX-License-Identifier: BSD-3-Clause */
/* Exchange tests: the handshake when everything goes well: each suite, both SAs pair up, the story of the messages. */
#include "harness.h"

#include "fake_wire.h"

#define STORY                                                                                                          \
	"A IKE_SA_INIT request 0\n"                                                                                    \
	"B IKE_SA_INIT response 0\n"                                                                                   \
	"A IKE_AUTH request 1\n"                                                                                       \
	"B IKE_AUTH response 1\n"

static void start_with(struct wire *w, const char *ike, const char *esp)
{
	wire_init(w, 1);
	proposals_set(&w->a.profiles[0].proposals, PROTOCOL_IKE, ike);
	proposals_set(&w->b.profiles[0].proposals, PROTOCOL_IKE, ike);
	proposals_set(&w->a.profiles[0].children[0].proposals, PROTOCOL_ESP, esp);
	proposals_set(&w->b.profiles[0].children[0].proposals, PROTOCOL_ESP, esp);
	wire_start(w);
}

static void check_suite(const char *ike, const char *esp)
{
	struct wire w;

	start_with(&w, ike, esp);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(wire_story_is(&w, STORY));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_handshake_gcm256_x25519(void)
{
	check_suite("aes256gcm16-prfsha384-x25519", "aes256gcm16");
}

static void test_handshake_gcm128_x25519(void)
{
	check_suite("aes128gcm16-prfsha256-x25519", "aes128gcm16");
}

static void test_handshake_gcm128_ecp256(void)
{
	check_suite("aes128gcm16-prfsha256-ecp256", "aes128gcm16");
}

static void test_handshake_gcm256_ecp384(void)
{
	check_suite("aes256gcm16-prfsha512-ecp384", "aes256gcm16");
}

static void test_handshake_gcm128_modp2048(void)
{
	check_suite("aes128gcm16-prfsha256-modp2048", "aes128gcm16");
}

static void test_handshake_cbc128_sha256_x25519(void)
{
	check_suite("aes128-sha256-x25519", "aes128gcm16");
}

static void test_handshake_cbc192_sha384_ecp384(void)
{
	check_suite("aes192-sha384-ecp384", "aes256gcm16");
}

static void test_handshake_cbc256_sha512_ecp256(void)
{
	check_suite("aes256-sha512-ecp256", "aes256gcm16");
}

static void test_handshake_cbc256_sha256_modp2048(void)
{
	check_suite("aes256-sha256-modp2048", "aes128gcm16");
}

static void test_handshake_specs_mirror_each_other(void)
{
	struct wire w;

	start_with(&w, "aes256gcm16-prfsha384-x25519", "aes256gcm16");
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	const struct pair *a = node_pair(&w.a), *b = node_pair(&w.b);
	CU_ASSERT_EQUAL(a->in.spi, b->out.spi);
	CU_ASSERT_EQUAL(a->out.spi, b->in.spi);
	CU_ASSERT_TRUE(a->in.natt && b->in.natt);
	CU_ASSERT_EQUAL(a->in.encr_key.len, 36);
	CU_ASSERT_FALSE(bytes_equal(secret_view(&a->in.encr_key), secret_view(&a->out.encr_key)));
	CU_ASSERT_EQUAL(a->out.path.encap, SA_ENCAP_NONE);
	CU_ASSERT_TRUE(addr_equal(&a->out.path.remote.addr, &w.b.inside));
	CU_ASSERT_STRING_EQUAL(a->in.name, "paris/net");
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_handshake_prefers_esn(void)
{
	struct wire w;

	start_with(&w, "aes256gcm16-prfsha384-x25519", "aes128gcm16");
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(node_pair(&w.a)->in.esn && node_pair(&w.b)->in.esn);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_handshake_falls_back_to_no_esn(void)
{
	struct wire w;

	wire_init(&w, 2);
	proposals_set(&w.b.profiles[0].children[0].proposals, PROTOCOL_ESP, "aes128gcm16-noesn");
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_FALSE(node_pair(&w.a)->in.esn || node_pair(&w.b)->in.esn);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_handshake_drops_pfs_group_of_first_child(void)
{
	struct wire w;

	start_with(&w, "aes256gcm16-prfsha384-x25519", "aes128gcm16-x25519");
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_handshake_second_proposal_is_chosen(void)
{
	struct wire w;

	wire_init(&w, 3);
	proposals_set(&w.a.profiles[0].proposals, PROTOCOL_IKE, "aes128-sha256-x25519,aes256gcm16-prfsha384-x25519");
	wire_start(&w);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	struct ike_tunnel_status s = node_status(&w.a, 0);
	CU_ASSERT_STRING_EQUAL(s.suite, "AES-GCM-256/PRF-HMAC-SHA2-384/CURVE25519");
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_handshake_status_tells_both_phases(void)
{
	struct wire w;

	start_with(&w, "aes256gcm16-prfsha384-x25519", "aes128gcm16");
	struct ike_tunnel_status s = node_status(&w.a, 0);
	CU_ASSERT_EQUAL(s.phase1, PHASE_DOWN);
	wire_run(&w, 1);
	s = node_status(&w.a, 0);
	CU_ASSERT_EQUAL(s.phase1, PHASE_NEGOTIATING);
	CU_ASSERT_EQUAL(s.children[0].state, PHASE_NEGOTIATING);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	s = node_status(&w.a, 0);
	struct ike_tunnel_status r = node_status(&w.b, 0);
	CU_ASSERT_EQUAL(s.phase1, PHASE_UP);
	CU_ASSERT_EQUAL(s.children[0].state, PHASE_UP);
	CU_ASSERT_TRUE(s.initiator && !r.initiator);
	CU_ASSERT_EQUAL(s.spi_i, r.spi_i);
	CU_ASSERT_EQUAL(s.spi_r, r.spi_r);
	CU_ASSERT_EQUAL(s.spi_i >> 48, 1);
	CU_ASSERT_STRING_EQUAL(s.remote_id, "b.example.net");
	CU_ASSERT_EQUAL(s.children[0].spi_in, r.children[0].spi_out);
	CU_ASSERT_EQUAL(s.failure.phase, 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_handshake_late_jobs_change_nothing(void)
{
	struct wire w;

	wire_init(&w, 4);
	w.job_delay_ns = 3 * S;
	wire_start(&w);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 30 * S));
	CU_ASSERT_EQUAL(w.b.installs, 1);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_STARTED], 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_handshake_trap_starts_on_acquire(void)
{
	struct wire w;

	wire_init(&w, 5);
	w.a.profiles[0].children[0].start = START_TRAP;
	wire_start(&w);
	wire_run(&w, 20 * S);
	CU_ASSERT_STRING_EQUAL(w.story, "");
	node_command(&w.a, IKE_ACQUIRE, 0);
	node_command(&w.a, IKE_ACQUIRE, 0);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(wire_story_is(&w, STORY));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_handshake_respond_starts_on_command(void)
{
	struct wire w;

	wire_init(&w, 6);
	w.a.profiles[0].children[0].start = START_RESPOND;
	wire_start(&w);
	node_command(&w.b, IKE_INITIATE, 0);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(node_status(&w.b, 0).initiator);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_handshake_responder_accepts_any_address_and_identity(void)
{
	struct wire w;

	wire_init(&w, 7);
	w.b.profiles[0].remote_addr = (struct addr){ 0 };
	w.b.profiles[0].remote_id = (struct identity){ 0 };
	wire_start(&w);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_STRING_EQUAL(node_status(&w.b, 0).remote_id, "a.example.net");
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_handshake_switches_profile_by_identity(void)
{
	struct wire w;

	wire_init(&w, 8);
	w.b.profiles[1] = w.b.profiles[0];
	w.b.profile_count = 2;
	identity_parse("somebody.else.example", &w.b.profiles[0].remote_id);
	wire_start(&w);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_EQUAL(node_status(&w.b, 0).phase1, PHASE_DOWN);
	CU_ASSERT_EQUAL(node_status(&w.b, 1).phase1, PHASE_UP);
	CU_ASSERT_EQUAL(node_pair(&w.b)->tunnel, 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_handshake_key_id_and_mail_identities(void)
{
	struct wire w;

	wire_init(&w, 9);
	identity_parse("keyid:0x0102", &w.a.profiles[0].local_id);
	identity_parse("keyid:0x0102", &w.b.profiles[0].remote_id);
	identity_parse("admin@b.example.net", &w.b.profiles[0].local_id);
	identity_parse("admin@B.example.net", &w.a.profiles[0].remote_id);
	wire_start(&w);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_handshake_second_initiate_does_nothing(void)
{
	struct wire w;

	wire_init(&w, 10);
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	node_command(&w.a, IKE_INITIATE, 0);
	node_command(&w.a, IKE_INITIATE, 99);
	wire_run(&w, 5 * S);
	CU_ASSERT_TRUE(wire_story_is(&w, STORY));
	CU_ASSERT_TRUE(wire_done(&w));
}

static const struct test tests[] = {
	TEST(test_handshake_gcm256_x25519),
	TEST(test_handshake_gcm128_x25519),
	TEST(test_handshake_gcm128_ecp256),
	TEST(test_handshake_gcm256_ecp384),
	TEST(test_handshake_gcm128_modp2048),
	TEST(test_handshake_cbc128_sha256_x25519),
	TEST(test_handshake_cbc192_sha384_ecp384),
	TEST(test_handshake_cbc256_sha512_ecp256),
	TEST(test_handshake_cbc256_sha256_modp2048),
	TEST(test_handshake_specs_mirror_each_other),
	TEST(test_handshake_prefers_esn),
	TEST(test_handshake_falls_back_to_no_esn),
	TEST(test_handshake_drops_pfs_group_of_first_child),
	TEST(test_handshake_second_proposal_is_chosen),
	TEST(test_handshake_status_tells_both_phases),
	TEST(test_handshake_late_jobs_change_nothing),
	TEST(test_handshake_trap_starts_on_acquire),
	TEST(test_handshake_respond_starts_on_command),
	TEST(test_handshake_responder_accepts_any_address_and_identity),
	TEST(test_handshake_switches_profile_by_identity),
	TEST(test_handshake_key_id_and_mail_identities),
	TEST(test_handshake_second_initiate_does_nothing),
};

int main(int argc, char **argv)
{
	return test_main("exchange", tests, ARRAY_LEN(tests), argc, argv);
}
