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
	if (s->integ && s->integ->type != TRANSFORM_INTEG)
		return "integrity algorithm is none";
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
	if (!s->encr || s->encr->type != TRANSFORM_ENCR || !(s->encr->flags & ALG_ESP))
		return "encryption algorithm not usable with ESP";
	if (addr_is_any(&s->path.local.addr) || addr_is_any(&s->path.remote.addr))
		return "outer address missing";
	if (s->path.local.addr.family != s->path.remote.addr.family)
		return "outer addresses are not of one family";
	if (!s->esn && s->initial_sequence > UINT32_MAX)
		return "initial sequence needs ESN";
	return key_fault(s);
}

static const char *selector_fault(const struct selector_list *list)
{
	if (!list->count || list->count > SELECTORS_MAX)
		return "no traffic selectors";
	for (int i = 0; i < list->count; i++)
		if (!selector_valid(&list->items[i]))
			return "a traffic selector is not a range";
	return NULL;
}

int sa_spec_check(const struct sa_spec *spec, const char **ret_reason)
{
	*ret_reason = spec_fault(spec);
	if (!*ret_reason)
		*ret_reason = selector_fault(&spec->local);
	if (!*ret_reason)
		*ret_reason = selector_fault(&spec->remote);
	return *ret_reason ? -EINVAL : 0;
}

void sa_spec_done(struct sa_spec *spec)
{
	secret_done(&spec->encr_key);
	secret_done(&spec->integ_key);
	memset(spec, 0, sizeof(*spec));
}
