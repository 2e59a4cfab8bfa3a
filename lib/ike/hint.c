/* SPDX-License-Identifier: BSD-3-Clause */
/* INVALID_IKE_SPI and INVALID_SPI without protection (RFC 7296 1.5, 2.4, 2.21.4): anybody can send them. A peer that
 * lost its state is told, seldom; what comes in makes us ask the peer at most, never end anything. */
#include "ike_priv.h"

#include "v2/v2.h"

/* answers to unknown SAs, and questions after hints, of the whole engine */
#define HINTS_PER_SECOND 10

static bool hint_due(struct ike_engine *e)
{
	if (e->now_ns < e->hint_ns)
		return false;
	e->hint_ns = e->now_ns + SECOND_NS / HINTS_PER_SECOND;
	return true;
}

static bool sends_on(const struct ike_sa *sa, uint32_t spi_out)
{
	const struct child_sa *child;

	TAILQ_FOREACH (child, &sa->children, siblings) {
		if (child->state == CHILD_UP && child->spi_out == spi_out)
			return true;
	}
	return false;
}

/* The established SA that sends on this SPI to this address; NULL: none. */
static struct ike_sa *sender_of(const struct ike_engine *e, uint32_t spi_out, const struct addr *remote)
{
	for (struct ike_sa *sa = e->sas; sa; sa = sa->next)
		if (sa->state == ST_ESTABLISHED && addr_equal(&sa->remote.addr, remote) && sends_on(sa, spi_out))
			return sa;
	return NULL;
}

/* A host that gets our ESP says that it has no such SA. */
static void on_invalid_spi(struct ike_engine *e, const struct ike_datagram *d)
{
	struct message m;
	struct wire_error error;
	const struct payload *p = message_decode(d->data, &m, &error) ? NULL
								      : message_find_notify(&m, NOTIFY_INVALID_SPI);

	if (!p || p->notify.data.len != sizeof(uint32_t))
		return;
	e->counters[IKE_C_HINT]++;
	struct ike_sa *sa = hint_due(e) ? sender_of(e, load_be32(p->notify.data.data), &d->remote.addr) : NULL;
	if (sa)
		task_want(e, sa, TASK_LIVENESS);
}

void hint_unknown_sa(struct ike_engine *e, const struct ike_datagram *d, const struct ike_header *h)
{
	e->counters[IKE_C_UNKNOWN_SPI]++;
	if (h->flags & IKE_FLAG_RESPONSE)
		return;
	/* RFC 7296 1.5: INVALID_SPI outside of an IKE SA has no SPIs that mean anything, and no answer */
	if (h->exchange == INFORMATIONAL && h->next_payload == PAYLOAD_NOTIFY) {
		on_invalid_spi(e, d);
		return;
	}
	if (e->stopping || !hint_due(e))
		return;
	e->counters[IKE_C_INVALID_SPI_SENT]++;
	sa_init_refuse(e, d, h, NOTIFY_INVALID_IKE_SPI, BYTES_NONE);
}

void hint_unprotected(struct ike_engine *e, const struct message *m)
{
	bool hint = message_find_notify(m, NOTIFY_INVALID_IKE_SPI);

	/* the request it answers is repeated until the peer is heard or given up: that is the question already */
	e->counters[hint ? IKE_C_HINT : IKE_C_MALFORMED]++;
}
