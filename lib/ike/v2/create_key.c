/* SPDX-License-Identifier: BSD-3-Clause */
/* CREATE_CHILD_SA: nonces and the optional key exchange (RFC 7296 1.3), which is computed elsewhere. */
#include "create.h"

const char create_secret_refused[] = "the peer's key exchange value is refused";

static bool push_job(struct ike_engine *e, struct ike_sa *sa, const struct create *x, struct crypto_job *job)
{
	if (job)
		job->exchange = x->number;
	sa_set_timer(e, sa, TIMER_JOB, e->now_ns + e->settings.half_open_timeout_ns);
	return action_crypto(e, job);
}

bool create_start_key(struct ike_engine *e, struct ike_sa *sa, struct create *x)
{
	return push_job(e, sa, x, crypto_job_create(JOB_KEX_GENERATE, sa_our_spi(sa), x->group));
}

bool create_start_secret(struct ike_engine *e, struct ike_sa *sa, struct create *x)
{
	struct crypto_job *job = crypto_job_create(JOB_KEX_DERIVE, sa_our_spi(sa), x->group);

	if (!job)
		return false;
	job->key = x->key;
	x->key = NULL;
	job->peer_public_len = x->peer_public_len;
	memcpy(job->peer_public, x->peer_public, x->peer_public_len);
	return push_job(e, sa, x, job);
}

bool create_take_key(struct create *x, struct crypto_job *job)
{
	if (job->result || job->public_len > sizeof(x->public_value))
		return false;
	kex_free(x->key);
	x->key = job->key;
	job->key = NULL;
	x->public_len = job->public_len;
	memcpy(x->public_value, job->public_value, job->public_len);
	return true;
}

void create_store_nonce(const struct message *m, uint8_t *ret_nonce, uint16_t *ret_len)
{
	const struct payload *no = message_find(m, PAYLOAD_NONCE);

	*ret_len = (uint16_t)no->nonce.len;
	memcpy(ret_nonce, no->nonce.data, no->nonce.len);
}

/* The peer's public value is one of this group. */
bool create_store_public(struct create *x, const struct message *m)
{
	const struct payload *ke = message_find(m, PAYLOAD_KE);

	if (!ke || ke->ke.group != x->group->id || ke->ke.data.len != x->group->key_bytes)
		return false;
	x->peer_public_len = ke->ke.data.len;
	memcpy(x->peer_public, ke->ke.data.data, ke->ke.data.len);
	return true;
}

void create_add_key(const struct create *x, struct message *m)
{
	struct payload *no = message_add(m, PAYLOAD_NONCE), *ke = x->group ? message_add(m, PAYLOAD_KE) : NULL;

	if (no)
		no->nonce = x->initiator ? BYTES(x->nonce_i, x->nonce_i_len) : BYTES(x->nonce_r, x->nonce_r_len);
	if (ke) {
		ke->ke.group = x->group->id;
		ke->ke.data = BYTES(x->public_value, x->public_len);
	}
}
