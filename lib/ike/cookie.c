/* SPDX-License-Identifier: BSD-3-Clause */
/* Cookies as initiator (RFC 7296 2.6): keep what the responder gave, send it first in the next try. */
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
