/* SPDX-License-Identifier: BSD-3-Clause */
/* IKE_AUTH, both roles (RFC 7296 1.2, 2.15): who we are, who the peer is, and the first Child SA on the way. The
 * methods of proof are in auth_methods.c, the Child SA is child.c's. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "v2.h"

/* an IKE_AUTH request with a few certificates fits; junk does not take more */
#define HELD_BYTES_MAX 16384

/* messages that do not verify, of a half-open SA */
#define JUNK_MAX 10

#define NEXT_PAYLOAD_OFFSET 16 /* of the IKE header */

/* IKE SAs of one identity among many peers: with unique_id never each of its devices has some. */
#define PEER_SAS_MAX 32

#define ID_BODY_MAX (4 + IDENTITY_BYTES_MAX)

static const char hint_psk[] = "compare the pre-shared keys of both gateways, byte for byte";
static const char hint_identity[] = "compare local.id here with remote.id there, and the other way round";

/* The ID payload's body of an identity of ours. */
static struct bytes id_body(const struct identity *id, uint8_t *ret_body)
{
	ret_body[0] = id->type;
	memset(ret_body + 1, 0, 3);
	memcpy(ret_body + 4, id->data, id->len);
	return BYTES(ret_body, 4u + id->len);
}

/* Whom we expect: with "any", the address we talk to names the key. */
static struct identity peer_expected(const struct ike_sa *sa)
{
	struct identity id = sa->tunnel->profile->remote_id;

	if (id.type == ID_NONE)
		identity_from_bytes(sa->remote.addr.family == ADDR_IPV6 ? ID_IPV6_ADDR : ID_IPV4_ADDR,
			BYTES(sa->remote.addr.bytes, addr_len(&sa->remote.addr)), &id);
	return id;
}

/* Adds our AUTH payload; ret_data backs it until the message is sealed. 0 or as auth_sign. */
static int add_auth(struct ike_engine *e, struct ike_sa *sa, const struct identity *peer, struct message *m,
	uint8_t ret_data[AUTH_DATA_MAX])
{
	uint8_t body[ID_BODY_MAX], method;
	const struct identity *local = &sa->tunnel->profile->local_id;
	struct auth_input in = { sa->initiator, local, peer, id_body(local, body) };
	size_t len;

	int err = auth_sign(e, sa, &in, &method, ret_data, &len);
	if (err)
		return err;
	struct payload *auth = message_add(m, PAYLOAD_AUTH);
	if (!auth)
		return -EMSGSIZE;
	auth->auth.method = method;
	auth->auth.data = BYTES(ret_data, len);
	return 0;
}

static struct ike_failure auth_failure(const struct ike_sa *sa, int err, const struct identity *peer)
{
	uint16_t notify = NOTIFY_AUTHENTICATION_FAILED;
	bool no_key = err == -ENOENT, method = err == -EPROTONOSUPPORT, wrong = err == -EBADMSG;
	struct ike_failure f = failure_make(1, IKE_AUTH, sa->initiator, notify,
		no_key   ? "no pre-shared key for these identities"
		: method ? "the peer uses another authentication method"
		: wrong  ? "the peer's AUTH does not verify: wrong pre-shared key"
			 : "cryptography failed",
		no_key  ? "add a secret for both identities"
		: wrong ? hint_psk
			: "");

	failure_set_identities(&f, &sa->tunnel->profile->local_id, peer, NULL);
	snprintf(f.mismatch, sizeof(f.mismatch), "%s",
		no_key   ? "pre-shared key: ours missing"
		: method ? "authentication method: ours PSK"
		: wrong  ? "pre-shared key: ours and theirs differ"
			 : "");
	return f;
}

/* The SA ends without a word; the tunnel may try again. */
static enum step give_up(struct ike_engine *e, struct ike_sa *sa, struct ike_failure *f)
{
	struct tunnel *t = sa->tunnel;
	enum afterwards afterwards = sa->wants & TASK_BIT(TASK_DELETE_IKE) ? (enum afterwards)sa->afterwards
									   : AFTER_BACKOFF;

	failure_report(e, t, sa, NULL, f);
	sa_close(e, sa, f->reason);
	tunnel_follow_up(e, t, afterwards);
	return STEP_STAY;
}

/* ---- initiator ---- */

static bool send_request(struct ike_engine *e, struct ike_sa *sa, struct ike_failure *ret_failure)
{
	const struct tunnel_profile *p = sa->tunnel->profile;
	struct identity peer = peer_expected(sa);
	uint8_t auth[AUTH_DATA_MAX], config[CONFIG_DATA_MAX];
	struct message m;

	protect_init_message(sa, IKE_AUTH, false, sa->outbox.next_request_id, &m);
	message_add_id(&m, PAYLOAD_IDI, &p->local_id);
	if (tunnel_first_contact(e, sa->tunnel))
		message_add_notify(&m, NOTIFY_INITIAL_CONTACT, BYTES_NONE);
	if (p->remote_id.type != ID_NONE)
		message_add_id(&m, PAYLOAD_IDR, &p->remote_id);
	int err = add_auth(e, sa, &peer, &m, auth);
	if (err) {
		*ret_failure = auth_failure(sa, err, &peer);
		ret_failure->notify = 0;
		return false;
	}
	mobike_offer(e, sa, &m);
	config_ask(sa, &m, config);
	err = child_offer_auth(e, sa, &m);
	if (err) {
		*ret_failure = failure_make(
			2, IKE_AUTH, true, 0, err == -ENOSPC ? "no inbound SPI is free" : modes_no_nat, "");
		return false;
	}
	*ret_failure = failure_make(1, IKE_AUTH, true, 0, "no memory or no working cryptography", "");
	return !protect_request(e, sa, &m);
}

enum step auth_send_request(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	struct ike_failure f = failure_make(1, IKE_SA_INIT, true, 0, "the peer's key exchange value is refused", "");

	if (sa_init_take_secret(e, sa, in->job))
		return give_up(e, sa, &f);
	if (sa->tunnel->profile->nat_refused && (sa->local_nat || sa->remote_nat)) {
		f = failure_make(1, IKE_SA_INIT, true, 0, "a NAT is on the way, which the tunnel refuses",
			"phase1.nat: allow lets it pass");
		return give_up(e, sa, &f);
	}
	natd_move_port(sa);
	return send_request(e, sa, &f) ? STEP_NEXT : give_up(e, sa, &f);
}

/* The peer's AUTH is not ours to accept: it is told (RFC 7296 2.21.2), as it believes the SA is up. */
static enum step refuse_peer(struct ike_engine *e, struct ike_sa *sa, enum task_kind task, struct ike_failure *f)
{
	failure_report(e, sa->tunnel, sa, NULL, f);
	if (f->notify == NOTIFY_AUTHENTICATION_FAILED)
		e->counters[IKE_C_AUTH_FAILED]++;
	if (!(sa->wants & TASK_BIT(TASK_DELETE_IKE)))
		sa->afterwards = AFTER_BACKOFF;
	sa->wants = TASK_BIT(task);
	return STEP_OTHER;
}

static bool identity_of(const struct payload *p, struct identity *ret_identity)
{
	return !identity_from_bytes(p->id.type, p->id.data, ret_identity);
}

/* 0 when IDr and AUTH are those of the peer we want; else *ret_failure. */
static int check_peer(struct ike_engine *e, struct ike_sa *sa, const struct message *m, struct ike_failure *ret_failure)
{
	const struct tunnel_profile *p = sa->tunnel->profile;
	const struct payload *idr = message_find(m, PAYLOAD_IDR), *auth = message_find(m, PAYLOAD_AUTH);
	struct identity id = { 0 }, expected = peer_expected(sa);

	if (!identity_of(idr, &id) || (p->remote_id.type != ID_NONE && !identity_equal(&id, &p->remote_id))) {
		*ret_failure = failure_make(1, IKE_AUTH, true, NOTIFY_AUTHENTICATION_FAILED,
			"the peer has another identity", hint_identity);
		failure_set_identities(ret_failure, &p->remote_id, &id, "peer identity");
		return -EBADMSG;
	}
	/* the key is the one we signed with: an "any" peer must not choose another by its identity */
	struct auth_input in = { false, &p->local_id, &expected, idr->body };
	int err = auth_verify(e, sa, &in, auth->auth.method, auth->auth.data);
	if (err)
		*ret_failure = auth_failure(sa, err, &id);
	else
		sa->remote_id = id;
	return err;
}

static enum step on_refusal(struct ike_engine *e, struct ike_sa *sa, uint16_t notify)
{
	struct ike_failure f = failure_make(1, IKE_AUTH, true, notify, "", "look at the peer's log");
	struct identity peer = peer_expected(sa);
	size_t len;

	snprintf(f.reason, sizeof(f.reason), "the peer refused");
	failure_set_identities(&f, &sa->tunnel->profile->local_id, &peer, NULL);
	/* what it said of itself is unknown and may be as we want it: no mismatch; whom we wanted is worth a word */
	len = strlen(f.ours);
	snprintf(f.ours + len, sizeof(f.ours) - len, ", expecting %.50s", f.theirs);
	f.theirs[0] = '\0';
	if (notify == NOTIFY_AUTHENTICATION_FAILED) {
		e->counters[IKE_C_AUTH_FAILED]++;
		snprintf(f.reason, sizeof(f.reason), "the peer refused our authentication");
		snprintf(f.hint, sizeof(f.hint),
			"compare pre-shared keys and identities of both gateways; the peer's log knows which");
	}
	return give_up(e, sa, &f);
}

/* As initiator we prove ourselves anew some time before the earlier of our own and the peer's limit (RFC 4478). */
static uint64_t auth_end(struct ike_engine *e, const struct ike_sa *sa, const struct message *m)
{
	const struct payload *p = message_find_notify(m, NOTIFY_AUTH_LIFETIME);
	uint64_t life = sa->tunnel->profile->reauth_ns;
	uint64_t peers = p && p->notify.data.len == 4 ? load_be32(p->notify.data.data) * SECOND_NS : 0;

	if (peers && (!life || peers < life))
		life = peers;
	if (!life)
		return 0;
	return e->now_ns + life / 100 * REKEY_PERCENT + random_below(e, life / 100 * REKEY_JITTER_PERCENT);
}

/* The end that is set may be our own limit: a later one changes nothing. */
void auth_on_lifetime(struct ike_engine *e, struct ike_sa *sa, const struct message *m)
{
	if (sa->state != ST_ESTABLISHED || !sa->began || !message_find_notify(m, NOTIFY_AUTH_LIFETIME))
		return;
	uint64_t end = auth_end(e, sa, m);
	if (!end || (sa->reauth_ns && sa->reauth_ns <= end))
		return;
	sa->reauth_ns = end;
	sa_set_timer(e, sa, TIMER_REAUTH, end);
}

/* The first child, whose selectors may be the address that came with it. False: the SA is of no use. */
static bool take_child(struct ike_engine *e, struct ike_sa *sa, const struct message *m)
{
	struct ike_failure f = failure_make(2, IKE_AUTH, true, 0, "the peer gave us no virtual address",
		"does it lend addresses to this identity?");

	bool given = config_on_answer(e, sa, m);

	/* addresses come by IKE_AUTH only: without one, all of it has to be done again */
	if (given || !message_find(m, PAYLOAD_SA))
		return child_on_auth_answer(e, sa, m) && given;
	failure_report(e, sa->tunnel, sa, NULL, &f);
	return false;
}

enum step auth_on_response(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	const struct payload *error = message_find_error(in->m);
	struct ike_failure f;

	outbox_answered(e, sa);
	if (!message_find(in->m, PAYLOAD_AUTH))
		return on_refusal(e, sa, error ? error->notify.type : 0);
	if (check_peer(e, sa, in->m, &f))
		return refuse_peer(e, sa, TASK_AUTH_FAILED, &f);
	sa->reauth_ns = auth_end(e, sa, in->m);
	mobike_agree(e, sa, in->m);
	if (!take_child(e, sa, in->m)) {
		sa->wants = TASK_BIT(TASK_DELETE_IKE);
		sa->afterwards = AFTER_BACKOFF;
	}
	return STEP_NEXT;
}

enum step auth_on_bad_response(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	struct ike_failure f = failure_make(1, IKE_AUTH, true, wire_reason_notify(in->error->reason),
		wire_reason_text(in->error->reason), "the peer's IKE_AUTH response is malformed");

	outbox_answered(e, sa);
	refuse_peer(e, sa, TASK_INVALID_SYNTAX, &f);
	return STEP_NEXT;
}

enum step auth_on_silence(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	struct ike_failure f = failure_make(1, IKE_AUTH, true, 0, "peer did not answer",
		sa->remote.port == NATT_PORT ? "does UDP 4500 reach the peer?"
					     : "does the peer drop large UDP packets?");

	(void)in;
	return give_up(e, sa, &f);
}

/* ---- responder ---- */

/* Appends a copy to what waits for the keys. False: no room, no memory, or it waits already. */
static bool hold(struct handshake *h, const struct ike_datagram *d)
{
	struct held **at = &h->held;
	size_t bytes = d->data.len;

	for (; *at; at = &(*at)->next) {
		if (bytes_equal(BYTES((*at)->data, (*at)->len), d->data))
			return false;
		bytes += (*at)->len;
	}
	struct held *held = bytes > HELD_BYTES_MAX ? NULL : malloc(sizeof(*held) + d->data.len);
	if (!held)
		return false;
	*held = (struct held){ .local = d->local, .remote = d->remote, .len = d->data.len };
	memcpy(held->data, d->data.data, d->data.len);
	*at = held;
	return true;
}

enum step auth_hold(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	if (!hold(sa->handshake, in->d))
		return STEP_STAY;
	if (sa_init_derive(e, sa))
		return STEP_NEXT;
	sa_fail(e, sa);
	return STEP_STAY;
}

/* Nobody can tell yet whether they are genuine: they wait as they are, for the milliseconds the secret takes. */
enum step auth_hold_more(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	(void)e;
	if (sa->fragmentation && in->d->data.data[NEXT_PAYLOAD_OFFSET] == PAYLOAD_SKF)
		hold(sa->handshake, in->d);
	return STEP_STAY;
}

enum step auth_on_secret(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	if (!sa_init_take_secret(e, sa, in->job))
		return STEP_NEXT;
	/* there are no keys to answer with; RFC 6989 wants such values refused */
	struct ike_failure f = failure_make(1, IKE_SA_INIT, false, 0, "the peer's key exchange value is refused", "");
	failure_report(e, sa->tunnel, sa, NULL, &f);
	sa_close(e, sa, f.reason);
	return STEP_STAY;
}

/* The SA ends, its refusal stays available to a peer that did not hear it. */
static enum step turn_away(
	struct ike_engine *e, struct ike_sa *sa, const struct input *in, struct ike_failure *f, struct bytes data)
{
	failure_report(e, sa->tunnel, sa, in->d, f);
	if (protect_respond_error(e, sa, in, f->notify, data))
		sa_close(e, sa, f->reason);
	else
		sa_linger(e, sa, f->reason);
	return STEP_STAY;
}

/* The same for one that has not proved who it is. */
static enum step refuse(
	struct ike_engine *e, struct ike_sa *sa, const struct input *in, struct ike_failure *f, struct bytes data)
{
	if (f->notify == NOTIFY_AUTHENTICATION_FAILED)
		e->counters[IKE_C_AUTH_FAILED]++;
	source_failed(e, sa);
	return turn_away(e, sa, in, f, data);
}

enum step auth_on_bad_request(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	struct ike_failure f = failure_make(1, IKE_AUTH, false, wire_reason_notify(in->error->reason),
		wire_reason_text(in->error->reason), "the peer's IKE_AUTH request is malformed");

	snprintf(f.theirs, sizeof(f.theirs), "payload %s at offset %u", payload_name(in->error->payload),
		in->error->offset);
	return refuse(e, sa, in, &f, in->error->reason == WIRE_CRITICAL ? BYTES(&in->error->payload, 1) : BYTES_NONE);
}

static bool identities_fit(const struct tunnel_profile *p, const struct identity *idi, const struct identity *idr)
{
	if (!identity_matches(&p->remote_id, idi))
		return false;
	return idr->type == ID_NONE || identity_equal(&p->local_id, idr);
}

/* The one identity, a pattern, any. */
static int names_peer(const struct identity *wanted)
{
	return (wanted->type != ID_NONE) + (wanted->type != ID_NONE && !identity_is_pattern(wanted));
}

/* How well a profile suits this peer; 0: not at all. One that names the peer comes before one for any; two tunnels of
 * the same peer differ in their selectors only; of two for any, the one that serves nobody else. */
static int suitability(const struct ike_engine *e, const struct tunnel *t, const struct message *m,
	const struct identity *idi, const struct identity *idr, const struct proposal *chosen)
{
	const struct tunnel_profile *p = t->profile;
	struct selector_list local, remote;
	bool cut, overlap = false;

	if (!identities_fit(p, idi, idr) || !negotiate_allows(&p->proposals, chosen))
		return 0;
	for (uint8_t i = 0; i < p->child_count && !overlap; i++)
		overlap = selector_list_narrow(&m->tsr, &p->children[i].local, &local, &cut) &&
			  selector_list_narrow(&m->tsi, &p->children[i].remote, &remote, &cut);
	bool unclaimed = overlap && !tunnel_rival(t, idi) && !claims_rival(t, peer_lookup(e, t, idi), &remote);
	return 1 + 3 * names_peer(&p->remote_id) + overlap + unclaimed;
}

static struct tunnel *choose_tunnel(const struct ike_engine *e, const struct ike_sa *sa, const struct message *m,
	const struct identity *idi, const struct identity *idr)
{
	const struct addr *local = &sa->local.addr, *remote = &sa->init_remote.addr;
	struct tunnel *best = NULL;
	int best_rank = 0;

	for (struct tunnel *t = tunnel_candidate(e, local, remote, NULL); t;
		t = tunnel_candidate(e, local, remote, t)) {
		int rank = suitability(e, t, m, idi, idr, &sa->handshake->chosen);
		if (rank > best_rank) {
			best = t;
			best_rank = rank;
		}
	}
	return best;
}

static enum step refuse_identity(struct ike_engine *e, struct ike_sa *sa, const struct input *in,
	const struct identity *idi, const struct identity *idr)
{
	const struct tunnel_profile *p = sa->tunnel->profile;
	struct ike_failure f = failure_make(
		1, IKE_AUTH, false, NOTIFY_AUTHENTICATION_FAILED, "no tunnel accepts these identities", hint_identity);

	if (!identity_matches(&p->remote_id, idi))
		failure_set_identities(&f, &p->remote_id, idi, "peer identity");
	else
		failure_set_identities(&f, &p->local_id, idr, "our identity");
	return refuse(e, sa, in, &f, BYTES_NONE);
}

/* RFC 7296 2.16: a request without AUTH asks for EAP. */
static enum step refuse_eap(
	struct ike_engine *e, struct ike_sa *sa, const struct input *in, const struct payload *idi_payload)
{
	struct ike_failure f = failure_make(1, IKE_AUTH, false, NOTIFY_AUTHENTICATION_FAILED,
		"the peer wants EAP, which is not supported", "let the peer use a pre-shared key");
	struct identity idi = { 0 };

	identity_of(idi_payload, &idi);
	failure_set_identities(&f, &sa->tunnel->profile->local_id, &idi, NULL);
	snprintf(f.mismatch, sizeof(f.mismatch), "authentication method: ours PSK, theirs EAP");
	return refuse(e, sa, in, &f, BYTES_NONE);
}

/* RFC 4478: how long this authentication lasts; who does not renew it in time loses the IKE SA. */
static void tell_auth_end(struct ike_engine *e, struct ike_sa *sa, struct message *m, uint8_t ret_lifetime[4])
{
	uint64_t life = sa->tunnel->profile->reauth_ns;

	if (!life)
		return;
	sa->reauth_ns = e->now_ns + life;
	store_be32(ret_lifetime, (uint32_t)(life / SECOND_NS));
	message_add_notify(m, NOTIFY_AUTH_LIFETIME, BYTES(ret_lifetime, 4));
}

static int respond(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	uint8_t lifetime[4];
	struct message m;
	uint8_t auth[AUTH_DATA_MAX], config[CONFIG_DATA_MAX];

	protect_init_message(sa, IKE_AUTH, true, in->m->header.message_id, &m);
	message_add_id(&m, PAYLOAD_IDR, &sa->tunnel->profile->local_id);
	int err = add_auth(e, sa, &sa->remote_id, &m, auth);
	if (err)
		return err;
	tell_auth_end(e, sa, &m, lifetime);
	if (mobike_agree(e, sa, in->m))
		mobike_offer(e, sa, &m);
	if (config_answer(e, sa, in->m, in->d, &m, config))
		child_answer_auth(e, sa, in->m, in->d, &m);
	return protect_respond(e, sa, in->d, &m);
}

/* The peer has proved its identity and is connected already, from elsewhere. From the same address it renews its
 * authentication, or has lost the old IKE SA. */
static bool is_kept(const struct peer *p, const struct ike_sa *fresh)
{
	if (fresh->tunnel->profile->unique_id != UNIQUE_KEEP || fresh->handshake->initial_contact || !p)
		return false;
	for (const struct ike_sa *sa = p->tunnel.sas; sa; sa = sa->sibling)
		if (sa->state == ST_ESTABLISHED && !addr_equal(&sa->remote.addr, &fresh->remote.addr))
			return true;
	return false;
}

static unsigned sa_count_of(const struct tunnel *t)
{
	unsigned n = 0;

	for (const struct ike_sa *sa = t->sas; sa; sa = sa->sibling)
		n++;
	return n;
}

/* Whether there is a place for a peer that has proved its identity; else it was refused. The notify alone, without
 * IDr and AUTH, says that there is no IKE SA; NO_ADDITIONAL_SAS that it is not the peer's proof that lacks. */
static bool admit(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	const struct tunnel *t = sa->tunnel;
	const struct peer *p = peer_lookup(e, t, &sa->remote_id);
	struct ike_failure f;

	if (p && sa_count_of(&p->tunnel) >= PEER_SAS_MAX) {
		f = failure_make(1, IKE_AUTH, false, NOTIFY_NO_ADDITIONAL_SAS,
			"this identity has as many IKE SAs as it may", "does the peer lose them and come again?");
		e->counters[IKE_C_PEERS_LIMIT]++;
	} else if (is_kept(p, sa)) {
		f = failure_make(1, IKE_AUTH, false, NOTIFY_AUTHENTICATION_FAILED,
			"this identity is connected already, from another address",
			"unique_id: keep protects the connection that is there");
		e->counters[IKE_C_UNIQUE_KEPT]++;
	} else if (!p && t->profile->peers_max && t->peer_count >= t->profile->peers_max) {
		f = failure_make(1, IKE_AUTH, false, NOTIFY_NO_ADDITIONAL_SAS, "the tunnel has as many peers as it may",
			"remote.peers is the limit");
		e->counters[IKE_C_PEERS_LIMIT]++;
	} else {
		return true;
	}
	failure_set_identities(&f, &t->profile->local_id, &sa->remote_id, NULL);
	turn_away(e, sa, in, &f, BYTES_NONE);
	return false;
}

enum step auth_on_request(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	const struct payload *idr_payload = message_find(in->m, PAYLOAD_IDR), *auth = message_find(in->m, PAYLOAD_AUTH);
	const struct payload *idi_payload = message_find(in->m, PAYLOAD_IDI);
	struct identity idi = { 0 }, idr = { 0 };

	if (!auth)
		return refuse_eap(e, sa, in, idi_payload);
	bool legible = identity_of(idi_payload, &idi) && (!idr_payload || identity_of(idr_payload, &idr));
	struct tunnel *t = legible ? choose_tunnel(e, sa, in->m, &idi, &idr) : NULL;
	if (!t)
		return refuse_identity(e, sa, in, &idi, &idr);
	sa->tunnel = t;
	struct auth_input input = { true, &t->profile->local_id, &idi, idi_payload->body };
	int err = auth_verify(e, sa, &input, auth->auth.method, auth->auth.data);
	if (err) {
		struct ike_failure f = auth_failure(sa, err, &idi);
		return refuse(e, sa, in, &f, BYTES_NONE);
	}
	sa->remote_id = idi;
	sa->local = in->d->local;
	sa->remote = in->d->remote;
	sa->handshake->initial_contact = message_find_notify(in->m, NOTIFY_INITIAL_CONTACT);
	if (!admit(e, sa, in))
		return STEP_STAY;
	t = peer_tunnel(e, t, &idi);
	if (t)
		tunnel_link(t, sa);
	if (!t || respond(e, sa, in)) {
		sa_fail(e, sa);
		return STEP_STAY;
	}
	return STEP_NEXT;
}

/* RFC 8019 4.7: the keys are kept, as the genuine request may still come; but not for any number of forgeries. */
void auth_on_junk(struct ike_engine *e, struct ike_sa *sa)
{
	source_failed(e, sa);
	if (++sa->junk < JUNK_MAX)
		return;
	e->counters[IKE_C_JUNK_LIMIT]++;
	sa_close(e, sa, "nothing but junk under its keys");
}

enum step auth_on_time_out(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	(void)in;
	event_emit(e, IKE_EV_REFUSED, sa->tunnel, sa, "half-open IKE SA: the peer did not go on to IKE_AUTH in time");
	sa_close(e, sa, "half-open too long");
	return STEP_STAY;
}
