/* SPDX-License-Identifier: BSD-3-Clause */
/* A key from both halves of a pair: for known answers and the replay of captured negotiations. */
#include "kex_priv.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>

struct numbers {
	BIGNUM *private_value, *public_value, *p, *g;
};

static bool numbers_init(struct numbers *n, struct bytes private_value, struct bytes public_value)
{
	*n = (struct numbers){ BN_secure_new(), BN_new(), BN_new(), BN_new() };
	return n->private_value && n->public_value && n->p && n->g &&
	       BN_bin2bn(private_value.data, (int)private_value.len, n->private_value) &&
	       BN_bin2bn(public_value.data, (int)public_value.len, n->public_value);
}

static void numbers_done(struct numbers *n)
{
	BN_clear_free(n->private_value);
	BN_free(n->public_value);
	BN_free(n->p);
	BN_free(n->g);
}

static bool domain_push(OSSL_PARAM_BLD *bld, const struct kex_group *g, struct numbers *n)
{
	if (g->prime)
		return kex_prime_push(g, bld, n->p, n->g);
	return !g->name || OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, g->name, 0) == 1;
}

static bool private_push(OSSL_PARAM_BLD *bld, const struct kex_group *g, struct numbers *n, struct bytes value)
{
	if (g->raw_private)
		return OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PRIV_KEY, value.data, value.len) == 1;
	return OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, n->private_value) == 1;
}

static bool public_push(OSSL_PARAM_BLD *bld, const struct kex_group *g, struct numbers *n, struct bytes encoded)
{
	if (g->raw_private || g->has_format_byte)
		return OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, encoded.data, encoded.len) == 1;
	return OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PUB_KEY, n->public_value) == 1;
}

/* NULL unless both values are of the group and belong together. */
static EVP_PKEY *pair_import(const struct kex_group *g, OSSL_PARAM *params)
{
	EVP_PKEY *pkey = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, g->type, NULL), *check = NULL;

	if (ctx && EVP_PKEY_fromdata_init(ctx) == 1 && EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) == 1) {
		check = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
		if (!check || EVP_PKEY_pairwise_check(check) != 1) {
			EVP_PKEY_free(pkey);
			pkey = NULL;
		}
	}
	EVP_PKEY_CTX_free(check);
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

static EVP_PKEY *pkey_import(const struct kex_group *g, struct bytes private_value, struct bytes public_value)
{
	uint8_t encoded[ENCODED_MAX];
	struct writer w = writer_init(encoded, sizeof(encoded));
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *pkey = NULL;
	struct numbers n;

	if (g->has_format_byte)
		writer_u8(&w, EC_UNCOMPRESSED);
	writer_bytes(&w, public_value);
	bool ready = numbers_init(&n, private_value, public_value) && bld && !w.failed;
	if (ready && domain_push(bld, g, &n) && private_push(bld, g, &n, private_value) &&
		public_push(bld, g, &n, writer_view(&w)))
		params = OSSL_PARAM_BLD_to_param(bld);
	if (params)
		pkey = pair_import(g, params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	numbers_done(&n);
	return pkey;
}

int kex_import(const struct alg *group, struct bytes private_value, struct bytes public_value, struct kex_key **ret_key)
{
	const struct kex_group *g = kex_group_lookup(group);
	EVP_PKEY *pkey = NULL;

	if (!g || public_value.len != group->key_bytes || !private_value.len || private_value.len > KE_PUBLIC_MAX)
		return -EINVAL;
	pkey = pkey_import(g, private_value, public_value);
	if (!pkey) {
		ERR_clear_error();
		return -EINVAL;
	}
	*ret_key = kex_key_create(g, group, pkey);
	return *ret_key ? 0 : -EIO;
}
