/* SPDX-License-Identifier: BSD-3-Clause */
/* What IKE_AUTH and CREATE_CHILD_SA share about Child SAs, both roles (RFC 7296 1.2, 1.3.1, 2.9, 2.17): the offer, the
 * choice of a phase2 entry, suite and selectors, keys, installation. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "v2.h"

static const char hint_selectors[] =
	"compare local_selectors here with remote_selectors there, and the other way round";
static const char hint_address[] = "compare local.virtual_ip here with the pool there";
static const char hint_esp[] = "compare phase2.proposals of both gateways";
static const char hint_mode[] = "compare phase2.mode of both gateways; tunnel_fallback takes either";
static const char hint_nat[] = "use ESP with this peer, or take the NAT away";

static const struct child_profile *profile_of(const struct ike_sa *sa, uint32_t index)
{
	return &sa->tunnel->profile->children[index];
}

/* The Child SA of IKE_AUTH has no key exchange of its own (RFC 7296 1.2): its groups are for CREATE_CHILD_SA. */
static bool has_groups(uint8_t exchange)
{
	return exchange != IKE_AUTH;
}

struct proposal_list child_proposals(const struct ike_sa *sa, uint8_t exchange, uint32_t index, uint32_t spi)
{
	struct proposal_list offer = profile_of(sa, index)->proposals;

	if (!has_groups(exchange))
		proposals_drop(&offer, TRANSFORM_KE);
	proposals_address(&offer, sizeof(spi), spi);
	return offer;
}

void child_offer(const struct ike_sa *sa, uint8_t exchange, uint32_t index, uint32_t spi, const struct ts_pair *offer,
	struct message *m)
{
	struct proposal_list proposals = child_proposals(sa, exchange, index, spi);

	message_add_sa(m, &proposals);
	modes_add(m, profile_of(sa, index)->mode == SA_MODE_TRANSPORT, proposals.items[0].protocol);
	message_add_ts(m, PAYLOAD_TSI, &offer->local);
	message_add_ts(m, PAYLOAD_TSR, &offer->remote);
}

/* Rekeying begins somewhere between 75 and 85 % of a limit: counted limits end on both sides at once otherwise. */
static void fill_lifetime(struct ike_engine *e, const struct child_profile *p, struct sa_lifetime *ret)
{
	bool counted = p->lifetime_bytes || p->lifetime_packets;
	uint64_t percent = 75 + random_below(e, counted ? 10 : 0);

	ret->hard_bytes = p->lifetime_bytes;
	ret->soft_bytes = p->lifetime_bytes / 100 * percent;
	ret->hard_packets = p->lifetime_packets;
	ret->soft_packets = p->lifetime_packets / 100 * percent;
}

static void fill_spec(
	const struct child_sa *child, const struct agreement *a, enum sa_direction direction, struct sa_spec *ret_spec)
{
	const struct ike_sa *sa = child->sa;
	const struct child_profile *p = profile_of(sa, child->index);
	bool padded = direction == SA_OUT && child->protocol == PROTOCOL_ESP && !child->transport && !a->tfc_unwanted;

	*ret_spec = (struct sa_spec){
		.direction = direction,
		.mode = child->transport ? SA_MODE_TRANSPORT : SA_MODE_TUNNEL,
		.protocol = child->protocol,
		/* a NAT-T capable SA takes both forms, whatever the path looks like today */
		.natt = direction == SA_IN && child->protocol == PROTOCOL_ESP,
		.spi = direction == SA_IN ? child->spi_in : child->spi_out,
		.encr = child->suite.encr,
		.integ = child->suite.integ,
		.esn = child->suite.esn,
		.replay_window = p->replay_window,
		.tfc_bytes = padded ? p->tfc_bytes : 0,
		.path = child_path(child),
		.local = child_selectors(child, true),
		.remote = child_selectors(child, false),
		.tunnel_slot = p->tunnel_slot,
	};
	if (direction == SA_IN) {
		ret_spec->original_local = a->original_local;
		ret_spec->original_remote = a->original_remote;
	}
	snprintf(ret_spec->name, sizeof(ret_spec->name), "%.31s/%.31s", sa->tunnel->profile->name, p->name);
}

/* Keys into both specs, checked as a whole, handed to the host. */
static bool install_pair(
	struct ike_engine *e, const struct child_sa *child, const struct agreement *a, const struct keymat_input *k)
{
	struct sa_spec in, out;
	const char *reason;

	fill_spec(child, a, SA_IN, &in);
	fill_spec(child, a, SA_OUT, &out);
	fill_lifetime(e, profile_of(child->sa, child->index), &in.lifetime);
	fill_lifetime(e, profile_of(child->sa, child->index), &out.lifetime);
	bool good = !keymat_child(e, child->sa, k, &child->suite, &in, &out) && !sa_spec_check(&in, &reason) &&
		    !sa_spec_check(&out, &reason) && action_install(e, child, &in, &out);
	sa_spec_done(&in);
	sa_spec_done(&out);
	return good;
}

/* The inbound SPI is the child's from here on: RETIRE gives it back, not spi_release. */
struct child_sa *child_install(
	struct ike_engine *e, struct ike_sa *sa, const struct agreement *a, const struct keymat_input *k)
{
	struct child_sa *child = child_create(e, sa, a);

	if (!child)
		return NULL;
	if (child_claim(child)) {
		child_free(e, child);
		return NULL;
	}
	const struct ts_pair policy = child_policy(sa, a->index);
	child->piece = !narrow_within(&policy, &a->ts);
	child->initiated = child->confirmed = k->initiator;
	child->ask_ns = k->initiator ? 0 : e->now_ns + CHILD_CONFIRM_NS;
	/* RFC 7296 2.8: a responder waits until the initiator shows that it has the new pair, unless there is none else
	 */
	child->sending = k->initiator || !child_twin(child);
	if (!install_pair(e, child, a, k)) {
		child_free(e, child);
		return NULL;
	}
	child_insert(e, child);
	rekey_child_start_timer(e, child);
	child_passed(e, child);
	return child;
}

/* A tunnel has one outbound slot: a second peer must not take the traffic of the first. */
static bool serves_another(
	const struct ike_sa *sa, uint8_t exchange, bool initiator, uint16_t notify, struct ike_failure *ret_failure)
{
	const struct ike_sa *rival = tunnel_rival(sa->tunnel, &sa->remote_id);

	if (!rival)
		return false;
	*ret_failure = failure_make(2, exchange, initiator, notify, "tunnel already serves another peer",
		"give each peer a tunnel with its own remote.id");
	failure_set_identities(ret_failure, &rival->remote_id, &sa->remote_id, "peer identity");
	return true;
}

/* What a chosen proposal, and the message with it, say of the SA. */
static void take_chosen(const struct proposal *chosen, const struct message *m, struct agreement *ret)
{
	suite_of_proposal(chosen, &ret->suite);
	ret->spi_out = (uint32_t)chosen->spi;
	ret->protocol = chosen->protocol;
	ret->tfc_unwanted = message_find_notify(m, NOTIFY_ESP_TFC_PADDING_NOT_SUPPORTED);
}

/* Many peers, and another one has some of these addresses. */
static bool rival_claims(const struct ike_sa *sa, uint8_t exchange, bool initiator, const struct agreement *a,
	struct ike_failure *ret_failure)
{
	const struct tunnel *base = sa->tunnel->base;
	const struct peer *rival = base ? claims_rival(base, tunnel_peer(sa->tunnel), &a->ts.remote) : NULL;

	if (!rival)
		return false;
	*ret_failure = failure_make(2, exchange, initiator, initiator ? 0 : NOTIFY_TS_UNACCEPTABLE,
		"another peer of the tunnel has these addresses",
		"give each peer addresses of its own, or let a pool do it (remote.pool)");
	failure_set_identities(ret_failure, &rival->id, &sa->remote_id, NULL);
	snprintf(ret_failure->mismatch, sizeof(ret_failure->mismatch), "remote selectors: ");
	selector_list_format(&a->ts.remote, ret_failure->mismatch + strlen(ret_failure->mismatch),
		sizeof(ret_failure->mismatch) - strlen(ret_failure->mismatch));
	return true;
}

/* Of all Child SAs of an identity, also those on their way out: what it has of the host's tables. */
static void share_count(const struct tunnel *t, uint32_t *ret_children, uint32_t *ret_prefixes)
{
	const struct child_sa *child;

	*ret_children = *ret_prefixes = 0;
	for (const struct ike_sa *sa = t->sas; sa; sa = sa->sibling) {
		*ret_children += sa->child_count;
		TAILQ_FOREACH (child, &sa->children, siblings)
			*ret_prefixes += child->prefixes;
	}
}

/* One that replaces another and takes no more than that had is let through: the traffic of a peer that has all it may
 * is not to end with the life of its SAs. */
static const char *over_share(
	const struct ike_engine *e, const struct ike_sa *sa, const struct child_sa *old, uint32_t prefixes)
{
	uint32_t children, before;

	if (old && prefixes <= old->prefixes)
		return NULL;
	share_count(sa->tunnel, &children, &before);
	if (!old && children >= e->settings.peer_children_max)
		return "this identity has as many Child SAs as it may";
	return before + prefixes > e->settings.peer_prefixes_max ? "this identity has as many addresses as it may"
								 : NULL;
}

bool child_over_share(struct ike_engine *e, const struct ike_sa *sa, uint8_t exchange, bool initiator,
	const struct child_sa *old, const struct agreement *a, struct ike_failure *ret_failure)
{
	const uint32_t limit = e->settings.child_prefixes_max;
	uint32_t prefixes = sa->tunnel->base ? selector_list_prefixes(&a->ts.remote, limit) : 0;
	/* an answer that we do not want ends the IKE SA: what we ask for anew is bounded by what we ask for */
	bool counts = prefixes <= limit && (old || !initiator);
	const char *over = counts ? over_share(e, sa, old, prefixes) : NULL;

	if (prefixes > limit)
		*ret_failure = failure_make(2, exchange, initiator, initiator ? 0 : NOTIFY_TS_UNACCEPTABLE,
			"the peer's address ranges split into too many prefixes", "ranges that are prefixes take one");
	else if (over)
		*ret_failure = failure_make(2, exchange, initiator, initiator ? 0 : NOTIFY_NO_ADDITIONAL_SAS, over,
			"fewer Child SAs, or addresses in fewer prefixes");
	else
		return false;
	e->counters[IKE_C_SHARE_LIMIT]++;
	failure_set_identities(ret_failure, &sa->tunnel->profile->local_id, &sa->remote_id, NULL);
	return true;
}

/* ---- responder ---- */

/* What counts of the peer's offer in this exchange. */
static struct offer child_offered(const struct message *request)
{
	struct offer offer = message_offer(request);

	offer.left_out = has_groups(request->header.exchange) ? 0 : TRANSFORM_KE;
	return offer;
}

/* What of the offer a phase2 entry agrees to. */
static bool choose_proposal(
	const struct ike_sa *sa, const struct message *request, uint32_t index, struct proposal *ret_chosen)
{
	struct proposal_list ours = child_proposals(sa, request->header.exchange, index, 0);
	const struct payload *ke = message_find(request, PAYLOAD_KE);

	return negotiate_choose(&ours, child_offered(request), &spi_of_child, ke ? ke->ke.group : 0, ret_chosen);
}

/* Both ask for transport mode. */
static bool both_transport(const struct child_profile *p, const struct message *request)
{
	return p->mode == SA_MODE_TRANSPORT && modes_transport_asked(request);
}

/* The phase2 entry and the request, which offers these protocols, are of the same mode and protocol. */
static bool same_kind(const struct child_profile *p, const struct message *request, uint32_t protocols)
{
	return (p->mode == SA_MODE_TRANSPORT) == modes_transport_asked(request) &&
	       protocols & 1u << p->proposals.items[0].protocol;
}

/* Their initiator side is our remote side. */
static enum narrowing narrow(
	const struct ike_sa *sa, uint32_t index, const struct message *request, bool single, struct agreement *ret)
{
	struct ts_pair offer = { request->tsr, request->tsi };
	const struct ts_pair policy = child_policy(sa, index);

	ret->transport = both_transport(profile_of(sa, index), request);
	if (ret->transport)
		modes_substitute(sa, &offer, ret);
	enum narrowing result = narrow_answer(&offer, &policy, single, &ret->ts);
	if (result == NARROW_NONE || result == NARROW_SINGLE || !ret->transport)
		return result;
	return modes_between_hosts(sa, &ret->ts) ? result : NARROW_NONE;
}

static bool lists_equal(const struct selector_list *a, const struct selector_list *b)
{
	for (int i = 0; i < a->count && i < b->count; i++)
		if (!selector_equal(&a->items[i], &b->items[i]))
			return false;
	return a->count == b->count;
}

/* The entry would agree to one of the peer's proposals, and that can be used on this path. */
static bool is_agreeable(const struct ike_sa *sa, uint32_t index, const struct message *request)
{
	struct proposal chosen;

	return choose_proposal(sa, request, index, &chosen) && modes_pass_nat(sa, chosen.protocol);
}

/* How well a phase2 entry suits a request; 0: its selectors have nothing in common. Of those that suit its selectors
 * alike it is the one whose proposals can be agreed on; one for more addresses, with weaker proposals, is no way round
 * the one that names them. */
static int suitability(const struct ike_sa *sa, uint32_t index, const struct message *request, uint32_t protocols)
{
	const struct child_profile *p = profile_of(sa, index);
	struct agreement a;
	enum narrowing result = narrow(sa, index, request, false, &a);
	bool whole = result == NARROW_WHOLE,
	     same = lists_equal(&a.ts.local, &p->local) && lists_equal(&a.ts.remote, &p->remote);

	if (result == NARROW_NONE)
		return 0;
	return 1 + 16 * same_kind(p, request, protocols) + 8 * (whole && same) + 4 * whole +
	       2 * is_agreeable(sa, index, request) + !child_of_index(sa, index);
}

/* The phase2 entry that the peer means; without any the first, for the text of the refusal. */
static uint32_t choose_index(const struct ike_sa *sa, const struct message *request)
{
	const uint32_t protocols = offer_protocols(message_offer(request));
	uint32_t best = 0;
	int best_rank = 0;

	for (uint32_t i = 0; i < sa->tunnel->profile->child_count; i++) {
		int rank = suitability(sa, i, request, protocols);
		if (rank > best_rank) {
			best = i;
			best_rank = rank;
		}
	}
	return best;
}

static uint16_t refuse_proposals(
	const struct ike_sa *sa, const struct message *request, uint32_t index, struct ike_failure *ret_failure)
{
	uint8_t exchange = request->header.exchange;
	struct proposal_list ours = child_proposals(sa, exchange, index, 0);
	struct offer theirs = child_offered(request);

	*ret_failure = failure_make(2, exchange, false, NOTIFY_NO_PROPOSAL_CHOSEN, "no proposal chosen", hint_esp);
	failure_set_refused(ret_failure, &ours, &theirs);
	return NOTIFY_NO_PROPOSAL_CHOSEN;
}

static uint16_t refuse_selectors(
	const struct ike_sa *sa, const struct message *request, uint32_t index, struct ike_failure *ret_failure)
{
	*ret_failure = failure_make(2, request->header.exchange, false, NOTIFY_TS_UNACCEPTABLE,
		"traffic selectors do not overlap", hint_selectors);
	failure_set_selectors(ret_failure, profile_of(sa, index), &request->tsr, &request->tsi);
	return NOTIFY_TS_UNACCEPTABLE;
}

static uint16_t refuse_several(
	const struct ike_sa *sa, const struct message *request, uint32_t index, struct ike_failure *ret_failure)
{
	*ret_failure = failure_make(2, request->header.exchange, false, NOTIFY_SINGLE_PAIR_REQUIRED,
		"one_selector_per_child: the peer asks for several", "let it ask for one pair of selectors at a time");
	failure_set_selectors(ret_failure, profile_of(sa, index), &request->tsr, &request->tsi);
	return NOTIFY_SINGLE_PAIR_REQUIRED;
}

/* What is rekeyed keeps what it carries where that is one pair of several (RFC 7296 2.9.2). 0 or a notify. */
static uint16_t agree_selectors(const struct ike_sa *sa, const struct message *request, const struct child_sa *old,
	struct agreement *ret, struct ike_failure *ret_failure)
{
	const struct ts_pair offer = { request->tsr, request->tsi };
	bool single = sa->tunnel->profile->one_selector;
	enum narrowing result = narrow(sa, ret->index, request, single, ret);
	struct ts_pair before;

	if (old && old->piece && single) {
		before = child_ts(old);
		if (narrow_within(&before, &offer)) {
			ret->ts = before;
			return 0;
		}
	}
	ret->additional = result == NARROW_ADDITIONAL;
	if (result == NARROW_NONE)
		return refuse_selectors(sa, request, ret->index, ret_failure);
	return result == NARROW_SINGLE ? refuse_several(sa, request, ret->index, ret_failure) : 0;
}

static uint16_t refuse_kind(uint8_t exchange, const char *reason, const char *hint, struct ike_failure *ret_failure)
{
	*ret_failure = failure_make(2, exchange, false, NOTIFY_NO_PROPOSAL_CHOSEN, reason, hint);
	return NOTIFY_NO_PROPOSAL_CHOSEN;
}

static uint16_t refuse_more(uint8_t exchange, const char *reason, struct ike_failure *ret_failure)
{
	*ret_failure = failure_make(2, exchange, false, NOTIFY_NO_ADDITIONAL_SAS, reason, "");
	return NOTIFY_NO_ADDITIONAL_SAS;
}

uint16_t child_agree(struct ike_engine *e, const struct ike_sa *sa, const struct message *request,
	const struct child_sa *old, struct agreement *ret, struct proposal *ret_chosen, struct ike_failure *ret_failure)
{
	uint8_t exchange = request->header.exchange;
	uint32_t index = old ? old->index : choose_index(sa, request);

	*ret = (struct agreement){ .index = index };
	if (serves_another(sa, exchange, false, NOTIFY_NO_ADDITIONAL_SAS, ret_failure))
		return NOTIFY_NO_ADDITIONAL_SAS;
	if (!choose_proposal(sa, request, index, ret_chosen))
		return refuse_proposals(sa, request, index, ret_failure);
	if (!modes_pass_nat(sa, ret_chosen->protocol))
		return refuse_kind(exchange, modes_no_nat, hint_nat, ret_failure);
	take_chosen(ret_chosen, request, ret);
	uint16_t notify = agree_selectors(sa, request, old, ret, ret_failure);
	if (notify)
		return notify;
	if (!modes_acceptable(profile_of(sa, index), ret->transport))
		return refuse_kind(exchange, "the peer asks for tunnel mode", hint_mode, ret_failure);
	if (modes_taken_by_neighbour(e, sa, ret))
		return refuse_more(exchange, "another host behind the same NAT has these selectors", ret_failure);
	if (rival_claims(sa, exchange, false, ret, ret_failure))
		return NOTIFY_TS_UNACCEPTABLE;
	if (child_over_share(e, sa, exchange, false, old, ret, ret_failure))
		return ret_failure->notify;
	if (!child_has_room(sa, old != NULL))
		return refuse_more(exchange, "too many Child SAs", ret_failure);
	ret->spi_in = e->host.spi_reserve(e->host.context, &sa->local.addr, &sa->remote.addr);
	return ret->spi_in ? 0 : refuse_more(exchange, "no inbound SPI is free", ret_failure);
}

void child_add_answer(const struct agreement *a, const struct proposal *chosen, struct message *response)
{
	struct proposal_list answer = { .count = 1, .items = { *chosen } };

	answer.items[0].spi = a->spi_in;
	message_add_sa(response, &answer);
	modes_add(response, a->transport, a->protocol);
	message_add_ts(response, PAYLOAD_TSI, &a->ts.remote);
	message_add_ts(response, PAYLOAD_TSR, &a->ts.local);
	if (a->additional)
		message_add_notify(response, NOTIFY_ADDITIONAL_TS_POSSIBLE, BYTES_NONE);
}

static struct keymat_input handshake_input(const struct ike_sa *sa)
{
	const struct handshake *h = sa->handshake;

	return (struct keymat_input){ .initiator = sa->initiator,
		.nonce_i = BYTES(h->nonce_i, h->nonce_i_len),
		.nonce_r = BYTES(h->nonce_r, h->nonce_r_len) };
}

void child_answer_auth(struct ike_engine *e, struct ike_sa *sa, const struct message *request,
	const struct ike_datagram *d, struct message *response)
{
	struct keymat_input k = handshake_input(sa);
	struct agreement a;
	struct proposal chosen;
	struct ike_failure f;
	uint16_t notify = child_agree(e, sa, request, NULL, &a, &chosen, &f);

	if (!notify && !child_install(e, sa, &a, &k)) {
		e->host.spi_release(e->host.context, a.spi_in);
		notify = refuse_more(IKE_AUTH, "no memory or no working cryptography", &f);
	}
	if (notify) {
		/* RFC 7296 1.2: the IKE SA comes up without it */
		failure_report(e, sa->tunnel, sa, d, &f);
		message_add_notify(response, (enum notify_type)notify, BYTES_NONE);
		return;
	}
	child_add_answer(&a, &chosen, response);
}

/* ---- initiator ---- */

void child_report_refusal(struct ike_engine *e, struct ike_sa *sa, uint8_t exchange, uint32_t index, uint16_t notify)
{
	struct ike_failure f = failure_make(
		2, exchange, true, notify, "the peer refused the Child SA", "look at the peer's log");
	struct proposal_list offer = child_proposals(sa, exchange, index, 0);

	if (notify == NOTIFY_NO_PROPOSAL_CHOSEN || notify == NOTIFY_INVALID_KE_PAYLOAD) {
		failure_set_proposals(&f, &offer, NULL);
		snprintf(f.hint, sizeof(f.hint), "%s", hint_esp);
	} else if (notify == NOTIFY_INTERNAL_ADDRESS_FAILURE || notify == NOTIFY_FAILED_CP_REQUIRED) {
		snprintf(f.hint, sizeof(f.hint), "%s", hint_address);
	} else {
		failure_set_selectors(&f, profile_of(sa, index), NULL, NULL);
		snprintf(f.hint, sizeof(f.hint), "%s", hint_selectors);
	}
	failure_report(e, sa->tunnel, sa, NULL, &f);
}

/* The peer's selectors lie within what we asked for, and within the policy, which may be narrower: the answer has
 * brought a virtual address. Those are the agreed ones. */
static bool take_selectors(
	const struct ike_sa *sa, const struct message *m, const struct ts_pair *asked, struct agreement *ret)
{
	const struct ts_pair policy = child_policy(sa, ret->index);

	ret->ts = (struct ts_pair){ m->tsi, m->tsr };
	if (ret->transport)
		modes_substitute(sa, &ret->ts, ret);
	if (ret->transport && !modes_between_hosts(sa, &ret->ts))
		return false;
	return narrow_within(&ret->ts, asked) && narrow_within(&ret->ts, &policy);
}

bool child_answer_fits(const struct ike_sa *sa, const struct message *m, uint32_t index, uint32_t spi_in,
	const struct ts_pair *asked, struct agreement *ret, struct ike_failure *ret_failure)
{
	uint8_t exchange = m->header.exchange;
	struct proposal_list offer = child_proposals(sa, exchange, index, spi_in), answer = m->sa;
	struct proposal chosen;

	if (serves_another(sa, exchange, true, 0, ret_failure))
		return false;
	if (!has_groups(exchange))
		proposals_drop(&answer, TRANSFORM_KE);
	*ret_failure = failure_make(2, exchange, true, 0, "the peer's choice is not in our offer", "");
	if (!negotiate_check_answer(&offer, &answer, &chosen) ||
		!spi_allowed(&spi_of_child, chosen.spi_len, chosen.spi)) {
		struct offer theirs = message_offer(m);
		failure_set_proposals(ret_failure, &offer, &theirs);
		return false;
	}
	*ret = (struct agreement){ .index = index, .spi_in = spi_in, .transport = modes_transport_asked(m) };
	ret->additional = message_find_notify(m, NOTIFY_ADDITIONAL_TS_POSSIBLE);
	take_chosen(&chosen, m, ret);
	/* RFC 7296 1.3.1: only what was asked for can be answered */
	if (ret->transport && profile_of(sa, index)->mode != SA_MODE_TRANSPORT) {
		*ret_failure = failure_make(2, exchange, true, 0, "the peer answers with transport mode", hint_mode);
		return false;
	}
	if (!take_selectors(sa, m, asked, ret)) {
		failure_set_selectors(ret_failure, profile_of(sa, index), &m->tsi, &m->tsr);
		return false;
	}
	return !rival_claims(sa, exchange, true, ret, ret_failure);
}

bool child_mode_fits(const struct ike_sa *sa, const struct agreement *a)
{
	return modes_acceptable(profile_of(sa, a->index), a->transport);
}

/* Our half of it never was: only the peer has to be told. */
void child_refuse_mode(struct ike_engine *e, struct ike_sa *sa, uint8_t exchange, const struct agreement *a)
{
	struct ike_failure f = failure_make(2, exchange, true, 0, "the peer declines transport mode", hint_mode);
	struct child_sa *child = child_create(e, sa, a);

	failure_report(e, sa->tunnel, sa, NULL, &f);
	if (!child) {
		sa_fail(e, sa);
		return;
	}
	child->initiated = child->confirmed = child->replaced = true;
	TAILQ_INSERT_TAIL(&sa->children, child, siblings);
	sa->child_count++;
	child_delete(e, child, f.reason);
}

int child_offer_auth(struct ike_engine *e, struct ike_sa *sa, struct message *m)
{
	struct handshake *h = sa->handshake;

	if (!modes_pass_nat(sa, profile_of(sa, sa->asking.child_index)->proposals.items[0].protocol))
		return -EPROTONOSUPPORT;
	h->offer = malloc(sizeof(*h->offer));
	sa->reserved_spi = e->host.spi_reserve(e->host.context, &sa->local.addr, &sa->remote.addr);
	if (!h->offer || !sa->reserved_spi)
		return -ENOSPC;
	pieces_offer(sa, sa->asking.child_index, NULL, h->offer);
	child_offer(sa, IKE_AUTH, sa->asking.child_index, sa->reserved_spi, h->offer, m);
	return 0;
}

bool child_on_auth_answer(struct ike_engine *e, struct ike_sa *sa, const struct message *response)
{
	const struct payload *error = message_find_error(response);
	struct keymat_input k = handshake_input(sa);
	uint32_t reserved = sa->reserved_spi, index = sa->asking.child_index;
	struct agreement a;
	struct ike_failure f;

	sa->reserved_spi = 0;
	if (!message_find(response, PAYLOAD_SA)) {
		e->host.spi_release(e->host.context, reserved);
		if (!pieces_refused(e, sa, index, error ? error->notify.type : 0))
			child_report_refusal(e, sa, IKE_AUTH, index, error ? error->notify.type : 0);
		return true;
	}
	bool fits = child_answer_fits(sa, response, index, reserved, sa->handshake->offer, &a, &f);
	if (fits && child_mode_fits(sa, &a) && child_install(e, sa, &a, &k)) {
		pieces_made(e, sa, index, sa->handshake->offer, a.additional);
		return true;
	}
	e->host.spi_release(e->host.context, reserved);
	if (fits && !child_mode_fits(sa, &a)) {
		child_refuse_mode(e, sa, IKE_AUTH, &a);
		return true;
	}
	if (fits)
		f = failure_make(2, IKE_AUTH, true, 0, "no memory or no working cryptography", "");
	failure_report(e, sa->tunnel, sa, NULL, &f);
	return false;
}
