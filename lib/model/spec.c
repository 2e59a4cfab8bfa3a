/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks of an SA specification as a whole, and its end. */
#include "spec.h"

#include <errno.h>
#include <string.h>

/* SPIs 0-255 are reserved (RFC 4303 2.1). */
#define SPI_MIN 256

static const char *key_fault(const struct sa_spec *s)
{
	bool aead = s->encr->flags & ALG_AEAD;

	if (s->encr_key.len != (size_t)s->encr->key_bytes + s->encr->salt_bytes)
		return "encryption key has the wrong length";
	if (aead && s->integ)
		return "an AEAD takes no integrity algorithm";
	if (!aead && !s->integ)
		return "no integrity algorithm";
	if (s->integ && s->integ_key.len != s->integ->key_bytes)
		return "integrity key has the wrong length";
	return NULL;
}

static const char *spec_fault(const struct sa_spec *s)
{
	if (s->protocol != PROTOCOL_ESP)
		return "only ESP is supported";
	if (s->mode != SA_MODE_TUNNEL)
		return "only tunnel mode is supported";
	if (s->spi < SPI_MIN)
		return "SPIs below 256 are reserved";
	if (!s->encr || !(s->encr->flags & ALG_ESP))
		return "encryption algorithm not usable with ESP";
	if (!s->local.count || !s->remote.count)
		return "no traffic selectors";
	if (s->path.local.addr.family != s->path.remote.addr.family || addr_is_any(&s->path.remote.addr))
		return "outer addresses are not of one family";
	return key_fault(s);
}

int sa_spec_check(const struct sa_spec *spec, const char **ret_reason)
{
	*ret_reason = spec_fault(spec);
	return *ret_reason ? -EINVAL : 0;
}

void sa_spec_done(struct sa_spec *spec)
{
	secret_done(&spec->encr_key);
	secret_done(&spec->integ_key);
	memset(spec, 0, sizeof(*spec));
}
