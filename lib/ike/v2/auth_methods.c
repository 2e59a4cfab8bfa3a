/* SPDX-License-Identifier: BSD-3-Clause */
/* Ways to prove an identity in IKE_AUTH (RFC 7296 2.15): one row each. Today the pre-shared key. */
#include <errno.h>

#include "v2.h"

/* The octets one side signs are RealMessage | the other's nonce | prf(SK_p, its ID payload). */
static int octets_collect(struct ike_engine *e, const struct ike_sa *sa, const struct auth_input *in,
	struct bytes ret_parts[3], uint8_t *ret_maced_id)
{
	const struct handshake *h = sa->handshake;
	bool ours = in->of_initiator == sa->initiator;

	ret_parts[0] = ours ? BYTES(h->init_ours, h->init_ours_len) : BYTES(h->init_peers, h->init_peers_len);
	ret_parts[1] = in->of_initiator ? BYTES(h->nonce_r, h->nonce_r_len) : BYTES(h->nonce_i, h->nonce_i_len);
	ret_parts[2] = BYTES(ret_maced_id, sa->suite.prf->out_bytes);
	return prf_compute(e->crypto, sa->suite.prf, keymat_part(sa, in->of_initiator ? KEY_PI : KEY_PR), &in->id_body,
		1, ret_maced_id);
}

/* prf(prf(PSK, "Key Pad for IKEv2"), octets) */
static int psk_compute(struct ike_engine *e, const struct ike_sa *sa, const struct auth_input *in, uint8_t *ret_data)
{
	static const char pad[] = "Key Pad for IKEv2";
	const struct alg *prf = sa->suite.prf;
	struct bytes pad_part = BYTES(pad, sizeof(pad) - 1), parts[3];
	uint8_t maced_id[PRF_OUT_MAX], key[PRF_OUT_MAX];
	struct secret psk = { 0 };

	if (e->host.psk_lookup(e->host.context, in->local, in->remote, &psk))
		return -ENOENT;
	int err = octets_collect(e, sa, in, parts, maced_id);
	if (!err)
		err = prf_compute(e->crypto, prf, secret_view(&psk), &pad_part, 1, key);
	if (!err)
		err = prf_compute(e->crypto, prf, BYTES(key, prf->out_bytes), parts, ARRAY_LEN(parts), ret_data);
	secret_done(&psk);
	secret_wipe(key, sizeof(key));
	return err;
}

static int psk_sign(
	struct ike_engine *e, const struct ike_sa *sa, const struct auth_input *in, uint8_t *ret_data, size_t *ret_len)
{
	*ret_len = sa->suite.prf->out_bytes;
	return psk_compute(e, sa, in, ret_data);
}

static int psk_verify(struct ike_engine *e, const struct ike_sa *sa, const struct auth_input *in, struct bytes data)
{
	uint8_t expected[PRF_OUT_MAX];
	int err = psk_compute(e, sa, in, expected);

	if (!err && (data.len != sa->suite.prf->out_bytes || !secret_equal(data.data, expected, data.len)))
		err = -EBADMSG;
	secret_wipe(expected, sizeof(expected));
	return err;
}

static const struct auth_row {
	enum auth_method method; /* of the profile */
	uint8_t number;          /* RFC 7296 3.8 */
	int (*sign)(struct ike_engine *e, const struct ike_sa *sa, const struct auth_input *in, uint8_t *ret_data,
		size_t *ret_len);
	int (*verify)(struct ike_engine *e, const struct ike_sa *sa, const struct auth_input *in, struct bytes data);
} rows[] = {
	{ AUTH_PSK, 2, psk_sign, psk_verify },
};

static const struct auth_row *row_lookup(enum auth_method method)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].method == method)
			return &rows[i];
	return NULL;
}

int auth_sign(struct ike_engine *e, const struct ike_sa *sa, const struct auth_input *in, uint8_t *ret_method,
	uint8_t *ret_data, size_t *ret_len)
{
	const struct auth_row *row = row_lookup(sa->tunnel->profile->local_auth);

	if (!row)
		return -EPROTONOSUPPORT;
	*ret_method = row->number;
	return row->sign(e, sa, in, ret_data, ret_len);
}

int auth_verify(
	struct ike_engine *e, const struct ike_sa *sa, const struct auth_input *in, uint8_t method, struct bytes data)
{
	const struct auth_row *row = row_lookup(sa->tunnel->profile->remote_auth);

	if (!row || row->number != method)
		return -EPROTONOSUPPORT;
	return row->verify(e, sa, in, data);
}
