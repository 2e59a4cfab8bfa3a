/* SPDX-License-Identifier: BSD-3-Clause */
/* The state machine of an IKE SA: one table, one setter of the state. What a step does is the handler's, in the file of
 * its exchange. */
#include "v2.h"

typedef enum step (*handler)(struct ike_engine *e, struct ike_sa *sa, const struct input *in);

#define ROW(state, event, handle, next, other)                                                                         \
	{                                                                                                              \
		state, event, handle, next, other, #state "/" #event                                                   \
	}

static const struct transition {
	enum sa_state state;
	enum sa_event event;
	handler handle;
	enum sa_state next, other;
	const char *name; /* for tests */
} transitions[] = {
	/* initiator: our key pair is ready, IKE_SA_INIT goes out */
	ROW(ST_INITIATOR_KEX, EV_KEX_READY, sa_init_on_key, ST_INIT_SENT, ST_DEAD),
	ROW(ST_INITIATOR_KEX, EV_TIME_OUT, sa_init_on_lost_job, ST_DEAD, ST_DEAD),
	/* the peer chose (next), or wants another group (other); a COOKIE or an error it gives changes no state */
	ROW(ST_INIT_SENT, EV_INIT_RESPONSE, sa_init_on_response, ST_INITIATOR_DERIVE, ST_INITIATOR_KEX),
	ROW(ST_INIT_SENT, EV_GAVE_UP, sa_init_on_silence, ST_DEAD, ST_DEAD),
	/* keys are there: IKE_AUTH goes out, to port 4500 when there is a NAT */
	ROW(ST_INITIATOR_DERIVE, EV_SECRET_READY, auth_send_request, ST_AUTH_SENT, ST_DEAD),
	ROW(ST_INITIATOR_DERIVE, EV_TIME_OUT, sa_init_on_lost_job, ST_DEAD, ST_DEAD),
	/* the peer is who it should be (next), or it is told that it is not (other) */
	ROW(ST_AUTH_SENT, EV_AUTH_RESPONSE, auth_on_response, ST_ESTABLISHED, ST_CLOSING),
	ROW(ST_AUTH_SENT, EV_BAD_RESPONSE, auth_on_bad_response, ST_CLOSING, ST_DEAD),
	ROW(ST_AUTH_SENT, EV_GAVE_UP, auth_on_silence, ST_DEAD, ST_DEAD),

	/* responder: our key pair is ready, IKE_SA_INIT is answered */
	ROW(ST_RESPONDER_KEX, EV_KEX_READY, sa_init_on_responder_key, ST_INIT_ANSWERED, ST_DEAD),
	ROW(ST_RESPONDER_KEX, EV_TIME_OUT, auth_on_time_out, ST_DEAD, ST_DEAD),
	/* only an IKE_AUTH request makes us pay for the shared secret */
	ROW(ST_INIT_ANSWERED, EV_AUTH_HELD, auth_hold, ST_RESPONDER_DERIVE, ST_DEAD),
	ROW(ST_INIT_ANSWERED, EV_TIME_OUT, auth_on_time_out, ST_DEAD, ST_DEAD),
	/* its other fragments, which come while the secret is computed */
	ROW(ST_RESPONDER_DERIVE, EV_AUTH_HELD, auth_hold_more, ST_DEAD, ST_DEAD),
	ROW(ST_RESPONDER_DERIVE, EV_SECRET_READY, auth_on_secret, ST_KEYED, ST_DEAD),
	ROW(ST_RESPONDER_DERIVE, EV_TIME_OUT, auth_on_time_out, ST_DEAD, ST_DEAD),
	/* the request that was held, or a later one when that was forged */
	ROW(ST_KEYED, EV_AUTH_REQUEST, auth_on_request, ST_ESTABLISHED, ST_DEAD),
	ROW(ST_KEYED, EV_BAD_REQUEST, auth_on_bad_request, ST_DEAD, ST_DEAD),
	ROW(ST_KEYED, EV_TIME_OUT, auth_on_time_out, ST_DEAD, ST_DEAD),

	/* both */
	ROW(ST_ESTABLISHED, EV_CHILD_REQUEST, create_child_on_request, ST_DEAD, ST_DEAD),
	ROW(ST_ESTABLISHED, EV_CHILD_RESPONSE, create_child_on_response, ST_DEAD, ST_DEAD),
	ROW(ST_ESTABLISHED, EV_KEX_READY, create_child_on_key, ST_DEAD, ST_DEAD),
	ROW(ST_ESTABLISHED, EV_SECRET_READY, create_child_on_secret, ST_DEAD, ST_DEAD),
	ROW(ST_ESTABLISHED, EV_INFORMATIONAL_REQUEST, informational_on_request, ST_DEAD, ST_DEAD),
	ROW(ST_ESTABLISHED, EV_INFORMATIONAL_RESPONSE, informational_on_response, ST_DEAD, ST_DEAD),
	ROW(ST_ESTABLISHED, EV_BAD_REQUEST, informational_on_bad_request, ST_DEAD, ST_DEAD),
	ROW(ST_ESTABLISHED, EV_BAD_RESPONSE, informational_on_bad_response, ST_CLOSING, ST_DEAD),
	ROW(ST_ESTABLISHED, EV_GAVE_UP, informational_on_silence, ST_DEAD, ST_DEAD),
	ROW(ST_ESTABLISHED, EV_TIME_OUT, informational_on_lifetime, ST_DEAD, ST_DEAD),
	/* on the way out the peer is still answered: it may be closing, too */
	ROW(ST_CLOSING, EV_CHILD_REQUEST, create_child_on_request, ST_DEAD, ST_DEAD),
	ROW(ST_CLOSING, EV_CHILD_RESPONSE, create_child_on_response, ST_DEAD, ST_DEAD),
	ROW(ST_CLOSING, EV_INFORMATIONAL_REQUEST, informational_on_request, ST_DEAD, ST_DEAD),
	ROW(ST_CLOSING, EV_INFORMATIONAL_RESPONSE, informational_on_response, ST_DEAD, ST_DEAD),
	ROW(ST_CLOSING, EV_BAD_REQUEST, informational_on_closed, ST_DEAD, ST_DEAD),
	ROW(ST_CLOSING, EV_BAD_RESPONSE, informational_on_closed, ST_DEAD, ST_DEAD),
	ROW(ST_CLOSING, EV_GAVE_UP, informational_on_closed, ST_DEAD, ST_DEAD),
};

void sa_set_state(struct ike_engine *e, struct ike_sa *sa, enum sa_state state)
{
	if (sa->state == ST_INIT_ANSWERED)
		TAILQ_REMOVE(&e->answered, sa, answered);
	if (state == ST_INIT_ANSWERED)
		TAILQ_INSERT_TAIL(&e->answered, sa, answered);
	sa->state = (uint8_t)state;
	if (state == ST_ESTABLISHED)
		sa_established(e, sa);
	if (state == ST_CLOSING)
		task_flush(e, sa);
}

size_t ike_transition_count(void)
{
	return ARRAY_LEN(transitions);
}

const char *ike_transition_name(size_t i)
{
	return transitions[i].name;
}

_Static_assert(ARRAY_LEN(transitions) <= TRANSITIONS_MAX, "room for a count of each");

bool sa_step(struct ike_engine *e, struct ike_sa *sa, enum sa_event event, const struct input *in)
{
	for (size_t i = 0; i < ARRAY_LEN(transitions); i++) {
		const struct transition *t = &transitions[i];
		if (t->state != sa->state || t->event != event)
			continue;
		e->steps[i]++;
		enum step step = t->handle(e, sa, in);
		if (step != STEP_STAY)
			sa_set_state(e, sa, step == STEP_NEXT ? t->next : t->other);
		return true;
	}
	return false;
}
