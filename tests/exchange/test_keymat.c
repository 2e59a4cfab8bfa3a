/* SPDX-License-Identifier: BSD-3-Clause */
/* Keys and AUTH of one IKE SA against an independent computation (data/keymat.txt), each part and each side. */
#include "harness.h"

#include <stdlib.h>

#include "fake_wire.h"
#include "v2/v2.h"

#define KEYS_MAX 24

struct vector {
	size_t count;
	char key[KEYS_MAX][24], value[KEYS_MAX][600];
	uint8_t data[KEYS_MAX][300];
	size_t len[KEYS_MAX];
};

static void vector_add(struct vector *v, const char *key, const char *value)
{
	int n = hex_decode(value, v->data[v->count], sizeof(v->data[0]));

	snprintf(v->key[v->count], sizeof(v->key[0]), "%s", key);
	snprintf(v->value[v->count], sizeof(v->value[0]), "%s", value);
	v->len[v->count++] = n > 0 ? (size_t)n : 0;
}

/* The next case of the file; false at its end. */
static bool vector_read(FILE *f, struct vector *v)
{
	char line[700], key[24], value[600];

	v->count = 0;
	while (fgets(line, sizeof(line), f)) {
		value[0] = '\0';
		if (line[0] == '\n' && v->count)
			break;
		/* a suite without integrity keys has empty values */
		if (line[0] != '#' && sscanf(line, "%23s = %599s", key, value) >= 1 && v->count < KEYS_MAX)
			vector_add(v, key, value);
	}
	return v->count > 0;
}

static struct bytes get(const struct vector *v, const char *key)
{
	for (size_t i = 0; i < v->count; i++)
		if (!strcmp(v->key[i], key))
			return BYTES(v->data[i], v->len[i]);
	return BYTES_NONE;
}

static const char *text_of(const struct vector *v, const char *key)
{
	for (size_t i = 0; i < v->count; i++)
		if (!strcmp(v->key[i], key))
			return v->value[i];
	return "";
}

static uint8_t *copy_of(struct bytes b)
{
	uint8_t *copy = malloc(b.len);

	memcpy(copy, b.data, b.len);
	return copy;
}

/* An IKE SA of a node in the middle of its handshake, with the vector's values. */
static struct ike_sa *sa_of(struct node *n, const struct vector *v, bool initiator)
{
	struct ike_sa *sa = ike_sa_create(n->engine, &n->engine->tunnels[0], initiator, 1);
	struct handshake *h = sa->handshake;
	struct proposal p;
	const char *word, *reason;
	size_t len;

	CU_ASSERT_EQUAL(proposal_parse(PROTOCOL_IKE, text_of(v, "ike"), &p, &word, &len, &reason), 0);
	suite_of_proposal(&p, &sa->suite);
	sa->spi_i = load_be64(get(v, "spi_i").data);
	sa->spi_r = load_be64(get(v, "spi_r").data);
	n->known[0].spi = sa_our_spi(sa); /* the host goes along */
	h->nonce_i_len = h->nonce_r_len = 32;
	memcpy(h->nonce_i, get(v, "ni").data, 32);
	memcpy(h->nonce_r, get(v, "nr").data, 32);
	struct bytes ours = get(v, initiator ? "message_i" : "message_r");
	struct bytes theirs = get(v, initiator ? "message_r" : "message_i");
	h->init_ours = copy_of(ours);
	h->init_ours_len = ours.len;
	h->init_peers = copy_of(theirs);
	h->init_peers_len = theirs.len;
	CU_ASSERT_EQUAL(keymat_derive(n->engine, sa, get(v, "shared")), 0);
	return sa;
}

static void check_parts(const struct ike_sa *sa, const struct vector *v)
{
	static const char *const names[KEY_PARTS] = { "sk_d", "sk_ai", "sk_ar", "sk_ei", "sk_er", "sk_pi", "sk_pr" };

	for (int i = 0; i < KEY_PARTS; i++)
		CU_ASSERT_TRUE(bytes_equal(keymat_part(sa, (enum key_part)i), get(v, names[i])));
}

static void check_child(struct node *n, const struct ike_sa *sa, const struct vector *v)
{
	struct sa_spec in = { 0 }, out = { 0 };
	struct proposal p;
	struct suite suite;
	const char *word, *reason;
	size_t len;

	CU_ASSERT_EQUAL(proposal_parse(PROTOCOL_ESP, text_of(v, "esp"), &p, &word, &len, &reason), 0);
	suite_of_proposal(&p, &suite);
	const struct handshake *h = sa->handshake;
	struct keymat_input k = { .initiator = sa->initiator,
		.nonce_i = BYTES(h->nonce_i, h->nonce_i_len),
		.nonce_r = BYTES(h->nonce_r, h->nonce_r_len) };
	CU_ASSERT_EQUAL(keymat_child(n->engine, sa, &k, &suite, &in, &out), 0);
	struct bytes from_i = get(v, "child_from_initiator"), from_r = get(v, "child_from_responder");
	CU_ASSERT_TRUE(bytes_equal(secret_view(&in.encr_key), sa->initiator ? from_r : from_i));
	CU_ASSERT_TRUE(bytes_equal(secret_view(&out.encr_key), sa->initiator ? from_i : from_r));
	sa_spec_done(&in);
	sa_spec_done(&out);
}

static void check_auth(struct node *n, const struct ike_sa *sa, const struct vector *v)
{
	struct tunnel_profile *p = &n->profiles[0];
	uint8_t body_i[] = "\2\0\0\0a.example.net", body_r[] = "\2\0\0\0b.example.net", data[AUTH_DATA_MAX], method;
	struct auth_input of_i = { true, &p->local_id, &p->remote_id, BYTES(body_i, sizeof(body_i) - 1) };
	struct auth_input of_r = { false, &p->local_id, &p->remote_id, BYTES(body_r, sizeof(body_r) - 1) };
	size_t len;

	CU_ASSERT_EQUAL(auth_sign(n->engine, sa, sa->initiator ? &of_i : &of_r, &method, data, &len), 0);
	CU_ASSERT_EQUAL(method, 2);
	CU_ASSERT_TRUE(bytes_equal(BYTES(data, len), get(v, sa->initiator ? "auth_i" : "auth_r")));
	struct bytes theirs = get(v, sa->initiator ? "auth_r" : "auth_i");
	const struct auth_input *in = sa->initiator ? &of_r : &of_i;
	CU_ASSERT_EQUAL(auth_verify(n->engine, sa, in, 2, theirs), 0);
	CU_ASSERT_NOT_EQUAL(auth_verify(n->engine, sa, in, 2, BYTES(theirs.data, theirs.len - 1)), 0);
	CU_ASSERT_NOT_EQUAL(auth_verify(n->engine, sa, in, 2, get(v, sa->initiator ? "auth_i" : "auth_r")), 0);
	CU_ASSERT_NOT_EQUAL(auth_verify(n->engine, sa, in, 1, theirs), 0);
}

static void for_each_vector(void (*check)(struct node *n, const struct ike_sa *sa, const struct vector *v))
{
	FILE *f = fopen(DATA_DIR "/keymat.txt", "r");
	static struct vector v;
	unsigned cases = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	while (vector_read(f, &v)) {
		struct wire w;
		wire_init(&w, 1);
		wire_start(&w);
		check(&w.a, sa_of(&w.a, &v, true), &v);
		check(&w.b, sa_of(&w.b, &v, false), &v);
		CU_ASSERT_TRUE(wire_done(&w));
		cases++;
	}
	fclose(f);
	CU_ASSERT_EQUAL(cases, 4);
}

static void check_sk(struct node *n, const struct ike_sa *sa, const struct vector *v)
{
	(void)n;
	check_parts(sa, v);
}

static void test_keymat_sk_parts_match_independent_values(void)
{
	for_each_vector(check_sk);
}

static void test_keymat_child_keys_match_independent_values(void)
{
	for_each_vector(check_child);
}

static void test_auth_psk_matches_independent_values(void)
{
	for_each_vector(check_auth);
}

static const struct test tests[] = {
	TEST(test_keymat_sk_parts_match_independent_values),
	TEST(test_keymat_child_keys_match_independent_values),
	TEST(test_auth_psk_matches_independent_values),
};

int main(int argc, char **argv)
{
	return test_main("exchange", tests, ARRAY_LEN(tests), argc, argv);
}
