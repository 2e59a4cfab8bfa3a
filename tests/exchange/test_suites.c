/* SPDX-License-Identifier: BSD-3-Clause */
/* Exchange tests of algorithms: every row of the table negotiated and used, groups changed on the way, and public
 * values that RFC 6989 and RFC 8031 want refused, sent by either side. */
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

/* Up with four messages, and the keys of a Child SA agree: those come from every part of the suite. */
static void check_suite(const char *ike, const char *esp)
{
	struct wire w;
	bool good;

	start_with(&w, ike, esp);
	good = wire_run_until_up(&w, 5 * S) && wire_story_is(&w, STORY);
	if (!good)
		printf("# %s / %s\n", ike, esp);
	CU_ASSERT_TRUE(good);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* Runs the check with the proposal of each row of a type that a protocol uses; %s stands for its keyword. Returns how
 * many. */
static int each_row(enum transform_type type, uint16_t usable, const char *aead_or_any, const char *classic,
	void (*check)(const char *proposal))
{
	char text[128];
	int count = 0;

	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a)) {
		if (a->type != type || !(a->flags & usable))
			continue;
		bool alone = type != TRANSFORM_ENCR || (a->flags & ALG_AEAD);
		const char *tail = alone ? aead_or_any : classic;
		const char *at = strchr(tail, '*');
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - tail), tail, a->keyword, at + 1);
		check(text);
		count++;
	}
	return count;
}

static void check_ike(const char *proposal)
{
	check_suite(proposal, "aes128gcm16");
}

static void check_esp(const char *proposal)
{
	check_suite("aes128gcm16-prfsha256-x25519", proposal);
}

static void test_suites_of_every_ike_cipher(void)
{
	CU_ASSERT_EQUAL(each_row(TRANSFORM_ENCR, ALG_IKE, "*-prfsha256-x25519", "*-sha256-x25519", check_ike), 26);
}

static void test_suites_of_every_ike_integrity(void)
{
	CU_ASSERT_EQUAL(each_row(TRANSFORM_INTEG, ALG_IKE, "aes128-*-prfsha256-x25519", "", check_ike), 5);
	/* the PRF that each brings along */
	CU_ASSERT_EQUAL(each_row(TRANSFORM_INTEG, ALG_IKE, "aes256ctr-*-x25519", "", check_ike), 5);
}

static void test_suites_of_every_prf(void)
{
	CU_ASSERT_EQUAL(each_row(TRANSFORM_PRF, ALG_IKE, "aes256gcm16-*-x25519", "", check_ike), 5);
	CU_ASSERT_EQUAL(each_row(TRANSFORM_PRF, ALG_IKE, "aes256-sha512-*-ecp256", "", check_ike), 5);
}

static void test_suites_of_every_group(void)
{
	CU_ASSERT_EQUAL(each_row(TRANSFORM_KE, ALG_IKE, "aes128gcm16-prfsha256-*", "", check_ike), 16);
}

static void test_suites_of_every_esp_cipher(void)
{
	CU_ASSERT_EQUAL(each_row(TRANSFORM_ENCR, ALG_ESP, "*", "*-sha256", check_esp), 33);
}

static void test_suites_of_every_esp_integrity(void)
{
	CU_ASSERT_EQUAL(each_row(TRANSFORM_INTEG, ALG_ESP, "aes128-*", "", check_esp), 6);
}

/* RFC 7296 3.3: a combined-mode suite and a classic one are two proposals; the responder takes what it has. */
static void test_suites_combined_and_classic_side_by_side(void)
{
	struct wire w;

	start_with(&w, "aes256gcm16-prfsha384-x25519,aes256-sha256-modp2048", "aes256gcm16,aes256-sha256");
	proposals_set(&w.b.profiles[0].proposals, PROTOCOL_IKE, "aes256-sha256-modp2048");
	proposals_set(&w.b.profiles[0].children[0].proposals, PROTOCOL_ESP, "aes256-sha256");
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_STRING_EQUAL(node_status(&w.b, 0).suite, "AES-CBC-256/HMAC-SHA2-256-128/PRF-HMAC-SHA2-256/MODP-2048");
	CU_ASSERT_TRUE(wire_done(&w));
}

/* X448 has number 32: nothing counts groups in 32 bits. */
static void test_suites_retry_leads_to_group_32(void)
{
	struct wire w;

	start_with(&w, "aes128gcm16-prfsha256-modp2048-x448", "aes128gcm16");
	proposals_set(&w.b.profiles[0].proposals, PROTOCOL_IKE, "aes128gcm16-prfsha256-x448");
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_REFUSED], 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_suites_weak_one_is_shown(void)
{
	struct wire w;

	start_with(&w, "3des-sha1-modp1024", "aes128gcm16");
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_PTR_NOT_NULL(strstr(node_status(&w.a, 0).weak, "3DES-CBC should not be used"));
	CU_ASSERT_PTR_NOT_NULL(strstr(node_status(&w.a, 0).weak, "MODP-1024 is within reach"));
	CU_ASSERT_TRUE(wire_done(&w));
	start_with(&w, "aes128gcm16-prfsha256-x25519", "aes128gcm16");
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_STRING_EQUAL(node_status(&w.a, 0).weak, "");
	CU_ASSERT_TRUE(wire_done(&w));
}

/* ---- public values that are refused ---- */

enum bad_value { VALUE_ZERO, VALUE_ONE, VALUE_ALL_ONES, VALUE_BIT_FLIPPED, VALUE_SHORT, BAD_VALUES };

struct spoiler {
	struct node *from;
	enum bad_value kind;
	uint8_t copy[4096];
	unsigned count;
};

static void spoil_value(uint8_t *value, size_t len, enum bad_value kind)
{
	if (kind == VALUE_BIT_FLIPPED)
		value[len - 1] ^= 1;
	else if (kind != VALUE_SHORT)
		memset(value, kind == VALUE_ALL_ONES ? 0xff : 0, len);
	if (kind == VALUE_ONE)
		value[len - 1] = 1;
}

static bool spoil_key(struct wire *w, struct packet *p, void *argument)
{
	struct spoiler *s = argument;
	struct message m;
	struct wire_error error;

	(void)w;
	if (p->from != s->from || p->len > sizeof(s->copy) || p->data[18] != IKE_SA_INIT)
		return true;
	memcpy(s->copy, p->data, p->len);
	if (message_decode(BYTES(s->copy, p->len), &m, &error) || !message_find(&m, PAYLOAD_KE))
		return true;
	for (int i = 0; i < m.count; i++)
		if (m.payloads[i].type == PAYLOAD_KE) {
			struct bytes *value = &m.payloads[i].ke.data;
			spoil_value(s->copy + (value->data - s->copy), value->len, s->kind);
			value->len -= s->kind == VALUE_SHORT;
		}
	struct writer out = writer_init(p->data, p->len);
	CU_ASSERT_EQUAL(message_encode(&m, &out), 0);
	p->len = out.len;
	s->count++;
	return true;
}

/* Flipping a bit of a number or of an x-only point makes another good one: only a curve notices. */
static bool refused_by(const struct alg *group, enum bad_value kind)
{
	bool curve = group->key_bytes == 2 * group->out_bytes, x_only = group->id >= KE_CURVE25519;

	if (kind == VALUE_BIT_FLIPPED)
		return curve;
	/* big-endian one: a point like any other; all ones: X25519 takes it modulo p, and X448's is p - 1 + 2^224 */
	return !(x_only && (kind == VALUE_ONE || kind == VALUE_ALL_ONES));
}

static void check_refusal(const struct alg *group, enum bad_value kind, bool from_initiator)
{
	struct spoiler s = { .kind = kind };
	struct wire w;
	char ike[64];

	snprintf(ike, sizeof(ike), "aes128gcm16-prfsha256-%s", group->keyword);
	start_with(&w, ike, "aes128gcm16");
	s.from = from_initiator ? &w.a : &w.b;
	w.filter = spoil_key;
	w.filter_argument = &s;
	wire_run(&w, 20 * S);
	CU_ASSERT_TRUE(s.count > 0);
	CU_ASSERT_FALSE(wire_up(&w));
	CU_ASSERT_EQUAL(w.a.installs + w.b.installs, 0);
	/* and the peer's next try with a good value is as good as ever */
	w.filter = NULL;
	CU_ASSERT_TRUE(wire_run_until_up(&w, 120 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void check_refusals(bool from_initiator)
{
	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a))
		for (int kind = 0; a->type == TRANSFORM_KE && kind < BAD_VALUES; kind++)
			if (refused_by(a, (enum bad_value)kind))
				check_refusal(a, (enum bad_value)kind, from_initiator);
}

static void test_suites_bad_values_of_the_initiator_are_refused(void)
{
	check_refusals(true);
}

static void test_suites_bad_values_of_the_responder_are_refused(void)
{
	check_refusals(false);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_suites_of_every_ike_cipher),
		TEST(test_suites_of_every_ike_integrity),
		TEST(test_suites_of_every_prf),
		TEST(test_suites_of_every_group),
		TEST(test_suites_of_every_esp_cipher),
		TEST(test_suites_of_every_esp_integrity),
		TEST(test_suites_combined_and_classic_side_by_side),
		TEST(test_suites_retry_leads_to_group_32),
		TEST(test_suites_weak_one_is_shown),
		TEST(test_suites_bad_values_of_the_initiator_are_refused),
		TEST(test_suites_bad_values_of_the_responder_are_refused),
	};

	return test_main("exchange", tests, ARRAY_LEN(tests), argc, argv);
}
