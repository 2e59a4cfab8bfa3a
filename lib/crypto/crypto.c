/* SPDX-License-Identifier: BSD-3-Clause */
/* Life of struct crypto: fetches every algorithm once. What is done with them is in the other files. */
#include "crypto.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "crypto_priv.h"

struct crypto *crypto_create(void)
{
	struct crypto *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	if (mac_init(c) || hash_init(c) || aead_init(c)) {
		crypto_free(c);
		return NULL;
	}
	return c;
}

void crypto_free(struct crypto *c)
{
	if (!c)
		return;
	mac_done(c);
	hash_done(c);
	aead_done(c);
	free(c);
}

const char *crypto_library_version(void)
{
	return OpenSSL_version(OPENSSL_VERSION_STRING);
}
