/* SPDX-License-Identifier: BSD-3-Clause */
/* The Child SA that IKE_AUTH brings, both roles (RFC 7296 1.2, 2.9, 2.17): suite, selectors, keys, installation. One
 * per IKE SA: the first phase2 entry of the profile. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "v2.h"

#define CHILD_INDEX 0

static const char hint_selectors[] =
	"compare local_selectors here with remote_selectors there, and the other way round";
static const char hint_esp[] = "compare phase2.proposals of both gateways";

static const struct child_profile *profile_of(const struct ike_sa *sa)
{
	return &sa->tunnel->profile->children[CHILD_INDEX];
}

/* The Child SA of IKE_AUTH has no key exchange of its own (RFC 7296 1.2): its groups are for CREATE_CHILD_SA. */
static struct proposal_list offer_of(const struct ike_sa *sa, uint32_t spi)
{
	struct proposal_list offer = profile_of(sa)->proposals;

	proposals_drop(&offer, TRANSFORM_KE);
	proposals_address(&offer, sizeof(spi), spi);
	return offer;
}

int child_offer(struct ike_engine *e, struct ike_sa *sa, struct message *m)
{
	const struct child_profile *p = profile_of(sa);

	sa->reserved_spi = e->host.spi_reserve(e->host.context, &sa->local.addr, &sa->remote.addr);
	if (!sa->reserved_spi)
		return -ENOSPC;
	struct proposal_list offer = offer_of(sa, sa->reserved_spi);
	message_add_sa(m, &offer);
	message_add_ts(m, PAYLOAD_TSI, &p->local);
	message_add_ts(m, PAYLOAD_TSR, &p->remote);
	return 0;
}

/* What both sides agreed on. */
struct agreement {
	struct suite suite;
	uint32_t spi_in, spi_out;
	struct selector_list local, remote;
};

static struct child_sa *child_create(struct ike_engine *e, struct ike_sa *sa, const struct agreement *a)
{
	struct child_sa *child = calloc(1, sizeof(*child));

	if (!child)
		return NULL;
	child->selectors = calloc((size_t)a->local.count + a->remote.count, sizeof(*child->selectors));
	if (!child->selectors) {
		free(child);
		return NULL;
	}
	memcpy(child->selectors, a->local.items, a->local.count * sizeof(*child->selectors));
	memcpy(child->selectors + a->local.count, a->remote.items, a->remote.count * sizeof(*child->selectors));
	child->sa = sa;
	child->index = CHILD_INDEX;
	child->local_count = a->local.count;
	child->remote_count = a->remote.count;
	child->suite = a->suite;
	child->spi_in = a->spi_in;
	child->spi_out = a->spi_out;
	child->udp_encap = natd_udp_encap(sa);
	/* RFC 7296 2.8: a responder waits until the initiator shows that it has the new pair, unless there is none else
	 */
	child->sending = sa->initiator || !sa_twin(sa);
	child->up_since_ns = e->now_ns;
	return child;
}

static void fill_spec(
	const struct ike_sa *sa, const struct child_sa *child, enum sa_direction direction, struct sa_spec *ret_spec)
{
	const struct child_profile *p = profile_of(sa);

	*ret_spec = (struct sa_spec){
		.direction = direction,
		.mode = p->mode,
		.protocol = PROTOCOL_ESP,
		/* a NAT-T capable SA takes both forms, whatever the path looks like today */
		.natt = direction == SA_IN,
		.spi = direction == SA_IN ? child->spi_in : child->spi_out,
		.encr = child->suite.encr,
		.integ = child->suite.integ,
		.esn = child->suite.esn,
		.replay_window = p->replay_window,
		.path = child_path(child),
		.local = child_selectors(child, true),
		.remote = child_selectors(child, false),
		.tunnel_slot = p->tunnel_slot,
	};
	snprintf(ret_spec->name, sizeof(ret_spec->name), "%.31s/%.31s", sa->tunnel->profile->name, p->name);
}

/* Keys into both specs, checked as a whole, handed to the host. */
static bool install_pair(struct ike_engine *e, const struct ike_sa *sa, const struct child_sa *child)
{
	struct sa_spec in, out;
	const char *reason;

	fill_spec(sa, child, SA_IN, &in);
	fill_spec(sa, child, SA_OUT, &out);
	bool good = !keymat_child(e, sa, &child->suite, &in, &out) && !sa_spec_check(&in, &reason) &&
		    !sa_spec_check(&out, &reason) && action_install(e, child, &in, &out);
	sa_spec_done(&in);
	sa_spec_done(&out);
	return good;
}

/* The inbound SPI is the child's from here on: RETIRE gives it back, not spi_release. */
static bool child_install(struct ike_engine *e, struct ike_sa *sa, const struct agreement *a)
{
	struct child_sa *child = child_create(e, sa, a);

	if (!child)
		return false;
	if (!install_pair(e, sa, child)) {
		free(child->selectors);
		free(child);
		return false;
	}
	sa->child = child;
	table_insert(&e->by_child, &child->by_spi, hash_u64(child->spi_in));
	return true;
}

static bool spi_legal(const struct proposal *chosen)
{
	/* RFC 4303 2.1: 0 is not sent, 1-255 are reserved */
	return chosen->spi_len == sizeof(uint32_t) && chosen->spi > 255;
}

/* A tunnel has one outbound slot: a second peer must not take the traffic of the first. */
static bool serves_another(const struct ike_sa *sa, uint16_t notify, struct ike_failure *ret_failure)
{
	const struct ike_sa *rival = tunnel_rival(sa->tunnel, &sa->remote_id);

	if (!rival)
		return false;
	*ret_failure = failure_make(2, IKE_AUTH, sa->initiator, notify, "tunnel already serves another peer",
		"give each peer a tunnel with its own remote.id");
	failure_set_identities(ret_failure, &rival->remote_id, &sa->remote_id, "peer identity");
	return true;
}

/* ---- responder ---- */

/* 0, or the notify that refuses the offer, with *ret_failure. */
static uint16_t agree(struct ike_engine *e, struct ike_sa *sa, const struct message *request, struct agreement *ret,
	struct proposal *ret_chosen, struct ike_failure *ret_failure)
{
	const struct child_profile *p = profile_of(sa);
	struct proposal_list ours = offer_of(sa, 0), theirs = request->sa;
	bool cut;

	if (serves_another(sa, NOTIFY_NO_ADDITIONAL_SAS, ret_failure))
		return NOTIFY_NO_ADDITIONAL_SAS;
	proposals_drop(&theirs, TRANSFORM_KE);
	if (!negotiate_choose(&ours, &theirs, 0, ret_chosen) || !spi_legal(ret_chosen)) {
		*ret_failure = failure_make(
			2, IKE_AUTH, false, NOTIFY_NO_PROPOSAL_CHOSEN, "no proposal chosen", hint_esp);
		failure_set_proposals(ret_failure, &ours, &theirs);
		return NOTIFY_NO_PROPOSAL_CHOSEN;
	}
	suite_of_proposal(ret_chosen, &ret->suite);
	ret->spi_out = (uint32_t)ret_chosen->spi;
	/* their initiator side is our remote side */
	if (!selector_list_narrow(&request->tsi, &p->remote, &ret->remote, &cut) ||
		!selector_list_narrow(&request->tsr, &p->local, &ret->local, &cut)) {
		*ret_failure = failure_make(
			2, IKE_AUTH, false, NOTIFY_TS_UNACCEPTABLE, "traffic selectors do not overlap", hint_selectors);
		failure_set_selectors(ret_failure, p, &request->tsr, &request->tsi);
		return NOTIFY_TS_UNACCEPTABLE;
	}
	ret->spi_in = e->host.spi_reserve(e->host.context, &sa->local.addr, &sa->remote.addr);
	if (ret->spi_in)
		return 0;
	*ret_failure = failure_make(2, IKE_AUTH, false, NOTIFY_NO_ADDITIONAL_SAS, "no inbound SPI is free", "");
	return NOTIFY_NO_ADDITIONAL_SAS;
}

void child_answer(struct ike_engine *e, struct ike_sa *sa, const struct message *request, const struct ike_datagram *d,
	struct message *response)
{
	struct agreement a;
	struct proposal chosen;
	struct ike_failure f;
	uint16_t notify = agree(e, sa, request, &a, &chosen, &f);

	if (!notify && !child_install(e, sa, &a)) {
		e->host.spi_release(e->host.context, a.spi_in);
		notify = NOTIFY_NO_ADDITIONAL_SAS;
		f = failure_make(2, IKE_AUTH, false, notify, "no memory or no working cryptography", "");
	}
	if (notify) {
		/* RFC 7296 1.2: the IKE SA comes up without it */
		failure_report(e, sa->tunnel, sa, d, &f);
		message_add_notify(response, (enum notify_type)notify, BYTES_NONE);
		return;
	}
	chosen.spi = a.spi_in;
	struct proposal_list answer = { .count = 1, .items = { chosen } };
	message_add_sa(response, &answer);
	message_add_ts(response, PAYLOAD_TSI, &a.remote);
	message_add_ts(response, PAYLOAD_TSR, &a.local);
}

/* ---- initiator ---- */

static void report_refusal(struct ike_engine *e, struct ike_sa *sa, uint16_t notify)
{
	struct ike_failure f = failure_make(
		2, IKE_AUTH, true, notify, "the peer refused the Child SA", "look at the peer's log");
	struct proposal_list offer = offer_of(sa, 0);

	if (notify == NOTIFY_NO_PROPOSAL_CHOSEN) {
		failure_set_proposals(&f, &offer, NULL);
		snprintf(f.hint, sizeof(f.hint), "%s", hint_esp);
	} else {
		failure_set_selectors(&f, profile_of(sa), NULL, NULL);
		snprintf(f.hint, sizeof(f.hint), "%s", hint_selectors);
	}
	failure_report(e, sa->tunnel, sa, NULL, &f);
}

/* What the peer chose lies within what we offered; *ret_failure otherwise. */
static bool answer_fits(
	struct ike_sa *sa, const struct message *m, struct agreement *ret, struct ike_failure *ret_failure)
{
	const struct child_profile *p = profile_of(sa);
	struct proposal_list offer = offer_of(sa, sa->reserved_spi), answer = m->sa;
	struct proposal chosen;

	proposals_drop(&answer, TRANSFORM_KE);
	*ret_failure = failure_make(2, IKE_AUTH, true, 0, "the peer's choice is not in our offer", "");
	if (!negotiate_check_answer(&offer, &answer, &chosen) || !spi_legal(&chosen)) {
		failure_set_proposals(ret_failure, &offer, &m->sa);
		return false;
	}
	if (!selectors_within(&m->tsi, &p->local) || !selectors_within(&m->tsr, &p->remote)) {
		failure_set_selectors(ret_failure, p, &m->tsi, &m->tsr);
		return false;
	}
	*ret = (struct agreement){ .spi_in = sa->reserved_spi, .spi_out = (uint32_t)chosen.spi };
	suite_of_proposal(&chosen, &ret->suite);
	ret->local = m->tsi;
	ret->remote = m->tsr;
	return true;
}

bool child_on_answer(struct ike_engine *e, struct ike_sa *sa, const struct message *response)
{
	const struct payload *error = message_find_error(response);
	uint32_t reserved = sa->reserved_spi;
	struct agreement a;
	struct ike_failure f;

	if (!message_find(response, PAYLOAD_SA)) {
		sa->reserved_spi = 0;
		e->host.spi_release(e->host.context, reserved);
		report_refusal(e, sa, error ? error->notify.type : 0);
		return true;
	}
	bool fits = !serves_another(sa, 0, &f) && answer_fits(sa, response, &a, &f);
	sa->reserved_spi = 0;
	if (fits && child_install(e, sa, &a))
		return true;
	if (fits)
		f = failure_make(2, IKE_AUTH, true, 0, "no memory or no working cryptography", "");
	e->host.spi_release(e->host.context, reserved);
	failure_report(e, sa->tunnel, sa, NULL, &f);
	return false;
}

/* ---- CREATE_CHILD_SA ---- */

enum step child_on_request(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	if (protect_respond_error(e, sa, in, NOTIFY_NO_ADDITIONAL_SAS, BYTES_NONE))
		sa_fail(e, sa);
	return STEP_STAY;
}
