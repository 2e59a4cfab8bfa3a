/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of this room share: the engine, an IKE SA, its Child SA, a tunnel's run-time state. An IKE SA keeps
 * small plain data; what only a handshake needs hangs on the heap and goes with it. */
#pragma once

#include <sys/queue.h>

#include "ike.h"
#include "narrow.h"
#include "negotiate.h"
#include "table.h"
#include "timers.h"

#define NONCE_BYTES         32 /* ours; at least half of the PRF's key, RFC 7296 2.10 */
#define NONCE_BYTES_MAX     256
#define COOKIE_BYTES_MAX    64
#define COOKIE_SECRET_BYTES 32
#define HASH_BYTES          20
#define VIRTUAL_FAMILIES    2 /* IPv4, IPv6 */
#define IKE_PORT            500
#define NATT_PORT           4500

#define SECOND_NS 1000000000ull

/* A Child SA that ends before was no success: the next try waits, longer each time. */
#define CHILD_SETTLED_NS (10 * SECOND_NS)

/* States of an IKE SA: enum name, the phase 1 state an operator sees. */
#define SA_STATES(X)                                                                                                   \
	X(ST_INITIATOR_KEX, PHASE_NEGOTIATING)    /* our key pair is being made */                                     \
	X(ST_INIT_SENT, PHASE_NEGOTIATING)        /* IKE_SA_INIT request out */                                        \
	X(ST_INITIATOR_DERIVE, PHASE_NEGOTIATING) /* the shared secret is being computed */                            \
	X(ST_AUTH_SENT, PHASE_NEGOTIATING)        /* IKE_AUTH request out */                                           \
	X(ST_RESPONDER_KEX, PHASE_NEGOTIATING)    /* our key pair is being made */                                     \
	X(ST_INIT_ANSWERED, PHASE_NEGOTIATING)    /* IKE_SA_INIT answered */                                           \
	X(ST_RESPONDER_DERIVE, PHASE_NEGOTIATING) /* an IKE_AUTH request waits for the shared secret */                \
	X(ST_KEYED, PHASE_NEGOTIATING)            /* keys are there, the peer is not authenticated */                  \
	X(ST_ESTABLISHED, PHASE_UP)                                                                                    \
	X(ST_INHERITING, PHASE_NEGOTIATING) /* rekeyed by both sides at once: whether this one stays is open */        \
	X(ST_REPLACED, PHASE_CLOSING)       /* rekeyed by the peer: another has its children; its Delete is to come */ \
	X(ST_CLOSING, PHASE_CLOSING)        /* our Delete, or our refusal of the peer's AUTH, is out */                \
	X(ST_LINGER, PHASE_DOWN)            /* over; repeats its last response for a while */                          \
	X(ST_DEAD, PHASE_DOWN)              /* freed when the entry point returns */

#define SA_STATE_ENUM(name, phase) name,
enum sa_state { SA_STATES(SA_STATE_ENUM) SA_STATE_COUNT };

/* What an IKE SA has to ask or tell its peer, one after the other, as the window is 1; v2/task.c has a row for each.
 * This is their order: what ends something comes first, what may wait comes last. */
enum task_kind {
	TASK_NONE,
	TASK_AUTH_FAILED,    /* initiator: the peer's AUTH does not verify (RFC 7296 2.21.2) */
	TASK_INVALID_SYNTAX, /* the peer's response was nonsense (RFC 7296 2.21.3) */
	TASK_DELETE_IKE,
	TASK_UPDATE_ADDRESSES, /* initiator: the peer is to use the new path (RFC 4555 3.5) */
	TASK_CHECK_PATH,       /* responder: is the peer really there (RFC 4555 3.7)? */
	TASK_TELL_ADDRESSES,   /* our further addresses have changed (RFC 4555 3.6) */
	TASK_DELETE_CHILD,
	TASK_REKEY_CHILD,
	TASK_CREATE_CHILD,
	TASK_REKEY_IKE,
	TASK_LIVENESS,
	TASK_KINDS,
};

/* Bits of the tasks that wait, of an IKE SA or of one of its Child SAs. */
#define TASK_BIT(kind) ((uint16_t)(1u << (kind)))

/* The one that is under way. */
struct task {
	uint8_t kind;        /* enum task_kind */
	uint8_t child_index; /* of CREATE_CHILD: of the profile's children */
	uint32_t child_spi;  /* of those about a Child SA: our inbound SPI */
};

/* What the tunnel does once its IKE SA is gone. */
enum afterwards {
	AFTER_NOTHING,
	AFTER_RESTART, /* try again at once: the SA's time was up, or the peer is dead */
	AFTER_PAUSE,   /* try again after the first pause: the peer wanted it so */
	AFTER_BACKOFF, /* try again after a pause that doubles: it failed */
};

/* A datagram that waits. */
struct held {
	struct held *next;
	struct endpoint local, remote;
	size_t len;
	uint8_t data[];
};

/* A message of the peer that comes in fragments (RFC 7383 2.6). Each was authenticated before it got in here. */
struct skf_set {
	struct timer timer; /* TIMER_REASSEMBLY: the rest does not come */
	uint32_t message_id;
	uint16_t total, have;
	uint8_t first; /* type of the first payload inside */
	size_t bytes;  /* of all parts so far */
	uint8_t *head; /* fragment 1 as it came: a repetition of the message is known by it (RFC 7383 2.6.1); owned */
	size_t head_len;
	struct part {
		uint8_t *data; /* owned; NULL: missing */
		size_t len;
	} parts[]; /* total */
};

/* Only while a handshake runs. */
struct handshake {
	uint8_t nonce_i[NONCE_BYTES_MAX], nonce_r[NONCE_BYTES_MAX];
	uint16_t nonce_i_len, nonce_r_len;
	const struct alg *group;
	struct kex_key *key; /* owned; moves through jobs */
	uint8_t public_value[KE_PUBLIC_MAX], peer_public[KE_PUBLIC_MAX];
	size_t public_len, peer_public_len;
	uint8_t *init_ours, *init_peers; /* the two IKE_SA_INIT messages, for AUTH (RFC 7296 2.15); owned */
	size_t init_ours_len, init_peers_len;
	struct held *held;      /* responder: the IKE_AUTH request, or its fragments, waits for the keys; owned */
	struct proposal chosen; /* responder: the IKE proposal to answer */
	uint8_t cookie[COOKIE_BYTES_MAX];
	uint8_t cookie_len;
	uint8_t restarts;        /* INVALID_KE_PAYLOAD and COOKIE answers followed so far */
	uint64_t tried_groups;   /* bit per group number (all are below 64) */
	uint16_t noted_error;    /* an unauthenticated error notify; believed only once the timer fires */
	bool initial_contact;    /* responder: the peer said so */
	struct ike_failure *why; /* initiator: what noted_error means; owned */
	struct ts_pair *offer;   /* initiator: selectors asked for in IKE_AUTH; owned */
};

#define COOKIE2_BYTES     16 /* ours; 8 to 64 are legal (RFC 4555 4.2.5) */
#define MOBIKE_PROVEN_MAX 4

/* Of an IKE SA whose both sides speak MOBIKE (RFC 4555). */
struct mobike {
	bool decides; /* we began the first of the IKE SAs that replaced each other (RFC 4555 1.3): the paths are ours
		       * to choose; comments and tests call this side the initiator */
	uint8_t peer_count;
	struct addr peers[IKE_REMOTES_MAX]; /* further addresses of the peer, as it told last */
	uint8_t told;                       /* bit per further address of ours (mobike_local) that the peer knows */
	uint8_t proven_count, proven_next;
	struct addr proven[MOBIKE_PROVEN_MAX]; /* from where the peer has answered */
	uint8_t cookie[COOKIE2_BYTES];         /* of the request under way */
	bool asked;                            /* it has one */
	bool stale;                            /* the path has changed since: the answer says nothing about it */
	bool waiting;                          /* Child SAs stay on the former path until the new one is proven */
	bool seen_known;
	uint8_t probe;            /* pair of addresses that is tried next */
	uint8_t again;            /* times that the path was asked about anew, as the answer did not say which it is */
	uint8_t seen[HASH_BYTES]; /* initiator: how the peer sees our address (NAT_DETECTION_DESTINATION_IP) */
	struct endpoint former_local, former_remote;
};

struct outbox {
	uint8_t *request; /* outstanding: a datagram or its fragments, back to back; owned; NULL: none */
	size_t request_len;
	uint8_t *response; /* to the peer's last request; owned */
	size_t response_len;
	uint32_t request_id, next_request_id; /* ours */
	uint32_t peer_request_id;             /* the one expected next */
	uint32_t tries;                       /* transmissions of the outstanding request */
	uint64_t first_ns;                    /* its first */
	bool wandered;                        /* it went by several paths */
	bool scattered;                       /* ... to several addresses of the peer */
	uint8_t request_exchange;
	uint8_t peer_hash[HASH_BYTES]; /* SHA-1 of the request the response answers */
};

/* Child SAs of one IKE SA, with those that are on their way out and those that are being made (child_has_room); beyond
 * them some places are left to rekeying, or a full one could not renew any. */
#define CHILD_SAS_MAX    64
#define CHILD_PLACES_MAX (CHILD_SAS_MAX + 8)

/* Packets that were under way when a Child SA was deleted still get in for so long. */
#define CHILD_GRACE_NS (5 * SECOND_NS)

/* Rekeying begins when 75 to 85 % of a life are over, with what the peer made 10 % later: the two sides seldom begin at
 * once (RFC 7296 2.8.1). */
#define REKEY_PERCENT        75
#define REKEY_PERCENT_PEERS  85
#define REKEY_JITTER_PERCENT 10

/* Who answered does not know whether the answer arrived: so long, nothing is asked about what it made. A peer without
 * it would have asked again. */
#define CHILD_CONFIRM_NS (5 * SECOND_NS)

enum child_state {
	CHILD_UP,
	CHILD_CLOSING, /* our Delete is out, or waits for its turn */
	CHILD_GONE,    /* deleted on both sides; packets that were under way still get in for a while */
};

struct child_sa {
	struct link by_spi;
	TAILQ_ENTRY(child_sa) siblings; /* of its IKE SA, oldest first */
	struct ike_sa *sa;
	struct selector *selectors; /* owned: local ones, then remote ones */
	uint8_t local_count, remote_count;
	uint8_t state;    /* enum child_state */
	uint8_t protocol; /* PROTOCOL_ESP or PROTOCOL_AH */
	bool transport;   /* else tunnel mode */
	bool renamed;     /* ... and its peer is called what a NAT calls it */
	bool udp_encap;
	bool sending;   /* our traffic may go out on it: the peer has shown that it has the SA, or there is no other */
	bool current;   /* our traffic goes out on it */
	bool replaced;  /* another one carries its traffic, or will: its end is no event */
	bool installed; /* the host has the pair */
	bool initiated; /* we began the exchange that made it */
	bool confirmed; /* the peer has shown that it has the SA */
	bool asked_early;  /* what was asked about it last was asked before that */
	bool surplus;      /* lost a simultaneous rekey: it is to be deleted once the peer has the one that stays */
	bool claimed;      /* its remote addresses are its peer's alone */
	bool piece;        /* carries less than policy wants: others may carry the rest */
	uint16_t wants;    /* DELETE_CHILD, REKEY_CHILD */
	uint32_t prefixes; /* of a tunnel that serves many: that its remote addresses split into */
	uint32_t index;    /* of the profile's children */
	uint32_t spi_in, spi_out;
	struct suite suite;
	uint64_t up_since_ns;
	uint64_t ask_ns;    /* nothing is asked about it before */
	uint64_t ends_ns;   /* its life in time is over then; UINT64_MAX: never */
	struct timer timer; /* to be rekeyed, to end, to be forgotten */
	uint64_t used_ns;   /* traffic passed it last, either way; nobody looks without an inactivity timeout */
	struct timer idle;  /* time to look at that */
};

struct ike_sa {
	struct link by_spi, by_init, by_identity;
	struct ike_sa *next;           /* of the engine, or of its dead */
	struct ike_sa **link;          /* what points to us in the engine's list */
	struct ike_sa *sibling;        /* next of the same tunnel */
	TAILQ_ENTRY(ike_sa) answered;  /* of the engine, in ST_INIT_ANSWERED */
	TAILQ_ENTRY(ike_sa) of_source; /* of its source, half-open */
	struct source *source;         /* of a half-open responder's; NULL otherwise */
	bool returned_cookie;          /* its address is no forgery */
	uint8_t junk;                  /* messages whose ICV did not verify, before the peer was authenticated */
	struct tunnel *tunnel;         /* a responder's is provisional until IKE_AUTH */
	bool in_tunnel;                /* linked there */
	bool in_init;                  /* linked in the engine's by_init */
	bool replaced;                 /* another one has its children, or will: its end is no event */
	bool in_identity;              /* linked in the engine's by_identity */
	bool initiator;                /* original initiator of the IKE SA */
	bool began;                    /* we began the authentication that it, or one rekeyed into it, rests on */
	bool counted;                  /* in the engine's half_open */
	bool proven;                   /* the peer has shown that the SA is established on its side too */
	bool local_nat, remote_nat;
	bool fragmentation; /* both sides understand IKE fragments (RFC 7383 2.3) */
	uint8_t state;      /* enum sa_state; sa_set_state alone writes it */
	bool natt;          /* the peer knows NAT detection */
	uint8_t afterwards; /* enum afterwards */
	uint8_t creates;    /* CREATE_CHILD tasks that wait: bit per index of the profile's children */
	/* by index of the profile's children, for peers that carry one pair of selectors on an SA: bits of those that
	 * are asked for by pieces of the policy, of those only by packets; the piece in turn, 0: none is */
	uint8_t by_pieces, by_packets;
	uint16_t next_piece[CHILDREN_MAX];
	uint16_t wants;     /* tasks of the SA itself that wait */
	struct task asking; /* the one whose exchange runs */
	uint64_t spi_i, spi_r;
	struct endpoint local, remote;
	struct endpoint init_remote; /* where the IKE_SA_INIT request came from */
	uint8_t init_hash[HASH_BYTES];
	struct suite suite;
	struct secret keys; /* SK_d, SK_ai, SK_ar, SK_ei, SK_er, SK_pi, SK_pr in this order (RFC 7296 2.14) */
	uint64_t iv;        /* next explicit IV of a counter mode */
	uint64_t created_order, established_order; /* the engine's count of such moments */
	uint64_t heard_ns, up_since_ns;
	uint64_t reauth_ns;    /* the peer has to be authenticated anew then; 0: never */
	uint64_t put_off_ns;   /* the first TEMPORARY_FAILURE of those in a row */
	uint8_t put_off_count; /* of them */
	uint64_t predecessor;  /* of ST_INHERITING: our SPI of the IKE SA that is being rekeyed */
	struct identity remote_id;
	struct addr virtual[VIRTUAL_FAMILIES]; /* what the peer gave us, or was lent; ADDR_NONE: none of the family */
	TAILQ_HEAD(child_list, child_sa) children;
	uint16_t child_count;
	struct handshake *handshake; /* NULL once over */
	struct create *ours,
		*theirs;       /* CREATE_CHILD_SA exchanges, begun by us and by the peer; owned; NULL: none runs */
	uint32_t reserved_spi; /* initiator: inbound SPI of the offer */
	struct outbox outbox;
	struct mobike *mobike;  /* owned; NULL: not spoken */
	struct skf_set *skf[2]; /* of the peer's request, of its response; owned; NULL: none */
	struct timer timers[SA_TIMERS];
};

/* Where unauthenticated peers come from: an address, in IPv6 its /64. There is one while it has half-open IKE SAs or
 * recent failures. */
struct source {
	struct link by_addr;
	TAILQ_ENTRY(source) idle; /* of the engine: without half-open SAs, longest so first */
	struct addr prefix;
	TAILQ_HEAD(, ike_sa) half_open; /* oldest first */
	uint32_t half_open_count;
	uint32_t failures; /* of IKE_AUTH, since failures_ns */
	uint64_t failures_ns;
};

/* The key exchanges that one identity of a tunnel has asked for, while they count. It outlives the IKE SAs. */
struct allowance {
	struct link by_peer;
	TAILQ_ENTRY(allowance) by_age; /* of the engine: the last time that it had one, longest ago first */
	uint32_t tunnel;
	struct identity id;
	uint64_t paid_ns; /* they count until then */
	uint64_t told_ns; /* that there were too many is told again from then on */
};

/* What responder cookies are made with (RFC 7296 2.6): the current secret and the one before it. */
struct cookie_secrets {
	uint8_t secrets[2][COOKIE_SECRET_BYTES];
	uint8_t version; /* of the current one; its lowest bit is its index */
	uint64_t since_ns;
	bool made;
};

enum create_kind { CREATE_NEW, CREATE_REKEY_CHILD, CREATE_REKEY_IKE };

/* What both sides agreed on for a Child SA. */
struct agreement {
	struct suite suite;
	uint32_t index; /* of the profile's children */
	uint32_t spi_in, spi_out;
	struct ts_pair ts;
	bool additional;   /* the peer, or we, could carry more of what was offered on another one (RFC 7296 2.9) */
	uint8_t protocol;  /* PROTOCOL_ESP or PROTOCOL_AH */
	bool transport;    /* else tunnel mode */
	bool tfc_unwanted; /* the peer takes no TFC padding */
	struct addr original_local, original_remote; /* as in struct sa_spec */
};

/* A CREATE_CHILD_SA exchange while it runs: with a key exchange it waits for jobs on the way. */
struct create {
	uint64_t number;   /* its jobs carry it */
	uint8_t kind;      /* enum create_kind */
	bool initiator;    /* of the exchange */
	bool sent;         /* initiator: the request is out */
	uint8_t restarts;  /* INVALID_KE_PAYLOAD answers followed so far */
	uint32_t index;    /* initiator: of the profile's children */
	uint32_t old_spi;  /* REKEY_CHILD: our inbound SPI of the one to be replaced */
	uint32_t reserved; /* our inbound SPI until the Child SA has it; 0: none */
	uint8_t nonce_i[NONCE_BYTES_MAX], nonce_r[NONCE_BYTES_MAX];
	uint16_t nonce_i_len, nonce_r_len;
	const struct alg *group; /* NULL: no key exchange */
	struct kex_key *key;     /* owned; moves through jobs */
	uint8_t public_value[KE_PUBLIC_MAX], peer_public[KE_PUBLIC_MAX];
	size_t public_len, peer_public_len;
	uint64_t spi, peer_spi;  /* REKEY_IKE: of the new IKE SA */
	struct proposal chosen;  /* responder: to be answered */
	struct ts_pair offer;    /* initiator: selectors of a Child SA that are asked for */
	struct agreement agreed; /* of a Child SA */
	uint8_t *held;           /* responder: the request that waits for its answer; owned; NULL: answered */
	size_t held_len;
	struct endpoint held_local, held_remote;
	/* The peer began one about the same SA meanwhile, and that is over: what it made, and the lower one of its
	 * nonces (RFC 7296 2.8.1). */
	bool raced;
	uint64_t rival; /* our SPI of it */
	uint8_t rival_nonce[NONCE_BYTES_MAX];
	uint16_t rival_nonce_len;
};

struct peer;

/* One phase1.proposals that tunnels have in common. */
struct phase1_list {
	const struct proposal_list *proposals; /* of one of them */
	uint64_t refused_by;                   /* number of the last request that shares none with it */
	bool for_any;                          /* tunnels for peers of any address have it */
	struct link by_hash;                   /* while they are gathered */
};

/* A tunnel under one of its peer's addresses. */
struct tunnel_place {
	struct link by_address;
	struct tunnel *tunnel;
	const struct addr *remote;
};

/* The run-time half of a tunnel profile. Where a profile serves many, each peer has one as well (struct peer). */
struct tunnel {
	const struct tunnel_profile *profile;
	struct phase1_list *phase1; /* among the engine's; NULL: a peer's */
	struct ike_sa *sas;         /* ours, and those whose peer proved its identity */
	struct timer retry;
	uint64_t pause_ns;      /* before the next try */
	uint64_t not_before_ns; /* traps do not start earlier */
	uint32_t index;
	uint8_t turn; /* pair of addresses that the next IKE SA begins with, if it can be used; others after silence */
	uint8_t held; /* bit per child that the operator terminated */
	uint8_t wanted; /* bit per child that is to be up, as far as we are concerned */
	/* bits per child since the peer was found dead, until an IKE SA is up (dpd_action) */
	uint8_t restart;                       /* start by themselves, however they start otherwise */
	uint8_t resting;                       /* do not */
	uint8_t deaf;                          /* nor when a packet needs them */
	struct ike_failure *failure;           /* last one; owned; NULL: none */
	struct ts_pair *packets[CHILDREN_MAX]; /* by child: of the packet that asks for it; owned; NULL: none does */
	/* those outside of what is up ask again then; the pause doubles while the peer does not want them */
	uint64_t packets_after_ns, packets_pause_ns;
	struct addr virtual[VIRTUAL_FAMILIES]; /* what a peer gave us last: asked for again */
	struct tunnel_place *places; /* among the engine's: of remote_addr, then of the peer's further addresses */
	uint8_t place_count;
	struct tunnel *base; /* of a peer's: the one of the configuration; else NULL */
	/* of the configuration's, when it serves many: */
	TAILQ_HEAD(, peer) peers; /* oldest first */
	uint32_t peer_count;
	void *claims; /* whose remote addresses are; owned, see claims.c */
};

/* One of the many peers of a tunnel, by the identity it has proved. It is there while it has IKE SAs. */
struct peer {
	struct tunnel tunnel; /* what a peer with a tunnel of its own would have */
	struct link by_peer;
	TAILQ_ENTRY(peer) siblings; /* of the base */
	struct peer *next_idle;     /* of the engine */
	bool idle;                  /* in that list */
	struct identity id;
};

#define TRANSITIONS_MAX 64

struct ike_engine {
	struct ike_settings settings;
	struct ike_host host;
	struct crypto *crypto;
	struct tunnel *tunnels;
	size_t tunnel_count;
	struct tunnel_place *places;      /* owned; of all tunnels */
	struct phase1_list *phase1_lists; /* owned; each different one */
	uint32_t lists_for_any;
	uint64_t requests;    /* IKE_SA_INIT that were held against tunnels */
	uint64_t lists_tried; /* how often one of them was held against a list */
	struct table by_spi, by_init, by_identity, by_child, by_address, by_source, by_peer, by_allowance;
	struct ike_sa *sas, *dead;
	struct peer *idle_peers;       /* without IKE SAs; freed when the entry point returns */
	TAILQ_HEAD(, ike_sa) answered; /* ST_INIT_ANSWERED, oldest first: nothing is lost when one goes */
	TAILQ_HEAD(, source) idle_sources;
	uint32_t idle_source_count;
	TAILQ_HEAD(, allowance) allowances;
	struct cookie_secrets cookies;
	uint64_t hint_ns; /* one answer to an unknown IKE SA is due from then on */
	struct timers timers;
	uint32_t half_open, lingering, sa_count;
	uint64_t order;
	bool stopping;
	uint64_t counters[IKE_COUNTER_COUNT];
	uint64_t steps[TRANSITIONS_MAX]; /* how often each row of the transition table was used */
	/* of the entry point that runs */
	uint64_t now_ns;
	struct ike_actions *out;
	uint8_t *plain; /* IKE_MESSAGE_BYTES_MAX: the message being opened; decoded messages borrow it */
	uint8_t *built; /* IKE_MESSAGE_BYTES_MAX: the message being built, in clear */
};

/* ---- actions.c ---- */

struct ike_action *actions_push(struct ike_actions *out, enum ike_action_kind kind);
/* Copies data. */
void action_send(struct ike_engine *e, const struct endpoint *local, const struct endpoint *remote, struct bytes data);
void action_keepalive(struct ike_engine *e, const struct ike_sa *sa);
/* Takes the job; NULL is a failure already. False without memory. */
bool action_crypto(struct ike_engine *e, struct crypto_job *job);
void action_child(struct ike_engine *e, enum ike_action_kind kind, const struct child_sa *child);
/* Our virtual addresses of this SA are given, or gone. */
void action_virtual(struct ike_engine *e, const struct ike_sa *sa, const struct address_list *dns, bool given);
/* Takes both specs' contents (they are empty afterwards). */
bool action_install(struct ike_engine *e, const struct child_sa *child, struct sa_spec *in, struct sa_spec *out);

/* ---- status.c ---- */

/* An event about an IKE SA or, with sa NULL, about a tunnel or nothing known. Text is printf-like. */
void event_emit(struct ike_engine *e, enum ike_event_kind kind, const struct tunnel *t, const struct ike_sa *sa,
	const char *format, ...) __attribute__((format(printf, 5, 6)));
/* An event about a Child SA. */
void event_child(struct ike_engine *e, enum ike_event_kind kind, const struct child_sa *child, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* The same with a failure record and the datagram's addresses (d may be NULL). */
void event_failure(struct ike_engine *e, enum ike_event_kind kind, const struct tunnel *t, const struct ike_sa *sa,
	const struct ike_datagram *d, const struct ike_failure *failure);
struct path_spec child_path(const struct child_sa *child);
struct selector_list child_selectors(const struct child_sa *child, bool local);
struct ts_pair child_ts(const struct child_sa *child);
/* The SA of a tunnel that an operator wants to see; NULL: none. */
struct ike_sa *tunnel_best_sa(const struct tunnel *t);

/* ---- failure.c ---- */

/* Why a message or a negotiation failed; texts are filled by the caller. */
struct ike_failure failure_make(
	uint8_t phase, uint8_t exchange, bool initiator, uint16_t notify, const char *reason, const char *hint);
/* Either may be NULL. */
void failure_set_proposals(struct ike_failure *f, const struct proposal_list *ours, const struct offer *theirs);
/* Of an offer that was refused as a whole. */
void failure_set_refused(struct ike_failure *f, const struct proposal_list *ours, const struct offer *theirs);
void failure_set_identities(
	struct ike_failure *f, const struct identity *ours, const struct identity *theirs, const char *what);
/* Selectors as (local, remote) of ours and as the peer wants them, turned to our point of view. */
void failure_set_selectors(struct ike_failure *f, const struct child_profile *ours, const struct selector_list *local,
	const struct selector_list *remote);
/* Keeps it as the tunnel's last failure (t may be NULL) and tells the host. */
void failure_report(struct ike_engine *e, struct tunnel *t, const struct ike_sa *sa, const struct ike_datagram *d,
	struct ike_failure *f);

/* ---- keymat.c ---- */

enum key_part { KEY_D, KEY_AI, KEY_AR, KEY_EI, KEY_ER, KEY_PI, KEY_PR, KEY_PARTS };

/* SKEYSEED and SK_* (RFC 7296 2.14) into sa->keys. 0, -ENOMEM or -EIO. */
int keymat_derive(struct ike_engine *e, struct ike_sa *sa, struct bytes shared);
struct bytes keymat_part(const struct ike_sa *sa, enum key_part part);
/* What the exchange that makes an SA adds to SK_d. */
struct keymat_input {
	bool initiator;      /* our role in the exchange */
	struct bytes shared; /* g^ir (new); empty without a key exchange */
	struct bytes nonce_i, nonce_r;
};

/* The keys of an IKE SA that replaces an older one, out of SK_d of that (RFC 7296 2.18). 0, -ENOMEM or -EIO. */
int keymat_rekey(struct ike_engine *e, const struct ike_sa *old, struct ike_sa *fresh, const struct keymat_input *k);
/* KEYMAT (RFC 7296 2.17) for both directions. 0, -ENOMEM or -EIO. */
int keymat_child(struct ike_engine *e, const struct ike_sa *sa, const struct keymat_input *k, const struct suite *suite,
	struct sa_spec *ret_in, struct sa_spec *ret_out);

/* ---- natd.c ---- */

/* Adds both NAT detection notifies for a message between these two; hashes (2 * HASH_BYTES) back them until it is
 * encoded. */
void natd_add(struct ike_engine *e, const struct ike_sa *sa, const struct endpoint *local,
	const struct endpoint *remote, struct message *m, uint8_t *hashes);
/* Compares the peer's with what the datagram shows and sets local_nat, remote_nat. */
void natd_evaluate(struct ike_engine *e, struct ike_sa *sa, const struct message *m, const struct ike_datagram *d);
/* True when the hashes of this type (NAT_DETECTION_*_IP) have this endpoint. */
bool natd_names(struct ike_engine *e, const struct message *m, uint16_t type, const struct endpoint *at);
/* Child SAs of this IKE SA use UDP encapsulation. */
bool natd_udp_encap(const struct ike_sa *sa);
/* Initiator: the exchanges behind IKE_SA_INIT use port 4500 where a NAT asks for it (RFC 7296 2.23), or MOBIKE, as one
 * may come on the way later (RFC 4555 3.3). */
void natd_move_port(struct ike_sa *sa);

/* ---- cookie.c ---- */

/* Initiator: keeps the cookie of a COOKIE answer. False: none in it, or not acceptable. */
bool cookie_take(struct handshake *h, const struct message *m);
void cookie_add(const struct handshake *h, struct message *m);

enum cookie_verdict { COOKIE_NONE, COOKIE_WRONG, COOKIE_RIGHT };

/* Responder: the cookie for this request, without keeping anything. ret_cookie has COOKIE_BYTES_MAX bytes. */
struct bytes cookie_make(
	struct ike_engine *e, const struct message *m, const struct ike_datagram *d, uint8_t *ret_cookie);
enum cookie_verdict cookie_check(struct ike_engine *e, const struct message *m, const struct ike_datagram *d);

/* ---- sources.c ---- */

enum admission { ADMIT, ADMIT_WITH_COOKIE, REFUSE_FAILURES, REFUSE_SOURCE };

/* Whether a source may begin another IKE SA; with the right cookie it is no forgery. */
enum admission source_admit(struct ike_engine *e, const struct addr *remote, bool right_cookie);
/* A half-open SA of this source; at its limit an older one that showed no cookie makes way. False without memory. */
bool source_enter(struct ike_engine *e, struct ike_sa *sa, const struct addr *remote);
void source_leave(struct ike_engine *e, struct ike_sa *sa);
/* An IKE_AUTH of a half-open SA's source was nonsense or did not prove its identity. */
void source_failed(struct ike_engine *e, struct ike_sa *sa);
void sources_done(struct ike_engine *e);

/* ---- allowances.c ---- */

/* That of the IKE SA's peer; NULL: it has asked for nothing lately. */
struct allowance *allowance_lookup(const struct ike_engine *e, const struct ike_sa *sa);
bool allowance_used_up(const struct ike_engine *e, const struct allowance *a);
/* The peer is given one key exchange. False: it is used up, or no memory. */
bool allowance_take(struct ike_engine *e, const struct ike_sa *sa);
void allowances_done(struct ike_engine *e);

/* ---- hint.c ---- */

/* A message names an IKE SA that is not here. */
void hint_unknown_sa(struct ike_engine *e, const struct ike_datagram *d, const struct ike_header *h);
/* An answer without protection to a request under keys. */
void hint_unprotected(struct ike_engine *e, const struct message *m);

/* ---- outbox.c ---- */

/* Takes bytes (heap): a datagram or fragments back to back. Sends it and keeps it until outbox_answered. */
void outbox_push_request(struct ike_engine *e, struct ike_sa *sa, uint8_t exchange, uint8_t *bytes, size_t len);
void outbox_answered(struct ike_engine *e, struct ike_sa *sa);
/* Retransmits, or returns false: gave up. */
bool outbox_on_timer(struct ike_engine *e, struct ike_sa *sa);
/* Takes bytes (heap): the answer to the peer's request in d. Sends it and keeps it for repetitions. */
void outbox_push_response(
	struct ike_engine *e, struct ike_sa *sa, const struct ike_datagram *d, uint8_t *bytes, size_t len);
/* The outstanding request goes out anew at once, as if it had not been sent before: the path is another one. */
void outbox_send_anew(struct ike_engine *e, struct ike_sa *sa);
/* It goes out on other paths, too. */
bool outbox_probing(const struct ike_sa *sa);
/* True when d is byte for byte the request answered last; it is answered again from the cache. */
bool outbox_answer_again(struct ike_engine *e, struct ike_sa *sa, const struct ike_datagram *d);
/* The same for a repetition that is known by other means. */
void outbox_repeat(struct ike_engine *e, const struct ike_sa *sa, const struct ike_datagram *d);
void outbox_done(struct outbox *o);

/* ---- sa.c ---- */

/* A new IKE SA in the tables; peer_spi is 0 for ours. NULL without memory. */
struct ike_sa *ike_sa_create(struct ike_engine *e, struct tunnel *t, bool initiator, uint64_t peer_spi);
/* One that replaces another one, with its peer, addresses and tunnel; the keys are still missing. NULL without memory.
 */
struct ike_sa *sa_inherit(struct ike_engine *e, struct ike_sa *old, const struct create *x);
/* An SPI of ours that no IKE SA has. */
uint64_t sa_choose_spi(struct ike_engine *e);
struct ike_sa *sa_lookup(const struct ike_engine *e, uint64_t our_spi);
struct ike_sa *sa_lookup_init(
	const struct ike_engine *e, uint64_t spi_i, const struct endpoint *remote, const uint8_t *hash);
uint64_t sa_our_spi(const struct ike_sa *sa);
void sa_remember_init(struct ike_engine *e, struct ike_sa *sa, const struct ike_datagram *d, const uint8_t *hash);
/* The handshake is over: wipes and frees what it needed. */
void handshake_free(struct ike_sa *sa);
void sa_set_timer(struct ike_engine *e, struct ike_sa *sa, enum timer_kind kind, uint64_t at_ns);
void sa_clear_timer(struct ike_engine *e, struct ike_sa *sa, enum timer_kind kind);
/* Takes the SA out of every table; child retired. The memory goes when the entry point returns. */
void sa_close(struct ike_engine *e, struct ike_sa *sa, const char *reason);
/* The same, but the last response stays available to a peer that did not get it. */
void sa_linger(struct ike_engine *e, struct ike_sa *sa, const char *reason);
/* No memory or no working cryptography for its next message: the SA ends, its tunnel tries again. */
void sa_fail(struct ike_engine *e, struct ike_sa *sa);
/* Another IKE SA of the tunnel and of the same peer carries the traffic of a child of this one. */
bool sa_has_twin(const struct ike_sa *sa);
/* The children that are up, in bits of their indexes; those that are being made are among them with `soon`. */
uint8_t sa_children(const struct ike_sa *sa, bool soon);
/* Asks for those that the tunnel wants and that are missing. */
void sa_pursue_children(struct ike_engine *e, struct ike_sa *sa);
void sa_retire_children(struct ike_engine *e, struct ike_sa *sa, const char *reason);
void sa_free_dead(struct ike_engine *e);
void sa_free_all(struct ike_engine *e);
void sa_not_half_open(struct ike_engine *e, struct ike_sa *sa);
/* The peer proved its identity: timers of an established SA, its place in the tunnel. */
void sa_established(struct ike_engine *e, struct ike_sa *sa);
/* Equal identities have the same. */
uint64_t identity_hash(const struct identity *id);
/* Established SAs whose peer has this identity; previous NULL: the first. */
struct ike_sa *sa_next_of_identity(
	const struct ike_engine *e, const struct identity *id, const struct ike_sa *previous);
/* An authenticated message came from there: a NAT has a new mapping (RFC 7296 2.23). */
void sa_move_remote(struct ike_engine *e, struct ike_sa *sa, const struct endpoint *remote);
/* Its Child SAs in tunnel mode use its addresses, and UDP as NAT detection says now (RFC 4555 3.5). */
void sa_repath(struct ike_engine *e, struct ike_sa *sa);
/* Keepalives are sent from behind a NAT only. */
void sa_follow_nat(struct ike_engine *e, struct ike_sa *sa);
/* The peer has this Child SA; its traffic says so. */
void sa_child_used(struct ike_engine *e, struct child_sa *child);
void child_confirm(struct ike_engine *e, struct child_sa *child);
/* A new request of the peer shows that it has our answers to those before (the window is 1): it has the Child SAs that
 * they brought. */
void sa_confirmed(struct ike_engine *e, struct ike_sa *sa);
/* Something authenticated came from the peer. */
void sa_heard(struct ike_engine *e, struct ike_sa *sa);
/* Begins a clean end: Delete, then `afterwards` once it is answered or given up. */
void sa_terminate(struct ike_engine *e, struct ike_sa *sa, enum afterwards afterwards, const char *reason);

/* ---- child_sa.c ---- */

/* By our inbound SPI, installed ones of all IKE SAs; or among those of one IKE SA, installed or not. */
struct child_sa *child_lookup(const struct ike_engine *e, uint32_t spi_in);
struct child_sa *child_of_spi(const struct ike_sa *sa, uint32_t spi_in);
/* The one of an index that is up and not replaced; NULL: none. */
struct child_sa *child_of_index(const struct ike_sa *sa, uint32_t index);
/* Another one may be begun: those that are being made have their place already. */
bool child_has_room(const struct ike_sa *sa, bool rekeying);
/* The peer has it, as far as we can know. */
bool child_is_known(const struct ike_engine *e, const struct child_sa *child);
/* A new one in no list yet. NULL without memory. */
struct child_sa *child_create(struct ike_engine *e, struct ike_sa *sa, const struct agreement *a);
void child_free(struct ike_engine *e, struct child_sa *child);
/* Among many peers: its remote addresses are its peer's until it is freed. 0, -EEXIST, -ENOMEM. */
int child_claim(struct child_sa *child);
/* The host has it from now on. */
void child_insert(struct ike_engine *e, struct child_sa *child);
/* Both stand for the same traffic of the same peer. */
bool child_same_place(const struct child_sa *a, const struct child_sa *b);
/* Another one that can carry its traffic; NULL: none. */
struct child_sa *child_twin(const struct child_sa *child);
/* The same when its IKE SA ends: one of another IKE SA. */
struct child_sa *child_heir(const struct child_sa *child);
/* Our traffic goes out on it from now on. */
void child_send_on(struct ike_engine *e, struct child_sa *child);
/* Where there is another one that carries the traffic, that is used from now on. */
bool child_hand_over(struct ike_engine *e, const struct child_sa *child);
/* The host loses the pair, the traffic goes to another one if there is one. */
void child_uninstall(struct ike_engine *e, struct child_sa *child, const char *reason);
/* The same, and the object goes. */
void child_retire(struct ike_engine *e, struct child_sa *child, const char *reason);
/* It is deleted on both sides; what is under way still gets in for a while. */
void child_fade(struct ike_engine *e, struct child_sa *child);
/* It moves to another IKE SA of the same peer. */
void child_move(struct child_sa *child, struct ike_sa *to);

/* At random, below the limit; 0 when that is 0. */
uint64_t random_below(struct ike_engine *e, uint64_t limit);
/* Up to so many percent more. */
uint64_t with_jitter(struct ike_engine *e, uint64_t pause_ns, unsigned percent);

/* ---- phase1_lists.c ---- */

/* When the tunnels have their profiles. 0 or -ENOMEM. */
int phase1_lists_init(struct ike_engine *e);
void phase1_lists_done(struct ike_engine *e);

/* ---- tunnel.c ---- */

int tunnels_init(struct ike_engine *e, const struct tunnel_profile *profiles, size_t count);
void tunnels_done(struct ike_engine *e);
/* Profiles that these addresses may mean, exact ones first; previous NULL: the first. */
struct tunnel *tunnel_candidate(
	const struct ike_engine *e, const struct addr *local, const struct addr *remote, const struct tunnel *previous);
/* The SA that carries the tunnel's traffic to another peer than this one; NULL: none. */
const struct ike_sa *tunnel_rival(const struct tunnel *t, const struct identity *peer);
void tunnel_link(struct tunnel *t, struct ike_sa *sa);
void tunnel_unlink(struct ike_engine *e, struct ike_sa *sa);
/* An IKE SA that is to take this one's place is up, or on its way. */
bool tunnel_renews(const struct ike_sa *old);
/* Another IKE SA of the tunnel and of the same peer is up beside this one. */
bool tunnel_has_another(const struct ike_sa *sa);
/* The children that start by themselves, in bits, without those that the operator terminated. */
uint8_t tunnel_autostart(const struct tunnel *t);
/* All children of the profile. */
uint8_t tunnel_all(const struct tunnel *t);
/* A pause is over. */
void tunnel_on_timer(struct ike_engine *e, struct tunnel *t);
/* Goes after what is wanted and not there: asks for children, or begins an IKE SA unless one is on its way. */
void tunnel_pursue(struct ike_engine *e, struct tunnel *t);
/* The same after a pause that lets the peer begin. */
void tunnel_pursue_later(struct ike_engine *e, struct tunnel *t);
/* The IKE SA on which children of ours are made: one that is up, rather one that has some; NULL: none. */
struct ike_sa *tunnel_home(const struct tunnel *t);
/* After an IKE SA ended, or came up without its child. */
void tunnel_follow_up(struct ike_engine *e, struct tunnel *t, enum afterwards afterwards);
/* The children that are still to be asked for on this IKE SA, in bits; and when it has ended: they are asked for on
 * another one, if there is one. */
uint8_t tunnel_wishes_of(const struct ike_sa *sa);
void tunnel_pass_on(struct ike_engine *e, struct tunnel *t, uint8_t wishes);
/* The peer is dead; it had these children. */
void tunnel_peer_dead(struct ike_engine *e, struct tunnel *t, uint8_t children);
/* The operator wants these children, or an IKE SA is up: what the peer's death left is over. */
void tunnel_peer_forgiven(struct tunnel *t, uint8_t children);
/* What follows on the end of a Child SA (NULL: there was none): `normal`, or a growing pause when it did not last. */
enum afterwards child_afterwards(const struct ike_engine *e, const struct child_sa *child, enum afterwards normal);
/* An IKE SA came up: others of the tunnel and of the same peer make way (RFC 7296 2.4). */
void tunnel_replace(struct ike_engine *e, struct ike_sa *fresh, bool initial_contact);
/* Of two SAs that came from both sides at once, one goes; see tunnel.c. */
void tunnel_settle(struct ike_engine *e, struct tunnel *t);
/* An initiator says INITIAL_CONTACT when it has no other IKE SA with this peer. */
bool tunnel_first_contact(const struct ike_engine *e, const struct tunnel *t);

/* ---- peers.c: the peers of a tunnel that serves many ---- */

/* NULL: it is not here. */
struct peer *peer_lookup(const struct ike_engine *e, const struct tunnel *base, const struct identity *id);
/* The tunnel of a peer that has proved this identity, made if need be; the base itself when it serves one peer only.
 * NULL without memory. */
struct tunnel *peer_tunnel(struct ike_engine *e, struct tunnel *base, const struct identity *id);
/* The tunnel that the configuration has. */
struct tunnel *tunnel_base(struct tunnel *t);
/* Whose tunnel it is. */
struct peer *tunnel_peer(struct tunnel *t);
/* The last IKE SA has gone: so does the peer, when the entry point returns. */
void peer_idle(struct ike_engine *e, struct peer *p);
void peers_free_idle(struct ike_engine *e);
void peers_done(struct ike_engine *e);

/* ---- claims.c: whose the remote addresses of such a tunnel are ---- */

/* The peer that has some of these addresses and is not this one (NULL: any); NULL: none. */
const struct peer *claims_rival(const struct tunnel *base, const struct peer *peer, const struct selector_list *remote);
/* The remote addresses of a Child SA are its peer's until they were released as often. 0, -EEXIST: another peer has
 * some, -ENOMEM. */
int claims_take(struct tunnel *base, const struct peer *peer, const struct selector_list *remote);
void claims_release(struct tunnel *base, const struct peer *peer, const struct selector_list *remote);
void claims_done(struct tunnel *base);
