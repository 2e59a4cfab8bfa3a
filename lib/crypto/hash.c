/* SPDX-License-Identifier: BSD-3-Clause */
/* Plain hashes. SHA-1 is here for the NAT detection payloads only, which need no collision resistance. */
#include "crypto.h"

#include <errno.h>
#include <openssl/err.h>

#include "crypto_priv.h"

int hash_init(struct crypto *c)
{
	c->sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
	c->hash = EVP_MD_CTX_new();
	return c->sha1 && c->hash ? 0 : -EIO;
}

void hash_done(struct crypto *c)
{
	EVP_MD_CTX_free(c->hash);
	EVP_MD_free(c->sha1);
}

static bool update_all(EVP_MD_CTX *ctx, const struct bytes *parts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (parts[i].len && EVP_DigestUpdate(ctx, parts[i].data, parts[i].len) != 1)
			return false;
	return true;
}

int hash_sha1(struct crypto *c, const struct bytes *parts, size_t count, uint8_t ret_digest[20])
{
	unsigned int len = 0;

	if (EVP_DigestInit_ex2(c->hash, c->sha1, NULL) == 1 && update_all(c->hash, parts, count) &&
		EVP_DigestFinal_ex(c->hash, ret_digest, &len) == 1 && len == HASH_SHA1_LEN)
		return 0;
	ERR_clear_error();
	return -EIO;
}
