/* SPDX-License-Identifier: BSD-3-Clause */
/* Key derivation of RFC 7296: SKEYSEED and the seven SK keys, and the keys of a Child SA. Keys live in struct secret
 * only. */
#include "ike_priv.h"

#include <errno.h>

/* Bytes of each part, in the order prf+ yields them (RFC 7296 2.14). */
static size_t part_bytes(const struct suite *s, enum key_part part)
{
	switch (part) {
	case KEY_AI:
	case KEY_AR: return s->integ ? (size_t)s->integ->key_bytes + s->integ->salt_bytes : 0;
	case KEY_EI:
	case KEY_ER: return s->encr ? (size_t)s->encr->key_bytes + s->encr->salt_bytes : 0;
	default: return s->prf->key_bytes;
	}
}

static size_t part_offset(const struct suite *s, enum key_part part)
{
	size_t offset = 0;

	for (int i = 0; i < (int)part; i++)
		offset += part_bytes(s, (enum key_part)i);
	return offset;
}

struct bytes keymat_part(const struct ike_sa *sa, enum key_part part)
{
	return BYTES(sa->keys.data + part_offset(&sa->suite, part), part_bytes(&sa->suite, part));
}

/* The first bytes of both nonces: the key SKEYSEED is made with (RFC 7296 2.14). */
static size_t nonce_key_write(const struct ike_sa *sa, uint8_t *ret_key, size_t capacity)
{
	const struct handshake *h = sa->handshake;
	size_t most = prf_nonce_bytes(sa->suite.prf);
	struct writer w = writer_init(ret_key, capacity);

	writer_bytes(&w, BYTES(h->nonce_i, h->nonce_i_len < most ? h->nonce_i_len : most));
	writer_bytes(&w, BYTES(h->nonce_r, h->nonce_r_len < most ? h->nonce_r_len : most));
	return w.len;
}

/* Ni | Nr, then both SPIs for the SK keys. */
static size_t nonces_write(const struct ike_sa *sa, bool with_spis, uint8_t *ret_seed, size_t capacity)
{
	const struct handshake *h = sa->handshake;
	struct writer w = writer_init(ret_seed, capacity);

	writer_bytes(&w, BYTES(h->nonce_i, h->nonce_i_len));
	writer_bytes(&w, BYTES(h->nonce_r, h->nonce_r_len));
	if (with_spis) {
		writer_u64(&w, sa->spi_i);
		writer_u64(&w, sa->spi_r);
	}
	return w.len;
}

int keymat_derive(struct ike_engine *e, struct ike_sa *sa, struct bytes shared)
{
	uint8_t seed[2 * NONCE_BYTES_MAX + 16], skeyseed[PRF_OUT_MAX];
	size_t key_len = nonce_key_write(sa, seed, sizeof(seed));
	const struct alg *prf = sa->suite.prf;

	secret_done(&sa->keys);
	if (secret_init(&sa->keys, part_offset(&sa->suite, KEY_PARTS)))
		return -ENOMEM;
	int err = prf_compute(e->crypto, prf, BYTES(seed, key_len), &shared, 1, skeyseed);
	if (!err) {
		size_t seed_len = nonces_write(sa, true, seed, sizeof(seed));
		err = prf_plus(e->crypto, prf, BYTES(skeyseed, prf->out_bytes), BYTES(seed, seed_len), sa->keys.data,
			sa->keys.len);
	}
	secret_wipe(skeyseed, sizeof(skeyseed));
	secret_wipe(seed, sizeof(seed));
	if (err)
		secret_done(&sa->keys);
	return err;
}

int keymat_rekey(struct ike_engine *e, const struct ike_sa *old, struct ike_sa *fresh, const struct keymat_input *k)
{
	const struct bytes parts[] = { k->shared, k->nonce_i, k->nonce_r };
	uint8_t seed[2 * NONCE_BYTES_MAX + 16], skeyseed[PRF_OUT_MAX];
	struct writer w = writer_init(seed, sizeof(seed));

	writer_bytes(&w, k->nonce_i);
	writer_bytes(&w, k->nonce_r);
	writer_u64(&w, fresh->spi_i);
	writer_u64(&w, fresh->spi_r);
	if (w.failed || secret_init(&fresh->keys, part_offset(&fresh->suite, KEY_PARTS)))
		return -ENOMEM;
	/* the old SA's PRF makes the seed, the new one's the keys */
	int err = prf_compute(e->crypto, old->suite.prf, keymat_part(old, KEY_D), parts, ARRAY_LEN(parts), skeyseed);
	if (!err)
		err = prf_plus(e->crypto, fresh->suite.prf, BYTES(skeyseed, old->suite.prf->out_bytes), writer_view(&w),
			fresh->keys.data, fresh->keys.len);
	secret_wipe(skeyseed, sizeof(skeyseed));
	secret_wipe(seed, sizeof(seed));
	return err;
}

/* One direction's keys: encryption, then integrity, each with its salt; AH has no encryption (RFC 7296 2.17). */
static int direction_take(struct reader *r, const struct suite *s, struct sa_spec *ret_spec)
{
	struct bytes encr = reader_bytes(r, part_bytes(s, KEY_EI));
	struct bytes integ = reader_bytes(r, part_bytes(s, KEY_AI));

	if (encr.len && secret_copy(&ret_spec->encr_key, encr))
		return -ENOMEM;
	return integ.len ? secret_copy(&ret_spec->integ_key, integ) : 0;
}

int keymat_child(struct ike_engine *e, const struct ike_sa *sa, const struct keymat_input *k, const struct suite *suite,
	struct sa_spec *ret_in, struct sa_spec *ret_out)
{
	uint8_t seed[KE_PUBLIC_MAX + 2 * NONCE_BYTES_MAX];
	struct writer w = writer_init(seed, sizeof(seed));
	struct secret keymat = { 0 };

	writer_bytes(&w, k->shared);
	writer_bytes(&w, k->nonce_i);
	writer_bytes(&w, k->nonce_r);
	if (secret_init(&keymat, 2 * (part_bytes(suite, KEY_EI) + part_bytes(suite, KEY_AI))))
		return -ENOMEM;
	int err = w.failed ? -EIO
			   : prf_plus(e->crypto, sa->suite.prf, keymat_part(sa, KEY_D), writer_view(&w), keymat.data,
				     keymat.len);
	/* the keys of data from the initiator stand first */
	struct reader r = reader_init(secret_view(&keymat));
	if (!err)
		err = direction_take(&r, suite, k->initiator ? ret_out : ret_in);
	if (!err)
		err = direction_take(&r, suite, k->initiator ? ret_in : ret_out);
	secret_done(&keymat);
	secret_wipe(seed, sizeof(seed));
	return err;
}
