/* SPDX-License-Identifier: BSD-3-Clause */
/* Failure records: why a negotiation failed, ours and theirs, with the first mismatch. Texts for people; nothing is
 * decided here. */
#include "ike_priv.h"

#include <stdio.h>
#include <stdlib.h>

/* What to look at, for reasons that come from several places. */
static const struct {
	const char *reason, *hint;
} common_hints[] = {
	{ "too many Child SAs", "the peer makes them without end, or has more phase2 entries than one IKE SA carries" },
	{ "no inbound SPI is free", "use fewer Child SAs, or end some" },
	{ "no memory", "look at this host's memory" },
	{ "no working cryptography", "look at this host's log" },
	{ "no memory or no working cryptography", "look at this host's memory and log" },
	{ "cryptography failed", "look at this host's log" },
	{ "the peer's choice is not in our offer", "the peer breaks RFC 7296 2.7: look at its version and log" },
	{ "the peer's key exchange value is refused", "it is none of the group: look at the peer's version" },
	{ "the peer's key is not of the group that it chose", "the peer breaks RFC 7296 1.3: look at its version" },
	{ "the peer uses another authentication method", "compare auth of local and remote at both gateways" },
	{ "another host behind the same NAT has these selectors", "use tunnel mode for hosts behind one NAT" },
};

static const char *common_hint(const char *reason)
{
	for (size_t i = 0; i < ARRAY_LEN(common_hints); i++)
		if (!strcmp(common_hints[i].reason, reason))
			return common_hints[i].hint;
	return "";
}

struct ike_failure failure_make(
	uint8_t phase, uint8_t exchange, bool initiator, uint16_t notify, const char *reason, const char *hint)
{
	struct ike_failure f = { .phase = phase, .exchange = exchange, .initiator = initiator, .notify = notify };

	snprintf(f.reason, sizeof(f.reason), "%s", reason);
	snprintf(f.hint, sizeof(f.hint), "%s", hint && hint[0] ? hint : common_hint(reason));
	return f;
}

/* Anybody can send an IKE_SA_INIT: the text of a huge offer must not cost more than it did to send it. */
#define UNPROVEN_PROPOSALS_SHOWN 2

/* Behind what is shown, when there is more. */
#define MORE         ", ..."
#define THEIRS_SHOWN ((int)(EVENT_TEXT_MAX - sizeof(MORE)))

static void theirs_format(struct ike_failure *f, struct offer theirs)
{
	const uint8_t most = f->exchange == IKE_SA_INIT ? UNPROVEN_PROPOSALS_SHOWN : PROPOSALS_MAX;
	struct proposal_list shown = { 0 };
	struct offered offered;
	char text[PROPOSAL_TEXT_MAX];
	bool cut = false;

	while (shown.count < most && offer_next(&theirs, &offered)) {
		cut = cut || offered.count > PROPOSAL_TRANSFORMS_MAX;
		offered_shorten(&offered, &shown.items[shown.count++]);
	}
	proposal_list_format(&shown, text);
	cut = cut || theirs.rest.len || strlen(text) > THEIRS_SHOWN;
	snprintf(f->theirs, sizeof(f->theirs), "%.*s%s", cut ? THEIRS_SHOWN : EVENT_TEXT_MAX, text, cut ? MORE : "");
}

void failure_set_proposals(struct ike_failure *f, const struct proposal_list *ours, const struct offer *theirs)
{
	char text[PROPOSAL_TEXT_MAX];

	if (ours)
		snprintf(f->ours, sizeof(f->ours), "%s", proposal_list_format(ours, text));
	if (theirs)
		theirs_format(f, *theirs);
	if (ours && theirs)
		negotiate_mismatch(ours, *theirs, f->mismatch, sizeof(f->mismatch));
}

void failure_set_refused(struct ike_failure *f, const struct proposal_list *ours, const struct offer *theirs)
{
	failure_set_proposals(f, ours, theirs);
	/* the algorithms would do */
	if (!f->mismatch[0])
		snprintf(f->mismatch, sizeof(f->mismatch), "SPI: the peer's cannot be used");
}

void failure_set_identities(
	struct ike_failure *f, const struct identity *ours, const struct identity *theirs, const char *what)
{
	char text[IDENTITY_TEXT_MAX];

	snprintf(f->ours, sizeof(f->ours), "%.511s", ours->type ? identity_format(ours, text) : "any");
	snprintf(f->theirs, sizeof(f->theirs), "%.511s", theirs->type ? identity_format(theirs, text) : "any");
	if (what)
		snprintf(f->mismatch, sizeof(f->mismatch), "%s: expected %.40s, received %.40s", what, f->ours,
			f->theirs);
}

static void pair_format(
	const struct selector_list *local, const struct selector_list *remote, char *ret_text, size_t capacity)
{
	char a[EVENT_TEXT_MAX / 2 - 4], b[EVENT_TEXT_MAX / 2 - 4];

	snprintf(ret_text, capacity, "%s === %s", selector_list_format(local, a, sizeof(a)),
		selector_list_format(remote, b, sizeof(b)));
}

static void selectors_mismatch(
	struct ike_failure *f, const char *side, const struct selector_list *ours, const struct selector_list *theirs)
{
	char a[44], b[44];
	struct selector_list common;
	bool cut;

	if (f->mismatch[0] || selector_list_narrow(theirs, ours, &common, &cut))
		return;
	snprintf(f->mismatch, sizeof(f->mismatch), "%s selectors: ours %s, theirs %s", side,
		selector_list_format(ours, a, sizeof(a)), selector_list_format(theirs, b, sizeof(b)));
}

void failure_set_selectors(struct ike_failure *f, const struct child_profile *ours, const struct selector_list *local,
	const struct selector_list *remote)
{
	pair_format(&ours->local, &ours->remote, f->ours, sizeof(f->ours));
	if (!local || !remote)
		return;
	pair_format(local, remote, f->theirs, sizeof(f->theirs));
	selectors_mismatch(f, "local", &ours->local, local);
	selectors_mismatch(f, "remote", &ours->remote, remote);
}

static void failure_keep(struct tunnel *t, const struct ike_failure *f)
{
	if (!t->failure)
		t->failure = malloc(sizeof(*t->failure));
	if (t->failure)
		*t->failure = *f;
}

void failure_report(struct ike_engine *e, struct tunnel *t, const struct ike_sa *sa, const struct ike_datagram *d,
	struct ike_failure *f)
{
	f->at_ns = e->now_ns;
	if (t)
		failure_keep(t, f);
	/* a peer may be gone when the operator asks */
	if (t && t->base)
		failure_keep(t->base, f);
	event_failure(e, IKE_EV_FAILED, t, sa, d, f);
}
