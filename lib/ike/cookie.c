/* SPDX-License-Identifier: BSD-3-Clause */
/* Cookies (RFC 7296 2.6). Initiator: keep what the responder gave, send it first in the next try. Responder: a hash of
 * what the request must have in common with the next one, under a secret that changes; nothing is kept. */
#include "ike_priv.h"

bool cookie_take(struct handshake *h, const struct message *m)
{
	const struct payload *p = message_find_notify(m, NOTIFY_COOKIE);

	if (!p || !p->notify.data.len || p->notify.data.len > COOKIE_BYTES_MAX)
		return false;
	/* a duplicate of the answer that was followed already */
	if (bytes_equal(p->notify.data, BYTES(h->cookie, h->cookie_len)))
		return false;
	memcpy(h->cookie, p->notify.data.data, p->notify.data.len);
	h->cookie_len = (uint8_t)p->notify.data.len;
	return true;
}

void cookie_add(const struct handshake *h, struct message *m)
{
	if (h->cookie_len)
		message_add_notify(m, NOTIFY_COOKIE, BYTES(h->cookie, h->cookie_len));
}

/* A cookie is good for one to two of these: long enough for a slow path, too short to collect them. */
#define SECRET_NS (60 * SECOND_NS)
/* version of the secret, HMAC-SHA-256 */
#define COOKIE_BYTES (1 + 32)

static void secret_renew(struct ike_engine *e)
{
	struct cookie_secrets *c = &e->cookies;

	c->version++;
	e->host.random(e->host.context, c->secrets[c->version & 1], COOKIE_SECRET_BYTES);
}

/* Two rotations are due after a long pause: what was given out before is worthless then. */
static void secrets_rotate(struct ike_engine *e)
{
	struct cookie_secrets *c = &e->cookies;
	uint64_t age = e->now_ns - c->since_ns;

	if (c->made && age < SECRET_NS)
		return;
	if (!c->made || age >= 2 * SECRET_NS)
		secret_renew(e);
	secret_renew(e);
	c->made = true;
	c->since_ns = e->now_ns;
}

/* Cookie = version | prf(secret, Ni | IPi | SPIi). False when cryptography fails. */
static bool cookie_compute(struct ike_engine *e, uint8_t version, const struct message *m, const struct ike_datagram *d,
	uint8_t ret_cookie[COOKIE_BYTES])
{
	const struct alg *prf = alg_lookup(TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0);
	uint8_t spi[8];
	const struct bytes parts[] = {
		message_find(m, PAYLOAD_NONCE)->nonce,
		BYTES(d->remote.addr.bytes, addr_len(&d->remote.addr)),
		BYTES_OF(spi),
	};

	store_be64(spi, m->header.spi_i);
	ret_cookie[0] = version;
	return !prf_compute(
		e->crypto, prf, BYTES_OF(e->cookies.secrets[version & 1]), parts, ARRAY_LEN(parts), ret_cookie + 1);
}

struct bytes cookie_make(
	struct ike_engine *e, const struct message *m, const struct ike_datagram *d, uint8_t *ret_cookie)
{
	secrets_rotate(e);
	return cookie_compute(e, e->cookies.version, m, d, ret_cookie) ? BYTES(ret_cookie, COOKIE_BYTES) : BYTES_NONE;
}

enum cookie_verdict cookie_check(struct ike_engine *e, const struct message *m, const struct ike_datagram *d)
{
	const struct payload *p = message_find_notify(m, NOTIFY_COOKIE);
	uint8_t expected[COOKIE_BYTES];

	if (!p)
		return COOKIE_NONE;
	secrets_rotate(e);
	struct bytes theirs = p->notify.data;
	uint8_t age = theirs.len == COOKIE_BYTES ? (uint8_t)(e->cookies.version - theirs.data[0]) : 2;
	if (age > 1 || !cookie_compute(e, theirs.data[0], m, d, expected))
		return COOKIE_WRONG;
	return secret_equal(expected, theirs.data, COOKIE_BYTES) ? COOKIE_RIGHT : COOKIE_WRONG;
}
