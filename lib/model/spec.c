/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks of an SA specification as a whole, and its end. */
#include "spec.h"

#include <errno.h>
#include <string.h>

/* SPIs 0-255 are reserved (RFC 4303 2.1, RFC 4302 2.4). */
#define SPI_MIN 256

static const char *encr_fault(const struct sa_spec *s)
{
	bool aead;

	if (!s->encr || s->encr->type != TRANSFORM_ENCR || !(s->encr->flags & ALG_ESP))
		return "encryption algorithm not usable with ESP";
	aead = s->encr->flags & ALG_AEAD;
	if (s->encr_key.len != (size_t)s->encr->key_bytes + s->encr->salt_bytes)
		return "encryption key has the wrong length";
	if (s->integ && (s->integ->type != TRANSFORM_INTEG || !(s->integ->flags & ALG_ESP)))
		return "integrity algorithm not usable with ESP";
	if (aead && s->integ)
		return "an AEAD takes no integrity algorithm";
	return aead || s->integ ? NULL : "no integrity algorithm";
}

/* The lowest bit of each byte is parity: DES does not look at it. */
static bool des_keys_equal(const uint8_t *a, const uint8_t *b)
{
	uint8_t difference = 0;

	for (int i = 0; i < 8; i++)
		difference |= (uint8_t)((a[i] ^ b[i]) & 0xfe);
	return !difference;
}

/* RFC 2451 2.2: with two equal neighbours it is single DES. */
static const char *triple_des_fault(const struct sa_spec *s)
{
	const uint8_t *k = s->encr_key.data;

	if (s->protocol != PROTOCOL_ESP || s->encr->id != ENCR_3DES)
		return NULL;
	if (des_keys_equal(k, k + 8) || des_keys_equal(k + 8, k + 16))
		return "3DES key of equal parts is single DES";
	return NULL;
}

static const char *algorithm_fault(const struct sa_spec *s)
{
	const char *reason = s->protocol == PROTOCOL_ESP ? encr_fault(s) : NULL;

	if (reason)
		return reason;
	if (s->protocol == PROTOCOL_AH && s->encr)
		return "AH does not encrypt";
	if (s->protocol == PROTOCOL_AH &&
		(!s->integ || s->integ->type != TRANSFORM_INTEG || !(s->integ->flags & ALG_AH)))
		return "integrity algorithm not usable with AH";
	if (s->integ && s->integ_key.len != (size_t)s->integ->key_bytes + s->integ->salt_bytes)
		return "integrity key has the wrong length";
	return triple_des_fault(s);
}

bool header_rules_default(const struct header_rules *h)
{
	bool ttl = !h->ttl_copy && (!h->ttl || h->ttl == OUTER_TTL_DEFAULT);

	return ttl && !h->dscp_set && !h->ecn_clear && h->df == DF_COPY && h->fragment == FRAGMENT_BEFORE &&
	       !h->flow_label_copy && !h->flow_label;
}

static const char *path_fault(const struct sa_spec *s)
{
	const struct path_spec *p = &s->path;

	if (addr_is_any(&p->local.addr) || addr_is_any(&p->remote.addr))
		return "outer address missing";
	if (p->local.addr.family != p->remote.addr.family)
		return "outer addresses are not of one family";
	if (s->protocol == PROTOCOL_AH && (p->encap == SA_ENCAP_UDP || s->natt))
		return "AH cannot be encapsulated in UDP (RFC 3948 1)";
	if (p->header.dscp > 63 || p->header.flow_label > 0xfffff)
		return "DSCP or flow label out of range";
	if (s->mode == SA_MODE_TRANSPORT && !header_rules_default(&p->header))
		return "transport mode has no outer header to set";
	if ((s->original_local.family || s->original_remote.family) &&
		(s->mode != SA_MODE_TRANSPORT || s->protocol != PROTOCOL_ESP || s->direction != SA_IN))
		return "original addresses are for inbound ESP in transport mode (RFC 3948 3.1.2)";
	return NULL;
}

/* Whole life and every SA: sequence, lifetimes, padding. */
static const char *limits_fault(const struct sa_spec *s)
{
	const struct sa_lifetime *l = &s->lifetime;

	if (!s->esn && s->initial_sequence > UINT32_MAX)
		return "initial sequence needs ESN";
	if ((l->hard_ns && l->soft_ns > l->hard_ns) || (l->hard_bytes && l->soft_bytes > l->hard_bytes) ||
		(l->hard_packets && l->soft_packets > l->hard_packets))
		return "a soft lifetime is longer than the hard one";
	if (s->tfc_bytes && (s->protocol != PROTOCOL_ESP || s->mode != SA_MODE_TUNNEL))
		return "traffic flow padding needs ESP in tunnel mode (RFC 4303 2.7)";
	return NULL;
}

static const char *spec_fault(const struct sa_spec *s)
{
	const char *reason;

	if (s->protocol != PROTOCOL_ESP && s->protocol != PROTOCOL_AH)
		return "neither ESP nor AH";
	if (s->spi < SPI_MIN)
		return "SPIs below 256 are reserved";
	reason = path_fault(s);
	if (!reason)
		reason = limits_fault(s);
	return reason ? reason : algorithm_fault(s);
}

/* In transport mode the addresses inside are those outside. */
static const char *selector_fault(const struct sa_spec *spec, const struct selector_list *list)
{
	if (!list->count || list->count > SELECTORS_MAX)
		return "no traffic selectors";
	for (int i = 0; i < list->count; i++) {
		if (!selector_valid(&list->items[i]))
			return "a traffic selector is not a range";
		if (spec->mode == SA_MODE_TRANSPORT && list->items[i].low.family != spec->path.local.addr.family)
			return "transport mode: a traffic selector is of another family than the addresses";
	}
	return NULL;
}

int sa_spec_check(const struct sa_spec *spec, const char **ret_reason)
{
	*ret_reason = spec_fault(spec);
	if (!*ret_reason)
		*ret_reason = selector_fault(spec, &spec->local);
	if (!*ret_reason)
		*ret_reason = selector_fault(spec, &spec->remote);
	return *ret_reason ? -EINVAL : 0;
}

void sa_spec_done(struct sa_spec *spec)
{
	secret_done(&spec->encr_key);
	secret_done(&spec->integ_key);
	memset(spec, 0, sizeof(*spec));
}
