/* SPDX-License-Identifier: BSD-3-Clause */
/* MOBIKE, both roles (RFC 4555): which addresses both sides have, and the path of an IKE SA and its Child SAs changed
 * under way. The initiator decides, the responder follows once it knows that the initiator is there. */
#include <stdio.h>
#include <stdlib.h>

#include "v2.h"

/* Longer than the peer waits before it sends an update again: when our answer is through, its next one follows. */
#define NAT_UNSURE_NS (30 * SECOND_NS)

/* ---- addresses ---- */

/* Those of ours that the tunnel may use, best first. NULL: behind the last. */
static const struct addr *local_address(const struct tunnel_profile *p, unsigned i)
{
	if (!i)
		return &p->local_addr;
	return i <= p->local_more.count ? &p->local_more.items[i - 1] : NULL;
}

static bool list_has(const struct addr *items, unsigned count, const struct addr *a)
{
	for (unsigned i = 0; i < count; i++)
		if (addr_equal(&items[i], a))
			return true;
	return false;
}

/* Whether the configuration lets the peer be there. */
static bool remote_allowed(const struct tunnel_profile *p, const struct addr *a)
{
	bool in = !p->move_to.count || addr_equal(&p->remote_addr, a) ||
		  list_has(p->remote_more.items, p->remote_more.count, a);

	for (unsigned i = 0; i < p->move_to.count && !in; i++)
		in = selector_matches(&p->move_to.items[i], a, 0, false, 0);
	return in;
}

/* Where the peer may be reached, best first; some of them may be the same. NULL: behind the last. */
static const struct addr *remote_address(const struct tunnel_profile *p, const struct ike_sa *sa, unsigned i)
{
	const struct mobike *m = sa ? sa->mobike : NULL;

	if (sa && !i--)
		return &sa->remote.addr;
	if (!i--)
		return &p->remote_addr;
	if (i < p->remote_more.count)
		return &p->remote_more.items[i];
	i -= p->remote_more.count;
	if (m && !i--)
		return &m->former_remote.addr;
	return m && i < m->peer_count ? &m->peers[i] : NULL;
}

static bool path_usable(const struct ike_engine *e, const struct addr *local, const struct addr *remote)
{
	if (local->family == ADDR_NONE || (remote && local->family != remote->family))
		return false;
	return !e->host.path_usable || e->host.path_usable(e->host.context, local, remote);
}

/* A pair of addresses; what it must not be. */
struct pair_wish {
	const struct addr *not_local, *not_remote; /* both together, or the remote one alone; NULL: no wish */
	unsigned first;                            /* looked at first, then the others in turn */
};

static bool pair_fits(const struct ike_engine *e, const struct tunnel_profile *p, const struct pair_wish *w,
	const struct addr *local, const struct addr *remote)
{
	bool same_remote = w->not_remote && addr_equal(w->not_remote, remote);

	if (same_remote && (!w->not_local || addr_equal(w->not_local, local)))
		return false;
	return remote_allowed(p, remote) && path_usable(e, local, remote);
}

/* The number of the pair behind the one that was found; 0: none fits. sa may be NULL. */
static unsigned pair_find(const struct ike_engine *e, const struct tunnel_profile *p, const struct ike_sa *sa,
	const struct pair_wish *w, struct addr *ret_local, struct addr *ret_remote)
{
	unsigned locals = 0, remotes = 0;

	while (local_address(p, locals))
		locals++;
	while (remote_address(p, sa, remotes))
		remotes++;
	for (unsigned i = 0; i < locals * remotes; i++) {
		unsigned n = (w->first + i) % (locals * remotes);
		const struct addr *local = local_address(p, n / remotes), *remote = remote_address(p, sa, n % remotes);
		if (!pair_fits(e, p, w, local, remote))
			continue;
		*ret_local = *local;
		*ret_remote = *remote;
		return n + 1;
	}
	return 0;
}

void mobike_first_path(
	const struct ike_engine *e, const struct tunnel *t, struct endpoint *ret_local, struct endpoint *ret_remote)
{
	const struct tunnel_profile *p = t->profile;
	struct pair_wish any = { .first = t->turn };

	*ret_local = (struct endpoint){ p->local_addr, IKE_PORT };
	*ret_remote = (struct endpoint){ p->remote_addr, IKE_PORT };
	if (p->mobike)
		pair_find(e, p, NULL, &any, &ret_local->addr, &ret_remote->addr);
}

bool mobike_local(const struct tunnel_profile *p, const struct addr *a)
{
	for (unsigned i = 0; p->mobike && local_address(p, i); i++)
		if (addr_equal(local_address(p, i), a))
			return true;
	return false;
}

/* ---- telling and taking further addresses ---- */

/* Bits of those of ours that are there and not in use (RFC 4555 3.4). */
static uint8_t further(const struct ike_engine *e, const struct ike_sa *sa)
{
	const struct tunnel_profile *p = sa->tunnel->profile;
	uint8_t bits = 0;

	for (unsigned i = 0; local_address(p, i); i++)
		if (!addr_equal(local_address(p, i), &sa->local.addr) && path_usable(e, local_address(p, i), NULL))
			bits |= (uint8_t)(1u << i);
	return bits;
}

static void add_further(const struct ike_engine *e, const struct ike_sa *sa, struct message *m)
{
	const struct tunnel_profile *p = sa->tunnel->profile;
	uint8_t bits = further(e, sa);

	for (unsigned i = 0; bits >> i; i++) {
		const struct addr *a = local_address(p, i);
		if (bits >> i & 1)
			message_add_notify(m,
				a->family == ADDR_IPV6 ? NOTIFY_ADDITIONAL_IP6_ADDRESS : NOTIFY_ADDITIONAL_IP4_ADDRESS,
				BYTES(a->bytes, addr_len(a)));
	}
}

static void tell_news(struct ike_engine *e, struct ike_sa *sa)
{
	if (further(e, sa) != sa->mobike->told)
		task_want(e, sa, TASK_TELL_ADDRESSES);
}

void mobike_fill_addresses(
	struct ike_engine *e, struct ike_sa *sa, const struct task *t, struct message *m, uint8_t *data)
{
	(void)t, (void)data;
	sa->mobike->told = further(e, sa);
	if (sa->mobike->told)
		add_further(e, sa, m);
	else
		message_add_notify(m, NOTIFY_NO_ADDITIONAL_ADDRESSES, BYTES_NONE);
}

static void take_address(struct ike_sa *sa, const struct payload *p)
{
	struct mobike *m = sa->mobike;
	bool six = p->notify.type == NOTIFY_ADDITIONAL_IP6_ADDRESS;
	struct addr a = { .family = six ? ADDR_IPV6 : ADDR_IPV4 };

	if (p->notify.data.len != addr_len(&a) || m->peer_count == IKE_REMOTES_MAX)
		return;
	memcpy(a.bytes, p->notify.data.data, p->notify.data.len);
	if (!addr_is_any(&a) && !addr_is_multicast(&a) && !list_has(m->peers, m->peer_count, &a))
		m->peers[m->peer_count++] = a;
}

static bool is_address(const struct payload *p)
{
	return p->type == PAYLOAD_NOTIFY &&
	       (p->notify.type == NOTIFY_ADDITIONAL_IP4_ADDRESS || p->notify.type == NOTIFY_ADDITIONAL_IP6_ADDRESS);
}

/* The list replaces the one before. False: there is none in the message. */
static bool take_addresses(struct ike_sa *sa, const struct message *m)
{
	bool any = message_find_notify(m, NOTIFY_NO_ADDITIONAL_ADDRESSES);

	for (int i = 0; i < m->count; i++)
		any = any || is_address(&m->payloads[i]);
	if (!any)
		return false;
	sa->mobike->peer_count = 0;
	for (int i = 0; i < m->count; i++)
		if (is_address(&m->payloads[i]))
			take_address(sa, &m->payloads[i]);
	return true;
}

/* ---- what has been proven ----
 * RFC 4555 3.7: the answer to a request that went to several addresses does not say at which of them the peer is, and
 * its own source may be forged. A new request is then sent to the one in question. */

static bool is_proven(const struct mobike *m, const struct addr *a)
{
	return list_has(m->proven, m->proven_count, a);
}

static void prove(struct mobike *m, const struct addr *a)
{
	if (is_proven(m, a))
		return;
	m->proven[m->proven_next] = *a;
	m->proven_next = (uint8_t)((m->proven_next + 1) % MOBIKE_PROVEN_MAX);
	if (m->proven_count < MOBIKE_PROVEN_MAX)
		m->proven_count++;
}

static void add_cookie(struct ike_engine *e, struct ike_sa *sa, struct message *m)
{
	struct mobike *mobike = sa->mobike;

	e->host.random(e->host.context, mobike->cookie, sizeof(mobike->cookie));
	mobike->asked = true;
	message_add_notify(m, NOTIFY_COOKIE2, BYTES_OF(mobike->cookie));
}

/* RFC 4555 3.7: another one than ours ends the IKE SA. */
static bool cookie_right(struct ike_engine *e, struct ike_sa *sa, const struct message *m)
{
	const struct payload *p = message_find_notify(m, NOTIFY_COOKIE2);
	struct ike_failure f = failure_make(1, INFORMATIONAL, true, 0, "the peer did not return our COOKIE2",
		"the peer does not keep to RFC 4555 3.7, or somebody answers in its place");
	bool asked = sa->mobike->asked;

	sa->mobike->asked = false;
	if (!asked || (p && bytes_equal(p->notify.data, BYTES_OF(sa->mobike->cookie))))
		return true;
	failure_report(e, sa->tunnel, sa, NULL, &f);
	sa_terminate(e, sa, AFTER_BACKOFF, f.reason);
	return false;
}

/* ---- IKE_AUTH ---- */

void mobike_offer(const struct ike_engine *e, const struct ike_sa *sa, struct message *m)
{
	if (!sa->tunnel->profile->mobike)
		return;
	message_add_notify(m, NOTIFY_MOBIKE_SUPPORTED, BYTES_NONE);
	add_further(e, sa, m);
}

/* Without memory it is as if the peer did not speak it. */
bool mobike_agree(const struct ike_engine *e, struct ike_sa *sa, const struct message *m)
{
	if (!sa->tunnel->profile->mobike || !message_find_notify(m, NOTIFY_MOBIKE_SUPPORTED))
		return false;
	sa->mobike = calloc(1, sizeof(*sa->mobike));
	if (!sa->mobike)
		return false;
	sa->mobike->decides = sa->initiator;
	sa->mobike->told = further(e, sa);
	sa->mobike->former_local = sa->local;
	sa->mobike->former_remote = sa->remote;
	take_addresses(sa, m);
	prove(sa->mobike, &sa->remote.addr);
	/* how the peer sees us now is what a later answer is compared with */
	if (sa->mobike->decides && sa->local_nat)
		sa->wants |= TASK_BIT(TASK_LIVENESS);
	return true;
}

void mobike_inherit(struct ike_engine *e, const struct ike_sa *old, struct ike_sa *heir)
{
	uint16_t news = TASK_BIT(TASK_UPDATE_ADDRESSES) | TASK_BIT(TASK_CHECK_PATH) | TASK_BIT(TASK_TELL_ADDRESSES);

	heir->local = old->local;
	heir->remote = old->remote;
	heir->local_nat = old->local_nat;
	heir->remote_nat = old->remote_nat;
	if (old->timers[TIMER_NAT].place)
		sa_set_timer(e, heir, TIMER_NAT, old->timers[TIMER_NAT].at_ns);
	if (!old->mobike)
		return;
	free(heir->mobike);
	heir->mobike = malloc(sizeof(*heir->mobike));
	if (!heir->mobike)
		return;
	*heir->mobike = *old->mobike;
	heir->mobike->asked = heir->mobike->stale = false;
	/* it is hashed with the SPIs */
	heir->mobike->seen_known = false;
	heir->wants |= (old->wants | TASK_BIT(old->asking.kind)) & news;
}

/* ---- the path ---- */

static void tell_moved(struct ike_engine *e, const struct ike_sa *sa, const char *why)
{
	const struct mobike *m = sa->mobike;
	char local[ENDPOINT_TEXT_MAX], remote[ENDPOINT_TEXT_MAX], to_local[ENDPOINT_TEXT_MAX],
		to_remote[ENDPOINT_TEXT_MAX];

	event_emit(e, IKE_EV_MOVED, sa->tunnel, sa, "from %s - %s to %s - %s: %s",
		endpoint_format(&m->former_local, local), endpoint_format(&m->former_remote, remote),
		endpoint_format(&sa->local, to_local), endpoint_format(&sa->remote, to_remote), why);
}

/* The Child SAs go where the IKE SA is. */
static void children_follow(struct ike_engine *e, struct ike_sa *sa, const char *why)
{
	sa->mobike->waiting = false;
	sa_follow_nat(e, sa);
	sa_repath(e, sa);
	tell_moved(e, sa, why);
}

static void leave_path(struct ike_sa *sa)
{
	struct mobike *m = sa->mobike;

	if (!m->waiting) {
		m->former_local = sa->local;
		m->former_remote = sa->remote;
	}
	m->stale = true;
	m->again = 0;
}

/* Initiator: what is known of both ends goes to the new path, the peer is told (RFC 4555 3.5). */
static void change_path(struct ike_engine *e, struct ike_sa *sa, const struct endpoint *local,
	const struct endpoint *remote, const char *why)
{
	struct mobike *m = sa->mobike;

	leave_path(sa);
	sa->local = *local;
	sa->remote = *remote;
	sa->wants |= TASK_BIT(TASK_UPDATE_ADDRESSES);
	m->waiting = sa->tunnel->profile->mobike_check && !is_proven(m, &remote->addr);
	if (!m->waiting)
		children_follow(e, sa, why);
}

/* The ports are the peer's of before at its address of before, else as without a NAT. */
static void move(
	struct ike_engine *e, struct ike_sa *sa, const struct addr *local, const struct addr *remote, const char *why)
{
	struct endpoint to_local = { *local, sa->local.port }, to_remote = { *remote, sa->local.port };

	if (addr_equal(&sa->remote.addr, remote))
		to_remote.port = sa->remote.port;
	change_path(e, sa, &to_local, &to_remote, why);
	outbox_send_anew(e, sa);
	task_flush(e, sa);
}

static void refuse_move(struct ike_engine *e, const struct ike_sa *sa, const struct addr *local,
	const struct addr *remote, const char *why)
{
	char a[ADDR_TEXT_MAX], b[ADDR_TEXT_MAX];

	event_emit(e, IKE_EV_MOVE_REFUSED, sa->tunnel, sa, "to %s - %s: %s", addr_format(local, a),
		addr_format(remote, b), why);
}

void sa_follow_nat(struct ike_engine *e, struct ike_sa *sa)
{
	uint64_t pause = e->settings.keepalive_ns;

	if (!sa->local_nat || !pause)
		sa_clear_timer(e, sa, TIMER_KEEPALIVE);
	else if (!sa->timers[TIMER_KEEPALIVE].place)
		sa_set_timer(e, sa, TIMER_KEEPALIVE, e->now_ns + pause);
}

/* ---- what moves us ---- */

/* Only the IKE SA's own address: the initiator will choose the path (RFC 4555 3.6). */
static void responder_leaves(struct ike_engine *e, struct ike_sa *sa)
{
	struct pair_wish wish = { .not_local = &sa->local.addr, .not_remote = &sa->remote.addr };
	struct addr local, remote;

	if (!pair_find(e, sa->tunnel->profile, sa, &wish, &local, &remote))
		return;
	sa->local.addr = local;
	if (!addr_equal(&sa->remote.addr, &remote))
		sa->remote = (struct endpoint){ remote, sa->local.port };
	outbox_send_anew(e, sa);
}

void mobike_on_paths_changed(struct ike_engine *e, struct ike_sa *sa)
{
	struct pair_wish wish = { .not_local = &sa->local.addr, .not_remote = &sa->remote.addr };
	struct addr local, remote;

	if (!sa->mobike || sa->state != ST_ESTABLISHED)
		return;
	bool usable = path_usable(e, &sa->local.addr, &sa->remote.addr);
	if (!usable && !sa->mobike->decides)
		responder_leaves(e, sa);
	else if (!usable && pair_find(e, sa->tunnel->profile, sa, &wish, &local, &remote))
		move(e, sa, &local, &remote, "our address or its route is gone");
	else if (!usable)
		refuse_move(
			e, sa, &sa->local.addr, &sa->remote.addr, "it cannot be used any more, and there is no other");
	tell_news(e, sa);
}

static const char *move_fault(
	const struct ike_engine *e, const struct ike_sa *sa, const struct addr *local, const struct addr *remote)
{
	if (!sa->mobike)
		return "MOBIKE is not in use";
	if (!sa->mobike->decides)
		return "the peer is the initiator, and decides";
	if (!mobike_local(sa->tunnel->profile, local))
		return "local.address and local.more_addresses lack that address of ours";
	if (!remote_allowed(sa->tunnel->profile, remote))
		return "remote.move_to excludes that address of the peer";
	return path_usable(e, local, remote) ? NULL : "our address is not there, or has no route to the peer";
}

void mobike_on_command(struct ike_engine *e, struct ike_sa *sa, const struct addr *local, const struct addr *remote)
{
	const struct addr to_local = local->family ? *local : sa->local.addr;
	const struct addr to_remote = remote->family ? *remote : sa->remote.addr;

	if (sa->state != ST_ESTABLISHED)
		return;
	const char *fault = move_fault(e, sa, &to_local, &to_remote);
	if (fault)
		refuse_move(e, sa, &to_local, &to_remote, fault);
	else
		move(e, sa, &to_local, &to_remote, "the operator wants it");
}

/* The peer's list of further addresses lacks the one in use, and came from another one. */
static void peer_left(struct ike_engine *e, struct ike_sa *sa, const struct ike_datagram *d)
{
	struct mobike *m = sa->mobike;
	struct pair_wish wish = { .not_remote = &sa->remote.addr };
	struct addr local, remote;

	if (!m->decides || addr_equal(&d->remote.addr, &sa->remote.addr) ||
		list_has(m->peers, m->peer_count, &sa->remote.addr))
		return;
	if (remote_allowed(sa->tunnel->profile, &d->remote.addr) && path_usable(e, &sa->local.addr, &d->remote.addr))
		move(e, sa, &sa->local.addr, &d->remote.addr, "the peer has left its address");
	else if (pair_find(e, sa->tunnel->profile, sa, &wish, &local, &remote))
		move(e, sa, &local, &remote, "the peer has left its address");
}

/* ---- when the peer does not answer ---- */

unsigned mobike_other_path(
	const struct ike_engine *e, const struct ike_sa *sa, struct endpoint *ret_local, struct endpoint *ret_remote)
{
	const struct mobike *m = sa->mobike;
	struct pair_wish wish = { .not_local = &sa->local.addr, .not_remote = &sa->remote.addr };

	if (!m || sa->state != ST_ESTABLISHED)
		return 0;
	wish.first = m->probe;
	ret_local->port = ret_remote->port = sa->local.port;
	unsigned pair = pair_find(e, sa->tunnel->profile, sa, &wish, &ret_local->addr, &ret_remote->addr);
	if (pair && addr_equal(&ret_remote->addr, &m->former_remote.addr))
		ret_remote->port = m->former_remote.port;
	return pair;
}

static bool elsewhere(const struct ike_sa *sa, const struct ike_datagram *d)
{
	return !addr_equal(&sa->local.addr, &d->local.addr) || !addr_equal(&sa->remote.addr, &d->remote.addr);
}

/* RFC 4555 3.10: the path that answers is the one to use. An answer that is merely late shows nothing. */
void mobike_on_answer(struct ike_engine *e, struct ike_sa *sa, const struct ike_datagram *d)
{
	if (!sa->mobike || !sa->mobike->decides || !outbox_probing(sa) || !elsewhere(sa, d))
		return;
	if (remote_allowed(sa->tunnel->profile, &d->remote.addr) && mobike_local(sa->tunnel->profile, &d->local.addr))
		change_path(e, sa, &d->local, &d->remote, "the peer answers there only");
}

/* ---- initiator: UPDATE_SA_ADDRESSES ---- */

/* RFC 4555 4.2.6: the addresses and ports that the message leaves with. */
static struct bytes no_nats_data(const struct endpoint *from, const struct endpoint *to, uint8_t ret_data[36])
{
	struct writer w = writer_init(ret_data, 36);

	writer_bytes(&w, BYTES(from->addr.bytes, addr_len(&from->addr)));
	writer_bytes(&w, BYTES(to->addr.bytes, addr_len(&to->addr)));
	writer_u16(&w, from->port);
	writer_u16(&w, to->port);
	return writer_view(&w);
}

void mobike_fill_update(struct ike_engine *e, struct ike_sa *sa, const struct task *t, struct message *m, uint8_t *data)
{
	const struct tunnel_profile *p = sa->tunnel->profile;

	(void)t;
	sa->mobike->stale = false;
	if (p->mobike_check)
		add_cookie(e, sa, m);
	if (p->nat_refused)
		message_add_notify(
			m, NOTIFY_NO_NATS_ALLOWED, no_nats_data(&sa->local, &sa->remote, data + 2 * HASH_BYTES));
	message_add_notify(m, NOTIFY_UPDATE_SA_ADDRESSES, BYTES_NONE);
	natd_add(e, sa, &sa->local, &sa->remote, m, data);
}

/* How the peer sees our address; true when it is another one than before. */
static bool seen_changes(struct ike_sa *sa, const struct message *m)
{
	const struct payload *p = message_find_notify(m, NOTIFY_NAT_DETECTION_DESTINATION_IP);
	struct mobike *mobike = sa->mobike;

	if (!p || p->notify.data.len != HASH_BYTES)
		return false;
	bool changed = mobike->seen_known && memcmp(mobike->seen, p->notify.data.data, HASH_BYTES) != 0;
	memcpy(mobike->seen, p->notify.data.data, HASH_BYTES);
	mobike->seen_known = true;
	return changed;
}

/* RFC 4555 3.5, 3.9: back to the path before when it is still there, else the IKE SA has no path. */
static void on_refusal(struct ike_engine *e, struct ike_sa *sa, uint16_t notify)
{
	struct mobike *m = sa->mobike;
	struct ike_failure f = failure_make(1, INFORMATIONAL, true, notify, "the peer refuses our new addresses",
		"look at the peer's log, and at what it lets us move to");
	bool back = path_usable(e, &m->former_local.addr, &m->former_remote.addr);

	refuse_move(e, sa, &sa->local.addr, &sa->remote.addr, notify_name(notify));
	if (back) {
		struct endpoint local = sa->local, remote = sa->remote;
		sa->local = m->former_local;
		sa->remote = m->former_remote;
		m->former_local = local;
		m->former_remote = remote;
		children_follow(e, sa, "the peer refused the new one");
		return;
	}
	failure_report(e, sa->tunnel, sa, NULL, &f);
	sa_terminate(e, sa, AFTER_BACKOFF, f.reason);
}

static void accepted(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	struct mobike *m = sa->mobike;
	bool waited = m->waiting, udp = natd_udp_encap(sa), nat = sa->local_nat;

	if (!sa->outbox.scattered)
		prove(m, &sa->remote.addr);
	if (message_find_notify(in->m, NOTIFY_NAT_DETECTION_SOURCE_IP))
		natd_evaluate(e, sa, in->m, in->d);
	seen_changes(sa, in->m);
	if (waited)
		children_follow(e, sa, "the peer has followed");
	else if (udp != natd_udp_encap(sa) || nat != sa->local_nat)
		children_follow(e, sa, "NAT detection says otherwise now");
	tell_news(e, sa);
}

/* Of an update that went by several paths the peer has taken that of the copy that came first, which its answer, kept
 * and repeated, has the hashes of: another one than it comes by now, or a NAT is on the way. */
static bool path_left_open(struct ike_engine *e, const struct ike_sa *sa, const struct input *in)
{
	if (sa->outbox.scattered && sa->mobike->waiting)
		return true;
	return sa->outbox.wandered &&
	       (!natd_names(e, in->m, NOTIFY_NAT_DETECTION_SOURCE_IP, &in->d->remote) ||
		       !natd_names(e, in->m, NOTIFY_NAT_DETECTION_DESTINATION_IP, &in->d->local));
}

static void ask_again(struct ike_sa *sa, enum task_kind kind)
{
	sa->mobike->again++;
	sa->wants |= TASK_BIT(kind);
}

enum step mobike_updated(struct ike_engine *e, struct ike_sa *sa, const struct task *t, const struct input *in)
{
	/* UNACCEPTABLE_ADDRESSES, UNEXPECTED_NAT_DETECTED; or any other error (RFC 7296 3.10.1) */
	const struct payload *refused = message_find_error(in->m);

	(void)t;
	if (!cookie_right(e, sa, in->m) || sa->mobike->stale || sa->state != ST_ESTABLISHED)
		return STEP_STAY;
	if (!refused && path_left_open(e, sa, in)) {
		ask_again(sa, TASK_UPDATE_ADDRESSES);
		return STEP_STAY;
	}
	sa->mobike->again = 0;
	if (refused)
		on_refusal(e, sa, refused->notify.type);
	else
		accepted(e, sa, in);
	return STEP_STAY;
}

/* ---- initiator: a NAT's mapping (RFC 4555 3.8) ---- */

void mobike_fill_liveness(
	struct ike_engine *e, struct ike_sa *sa, const struct task *t, struct message *m, uint8_t *data)
{
	(void)t;
	if (!sa->mobike)
		return;
	sa->mobike->stale = false;
	if (sa->mobike->decides)
		natd_add(e, sa, &sa->local, &sa->remote, m, data);
}

enum step mobike_alive(struct ike_engine *e, struct ike_sa *sa, const struct task *t, const struct input *in)
{
	(void)t;
	if (!sa->mobike || !sa->mobike->decides || sa->mobike->stale || !seen_changes(sa, in->m))
		return STEP_STAY;
	struct endpoint local = sa->local, remote = sa->remote;
	change_path(e, sa, &local, &remote, "the peer sees us with another address");
	return STEP_STAY;
}

/* ---- responder ---- */

/* RFC 4555 3.9: the message has left with other addresses or ports than it came with. */
static bool nat_between(const struct message *m, const struct ike_datagram *d)
{
	const struct payload *p = message_find_notify(m, NOTIFY_NO_NATS_ALLOWED);
	uint8_t data[36];

	return p && !bytes_equal(p->notify.data, no_nats_data(&d->remote, &d->local, data));
}

static bool local_accepted(const struct ike_sa *sa, const struct addr *a)
{
	const struct tunnel_profile *p = sa->tunnel->profile;

	return addr_is_any(&p->local_addr) || addr_equal(&sa->local.addr, a) || mobike_local(p, a);
}

/* The notify that refuses an update; 0: none. */
static uint16_t judge_update(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	const struct ike_datagram *d = in->d;

	if (nat_between(in->m, d)) {
		refuse_move(
			e, sa, &d->local.addr, &d->remote.addr, "a NAT is on the way, which the peer does not allow");
		return NOTIFY_UNEXPECTED_NAT_DETECTED;
	}
	if (remote_allowed(sa->tunnel->profile, &d->remote.addr) && local_accepted(sa, &d->local.addr))
		return 0;
	refuse_move(e, sa, &d->local.addr, &d->remote.addr, "the tunnel's addresses and remote.move_to exclude it");
	return NOTIFY_UNACCEPTABLE_ADDRESSES;
}

/* A request that goes on by another path is sent as it was (RFC 4555 3.5): its hashes are of the path that the peer
 * believed in when it made it. Of another address of ours than it came to: it says nothing of this path. */
static bool meant_for_another_of_ours(struct ike_engine *e, const struct ike_sa *sa, const struct input *in)
{
	struct endpoint at = in->d->local;
	const struct addr *a;

	for (unsigned i = 0; (a = local_address(sa->tunnel->profile, i)); i++) {
		at.addr = *a;
		if (!addr_equal(a, &in->d->local.addr) &&
			natd_names(e, in->m, NOTIFY_NAT_DETECTION_DESTINATION_IP, &at))
			return true;
	}
	return false;
}

/* Of another known address of the peer than it came from: it is stale, or a NAT hides that address. */
static bool meant_from_another_known(struct ike_engine *e, const struct ike_sa *sa, const struct input *in)
{
	struct endpoint at = { .port = in->d->local.port };
	const struct addr *a;

	for (unsigned i = 0; (a = remote_address(sa->tunnel->profile, sa, i)); i++) {
		at.addr = *a;
		if (!addr_equal(a, &in->d->remote.addr) && natd_names(e, in->m, NOTIFY_NAT_DETECTION_SOURCE_IP, &at))
			return true;
	}
	return false;
}

/* Called before the path is taken: the address of before is a known one. */
static void detect_nat(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	sa_clear_timer(e, sa, TIMER_NAT);
	if (!message_find_notify(in->m, NOTIFY_NAT_DETECTION_SOURCE_IP) || meant_for_another_of_ours(e, sa, in))
		return;
	bool known = meant_from_another_known(e, sa, in);
	natd_evaluate(e, sa, in->m, in->d);
	if (known && sa->remote_nat)
		sa_set_timer(e, sa, TIMER_NAT, e->now_ns + NAT_UNSURE_NS);
}

void mobike_believe_nat(struct ike_engine *e, struct ike_sa *sa)
{
	if (!sa->mobike || !sa->mobike->waiting)
		sa_repath(e, sa);
}

/* Whose update was stale sends the next one at once (RFC 4555 3.5). Who says something else instead meant it so. */
void mobike_settle_nat(struct ike_engine *e, struct ike_sa *sa)
{
	if (!sa->timers[TIMER_NAT].place)
		return;
	sa_clear_timer(e, sa, TIMER_NAT);
	mobike_believe_nat(e, sa);
}

/* RFC 4555 3.5: the addresses are those of the packet, whatever a NAT made of them. */
static void take_path(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	detect_nat(e, sa, in);
	leave_path(sa);
	sa->local = in->d->local;
	sa->remote = in->d->remote;
	sa->mobike->waiting = sa->tunnel->profile->mobike_check && !is_proven(sa->mobike, &sa->remote.addr);
	if (sa->mobike->waiting)
		sa->wants |= TASK_BIT(TASK_CHECK_PATH);
	else
		children_follow(e, sa, "the peer has moved");
	/* RFC 4555 3.6: the list is of what the path does not use */
	if (further(e, sa) != sa->mobike->told)
		sa->wants |= TASK_BIT(TASK_TELL_ADDRESSES);
}

uint16_t mobike_on_request(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	if (!sa->mobike)
		return 0;
	bool listed = take_addresses(sa, in->m);
	if (!message_find_notify(in->m, NOTIFY_UPDATE_SA_ADDRESSES)) {
		mobike_settle_nat(e, sa);
		if (listed)
			peer_left(e, sa, in->d);
		return 0;
	}
	/* RFC 4555 3.5: the initiator of the IKE SA decides, nobody else */
	if (sa->mobike->decides) {
		refuse_move(e, sa, &in->d->local.addr, &in->d->remote.addr, "the peer is the responder");
		return NOTIFY_UNACCEPTABLE_ADDRESSES;
	}
	uint16_t notify = judge_update(e, sa, in);
	if (!notify)
		take_path(e, sa, in);
	return notify;
}

void mobike_add_answer(struct ike_engine *e, const struct ike_sa *sa, const struct input *in, uint16_t notify,
	struct message *m, uint8_t *data)
{
	const struct payload *cookie = message_find_notify(in->m, NOTIFY_COOKIE2);

	if (!sa->mobike)
		return;
	if (cookie)
		message_add_notify(m, NOTIFY_COOKIE2, cookie->notify.data);
	if (notify)
		message_add_notify(m, (enum notify_type)notify, BYTES_NONE);
	else if (message_find_notify(in->m, NOTIFY_NAT_DETECTION_SOURCE_IP))
		natd_add(e, sa, &in->d->local, &in->d->remote, m, data);
}

void mobike_fill_check(struct ike_engine *e, struct ike_sa *sa, const struct task *t, struct message *m, uint8_t *data)
{
	(void)t, (void)data;
	sa->mobike->stale = false;
	add_cookie(e, sa, m);
}

/* Where the request went to several addresses, who answers from another one than the new one is not at the new one. */
enum step mobike_checked(struct ike_engine *e, struct ike_sa *sa, const struct task *t, const struct input *in)
{
	struct mobike *m = sa->mobike;

	(void)t;
	if (!cookie_right(e, sa, in->m) || m->stale || !m->waiting || sa->state != ST_ESTABLISHED)
		return STEP_STAY;
	if (sa->outbox.scattered && !addr_equal(&in->d->remote.addr, &sa->remote.addr)) {
		refuse_move(e, sa, &sa->local.addr, &sa->remote.addr, "the peer does not answer there");
		sa->local = in->d->local;
		sa->remote = in->d->remote;
	}
	if (sa->outbox.scattered && !is_proven(m, &sa->remote.addr)) {
		ask_again(sa, TASK_CHECK_PATH);
		return STEP_STAY;
	}
	m->again = 0;
	prove(m, &sa->remote.addr);
	children_follow(e, sa, "the peer has moved, and answers there");
	tell_news(e, sa);
	return STEP_STAY;
}
