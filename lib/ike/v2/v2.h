/* SPDX-License-Identifier: BSD-3-Clause */
/* IKEv2 inside the ike room: its events, its state machine, and what each exchange offers to the others. Both roles of
 * an exchange are in one file, but for CREATE_CHILD_SA: create.h. */
#pragma once

#include "ike_priv.h"

enum sa_event {
	EV_KEX_READY,     /* our key pair */
	EV_SECRET_READY,  /* the shared secret */
	EV_INIT_RESPONSE, /* unprotected */
	EV_AUTH_HELD,     /* an IKE_AUTH request before the keys are there, still closed */
	EV_AUTH_REQUEST,  /* this and the next: opened, decoded, by the grammar */
	EV_AUTH_RESPONSE,
	EV_CHILD_REQUEST,
	EV_CHILD_RESPONSE,
	EV_INFORMATIONAL_REQUEST,
	EV_INFORMATIONAL_RESPONSE,
	EV_BAD_REQUEST, /* authenticated, but not a legal message */
	EV_BAD_RESPONSE,
	EV_GAVE_UP,  /* our request stays unanswered */
	EV_TIME_OUT, /* half-open time or lifetime is over, or a job does not come back */
};

/* What an event brings along; members that do not belong to it are NULL. */
struct input {
	const struct ike_datagram *d;
	const struct message *m;
	struct crypto_job *job;         /* borrowed; contents may be moved out */
	const struct wire_error *error; /* of EV_BAD_* */
};

/* Where a step leads: the columns of its row, or nowhere (the handler stays, or has ended the SA itself). */
enum step { STEP_STAY, STEP_NEXT, STEP_OTHER };

/* ---- transitions.c ---- */

/* The only writer of sa->state. */
void sa_set_state(struct ike_engine *e, struct ike_sa *sa, enum sa_state state);
/* Rows of the table, for tests that want each one used. */
size_t ike_transition_count(void);
const char *ike_transition_name(size_t i);
/* False: the state knows no such event. */
bool sa_step(struct ike_engine *e, struct ike_sa *sa, enum sa_event event, const struct input *in);

/* ---- sa_init.c ---- */

void sa_init_initiate(struct ike_engine *e, struct tunnel *t);
/* The operator does not want this child any more: IKE_AUTH brings another one, or the IKE SA is given up. */
void sa_init_unwanted(struct ike_engine *e, struct ike_sa *sa, uint32_t index);
/* A datagram that begins an IKE SA, or repeats its beginning. */
void sa_init_on_request(struct ike_engine *e, const struct ike_datagram *d);
/* One unprotected error notify, within what an unproven peer may get. */
void sa_init_refuse(struct ike_engine *e, const struct ike_datagram *d, const struct ike_header *request,
	uint16_t notify, struct bytes data);
enum step sa_init_on_key(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
enum step sa_init_on_response(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
enum step sa_init_on_silence(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
/* The host owes us the result of a job for too long. */
enum step sa_init_on_lost_job(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
enum step sa_init_on_responder_key(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
/* Asks for the shared secret; false: no memory. */
bool sa_init_derive(struct ike_engine *e, struct ike_sa *sa);
/* Keys of the IKE SA out of the finished job. 0 or negative. */
int sa_init_take_secret(struct ike_engine *e, struct ike_sa *sa, struct crypto_job *job);

/* ---- auth.c ---- */

enum step auth_send_request(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
enum step auth_on_response(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
enum step auth_hold(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
enum step auth_hold_more(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
enum step auth_on_secret(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
enum step auth_on_request(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
enum step auth_on_bad_request(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
enum step auth_on_bad_response(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
enum step auth_on_silence(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
enum step auth_on_time_out(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
/* The responder says in a request that the authentication lasts shorter now (RFC 4478 3). */
void auth_on_lifetime(struct ike_engine *e, struct ike_sa *sa, const struct message *m);
/* A message to a half-open SA with keys that does not verify. May end the SA. */
void auth_on_junk(struct ike_engine *e, struct ike_sa *sa);

/* ---- auth_methods.c ---- */

/* What one side's AUTH is computed over (RFC 7296 2.15). */
struct auth_input {
	bool of_initiator;
	const struct identity *local, *remote; /* which key: of us and the peer */
	struct bytes id_body;                  /* ID payload of the side, behind its generic header */
};

#define AUTH_DATA_MAX 512

/* Our AUTH data. 0; -ENOENT: no key for these identities; -EIO, -ENOMEM. */
int auth_sign(struct ike_engine *e, const struct ike_sa *sa, const struct auth_input *in, uint8_t *ret_method,
	uint8_t *ret_data, size_t *ret_len);
/* Checks the peer's. 0; -EBADMSG: does not verify; -EPROTONOSUPPORT: not the method of the profile; -ENOENT ... */
int auth_verify(
	struct ike_engine *e, const struct ike_sa *sa, const struct auth_input *in, uint8_t method, struct bytes data);

/* ---- task.c ---- */

/* Begins the next task, unless an exchange of ours runs. */
void task_flush(struct ike_engine *e, struct ike_sa *sa);
/* One of the IKE SA itself. */
void task_want(struct ike_engine *e, struct ike_sa *sa, enum task_kind kind);
/* The INFORMATIONAL request of the task under way is answered. */
enum step task_done(struct ike_engine *e, struct ike_sa *sa, const struct input *in);

/* ---- child.c ---- */

/* A phase2 entry's offer with our SPI; in IKE_AUTH without groups (RFC 7296 1.2). */
struct proposal_list child_proposals(const struct ike_sa *sa, uint8_t exchange, uint32_t index, uint32_t spi);
/* Initiator: adds SA, and as TSi, TSr the selectors asked for. */
void child_offer(const struct ike_sa *sa, uint8_t exchange, uint32_t index, uint32_t spi, const struct ts_pair *offer,
	struct message *m);
/* Initiator: what the peer chose lies within our offer; else *ret_failure. */
bool child_answer_fits(const struct ike_sa *sa, const struct message *m, uint32_t index, uint32_t spi_in,
	const struct ts_pair *offer, struct agreement *ret, struct ike_failure *ret_failure);
/* Tables that all peers share are not one peer's to fill: whether its identity would have more of them than it may with
 * what was agreed on; old: what that replaces, or NULL. */
bool child_over_share(struct ike_engine *e, const struct ike_sa *sa, uint8_t exchange, bool initiator,
	const struct child_sa *old, const struct agreement *a, struct ike_failure *ret_failure);
/* Initiator: its mode is acceptable; if not, the peer has to delete the SA that it made (RFC 7296 1.3.1). */
bool child_mode_fits(const struct ike_sa *sa, const struct agreement *a);
void child_refuse_mode(struct ike_engine *e, struct ike_sa *sa, uint8_t exchange, const struct agreement *a);
void child_report_refusal(struct ike_engine *e, struct ike_sa *sa, uint8_t exchange, uint32_t index, uint16_t notify);
/* Responder: phase2 entry (that of old, when one is rekeyed), suite, selectors, and a reserved inbound SPI. 0, or the
 * notify that refuses, with *ret_failure. */
uint16_t child_agree(struct ike_engine *e, const struct ike_sa *sa, const struct message *request,
	const struct child_sa *old, struct agreement *ret, struct proposal *ret_chosen,
	struct ike_failure *ret_failure);
/* Responder: adds SA, TSi, TSr. */
void child_add_answer(const struct agreement *a, const struct proposal *chosen, struct message *response);
/* Keys and the pair of SAs: the host has it. NULL: no memory, or the suite makes no sense; the SPI stays reserved. */
struct child_sa *child_install(
	struct ike_engine *e, struct ike_sa *sa, const struct agreement *a, const struct keymat_input *k);
/* The Child SA that rides on IKE_AUTH. Initiator: reserves the inbound SPI and adds SA, TSi, TSr. 0, -ENOSPC, or
 * -EPROTONOSUPPORT: AH behind a NAT. */
int child_offer_auth(struct ike_engine *e, struct ike_sa *sa, struct message *m);
/* Responder: chooses, installs, adds SA, TSi, TSr to the response, or reports a failure and adds its notify. */
void child_answer_auth(struct ike_engine *e, struct ike_sa *sa, const struct message *request,
	const struct ike_datagram *d, struct message *response);
/* Initiator: installs what the peer chose, or reports. False: the peer holds an SA that we cannot accept. */
bool child_on_auth_answer(struct ike_engine *e, struct ike_sa *sa, const struct message *response);

/* ---- modes.c: transport mode, AH ---- */

/* Why a Child SA of AH is refused where a NAT is on the way. */
extern const char modes_no_nat[];
bool modes_pass_nat(const struct ike_sa *sa, uint8_t protocol);
/* Why the path of its IKE SA, which may have changed, does not carry a Child SA; NULL: it does. */
const char *modes_path_fault(const struct child_sa *child);
/* The message has USE_TRANSPORT_MODE. */
bool modes_transport_asked(const struct message *m);
/* A phase2 entry may become such a Child SA. */
bool modes_acceptable(const struct child_profile *p, bool transport);
/* Adds the notifies that go with an offer or an answer. */
void modes_add(struct message *m, bool transport, uint8_t protocol);
/* A side of a phase2 entry as this IKE SA has it: in transport mode a dynamic one is the address of the IKE SA. */
struct selector_list modes_side(const struct ike_sa *sa, const struct child_profile *p, bool local);
/* Transport mode: where NATs are, the hosts of the peer's selectors are taken for what the IKE SA shows; as the peer
 * calls them they go into the agreement (RFC 7296 2.23.1). */
void modes_substitute(const struct ike_sa *sa, struct ts_pair *sides, struct agreement *ret);
/* Both sides are those of the IKE SA: what is between others cannot be transport mode. */
bool modes_between_hosts(const struct ike_sa *sa, const struct ts_pair *ts);
/* Transport mode: another peer behind the same NAT has a Child SA whose traffic looks the same (RFC 3948 5.2). */
bool modes_taken_by_neighbour(const struct ike_engine *e, const struct ike_sa *sa, const struct agreement *a);

/* ---- pieces.c ---- */

/* What a phase2 entry wants of this IKE SA. */
struct ts_pair child_policy(const struct ike_sa *sa, uint32_t index);
/* What the next Child SA of a phase2 entry is asked for; old: the one that it replaces. False: nothing is missing. */
bool pieces_offer(struct ike_sa *sa, uint32_t index, const struct child_sa *old, struct ts_pair *ret_offer);
/* A new one of ours is there; more: the peer would carry the rest on further ones (ADDITIONAL_TS_POSSIBLE). */
void pieces_made(struct ike_engine *e, struct ike_sa *sa, uint32_t index, const struct ts_pair *offer, bool more);
/* It could not be asked for at once: it is later. */
void pieces_again(struct ike_sa *sa, uint32_t index);
/* The peer refused one. True: it is asked for in another way, or another piece is. */
bool pieces_refused(struct ike_engine *e, struct ike_sa *sa, uint32_t index, uint16_t notify);
/* A packet of these selectors (one each side) has no SA. */
void pieces_on_packet(struct ike_engine *e, struct tunnel *t, uint32_t index, const struct ts_pair *packet);
/* One that is up carries all of it. */
bool pieces_carried(const struct ike_sa *sa, uint32_t index, const struct ts_pair *ts);
/* More Child SAs of this entry are wanted, though there may be some. */
bool pieces_missing(const struct ike_sa *sa, uint32_t index);
/* Some pieces are still to be asked for. */
bool pieces_waiting(const struct ike_sa *sa);
void pieces_forget(struct tunnel *t);
/* The operator does not want them. */
void pieces_unwanted(struct tunnel *t, uint32_t index);

/* ---- create_*.c ---- */

/* Tasks: a new Child SA; new keys for one. */
void create_child_begin(struct ike_engine *e, struct ike_sa *sa, const struct task *t);
void rekey_child_begin(struct ike_engine *e, struct ike_sa *sa, const struct task *t);
void rekey_ike_begin(struct ike_engine *e, struct ike_sa *sa, const struct task *t);
enum step create_child_on_request(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
enum step create_child_on_response(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
enum step create_child_on_key(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
enum step create_child_on_secret(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
/* The host owes us the result of a job for too long. */
void create_child_on_lost_job(struct ike_engine *e, struct ike_sa *sa);
/* The operator does not want this child: what is being made of it is given up, or deleted when it is there. False: the
 * IKE SA has ended. */
bool create_child_unwanted(struct ike_engine *e, struct ike_sa *sa, uint32_t index);
/* The peer's request that is not answered yet is answered by TEMPORARY_FAILURE. */
void create_child_refuse_held(struct ike_engine *e, struct ike_sa *sa);
/* The IKE SA ends, and with it its exchanges. */
void create_child_drop(struct ike_engine *e, struct ike_sa *sa);
void create_free(struct ike_engine *e, struct create *x);
struct keymat_input create_keymat_input(const struct create *x, struct bytes shared);
/* The other exchange that rekeys the same SA, which still runs: it will decide when it is over. NULL: none. */
struct create *create_race_of(const struct create *x, const struct ike_sa *sa);
/* It is told what x has made, an SA with this SPI of ours. */
void create_note_rival(struct create *other, const struct create *x, uint64_t spi);
/* The lower one of its nonces. */
struct bytes create_nonce(const struct create *x);

/* ---- rekey_child.c ---- */

/* When a rekey that came to nothing is tried again: in ten seconds, and of a life that ends before long when half of
 * what is left of it is over. */
uint64_t rekey_again_ns(const struct ike_engine *e, uint64_t ends_ns);
void rekey_child_start_timer(struct ike_engine *e, struct child_sa *child);
/* Asks for new keys again after a pause. */
void rekey_child_postpone(struct ike_engine *e, struct child_sa *child);
/* The exchange has made a Child SA: what it replaces, and what was made at the same time, make way. */
void rekey_child_finish(struct ike_engine *e, struct create *x, struct child_sa *child);
/* The peer has shown that it has some: what was kept because it might not is deleted. */
void rekey_child_drop_surplus(struct ike_engine *e, struct ike_sa *sa);
/* The peer does not know it: our answer that made it may not have arrived yet when it was asked, and when it does, the
 * peer has it. False: that cannot be. */
bool rekey_child_ask_again(struct ike_engine *e, struct child_sa *child);
void rekey_child_not_found(struct ike_engine *e, struct child_sa *old);
void child_on_timer(struct ike_engine *e, struct child_sa *child);
void child_want_rekey(struct ike_engine *e, struct child_sa *child);
/* Its end begins with us. */
void child_delete(struct ike_engine *e, struct child_sa *child, const char *reason);
/* The same, and the tunnel goes after another one. */
void child_expire(struct ike_engine *e, struct child_sa *child, const char *reason);
/* Deleted when the operator has terminated it while it was being made. */
void child_check_wanted(struct ike_engine *e, struct child_sa *child);
/* It is deleted on both sides. */
void child_end(struct ike_engine *e, struct child_sa *child, const char *reason);
void child_tell_up(struct ike_engine *e, const struct child_sa *child);
/* Traffic passed it; the timer that looks for traffic fired. */
void child_passed(struct ike_engine *e, struct child_sa *child);
void child_on_idle(struct ike_engine *e, struct child_sa *child);

/* ---- rekey_ike.c ---- */

struct proposal_list rekey_ike_proposals(const struct ike_sa *sa, uint64_t spi);
/* Initiator: adds SA; the peer's choice lies within the offer; its refusal is told. */
void rekey_ike_offer(const struct ike_sa *sa, const struct create *x, struct message *m);
bool rekey_ike_answer_fits(
	const struct ike_sa *sa, const struct message *m, struct create *x, struct ike_failure *ret_failure);
void rekey_ike_report_refusal(struct ike_engine *e, struct ike_sa *sa, uint16_t notify);
/* A new IKE SA can be begun beside it. */
bool rekey_ike_can_renew(const struct ike_sa *sa);
/* Responder: 0 or the notify that refuses; adds SA. */
uint16_t rekey_ike_agree(
	const struct ike_sa *sa, const struct message *request, struct create *x, struct ike_failure *ret_failure);
void rekey_ike_add_answer(const struct create *x, struct message *response);
/* The new IKE SA with its keys, in ST_INHERITING. NULL: no memory or no working cryptography. */
struct ike_sa *rekey_ike_make(struct ike_engine *e, struct ike_sa *old, const struct create *x, struct bytes shared);
/* It takes over, unless there is another one with a better right. */
void rekey_ike_finish(struct ike_engine *e, struct ike_sa *old, struct create *x, struct ike_sa *fresh);
/* Our own attempt came to nothing: the IKE SA that the peer made meanwhile takes over. False: there is none. */
bool rekey_ike_yield(struct ike_engine *e, struct ike_sa *old);
enum step rekey_ike_on_use(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
void rekey_ike_on_timer(struct ike_engine *e, struct ike_sa *sa);
/* Asks for new keys again after a pause. */
void rekey_ike_postpone(struct ike_engine *e, struct ike_sa *sa);
/* The peer has to prove its identity anew: who began with it begins a new IKE SA, with the other side this one ends. */
void rekey_ike_reauthenticate(struct ike_engine *e, struct ike_sa *sa);

/* ---- config_mode.c: virtual addresses ---- */

#define CONFIG_DATA_MAX 1024 /* attributes of a message of ours: those of a pool with all its subnets */

/* Initiator: asks for what the tunnel wants. ret_data backs the payload until the message is sealed. */
void config_ask(const struct ike_sa *sa, struct message *m, uint8_t ret_data[CONFIG_DATA_MAX]);
/* Initiator: takes what was given. False: it wants an address and there is none. */
bool config_on_answer(struct ike_engine *e, struct ike_sa *sa, const struct message *response);
/* Responder: lends what was asked for and adds the reply; or reports why not and adds the notify: false, and then there
 * is no Child SA (RFC 7296 3.15.4). */
bool config_answer(struct ike_engine *e, struct ike_sa *sa, const struct message *request, const struct ike_datagram *d,
	struct message *response, uint8_t ret_data[CONFIG_DATA_MAX]);
/* A side of a phase2 entry as this IKE SA has it: a dynamic one is the addresses that were given or lent. */
struct selector_list config_side(const struct ike_sa *sa, const struct selector_list *side, bool local);
/* The addresses go over to the IKE SA that takes this one's place. */
void config_move(struct ike_sa *from, struct ike_sa *to);
/* What was lent is given back, without a word to the host. */
void config_give_back(struct ike_engine *e, struct ike_sa *sa);
/* The same, and what was given to us is gone. */
void config_release(struct ike_engine *e, struct ike_sa *sa);

/* ---- mobike.c ---- */

/* Initiator: where the next IKE SA of the tunnel begins. */
void mobike_first_path(
	const struct ike_engine *e, const struct tunnel *t, struct endpoint *ret_local, struct endpoint *ret_remote);
/* One of our addresses that the tunnel may move to. */
bool mobike_local(const struct tunnel_profile *p, const struct addr *a);
/* IKE_AUTH: adds that we speak it and our further addresses, when the tunnel wants it. */
void mobike_offer(const struct ike_engine *e, const struct ike_sa *sa, struct message *m);
/* IKE_AUTH: what the peer says of it; true: both speak it. */
bool mobike_agree(const struct ike_engine *e, struct ike_sa *sa, const struct message *m);
/* A new IKE SA takes over the path, and what the peer is still to hear of it. */
void mobike_inherit(struct ike_engine *e, const struct ike_sa *old, struct ike_sa *heir);
void mobike_on_paths_changed(struct ike_engine *e, struct ike_sa *sa);
/* The operator wants this path; ADDR_NONE: the end as it is. */
void mobike_on_command(struct ike_engine *e, struct ike_sa *sa, const struct addr *local, const struct addr *remote);
/* The peer answers a request of ours, which is still outstanding. */
void mobike_on_answer(struct ike_engine *e, struct ike_sa *sa, const struct ike_datagram *d);
/* The next pair of addresses to try beside the one in use: behind the probe before. Its number; 0: there is none. */
unsigned mobike_other_path(
	const struct ike_engine *e, const struct ike_sa *sa, struct endpoint *ret_local, struct endpoint *ret_remote);
/* Responder: the NAT that the peer's last update shows is there, as the peer asks for something else than a newer one,
 * or has been silent for long enough. */
void mobike_settle_nat(struct ike_engine *e, struct ike_sa *sa);
void mobike_believe_nat(struct ike_engine *e, struct ike_sa *sa);
/* INFORMATIONAL request of the peer: does what it says; the notify that refuses, or 0. */
uint16_t mobike_on_request(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
/* Adds what the answer to it says; data has TASK_DATA_MAX bytes. */
void mobike_add_answer(struct ike_engine *e, const struct ike_sa *sa, const struct input *in, uint16_t notify,
	struct message *m, uint8_t *data);
void mobike_fill_update(
	struct ike_engine *e, struct ike_sa *sa, const struct task *t, struct message *m, uint8_t *data);
void mobike_fill_check(struct ike_engine *e, struct ike_sa *sa, const struct task *t, struct message *m, uint8_t *data);
void mobike_fill_addresses(
	struct ike_engine *e, struct ike_sa *sa, const struct task *t, struct message *m, uint8_t *data);
void mobike_fill_liveness(
	struct ike_engine *e, struct ike_sa *sa, const struct task *t, struct message *m, uint8_t *data);
enum step mobike_updated(struct ike_engine *e, struct ike_sa *sa, const struct task *t, const struct input *in);
enum step mobike_checked(struct ike_engine *e, struct ike_sa *sa, const struct task *t, const struct input *in);
enum step mobike_alive(struct ike_engine *e, struct ike_sa *sa, const struct task *t, const struct input *in);

/* ---- informational.c ---- */

/* What the requests of tasks say; data has TASK_DATA_MAX bytes and backs the message until it is sealed. */
#define TASK_DATA_MAX 128
void informational_fill_auth_failed(
	struct ike_engine *e, struct ike_sa *sa, const struct task *t, struct message *m, uint8_t *data);
void informational_fill_invalid_syntax(
	struct ike_engine *e, struct ike_sa *sa, const struct task *t, struct message *m, uint8_t *data);
void informational_fill_delete_ike(
	struct ike_engine *e, struct ike_sa *sa, const struct task *t, struct message *m, uint8_t *data);
void informational_fill_delete_child(
	struct ike_engine *e, struct ike_sa *sa, const struct task *t, struct message *m, uint8_t *data);
/* Their answers. */
enum step informational_closed(struct ike_engine *e, struct ike_sa *sa, const struct task *t, const struct input *in);
enum step informational_child_deleted(
	struct ike_engine *e, struct ike_sa *sa, const struct task *t, const struct input *in);
enum step informational_on_request(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
enum step informational_on_response(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
/* A response of any exchange under keys says that the peer has deleted the IKE SA, which ends here, too. */
bool informational_peer_gave_up(struct ike_engine *e, struct ike_sa *sa, const struct message *m);
enum step informational_on_bad_request(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
enum step informational_on_bad_response(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
enum step informational_on_silence(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
enum step informational_on_lifetime(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
enum step informational_on_closed(struct ike_engine *e, struct ike_sa *sa, const struct input *in);
/* The liveness timer fired. */
void informational_check_liveness(struct ike_engine *e, struct ike_sa *sa);

/* ---- skf.c ---- */

/* Whether a fragment, still closed, is worth opening: it is missing, of the newest set, and asks for no more than may
 * be kept. Counts it otherwise. */
bool skf_wants(struct ike_engine *e, const struct ike_sa *sa, const struct message *m, const struct payload *fragment);
/* Keeps an opened fragment. Returns the set once it is complete, owned by the caller; else NULL. */
struct skf_set *skf_add(struct ike_engine *e, struct ike_sa *sa, const struct ike_datagram *d, const struct message *m,
	const struct payload *fragment, struct bytes plain);
/* The plaintext of a complete set in the engine's buffer. */
struct bytes skf_join(struct ike_engine *e, const struct skf_set *r);
void skf_free(struct skf_set *r); /* accepts NULL */
/* The peer's request or response came otherwise, or is not waited for any more. */
void skf_drop(struct ike_engine *e, struct ike_sa *sa, bool response);
/* Its time is over. */
void skf_expire(struct ike_engine *e, struct ike_sa *sa);

/* ---- protect.c ---- */

/* A protected request or response of ours, ready for payloads. */
void protect_init_message(
	const struct ike_sa *sa, enum ike_exchange exchange, bool response, uint32_t id, struct message *ret_message);
/* Encodes and seals, cut into fragments when the peer understands them and the message is too large for a packet (RFC
 * 7383): the datagrams stand back to back. *ret_bytes is heap memory of the caller. 0, -EMSGSIZE, -ENOMEM or -EIO. */
int protect_seal(
	struct ike_engine *e, struct ike_sa *sa, const struct message *m, uint8_t **ret_bytes, size_t *ret_len);
/* Opens the SK or SKF payload of a decoded message; the plaintext is in the engine's buffer. 0 or -EBADMSG. */
int protect_open(struct ike_engine *e, const struct ike_sa *sa, const struct ike_datagram *d, const struct payload *sk,
	struct bytes *ret_plain);
/* Seals and sends the answer to the peer's request in d. 0 or negative: then nothing was sent. */
int protect_respond(
	struct ike_engine *e, struct ike_sa *sa, const struct ike_datagram *d, const struct message *response);
int protect_request(struct ike_engine *e, struct ike_sa *sa, const struct message *request);
/* An answer that holds one error notify. */
int protect_respond_error(
	struct ike_engine *e, struct ike_sa *sa, const struct input *in, uint16_t notify, struct bytes data);
