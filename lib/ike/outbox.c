/* SPDX-License-Identifier: BSD-3-Clause */
/* Reliability (RFC 7296 2.1-2.3): one outstanding request that is retransmitted, one cached response that is repeated.
 * Knows no payloads. */
#include "ike_priv.h"

#include <stdlib.h>

#include "v2/v2.h"

#define WAIT_MAX_NS (16 * SECOND_NS)
/* with MOBIKE other addresses are tried beside the usual ones from this transmission on, and more often */
#define PROBE_FROM_TRY 3
#define PROBE_WAIT_NS  (2 * SECOND_NS)
/* ... and so many transmissions later each time that the path is asked about anew: where the round trip is long, the
 * answer to a request that went by one path only is worth waiting for */
#define PROBE_LATER 2
/* a peer that does not answer a Delete is not waited for as long as one that negotiates; unless another SA carries the
 * traffic: then it must not go on sending on this one, and nobody waits */
#define CLOSING_TRIES 3

#define LENGTH_OFFSET 24 /* of the IKE header's length field */

/* A message is one datagram, or its fragments back to back; each is as long as its header says. */
static void send_all(
	struct ike_engine *e, const struct endpoint *local, const struct endpoint *remote, struct bytes message)
{
	while (message.len) {
		size_t len = load_be32(message.data + LENGTH_OFFSET);
		action_send(e, local, remote, BYTES(message.data, len));
		message = BYTES(message.data + len, message.len - len);
	}
}

/* Time at which an established SA's peer counts as dead, UINT64_MAX: tries decide. */
static uint64_t give_up_at(const struct ike_sa *sa)
{
	const struct tunnel_profile *p = sa->tunnel->profile;

	if (sa->state != ST_ESTABLISHED || !p->dpd_interval_ns || !p->dpd_timeout_ns)
		return UINT64_MAX;
	return sa->outbox.first_ns + p->dpd_timeout_ns;
}

static uint32_t probe_from(const struct ike_sa *sa)
{
	return PROBE_FROM_TRY + (sa->mobike ? PROBE_LATER * sa->mobike->again : 0);
}

/* RFC 4555 3.10: the same request on other paths; what answers there decides. True: there are some. */
static bool probe(struct ike_engine *e, struct ike_sa *sa)
{
	struct outbox *o = &sa->outbox;
	struct endpoint local, remote;
	unsigned pair = mobike_other_path(e, sa, &local, &remote);

	if (pair && o->tries >= probe_from(sa)) {
		sa->mobike->probe = (uint8_t)pair;
		o->wandered = true;
		o->scattered = o->scattered || !addr_equal(&remote.addr, &sa->remote.addr);
		send_all(e, &local, &remote, BYTES(o->request, o->request_len));
	}
	return pair;
}

static void transmit(struct ike_engine *e, struct ike_sa *sa)
{
	struct outbox *o = &sa->outbox;
	uint64_t wait = e->settings.retransmit_first_ns;

	for (uint32_t i = 0; i < o->tries && wait < WAIT_MAX_NS; i++)
		wait *= 2;
	o->tries++;
	send_all(e, &sa->local, &sa->remote, BYTES(o->request, o->request_len));
	uint64_t most = probe(e, sa) ? PROBE_WAIT_NS : WAIT_MAX_NS;
	wait = wait < most ? wait : most;
	uint64_t at = e->now_ns + wait, limit = give_up_at(sa);
	sa_set_timer(e, sa, TIMER_RETRANSMIT, at < limit ? at : limit);
}

void outbox_push_request(struct ike_engine *e, struct ike_sa *sa, uint8_t exchange, uint8_t *bytes, size_t len)
{
	struct outbox *o = &sa->outbox;

	free(o->request);
	o->request = bytes;
	o->request_len = len;
	o->request_exchange = exchange;
	o->request_id = o->next_request_id++;
	o->tries = 0;
	o->wandered = o->scattered = false;
	o->first_ns = e->now_ns;
	transmit(e, sa);
}

void outbox_send_anew(struct ike_engine *e, struct ike_sa *sa)
{
	if (!sa->outbox.request)
		return;
	sa->outbox.tries = 0;
	sa->outbox.wandered = sa->outbox.scattered = true;
	sa->outbox.first_ns = e->now_ns;
	transmit(e, sa);
}

bool outbox_probing(const struct ike_sa *sa)
{
	return sa->outbox.request && sa->outbox.tries >= probe_from(sa);
}

void outbox_answered(struct ike_engine *e, struct ike_sa *sa)
{
	free(sa->outbox.request);
	sa->outbox.request = NULL;
	sa_clear_timer(e, sa, TIMER_RETRANSMIT);
}

bool outbox_on_timer(struct ike_engine *e, struct ike_sa *sa)
{
	struct outbox *o = &sa->outbox;
	uint32_t tries = e->settings.retransmit_tries;
	uint64_t limit = give_up_at(sa);

	if (sa->state == ST_CLOSING && TAILQ_EMPTY(&sa->children) && tries > CLOSING_TRIES)
		tries = CLOSING_TRIES;
	if (limit == UINT64_MAX ? o->tries > tries : e->now_ns >= limit)
		return false;
	e->counters[IKE_C_RETRANSMITTED]++;
	event_emit(e, IKE_EV_RETRANSMIT, sa->tunnel, sa, "%s request %u, try %u", exchange_name(o->request_exchange),
		o->request_id, o->tries + 1);
	transmit(e, sa);
	return true;
}

static void request_hash(struct ike_engine *e, const struct ike_datagram *d, uint8_t *ret_hash)
{
	if (hash_sha1(e->crypto, &d->data, 1, ret_hash))
		memset(ret_hash, 0, HASH_BYTES);
}

void outbox_push_response(
	struct ike_engine *e, struct ike_sa *sa, const struct ike_datagram *d, uint8_t *bytes, size_t len)
{
	struct outbox *o = &sa->outbox;

	free(o->response);
	o->response = bytes;
	o->response_len = len;
	o->peer_request_id++;
	request_hash(e, d, o->peer_hash);
	send_all(e, &d->local, &d->remote, BYTES(bytes, len));
}

void outbox_repeat(struct ike_engine *e, const struct ike_sa *sa, const struct ike_datagram *d)
{
	const struct outbox *o = &sa->outbox;

	if (!o->response)
		return;
	e->counters[IKE_C_ANSWERED_AGAIN]++;
	send_all(e, &d->local, &d->remote, BYTES(o->response, o->response_len));
}

bool outbox_answer_again(struct ike_engine *e, struct ike_sa *sa, const struct ike_datagram *d)
{
	struct outbox *o = &sa->outbox;
	uint8_t hash[HASH_BYTES];

	request_hash(e, d, hash);
	if (!o->response || memcmp(hash, o->peer_hash, HASH_BYTES))
		return false;
	outbox_repeat(e, sa, d);
	return true;
}

void outbox_done(struct outbox *o)
{
	free(o->request);
	free(o->response);
	*o = (struct outbox){ 0 };
}
