/* SPDX-License-Identifier: BSD-3-Clause */
/* The state machine of an IKE SA: one table, one setter of the state. What a step does is the handler's, in the file of
 * its exchange. */
#include "v2.h"

typedef enum step (*handler)(struct ike_engine *e, struct ike_sa *sa, const struct input *in);

static const struct transition {
	enum sa_state state;
	enum sa_event event;
	handler handle;
	enum sa_state next, other;
} transitions[] = {
	/* initiator: our key pair is ready, IKE_SA_INIT goes out */
	{ ST_INITIATOR_KEX, EV_KEX_READY, sa_init_on_key, ST_INIT_SENT, ST_DEAD },
	{ ST_INITIATOR_KEX, EV_TIME_OUT, sa_init_on_lost_job, ST_DEAD, ST_DEAD },
	/* the peer chose (next), or wants another group (other); a COOKIE or an error it gives changes no state */
	{ ST_INIT_SENT, EV_INIT_RESPONSE, sa_init_on_response, ST_INITIATOR_DERIVE, ST_INITIATOR_KEX },
	{ ST_INIT_SENT, EV_GAVE_UP, sa_init_on_silence, ST_DEAD, ST_DEAD },
	/* keys are there: IKE_AUTH goes out, to port 4500 when there is a NAT */
	{ ST_INITIATOR_DERIVE, EV_SECRET_READY, auth_send_request, ST_AUTH_SENT, ST_DEAD },
	{ ST_INITIATOR_DERIVE, EV_TIME_OUT, sa_init_on_lost_job, ST_DEAD, ST_DEAD },
	/* the peer is who it should be (next), or it is told that it is not (other) */
	{ ST_AUTH_SENT, EV_AUTH_RESPONSE, auth_on_response, ST_ESTABLISHED, ST_CLOSING },
	{ ST_AUTH_SENT, EV_BAD_RESPONSE, auth_on_bad_response, ST_CLOSING, ST_DEAD },
	{ ST_AUTH_SENT, EV_GAVE_UP, auth_on_silence, ST_DEAD, ST_DEAD },

	/* responder: our key pair is ready, IKE_SA_INIT is answered */
	{ ST_RESPONDER_KEX, EV_KEX_READY, sa_init_on_responder_key, ST_INIT_ANSWERED, ST_DEAD },
	{ ST_RESPONDER_KEX, EV_TIME_OUT, auth_on_time_out, ST_DEAD, ST_DEAD },
	/* only an IKE_AUTH request makes us pay for the shared secret */
	{ ST_INIT_ANSWERED, EV_AUTH_HELD, auth_hold, ST_RESPONDER_DERIVE, ST_DEAD },
	{ ST_INIT_ANSWERED, EV_TIME_OUT, auth_on_time_out, ST_DEAD, ST_DEAD },
	/* its other fragments, which come while the secret is computed */
	{ ST_RESPONDER_DERIVE, EV_AUTH_HELD, auth_hold_more, ST_DEAD, ST_DEAD },
	{ ST_RESPONDER_DERIVE, EV_SECRET_READY, auth_on_secret, ST_KEYED, ST_DEAD },
	{ ST_RESPONDER_DERIVE, EV_TIME_OUT, auth_on_time_out, ST_DEAD, ST_DEAD },
	/* the request that was held, or a later one when that was forged */
	{ ST_KEYED, EV_AUTH_REQUEST, auth_on_request, ST_ESTABLISHED, ST_DEAD },
	{ ST_KEYED, EV_BAD_REQUEST, auth_on_bad_request, ST_DEAD, ST_DEAD },
	{ ST_KEYED, EV_TIME_OUT, auth_on_time_out, ST_DEAD, ST_DEAD },

	/* both */
	{ ST_ESTABLISHED, EV_CHILD_REQUEST, child_on_request, ST_DEAD, ST_DEAD },
	{ ST_ESTABLISHED, EV_INFORMATIONAL_REQUEST, informational_on_request, ST_DEAD, ST_DEAD },
	{ ST_ESTABLISHED, EV_INFORMATIONAL_RESPONSE, informational_on_response, ST_DEAD, ST_DEAD },
	{ ST_ESTABLISHED, EV_BAD_REQUEST, informational_on_bad_request, ST_DEAD, ST_DEAD },
	{ ST_ESTABLISHED, EV_BAD_RESPONSE, informational_on_bad_response, ST_CLOSING, ST_DEAD },
	{ ST_ESTABLISHED, EV_GAVE_UP, informational_on_silence, ST_DEAD, ST_DEAD },
	{ ST_ESTABLISHED, EV_TIME_OUT, informational_on_lifetime, ST_DEAD, ST_DEAD },
	/* on the way out the peer is still answered: it may be closing, too */
	{ ST_CLOSING, EV_CHILD_REQUEST, child_on_request, ST_DEAD, ST_DEAD },
	{ ST_CLOSING, EV_INFORMATIONAL_REQUEST, informational_on_request, ST_DEAD, ST_DEAD },
	{ ST_CLOSING, EV_INFORMATIONAL_RESPONSE, informational_on_response, ST_DEAD, ST_DEAD },
	{ ST_CLOSING, EV_BAD_REQUEST, informational_on_closed, ST_DEAD, ST_DEAD },
	{ ST_CLOSING, EV_BAD_RESPONSE, informational_on_closed, ST_DEAD, ST_DEAD },
	{ ST_CLOSING, EV_GAVE_UP, informational_on_closed, ST_DEAD, ST_DEAD },
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
		informational_flush(e, sa);
}

bool sa_step(struct ike_engine *e, struct ike_sa *sa, enum sa_event event, const struct input *in)
{
	for (size_t i = 0; i < ARRAY_LEN(transitions); i++) {
		const struct transition *t = &transitions[i];
		if (t->state != sa->state || t->event != event)
			continue;
		enum step step = t->handle(e, sa, in);
		if (step != STEP_STAY)
			sa_set_state(e, sa, step == STEP_NEXT ? t->next : t->other);
		return true;
	}
	return false;
}
