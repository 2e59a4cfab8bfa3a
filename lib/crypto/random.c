/* SPDX-License-Identifier: BSD-3-Clause */
/* Random bytes from OpenSSL's generator, which reseeds itself and survives fork. */
#include "crypto.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/rand.h>

int crypto_random(void *ret_data, size_t len)
{
	if (RAND_bytes_ex(NULL, ret_data, len, 0) == 1)
		return 0;
	ERR_clear_error();
	return -EIO;
}
