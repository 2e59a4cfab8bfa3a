/* SPDX-License-Identifier: BSD-3-Clause */
/* IKE SAs as objects: birth, tables, timers, coming up, ending. What messages say is v2/'s. */
#include "ike_priv.h"

#include <stdlib.h>

#include "v2/v2.h"

#define LINGER_NS      (20 * SECOND_NS)
#define LINGER_SAS_MAX 1024

uint64_t sa_our_spi(const struct ike_sa *sa)
{
	return sa->initiator ? sa->spi_i : sa->spi_r;
}

struct ike_sa *sa_lookup(const struct ike_engine *e, uint64_t our_spi)
{
	for (struct link *l = table_first(&e->by_spi, hash_u64(our_spi)); l; l = table_next(l)) {
		struct ike_sa *sa = CONTAINER_OF(l, struct ike_sa, by_spi);
		if (sa_our_spi(sa) == our_spi)
			return sa;
	}
	return NULL;
}

struct ike_sa *sa_lookup_init(
	const struct ike_engine *e, uint64_t spi_i, const struct endpoint *remote, const uint8_t *hash)
{
	for (struct link *l = table_first(&e->by_init, hash_u64(spi_i)); l; l = table_next(l)) {
		struct ike_sa *sa = CONTAINER_OF(l, struct ike_sa, by_init);
		if (sa->spi_i == spi_i && endpoint_equal(&sa->init_remote, remote) &&
			!memcmp(sa->init_hash, hash, HASH_BYTES))
			return sa;
	}
	return NULL;
}

/* Our number, then 48 random bits; never zero, never in use. */
uint64_t sa_choose_spi(struct ike_engine *e)
{
	uint64_t spi;

	do {
		e->host.random(e->host.context, &spi, sizeof(spi));
		spi = (uint64_t)e->settings.engine_number << 48 | (spi & 0xffffffffffffull);
	} while (!(spi & 0xffffffffffffull) || sa_lookup(e, spi));
	return spi;
}

static void engine_link(struct ike_engine *e, struct ike_sa *sa)
{
	sa->next = e->sas;
	sa->link = &e->sas;
	if (e->sas)
		e->sas->link = &sa->next;
	e->sas = sa;
}

static void engine_unlink(struct ike_sa *sa)
{
	*sa->link = sa->next;
	if (sa->next)
		sa->next->link = sa->link;
}

static void sa_free(struct ike_engine *e, struct ike_sa *sa)
{
	struct child_sa *child;

	while ((child = TAILQ_FIRST(&sa->children))) {
		TAILQ_REMOVE(&sa->children, child, siblings);
		child_free(e, child);
	}
	create_free(e, sa->ours);
	create_free(e, sa->theirs);
	handshake_free(sa);
	secret_done(&sa->keys);
	skf_free(sa->skf[0]);
	skf_free(sa->skf[1]);
	outbox_done(&sa->outbox);
	free(sa->mobike);
	secret_wipe(sa, sizeof(*sa));
	free(sa);
}

/* Without SPIs, in no table yet. NULL without memory. */
static struct ike_sa *sa_alloc(struct ike_engine *e, struct tunnel *t, bool initiator)
{
	struct ike_sa *sa = calloc(1, sizeof(*sa));

	if (!sa || timers_reserve(&e->timers, SA_TIMERS)) {
		free(sa);
		return NULL;
	}
	for (unsigned i = 0; i < SA_TIMERS; i++) {
		sa->timers[i].kind = (uint8_t)i;
		sa->timers[i].owner = sa;
	}
	sa->tunnel = t;
	sa->initiator = initiator;
	sa->created_order = ++e->order;
	TAILQ_INIT(&sa->children);
	e->host.random(e->host.context, &sa->iv, sizeof(sa->iv));
	return sa;
}

static void tell_host(const struct ike_engine *e, const struct ike_sa *sa, enum ike_sa_news news)
{
	if (e->host.sa_news)
		e->host.sa_news(e->host.context, sa_our_spi(sa), news);
}

static void sa_insert(struct ike_engine *e, struct ike_sa *sa, uint64_t spi_i, uint64_t spi_r)
{
	sa->spi_i = spi_i;
	sa->spi_r = spi_r;
	table_insert(&e->by_spi, &sa->by_spi, hash_u64(sa_our_spi(sa)));
	engine_link(e, sa);
	tell_host(e, sa, sa->established_order ? IKE_SA_UP : IKE_SA_OPENING);
	e->sa_count++;
}

struct ike_sa *ike_sa_create(struct ike_engine *e, struct tunnel *t, bool initiator, uint64_t peer_spi)
{
	struct handshake *h = calloc(1, sizeof(*h));
	struct ike_sa *sa = h ? sa_alloc(e, t, initiator) : NULL;

	if (!sa) {
		free(h);
		return NULL;
	}
	sa->handshake = h;
	sa->began = initiator;
	sa_insert(e, sa, initiator ? sa_choose_spi(e) : peer_spi, initiator ? 0 : sa_choose_spi(e));
	if (!initiator) {
		sa->counted = true;
		e->half_open++;
	}
	return sa;
}

void sa_remember_init(struct ike_engine *e, struct ike_sa *sa, const struct ike_datagram *d, const uint8_t *hash)
{
	sa->init_remote = d->remote;
	memcpy(sa->init_hash, hash, HASH_BYTES);
	table_insert(&e->by_init, &sa->by_init, hash_u64(sa->spi_i));
	sa->in_init = true;
}

static void held_free(struct held *held)
{
	for (struct held *next; held; held = next) {
		next = held->next;
		free(held);
	}
}

void handshake_free(struct ike_sa *sa)
{
	struct handshake *h = sa->handshake;

	if (!h)
		return;
	kex_free(h->key);
	free(h->init_ours);
	free(h->init_peers);
	held_free(h->held);
	free(h->why);
	free(h->offer);
	secret_wipe(h, sizeof(*h));
	free(h);
	sa->handshake = NULL;
}

void sa_set_timer(struct ike_engine *e, struct ike_sa *sa, enum timer_kind kind, uint64_t at_ns)
{
	timers_set(&e->timers, &sa->timers[kind], at_ns);
}

void sa_clear_timer(struct ike_engine *e, struct ike_sa *sa, enum timer_kind kind)
{
	timers_clear(&e->timers, &sa->timers[kind]);
}

void sa_not_half_open(struct ike_engine *e, struct ike_sa *sa)
{
	if (sa->counted)
		e->half_open--;
	sa->counted = false;
	source_leave(e, sa);
}

bool sa_has_twin(const struct ike_sa *sa)
{
	struct child_sa *child;

	TAILQ_FOREACH (child, &sa->children, siblings) {
		if (child_heir(child))
			return true;
	}
	return false;
}

uint8_t sa_children(const struct ike_sa *sa, bool soon)
{
	const struct child_sa *child;
	uint8_t bits = soon ? sa->creates : 0;

	TAILQ_FOREACH (child, &sa->children, siblings) {
		if (child->state == CHILD_UP)
			bits |= (uint8_t)(1u << child->index);
	}
	if (soon && sa->asking.kind == TASK_CREATE_CHILD)
		bits |= (uint8_t)(1u << sa->asking.child_index);
	if (soon && sa->theirs && sa->theirs->kind != CREATE_REKEY_IKE)
		bits |= (uint8_t)(1u << sa->theirs->index);
	return bits;
}

void sa_pursue_children(struct ike_engine *e, struct ike_sa *sa)
{
	sa->creates |= (uint8_t)(sa->tunnel->wanted & ~sa_children(sa, true));
	task_flush(e, sa);
}

/* Another IKE SA carries the traffic: what is under way on this one still gets in. */
static void leave_to(struct ike_engine *e, struct child_sa *child, struct child_sa *heir)
{
	child->replaced = true;
	if (child->current)
		child_send_on(e, heir);
	child_fade(e, child);
	child_move(child, heir->sa);
}

void sa_retire_children(struct ike_engine *e, struct ike_sa *sa, const char *reason)
{
	struct child_sa *child;

	while ((child = TAILQ_FIRST(&sa->children))) {
		struct child_sa *heir = child->installed ? child_heir(child) : NULL;
		if (heir && child_has_room(heir->sa, true))
			leave_to(e, child, heir);
		else
			child_retire(e, child, reason);
	}
}

static void identity_unlink(struct ike_engine *e, struct ike_sa *sa)
{
	if (sa->in_identity)
		table_remove(&e->by_identity, &sa->by_identity);
	sa->in_identity = false;
}

/* Everything an SA means to others ends here; idempotent through its state. */
static void sa_detach(struct ike_engine *e, struct ike_sa *sa, const char *reason)
{
	create_child_drop(e, sa);
	sa_retire_children(e, sa, reason);
	config_release(e, sa);
	if (sa->reserved_spi)
		e->host.spi_release(e->host.context, sa->reserved_spi);
	sa->reserved_spi = 0;
	if (sa->established_order && !sa->replaced)
		event_emit(e, IKE_EV_PHASE1_DOWN, sa->tunnel, sa, "%s", reason);
	sa_not_half_open(e, sa);
	handshake_free(sa);
	skf_drop(e, sa, false);
	skf_drop(e, sa, true);
	secret_done(&sa->keys);
	tunnel_unlink(e, sa);
	identity_unlink(e, sa);
	for (unsigned i = 0; i < SA_TIMERS; i++)
		sa_clear_timer(e, sa, (enum timer_kind)i);
	e->sa_count--;
}

void sa_close(struct ike_engine *e, struct ike_sa *sa, const char *reason)
{
	if (sa->state == ST_DEAD)
		return;
	if (sa->state == ST_LINGER) {
		e->lingering--;
		sa_clear_timer(e, sa, TIMER_LIFETIME);
	} else {
		sa_detach(e, sa, reason);
	}
	table_remove(&e->by_spi, &sa->by_spi);
	tell_host(e, sa, IKE_SA_GONE);
	if (sa->in_init)
		table_remove(&e->by_init, &sa->by_init);
	engine_unlink(sa);
	timers_release(&e->timers, SA_TIMERS);
	sa_set_state(e, sa, ST_DEAD);
	sa->next = e->dead;
	e->dead = sa;
}

void sa_linger(struct ike_engine *e, struct ike_sa *sa, const char *reason)
{
	if (e->lingering >= LINGER_SAS_MAX || e->stopping) {
		sa_close(e, sa, reason);
		return;
	}
	sa_detach(e, sa, reason);
	e->lingering++;
	sa_set_state(e, sa, ST_LINGER);
	sa_set_timer(e, sa, TIMER_LIFETIME, e->now_ns + LINGER_NS);
}

void sa_fail(struct ike_engine *e, struct ike_sa *sa)
{
	struct ike_failure f = failure_make(
		1, INFORMATIONAL, sa->initiator, 0, "no memory or no working cryptography", "look at this host's log");
	struct tunnel *t = sa->in_tunnel ? sa->tunnel : NULL;

	failure_report(e, sa->tunnel, sa, NULL, &f);
	sa_close(e, sa, f.reason);
	if (t)
		tunnel_follow_up(e, t, AFTER_BACKOFF);
}

void sa_free_dead(struct ike_engine *e)
{
	while (e->dead) {
		struct ike_sa *sa = e->dead;
		e->dead = sa->next;
		sa_free(e, sa);
	}
}

void sa_free_all(struct ike_engine *e)
{
	/* they stand in the objects: the heap must not look at one that has gone before */
	timers_clear_all(&e->timers);
	for (struct ike_sa *sa = e->sas, *next; sa; sa = next) {
		next = sa->next;
		if (sa->reserved_spi)
			e->host.spi_release(e->host.context, sa->reserved_spi);
		config_give_back(e, sa);
		source_leave(e, sa);
		sa_free(e, sa);
	}
	e->sas = NULL;
	sa_free_dead(e);
}

uint64_t identity_hash(const struct identity *id)
{
	uint64_t hash = id->type;

	/* names compare without regard to case */
	for (int i = 0; i < id->len; i++)
		hash = (hash ^ (id->data[i] | 0x20)) * 0x100000001b3ull;
	return hash_u64(hash);
}

uint64_t random_below(struct ike_engine *e, uint64_t limit)
{
	uint32_t random;

	if (!limit)
		return 0;
	e->host.random(e->host.context, &random, sizeof(random));
	return (uint64_t)((double)limit * ((double)random / ((double)UINT32_MAX + 1)));
}

uint64_t with_jitter(struct ike_engine *e, uint64_t pause_ns, unsigned percent)
{
	return pause_ns + random_below(e, pause_ns / 100 * percent);
}

static void start_rekey_timer(struct ike_engine *e, struct ike_sa *sa, uint64_t life)
{
	uint64_t early = life / 100 * (sa->initiator ? REKEY_PERCENT : REKEY_PERCENT_PEERS);

	sa_clear_timer(e, sa, TIMER_LIFETIME);
	if (!life)
		return;
	sa_set_timer(e, sa, TIMER_LIFETIME, e->now_ns + life);
	sa_set_timer(e, sa, TIMER_REKEY, e->now_ns + early + random_below(e, life / 100 * REKEY_JITTER_PERCENT));
}

static void start_timers(struct ike_engine *e, struct ike_sa *sa)
{
	const struct tunnel_profile *p = sa->tunnel->profile;

	start_rekey_timer(e, sa, p->lifetime_ns);
	if (sa->reauth_ns)
		sa_set_timer(e, sa, TIMER_REAUTH, sa->reauth_ns);
	if (p->dpd_interval_ns)
		sa_set_timer(e, sa, TIMER_LIVENESS, e->now_ns + p->dpd_interval_ns);
	if (sa->local_nat && e->settings.keepalive_ns)
		sa_set_timer(e, sa, TIMER_KEEPALIVE, e->now_ns + e->settings.keepalive_ns);
}

static void tell_up(struct ike_engine *e, struct ike_sa *sa)
{
	char suite[PROPOSAL_TEXT_MAX];
	struct child_sa *child;

	event_emit(e, IKE_EV_PHASE1_UP, sa->tunnel, sa, "%s", suite_format(&sa->suite, suite));
	/* one whose mode we refuse is there to be deleted only */
	TAILQ_FOREACH (child, &sa->children, siblings) {
		if (child->installed)
			child_tell_up(e, child);
	}
}

/* The child of IKE_AUTH may have been terminated meanwhile. */
static void check_wanted(struct ike_engine *e, struct ike_sa *sa)
{
	for (struct child_sa *child = TAILQ_FIRST(&sa->children), *next; child; child = next) {
		next = TAILQ_NEXT(child, siblings);
		child_check_wanted(e, child);
	}
}

/* The wish to end it came while IKE_AUTH was out; or others make way, and children are still missing. */
static void look_around(struct ike_engine *e, struct ike_sa *sa, bool initial_contact)
{
	struct tunnel *t = sa->tunnel;
	uint8_t missing, first = (uint8_t)(1u << sa->asking.child_index);

	sa->asking = (struct task){ .kind = TASK_NONE };
	if (sa->wants & TASK_BIT(TASK_DELETE_IKE)) {
		sa_terminate(e, sa, (enum afterwards)sa->afterwards, "terminated");
		return;
	}
	timers_clear(&e->timers, &t->retry);
	tunnel_replace(e, sa, initial_contact);
	check_wanted(e, sa);
	missing = (uint8_t)(t->wanted & ~sa_children(sa, true));
	/* RFC 7296 1.2 keeps an IKE SA whose first child was refused: that is asked for again, with growing pauses */
	if (missing & first && sa->initiator)
		tunnel_follow_up(e, t, AFTER_BACKOFF);
	else if (missing && sa->initiator && sa->state == ST_ESTABLISHED)
		sa_pursue_children(e, sa);
	else if (missing)
		tunnel_pursue_later(e, t);
	task_flush(e, sa);
}

static void identity_link(struct ike_engine *e, struct ike_sa *sa)
{
	table_insert(&e->by_identity, &sa->by_identity, identity_hash(&sa->remote_id));
	sa->in_identity = true;
}

struct ike_sa *sa_inherit(struct ike_engine *e, struct ike_sa *old, const struct create *x)
{
	struct ike_sa *sa = sa_alloc(e, old->tunnel, x->initiator);

	if (!sa)
		return NULL;
	sa->local = old->local;
	sa->remote = old->remote;
	sa->local_nat = old->local_nat;
	sa->remote_nat = old->remote_nat;
	sa->fragmentation = old->fragmentation;
	sa->began = old->began;
	sa->remote_id = old->remote_id;
	sa->suite = x->agreed.suite;
	sa->reauth_ns = old->reauth_ns;
	sa->by_pieces = old->by_pieces;
	sa->by_packets = old->by_packets;
	memcpy(sa->next_piece, old->next_piece, sizeof(sa->next_piece));
	sa->proven = true;
	/* new keys make it no younger than an IKE SA that was begun meanwhile */
	sa->created_order = old->created_order;
	sa->established_order = old->established_order;
	sa->heard_ns = sa->up_since_ns = e->now_ns;
	sa_insert(e, sa, x->initiator ? x->spi : x->peer_spi, x->initiator ? x->peer_spi : x->spi);
	tunnel_link(old->tunnel, sa);
	identity_link(e, sa);
	return sa;
}

void sa_established(struct ike_engine *e, struct ike_sa *sa)
{
	/* one that was inherited is up already */
	if (sa->established_order) {
		start_timers(e, sa);
		return;
	}
	bool initial_contact = !sa->initiator && sa->handshake->initial_contact;

	sa->established_order = ++e->order;
	tell_host(e, sa, IKE_SA_UP);
	sa->up_since_ns = sa->heard_ns = e->now_ns;
	sa->proven = sa->initiator;
	if (!sa->initiator && !(sa->wants & TASK_BIT(TASK_DELETE_IKE)))
		sa->tunnel->held &= (uint8_t)~sa_children(sa, false);
	tunnel_peer_forgiven(sa->tunnel, tunnel_all(sa->tunnel));
	sa_not_half_open(e, sa);
	handshake_free(sa);
	identity_link(e, sa);
	start_timers(e, sa);
	tell_up(e, sa);
	look_around(e, sa, initial_contact);
}

struct ike_sa *sa_next_of_identity(const struct ike_engine *e, const struct identity *id, const struct ike_sa *previous)
{
	struct link *l = previous ? table_next(&previous->by_identity)
				  : table_first(&e->by_identity, identity_hash(id));

	for (; l; l = table_next(l)) {
		struct ike_sa *sa = CONTAINER_OF(l, struct ike_sa, by_identity);
		if (identity_equal(&sa->remote_id, id))
			return sa;
	}
	return NULL;
}

void sa_confirmed(struct ike_engine *e, struct ike_sa *sa)
{
	struct child_sa *child;
	bool news = false;

	TAILQ_FOREACH (child, &sa->children, siblings) {
		news = news || !child->confirmed;
		child_confirm(e, child);
	}
	/* an older IKE SA may have stayed for a child that the peer might not have had here */
	if (news && sa->state == ST_ESTABLISHED)
		tunnel_replace(e, sa, false);
}

void sa_child_used(struct ike_engine *e, struct child_sa *child)
{
	bool news = !child->confirmed;

	child_confirm(e, child);
	if (news && child->sa->state == ST_ESTABLISHED)
		tunnel_replace(e, child->sa, false);
}

void sa_heard(struct ike_engine *e, struct ike_sa *sa)
{
	sa->heard_ns = e->now_ns;
	if (sa->proven || sa->state != ST_ESTABLISHED)
		return;
	sa->proven = true;
	sa_confirmed(e, sa);
	tunnel_replace(e, sa, false);
}

/* Those that the new path does not carry end; where they are wanted they are asked for anew. */
static void end_misplaced(struct ike_engine *e, struct ike_sa *sa)
{
	for (struct child_sa *child = TAILQ_FIRST(&sa->children), *next; child; child = next) {
		const char *fault = modes_path_fault(child);
		next = TAILQ_NEXT(child, siblings);
		if (fault && child->state == CHILD_UP)
			child_expire(e, child, fault);
	}
}

void sa_repath(struct ike_engine *e, struct ike_sa *sa)
{
	struct child_sa *child;

	end_misplaced(e, sa);
	TAILQ_FOREACH (child, &sa->children, siblings) {
		/* RFC 4555 1.2: in transport mode the addresses are those of the traffic itself, and stay */
		if (!child->installed || child->transport)
			continue;
		/* AH is never inside UDP (RFC 3948 1) */
		child->udp_encap = child->protocol == PROTOCOL_ESP && natd_udp_encap(sa);
		action_child(e, IKE_UPDATE, child);
	}
}

void sa_move_remote(struct ike_engine *e, struct ike_sa *sa, const struct endpoint *remote)
{
	struct child_sa *child;

	/* RFC 7296 2.23: only towards a peer behind a NAT, and not when we are behind one ourselves; RFC 4555 3.8: a
	 * peer that speaks MOBIKE says so itself */
	if (!sa->remote_nat || sa->local_nat || sa->mobike || endpoint_equal(&sa->remote, remote))
		return;
	sa->remote = *remote;
	end_misplaced(e, sa);
	TAILQ_FOREACH (child, &sa->children, siblings) {
		if (child->installed)
			action_child(e, IKE_UPDATE, child);
	}
	event_emit(e, IKE_EV_MOVED, sa->tunnel, sa, "the peer's NAT has a new mapping");
}

/* The peer may send on a child until it has read the Delete: where there is a successor, we listen until then. */
static void leave_children(struct ike_engine *e, struct ike_sa *sa, const char *reason)
{
	for (struct child_sa *child = TAILQ_FIRST(&sa->children), *next; child; child = next) {
		struct child_sa *heir = child_heir(child);
		next = TAILQ_NEXT(child, siblings);
		if (!heir)
			child_retire(e, child, reason);
		else if (child->current)
			child_send_on(e, heir);
	}
	create_child_refuse_held(e, sa);
	if (sa->ours && !sa->ours->sent)
		create_child_drop(e, sa);
}

void sa_terminate(struct ike_engine *e, struct ike_sa *sa, enum afterwards afterwards, const char *reason)
{
	struct tunnel *t = sa->tunnel;

	switch (sa->state) {
	case ST_ESTABLISHED:
	case ST_INHERITING:
	case ST_REPLACED:
		leave_children(e, sa, reason);
		sa->wants = TASK_BIT(TASK_DELETE_IKE);
		sa->afterwards = AFTER_NOTHING;
		sa_set_state(e, sa, ST_CLOSING);
		tunnel_follow_up(e, t, afterwards);
		break;
	case ST_AUTH_SENT: /* the peer may be up already: it is told when it answers */
		sa->wants |= TASK_BIT(TASK_DELETE_IKE);
		sa->afterwards = (uint8_t)afterwards;
		break;
	case ST_CLOSING: sa->afterwards = AFTER_NOTHING; break;
	case ST_LINGER:
	case ST_DEAD: break;
	default:
		sa_close(e, sa, reason);
		tunnel_follow_up(e, t, afterwards);
		break;
	}
}
