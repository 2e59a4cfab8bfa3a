/* SPDX-License-Identifier: BSD-3-Clause */
/* Entry points of the engine: datagrams to their IKE SA and its state machine, timers, commands, finished jobs. What
 * an exchange means is v2/'s business. */
#include <stdio.h>
#include <stdlib.h>

#include "v2/v2.h"

const struct ike_settings ike_default_settings = {
	.engine_number = 1,
	.half_open_max = 1000,
	.cookie_threshold = 100,
	.source_half_open_max = 32,
	.source_failures_max = 60,
	.peer_children_max = 256,
	.peer_prefixes_max = 1024,
	.child_prefixes_max = 64,
	.retransmit_first_ns = SECOND_NS / 2,
	.retransmit_tries = 5,
	.half_open_timeout_ns = 30 * SECOND_NS,
	.keepalive_ns = 20 * SECOND_NS,
	.retry_first_ns = SECOND_NS,
	/* a peer that comes back is found within seconds */
	.retry_max_ns = 10 * SECOND_NS,
};

static bool engine_init(struct ike_engine *e, const struct tunnel_profile *profiles, size_t profile_count)
{
	e->crypto = crypto_create();
	e->plain = malloc(IKE_MESSAGE_BYTES_MAX);
	e->built = malloc(IKE_MESSAGE_BYTES_MAX);
	return e->crypto && e->plain && e->built && !table_init(&e->by_spi, profile_count) &&
	       !table_init(&e->by_init, 0) && !table_init(&e->by_source, 0) &&
	       !table_init(&e->by_identity, profile_count) && !table_init(&e->by_child, profile_count) &&
	       !table_init(&e->by_peer, 0) && !table_init(&e->by_allowance, 0) &&
	       !tunnels_init(e, profiles, profile_count);
}

struct ike_engine *ike_engine_create(const struct ike_settings *settings, const struct ike_host *host,
	const struct tunnel_profile *profiles, size_t profile_count)
{
	struct ike_engine *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->settings = *settings;
	e->host = *host;
	TAILQ_INIT(&e->answered);
	TAILQ_INIT(&e->idle_sources);
	TAILQ_INIT(&e->allowances);
	if (!engine_init(e, profiles, profile_count)) {
		ike_engine_free(e);
		return NULL;
	}
	return e;
}

void ike_engine_free(struct ike_engine *e)
{
	if (!e)
		return;
	sa_free_all(e);
	sources_done(e);
	allowances_done(e);
	tunnels_done(e);
	table_done(&e->by_spi);
	table_done(&e->by_init);
	table_done(&e->by_source);
	table_done(&e->by_identity);
	table_done(&e->by_child);
	table_done(&e->by_peer);
	table_done(&e->by_allowance);
	timers_done(&e->timers);
	crypto_free(e->crypto);
	if (e->plain)
		secret_wipe(e->plain, IKE_MESSAGE_BYTES_MAX);
	if (e->built)
		secret_wipe(e->built, IKE_MESSAGE_BYTES_MAX);
	free(e->plain);
	free(e->built);
	free(e);
}

static void enter(struct ike_engine *e, uint64_t now_ns, struct ike_actions *out)
{
	e->now_ns = now_ns;
	e->out = out;
}

static void leave(struct ike_engine *e)
{
	sa_free_dead(e);
	peers_free_idle(e);
	e->out = NULL;
}

/* ---- datagrams ---- */

static void step_or_count(struct ike_engine *e, struct ike_sa *sa, enum sa_event event, const struct input *in)
{
	if (!sa_step(e, sa, event, in))
		e->counters[IKE_C_UNEXPECTED]++;
}

static enum sa_event event_of(const struct ike_header *h)
{
	bool response = h->flags & IKE_FLAG_RESPONSE;

	switch (h->exchange) {
	case IKE_AUTH: return response ? EV_AUTH_RESPONSE : EV_AUTH_REQUEST;
	case CREATE_CHILD_SA: return response ? EV_CHILD_RESPONSE : EV_CHILD_REQUEST;
	default: return response ? EV_INFORMATIONAL_RESPONSE : EV_INFORMATIONAL_REQUEST;
	}
}

/* A request that is legal but has no place in this state, such as a second IKE_AUTH: left without an answer it would
 * block the peer's window for good. RFC 7296 2.21.3: INVALID_SYNTAX, which both sides take as the end of the SA. */
static void refuse_unexpected(struct ike_engine *e, struct ike_sa *sa, struct input *in)
{
	struct wire_error error = { .reason = WIRE_EXCHANGE };

	in->error = &error;
	sa_step(e, sa, EV_BAD_REQUEST, in);
}

/* The message is authentic: only now may it change anything. */
static void receive_opened(struct ike_engine *e, struct ike_sa *sa, const struct ike_datagram *d, struct message *m,
	struct bytes plain, uint8_t first)
{
	struct wire_error error;
	struct input in = { .d = d, .m = m, .error = &error };
	bool response = m->header.flags & IKE_FLAG_RESPONSE, up = sa->state == ST_ESTABLISHED;

	/* not the IKE_AUTH request itself: its sender does not know yet that we accept */
	if (up) {
		sa_move_remote(e, sa, &d->remote);
		sa_heard(e, sa);
	}
	if (up && !response)
		sa_confirmed(e, sa);
	if (up && response)
		mobike_on_answer(e, sa, d);
	if (message_decode_inner(plain, first, m, &error) || message_check(m, &error)) {
		e->counters[error.reason == WIRE_CRITICAL ? IKE_C_UNKNOWN_CRITICAL : IKE_C_MALFORMED]++;
		step_or_count(e, sa, response ? EV_BAD_RESPONSE : EV_BAD_REQUEST, &in);
		return;
	}
	if (!sa_step(e, sa, event_of(&m->header), &in)) {
		e->counters[IKE_C_UNEXPECTED]++;
		if (up && !response)
			refuse_unexpected(e, sa, &in);
	}
	/* what waited for the peer; not before it has said what becomes of the one or the other */
	rekey_child_drop_surplus(e, sa);
	task_flush(e, sa);
}

/* Opens the SK or SKF payload. False: counted, not authentic. */
static bool open_or_count(struct ike_engine *e, struct ike_sa *sa, const struct ike_datagram *d,
	const struct payload *sk, struct bytes *ret_plain)
{
	if (!protect_open(e, sa, d, sk, ret_plain))
		return true;
	e->counters[IKE_C_BAD_ICV]++;
	if (sa->state == ST_KEYED)
		auth_on_junk(e, sa);
	return false;
}

/* RFC 7383 2.6: authenticated first, kept then; the whole is what one SK payload would have held. */
static void receive_fragment(struct ike_engine *e, struct ike_sa *sa, const struct ike_datagram *d, struct message *m,
	struct payload *fragment)
{
	struct bytes plain;

	e->counters[IKE_C_FRAGMENTS]++;
	if (!skf_wants(e, sa, m, fragment) || !open_or_count(e, sa, d, fragment, &plain))
		return;
	struct skf_set *whole = skf_add(e, sa, d, m, fragment, plain);
	if (!whole)
		return;
	struct ike_datagram first = { d->local, d->remote, BYTES(whole->head, whole->head_len) };
	fragment->type = PAYLOAD_SK;
	receive_opened(e, sa, &first, m, skf_join(e, whole), whole->first);
	skf_free(whole);
}

static void receive_protected(struct ike_engine *e, struct ike_sa *sa, const struct ike_datagram *d)
{
	struct message m;
	struct wire_error error;
	struct bytes plain;

	if (message_decode(d->data, &m, &error)) {
		e->counters[error.reason == WIRE_CRITICAL ? IKE_C_UNKNOWN_CRITICAL : IKE_C_MALFORMED]++;
		return;
	}
	/* nothing follows either of them in a message */
	struct payload *sk = m.count ? &m.payloads[m.count - 1] : NULL;
	if (sk && sk->type == PAYLOAD_SKF) {
		receive_fragment(e, sa, d, &m, sk);
	} else if (!sk || sk->type != PAYLOAD_SK) {
		hint_unprotected(e, &m);
	} else if (open_or_count(e, sa, d, sk, &plain)) {
		skf_drop(e, sa, m.header.flags & IKE_FLAG_RESPONSE);
		receive_opened(e, sa, d, &m, plain, sk->sk.first_inner);
	}
}

/* Keys came after the IKE_AUTH request, or fragments of it, that asked for them. */
static void receive_held(struct ike_engine *e, struct ike_sa *sa)
{
	if (sa->state != ST_KEYED)
		return;
	struct held *held = sa->handshake->held, *next;
	sa->handshake->held = NULL;
	for (; held; held = next) {
		struct ike_datagram d = { held->local, held->remote, BYTES(held->data, held->len) };
		next = held->next;
		if (sa->state == ST_KEYED)
			receive_protected(e, sa, &d);
		free(held);
	}
}

/* Half-open, an SA talks to the addresses of its IKE_SA_INIT; only a NAT may show others. A port may always change
 * (RFC 7296 2.23). Otherwise whoever can delay an IKE_AUTH could lead the peer's traffic to another address. */
static bool from_elsewhere(const struct ike_sa *sa, const struct ike_datagram *d)
{
	if (sa->initiator || sa->state >= ST_ESTABLISHED)
		return false;
	return (!sa->remote_nat && !addr_equal(&sa->remote.addr, &d->remote.addr)) ||
	       (!sa->local_nat && !addr_equal(&sa->local.addr, &d->local.addr));
}

/* RFC 7383 2.6.1: of a request that was answered, fragment 1 alone brings the answer again. It may be cut differently
 * now, so that only its ICV tells what it is. */
static void receive_old_fragment(struct ike_engine *e, struct ike_sa *sa, const struct ike_datagram *d)
{
	struct message m;
	struct wire_error error;
	struct bytes plain;

	e->counters[IKE_C_FRAGMENT_REPEATED]++;
	const struct payload *p = message_decode(d->data, &m, &error) ? NULL : message_find(&m, PAYLOAD_SKF);
	if (p && p->sk.number == 1 && open_or_count(e, sa, d, p, &plain))
		outbox_repeat(e, sa, d);
}

/* The request answered last came again, or something that looks like it. */
static bool receive_repeated(
	struct ike_engine *e, struct ike_sa *sa, const struct ike_datagram *d, const struct ike_header *h)
{
	if (outbox_answer_again(e, sa, d))
		return true;
	if (h->next_payload != PAYLOAD_SKF || !sa->fragmentation || !sa->keys.len)
		return false;
	receive_old_fragment(e, sa, d);
	return true;
}

/* RFC 7296 2.3: the window is 1. The last request is answered again, byte for byte; everything else is dropped. */
static void receive_request(
	struct ike_engine *e, struct ike_sa *sa, const struct ike_datagram *d, const struct ike_header *h)
{
	struct outbox *o = &sa->outbox;
	struct input in = { .d = d };

	if (h->message_id + 1 == o->peer_request_id && receive_repeated(e, sa, d, h))
		return;
	if (h->message_id != o->peer_request_id)
		e->counters[IKE_C_BAD_MESSAGE_ID]++;
	else if (from_elsewhere(sa, d))
		e->counters[IKE_C_UNEXPECTED]++;
	else if (sa->theirs)
		return; /* it is the request that is being answered */
	else if (sa->keys.len)
		receive_protected(e, sa, d);
	else if (h->exchange != IKE_AUTH)
		e->counters[IKE_C_UNEXPECTED]++;
	else
		step_or_count(e, sa, EV_AUTH_HELD, &in);
}

static void receive_init_response(struct ike_engine *e, struct ike_sa *sa, const struct ike_datagram *d)
{
	struct message m;
	struct wire_error error;
	struct input in = { .d = d, .m = &m };

	if (message_decode(d->data, &m, &error) || message_check(&m, &error))
		e->counters[error.reason == WIRE_CRITICAL ? IKE_C_UNKNOWN_CRITICAL : IKE_C_MALFORMED]++;
	else
		step_or_count(e, sa, EV_INIT_RESPONSE, &in);
}

static void receive_response(
	struct ike_engine *e, struct ike_sa *sa, const struct ike_datagram *d, const struct ike_header *h)
{
	const struct outbox *o = &sa->outbox;

	if (!o->request || h->message_id != o->request_id || h->exchange != o->request_exchange)
		e->counters[IKE_C_BAD_MESSAGE_ID]++;
	else if (h->exchange == IKE_SA_INIT)
		receive_init_response(e, sa, d);
	else if (sa->keys.len)
		receive_protected(e, sa, d);
	else
		e->counters[IKE_C_UNEXPECTED]++;
}

/* The SA the header names: by our SPI, and the peer's must be the one we know (before we know it: anything in an
 * IKE_SA_INIT answer). */
static struct ike_sa *find_sa(const struct ike_engine *e, const struct ike_header *h)
{
	bool from_initiator = h->flags & IKE_FLAG_INITIATOR;
	struct ike_sa *sa = sa_lookup(e, from_initiator ? h->spi_r : h->spi_i);

	if (!sa || sa->initiator == from_initiator)
		return NULL;
	if (from_initiator)
		return sa->spi_i == h->spi_i ? sa : NULL;
	return sa->spi_r == h->spi_r || (!sa->spi_r && h->exchange == IKE_SA_INIT) ? sa : NULL;
}

static void refuse_header(
	struct ike_engine *e, const struct ike_datagram *d, const struct ike_header *h, const struct wire_error *error)
{
	bool version = error->reason == WIRE_VERSION;

	e->counters[version ? IKE_C_WRONG_VERSION : IKE_C_MALFORMED]++;
	/* RFC 7296 2.5: a newer version is told which one we speak; an older IKE would not understand */
	if (version && h->version >> 4 > 2 && !(h->flags & IKE_FLAG_RESPONSE))
		sa_init_refuse(e, d, h, NOTIFY_INVALID_MAJOR_VERSION, BYTES_NONE);
}

static void receive(struct ike_engine *e, const struct ike_datagram *d)
{
	struct ike_header h;
	struct wire_error error;

	e->counters[IKE_C_RECEIVED]++;
	if (header_decode(d->data, &h, &error)) {
		refuse_header(e, d, &h, &error);
		return;
	}
	if (h.exchange == IKE_SA_INIT && !(h.flags & IKE_FLAG_RESPONSE)) {
		sa_init_on_request(e, d);
		return;
	}
	struct ike_sa *sa = find_sa(e, &h);
	if (!sa)
		hint_unknown_sa(e, d, &h);
	else if (h.flags & IKE_FLAG_RESPONSE)
		receive_response(e, sa, d, &h);
	else
		receive_request(e, sa, d, &h);
}

void ike_input(struct ike_engine *e, const struct ike_datagram *d, uint64_t now_ns, struct ike_actions *out)
{
	/* a NAT keepalive (RFC 3948 2.3) */
	if (d->data.len == 1 && d->data.data[0] == 0xff)
		return;
	enter(e, now_ns, out);
	if (d->data.len > IKE_MESSAGE_BYTES_MAX)
		e->counters[IKE_C_MALFORMED]++;
	else
		receive(e, d);
	leave(e);
}

/* ---- jobs ---- */

void ike_job_done(struct ike_engine *e, struct crypto_job *job, uint64_t now_ns, struct ike_actions *out)
{
	struct input in = { .job = job };

	enter(e, now_ns, out);
	struct ike_sa *sa = sa_lookup(e, job->owner);
	/* one of an exchange that is given up is no surprise */
	if (sa)
		sa_step(e, sa, job->kind == JOB_KEX_GENERATE ? EV_KEX_READY : EV_SECRET_READY, &in);
	crypto_job_free(job);
	if (sa)
		receive_held(e, sa);
	leave(e);
}

/* ---- time ---- */

static void on_retransmit(struct ike_engine *e, struct ike_sa *sa)
{
	struct input in = { 0 };
	/* nothing better came until now: NO_PROPOSAL_CHOSEN is believed (RFC 7296 2.21.1 leaves the moment to us) */
	bool believed = sa->state == ST_INIT_SENT && sa->handshake->noted_error == NOTIFY_NO_PROPOSAL_CHOSEN;

	if (believed || !outbox_on_timer(e, sa))
		step_or_count(e, sa, EV_GAVE_UP, &in);
}

static void on_sa_timer(struct ike_engine *e, struct ike_sa *sa, enum timer_kind kind)
{
	struct input in = { 0 };

	switch (kind) {
	case TIMER_RETRANSMIT: on_retransmit(e, sa); break;
	case TIMER_LIFETIME:
		if (sa->state == ST_LINGER)
			sa_close(e, sa, "");
		else
			sa_step(e, sa, EV_TIME_OUT, &in);
		break;
	case TIMER_REKEY: rekey_ike_on_timer(e, sa); break;
	case TIMER_REAUTH: rekey_ike_reauthenticate(e, sa); break;
	case TIMER_PAUSE: task_flush(e, sa); break;
	case TIMER_JOB: create_child_on_lost_job(e, sa); break;
	case TIMER_LIVENESS: informational_check_liveness(e, sa); break;
	case TIMER_NAT: mobike_believe_nat(e, sa); break;
	case TIMER_KEEPALIVE:
		action_keepalive(e, sa);
		sa_set_timer(e, sa, kind, e->now_ns + e->settings.keepalive_ns);
		break;
	default: break;
	}
}

void ike_tick(struct ike_engine *e, uint64_t now_ns, struct ike_actions *out)
{
	struct timer *timer;

	enter(e, now_ns, out);
	while ((timer = timers_pull(&e->timers, now_ns))) {
		if (timer->kind == TIMER_RETRY)
			tunnel_on_timer(e, timer->owner);
		else if (timer->kind == TIMER_CHILD)
			child_on_timer(e, timer->owner);
		else if (timer->kind == TIMER_IDLE)
			child_on_idle(e, timer->owner);
		else if (timer->kind == TIMER_REASSEMBLY)
			skf_expire(e, timer->owner);
		else
			on_sa_timer(e, timer->owner, (enum timer_kind)timer->kind);
	}
	leave(e);
}

uint64_t ike_next_deadline(const struct ike_engine *e)
{
	return timers_next(&e->timers);
}

/* ---- commands ---- */

/* What concerns a tunnel, or each peer of one that serves many. A peer goes only when the entry point returns. */
static void for_each_peer(struct ike_engine *e, const struct ike_command *c, struct tunnel *t,
	void (*act)(struct ike_engine *e, const struct ike_command *c, struct tunnel *t))
{
	struct peer *p;

	if (c->peer) {
		p = peer_lookup(e, t, c->peer);
		if (p)
			act(e, c, &p->tunnel);
		return;
	}
	act(e, c, t);
	TAILQ_FOREACH (p, &t->peers, siblings)
		act(e, c, &p->tunnel);
}

static void terminate_tunnel(struct ike_engine *e, struct tunnel *t)
{
	t->held = UINT8_MAX;
	t->wanted = 0;
	timers_clear(&e->timers, &t->retry);
	for (struct ike_sa *sa = t->sas, *next; sa; sa = next) {
		next = sa->sibling;
		sa_terminate(e, sa, AFTER_NOTHING, "terminated");
	}
}

static void terminate_children(struct ike_engine *e, struct ike_sa *sa, uint32_t index)
{
	for (struct child_sa *child = TAILQ_FIRST(&sa->children), *next; child; child = next) {
		next = TAILQ_NEXT(child, siblings);
		if (child->index == index)
			child_delete(e, child, "terminated");
	}
}

/* The IKE SA stays, be it without children (RFC 7296 1.4.1). */
static void terminate_child(struct ike_engine *e, struct tunnel *t, uint32_t index)
{
	t->held |= (uint8_t)(1u << index);
	t->wanted &= (uint8_t) ~(1u << index);
	pieces_unwanted(t, index);
	for (struct ike_sa *sa = t->sas, *next; sa; sa = next) {
		next = sa->sibling;
		if (sa->state < ST_ESTABLISHED)
			sa_init_unwanted(e, sa, index);
		else if (sa->state == ST_ESTABLISHED && create_child_unwanted(e, sa, index))
			terminate_children(e, sa, index);
	}
}

static void acquire_packet(struct ike_engine *e, const struct ike_command *c, struct tunnel *t)
{
	const struct ts_pair packet = { { .count = 1, .items = { c->packet_local } },
		{ .count = 1, .items = { c->packet_remote } } };

	if (c->child != IKE_WHOLE_TUNNEL)
		pieces_on_packet(e, t, c->child, &packet);
}

static void command_initiate(struct ike_engine *e, const struct ike_command *c, struct tunnel *t)
{
	uint8_t children = c->child == IKE_WHOLE_TUNNEL ? tunnel_all(t) : (uint8_t)(1u << c->child);

	/* a trap is patient: packets keep coming while the peer is down */
	if (c->kind == IKE_ACQUIRE && e->now_ns < t->not_before_ns)
		return;
	if (c->kind == IKE_ACQUIRE)
		children &= (uint8_t)~t->deaf;
	else
		tunnel_peer_forgiven(t, children);
	t->held &= (uint8_t)~children;
	t->wanted |= children;
	if (c->kind == IKE_ACQUIRE && children && c->packet_local.low.family)
		acquire_packet(e, c, t);
	tunnel_pursue(e, t);
}

static void command_rekey(struct ike_engine *e, const struct ike_command *c, struct tunnel *t)
{
	for (struct ike_sa *sa = t->sas, *next; sa; sa = next) {
		struct child_sa *child;
		next = sa->sibling;
		if (sa->state != ST_ESTABLISHED)
			continue;
		TAILQ_FOREACH (child, &sa->children, siblings) {
			if (c->child == IKE_WHOLE_TUNNEL || child->index == c->child)
				child_want_rekey(e, child);
		}
		if (c->child == IKE_WHOLE_TUNNEL)
			task_want(e, sa, TASK_REKEY_IKE);
	}
}

static void command_terminate(struct ike_engine *e, const struct ike_command *c, struct tunnel *t)
{
	if (c->child == IKE_WHOLE_TUNNEL)
		terminate_tunnel(e, t);
	else
		terminate_child(e, t, c->child);
}

static void terminate_all(struct ike_engine *e)
{
	const struct ike_command whole = { .child = IKE_WHOLE_TUNNEL };

	e->stopping = true;
	for (size_t i = 0; i < e->tunnel_count; i++)
		for_each_peer(e, &whole, &e->tunnels[i], command_terminate);
	/* half-open ones of the peers belong to no tunnel; those that linger have nothing to say any more */
	for (struct ike_sa *sa = e->sas, *next; sa; sa = next) {
		next = sa->next;
		if (!sa->in_tunnel)
			sa_close(e, sa, "shutdown");
	}
}

static void paths_changed(struct ike_engine *e)
{
	for (struct ike_sa *sa = e->sas, *next; sa; sa = next) {
		next = sa->next;
		mobike_on_paths_changed(e, sa);
	}
}

static void command_move(struct ike_engine *e, const struct ike_command *c, struct tunnel *t)
{
	for (struct ike_sa *sa = t->sas, *next; sa; sa = next) {
		next = sa->sibling;
		mobike_on_command(e, sa, &c->local, &c->remote.addr);
	}
}

static void child_command(struct ike_engine *e, const struct ike_command *c, struct child_sa *child)
{
	struct ike_sa *sa = child->sa;

	switch (c->kind) {
	case IKE_SOFT_EXPIRE: child_want_rekey(e, child); break;
	case IKE_EXPIRE: child_expire(e, child, "the Child SA is used up"); break;
	case IKE_USED:
		/* RFC 7296 2.8: the initiator has the pair that we made when we answered */
		child_passed(e, child);
		sa_child_used(e, child);
		sa_heard(e, sa);
		rekey_child_drop_surplus(e, sa);
		task_flush(e, sa);
		break;
	case IKE_SENT: child_passed(e, child); break;
	case IKE_ADDRESS_CHANGED: sa_move_remote(e, sa, &c->remote); break;
	default: break;
	}
}

static void tunnel_command(struct ike_engine *e, const struct ike_command *c, struct tunnel *t)
{
	switch (c->kind) {
	case IKE_INITIATE:
	case IKE_ACQUIRE: command_initiate(e, c, t); break;
	case IKE_TERMINATE: for_each_peer(e, c, t, command_terminate); break;
	case IKE_REKEY: for_each_peer(e, c, t, command_rekey); break;
	case IKE_MOVE: command_move(e, c, t); break;
	default: break;
	}
}

static void command(struct ike_engine *e, const struct ike_command *c)
{
	struct tunnel *t = c->tunnel < e->tunnel_count ? &e->tunnels[c->tunnel] : NULL;
	struct child_sa *child;

	switch (c->kind) {
	case IKE_INITIATE:
	case IKE_ACQUIRE:
	case IKE_TERMINATE:
	case IKE_REKEY:
	case IKE_MOVE:
		if (t && (c->child == IKE_WHOLE_TUNNEL || c->child < t->profile->child_count))
			tunnel_command(e, c, t);
		break;
	case IKE_TERMINATE_ALL: terminate_all(e); break;
	case IKE_PATHS_CHANGED: paths_changed(e); break;
	case IKE_SOFT_EXPIRE:
	case IKE_EXPIRE:
	case IKE_USED:
	case IKE_SENT:
	case IKE_ADDRESS_CHANGED:
		child = child_lookup(e, c->spi);
		if (child)
			child_command(e, c, child);
		break;
	}
}

void ike_command(struct ike_engine *e, const struct ike_command *c, uint64_t now_ns, struct ike_actions *out)
{
	enter(e, now_ns, out);
	command(e, c);
	leave(e);
}
