/* SPDX-License-Identifier: BSD-3-Clause */
/* IKE fragments that come in (RFC 7383 2.6), one message per direction and IKE SA: the window is 1. Only authenticated
 * parts get in, and what they may take is bounded in count, bytes and time. */
#include <stdlib.h>

#include "v2.h"

/* more than a UDP datagram cut at the smallest sizes in use */
#define FRAGMENTS_MAX 256
/* a peer whose identity is not proven gets room for a chain of certificates */
#define UNPROVEN_BYTES_MAX 16384
/* longer than a sender repeats its message without changing it */
#define REASSEMBLY_NS (30 * SECOND_NS)

static bool of_response(const struct message *m)
{
	return m->header.flags & IKE_FLAG_RESPONSE;
}

static size_t bytes_max(const struct ike_sa *sa)
{
	return sa->state < ST_ESTABLISHED ? UNPROVEN_BYTES_MAX : IKE_MESSAGE_BYTES_MAX;
}

/* The set the message's fragments go to; NULL: none, or of another message. */
static struct skf_set *current(const struct ike_sa *sa, const struct message *m)
{
	struct skf_set *r = sa->skf[of_response(m)];

	return r && r->message_id == m->header.message_id ? r : NULL;
}

bool skf_wants(struct ike_engine *e, const struct ike_sa *sa, const struct message *m, const struct payload *fragment)
{
	const struct skf_set *r = current(sa, m);

	if (!sa->fragmentation || fragment->sk.total > FRAGMENTS_MAX) {
		e->counters[IKE_C_FRAGMENT_REFUSED]++;
		return false;
	}
	/* a sender that finds its packets too large cuts into more; the earlier set is not to be mixed in */
	bool repeated = r && (fragment->sk.total < r->total ||
				     (fragment->sk.total == r->total && r->parts[fragment->sk.number - 1].data));
	e->counters[IKE_C_FRAGMENT_REPEATED] += repeated;
	return !repeated;
}

void skf_free(struct skf_set *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < r->total; i++)
		if (r->parts[i].data) {
			secret_wipe(r->parts[i].data, r->parts[i].len);
			free(r->parts[i].data);
		}
	free(r->head);
	free(r);
}

/* Takes the set out of the SA; NULL: there is none. */
static struct skf_set *detach(struct ike_engine *e, struct ike_sa *sa, bool response)
{
	struct skf_set *r = sa->skf[response];

	if (!r)
		return NULL;
	timers_clear(&e->timers, &r->timer);
	timers_release(&e->timers, 1);
	sa->skf[response] = NULL;
	return r;
}

void skf_drop(struct ike_engine *e, struct ike_sa *sa, bool response)
{
	skf_free(detach(e, sa, response));
}

void skf_expire(struct ike_engine *e, struct ike_sa *sa)
{
	for (int response = 0; response < 2; response++) {
		const struct skf_set *r = sa->skf[response];
		if (!r || r->timer.place)
			continue;
		e->counters[IKE_C_REASSEMBLY_TIMEOUT]++;
		skf_drop(e, sa, response);
	}
}

static struct skf_set *create(
	struct ike_engine *e, struct ike_sa *sa, const struct message *m, const struct payload *fragment)
{
	struct skf_set *r = calloc(1, sizeof(*r) + fragment->sk.total * sizeof(r->parts[0]));

	if (!r || timers_reserve(&e->timers, 1)) {
		free(r);
		return NULL;
	}
	r->timer.kind = TIMER_REASSEMBLY;
	r->timer.owner = sa;
	r->message_id = m->header.message_id;
	r->total = fragment->sk.total;
	sa->skf[of_response(m)] = r;
	timers_set(&e->timers, &r->timer, e->now_ns + REASSEMBLY_NS);
	return r;
}

static uint8_t *copy_of(struct bytes b)
{
	uint8_t *copy = malloc(b.len ? b.len : 1);

	if (copy && b.len)
		memcpy(copy, b.data, b.len);
	return copy;
}

/* False without memory: the fragment counts as lost. */
static bool keep(struct skf_set *r, const struct ike_datagram *d, const struct payload *fragment, struct bytes plain)
{
	struct part *part = &r->parts[fragment->sk.number - 1];
	uint8_t *head = fragment->sk.number == 1 ? copy_of(d->data) : NULL;

	if (fragment->sk.number == 1 && !head)
		return false;
	part->data = copy_of(plain);
	if (!part->data) {
		free(head);
		return false;
	}
	if (head) {
		r->head = head;
		r->head_len = d->data.len;
		r->first = fragment->sk.first_inner;
	}
	part->len = plain.len;
	r->bytes += plain.len;
	r->have++;
	return true;
}

struct skf_set *skf_add(struct ike_engine *e, struct ike_sa *sa, const struct ike_datagram *d, const struct message *m,
	const struct payload *fragment, struct bytes plain)
{
	struct skf_set *r = current(sa, m);

	/* another message, or the same one cut into more: what there is will not become whole any more */
	if (!r || r->total != fragment->sk.total) {
		skf_drop(e, sa, of_response(m));
		r = create(e, sa, m, fragment);
	}
	if (r && r->bytes + plain.len > bytes_max(sa)) {
		e->counters[IKE_C_FRAGMENT_REFUSED]++;
		skf_drop(e, sa, of_response(m));
		return NULL;
	}
	if (!r || !keep(r, d, fragment, plain) || r->have < r->total)
		return NULL;
	e->counters[IKE_C_REASSEMBLED]++;
	return detach(e, sa, of_response(m));
}

struct bytes skf_join(struct ike_engine *e, const struct skf_set *r)
{
	struct writer w = writer_init(e->plain, IKE_MESSAGE_BYTES_MAX);

	for (unsigned i = 0; i < r->total; i++)
		writer_bytes(&w, BYTES(r->parts[i].data, r->parts[i].len));
	return writer_view(&w);
}
