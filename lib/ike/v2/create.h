/* SPDX-License-Identifier: BSD-3-Clause */
/* CREATE_CHILD_SA inside its own files: what they offer to each other. What the other exchanges see of it is in v2.h.
 */
#pragma once

#include "v2.h"

/* What an exchange made: one or the other. */
struct made {
	struct ike_sa *ike;
	struct child_sa *child;
};

/* ---- create.c ---- */

struct create *create_new(struct ike_engine *e, uint8_t kind, bool initiator);
/* The exchange of ours, or of the peer's, is over. */
void create_drop_ours(struct ike_engine *e, struct ike_sa *sa);
void create_drop_theirs(struct ike_engine *e, struct ike_sa *sa);
/* The new SA, and then its taking the place of the one before. False: it cannot be made. */
bool create_make(struct ike_engine *e, struct ike_sa *sa, struct create *x, struct bytes shared, struct made *ret_made);
void create_take_place(struct ike_engine *e, struct ike_sa *sa, struct create *x, const struct made *made);

/* ---- create_key.c ---- */

extern const char create_secret_refused[];
/* Jobs: our key pair; the shared secret. False: no memory. */
bool create_start_key(struct ike_engine *e, struct ike_sa *sa, struct create *x);
bool create_start_secret(struct ike_engine *e, struct ike_sa *sa, struct create *x);
/* False: the job has none. */
bool create_take_key(struct create *x, struct crypto_job *job);
/* The peer's. */
void create_store_nonce(const struct message *m, uint8_t *ret_nonce, uint16_t *ret_len);
/* False: it is not one of this group. */
bool create_store_public(struct create *x, const struct message *m);
/* Ours. */
void create_add_key(const struct create *x, struct message *m);

/* ---- create_failed.c ---- */

/* Our exchange came to nothing: the tunnel goes after what it misses, a rekey is tried again later. */
void create_fall_back(struct ike_engine *e, struct ike_sa *sa);
/* The same, and it is told why. */
void create_give_up(struct ike_engine *e, struct ike_sa *sa, const char *reason);
/* The peer refused it; error may be NULL. */
void create_refused(struct ike_engine *e, struct ike_sa *sa, const struct payload *error);
/* The peer has an SA that we cannot accept: the IKE SA ends. */
void create_reject(struct ike_engine *e, struct ike_sa *sa, struct ike_failure *f);

/* ---- create_request.c ---- */

/* The key of our exchange is made, or not. */
void create_on_own_key(struct ike_engine *e, struct ike_sa *sa, bool good);

/* ---- create_response.c ---- */

void create_on_own_secret(struct ike_engine *e, struct ike_sa *sa, const struct crypto_job *job);

/* ---- create_judge.c ---- */

/* 0: the request is to be answered, else the notify that it gets. */
uint16_t create_judge(struct ike_engine *e, struct ike_sa *sa, const struct message *m, struct child_sa **ret_old);

/* ---- create_answer.c ---- */

/* The peer's request that is held. */
void create_answer(struct ike_engine *e, struct ike_sa *sa, struct bytes shared);
void create_refuse_held(struct ike_engine *e, struct ike_sa *sa, uint16_t notify);
