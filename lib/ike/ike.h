/* SPDX-License-Identifier: BSD-3-Clause */
/* Public header of the ike room: the pure IKE engine. It takes bytes, time and answers, and returns bytes and actions.
 * It has no clock, socket, thread, log or global. One thread at a time may call an engine; engines are independent. */
#pragma once

#include "base.h"
#include "crypto.h"
#include "model.h"
#include "wire.h"

struct ike_engine;

/* ---- what the host gives ------------------------------------------------------------------------------------- */

/* What an IKE SA of ours is to whoever receives for us. */
enum ike_sa_news {
	IKE_SA_GONE,
	IKE_SA_OPENING, /* messages to it may come; the peer has not proved who it is */
	IKE_SA_UP,
};

/* Functions the engine calls; all return at once. */
struct ike_host {
	void *context;
	/* Strong random bytes; never fails (the host aborts otherwise). */
	void (*random)(void *context, void *ret_data, size_t len);
	/* The pre-shared key of two identities into *ret_secret (owned by the caller). 0 or -ENOENT. */
	int (*psk_lookup)(
		void *context, const struct identity *local, const struct identity *remote, struct secret *ret_secret);
	/* An inbound SPI for a Child SA of this peer, host order; 0 when none is free. It stays reserved until
	 * spi_release or, once installed, until RETIRE. */
	uint32_t (*spi_reserve)(void *context, const struct addr *local, const struct addr *remote);
	void (*spi_release)(void *context, uint32_t spi);
	/* Lends a peer that proved this identity an address of the family, the wanted one (ADDR_NONE: any) if it can
	 * be. It is the peer's until given back as often as it was lent. 0, -ENOENT: the pool has none of the family,
	 * -ENOSPC: all are lent, -ENOMEM. */
	int (*lease_take)(void *context, const struct address_pool *pool, uint8_t family, const struct identity *peer,
		const struct addr *wanted, struct addr *ret_addr);
	void (*lease_give_back)(void *context, const struct address_pool *pool, const struct addr *addr);
	/* The address is ours and, unless remote is NULL, a route leads from it there. NULL: every one is. */
	bool (*path_usable)(void *context, const struct addr *local, const struct addr *remote);
	/* An IKE SA by our SPI of it: the host may have a better place for its messages than for those of strangers.
	 * All are gone with the engine. NULL: it has not. */
	void (*sa_news)(void *context, uint64_t spi, enum ike_sa_news news);
};

struct ike_settings {
	uint16_t engine_number;        /* the first bits of our IKE SPIs (seam for several engines) */
	uint32_t half_open_max;        /* responder IKE SAs without IKE_AUTH; at the limit the oldest ones go */
	uint32_t cookie_threshold;     /* so many of them turn cookies on for everybody; 0: always on */
	uint32_t source_half_open_max; /* responder IKE SAs without IKE_AUTH of one source (IPv6: its /64) */
	uint32_t source_failures_max;  /* failed IKE_AUTH of one source within a minute; then it may not begin */
	/* What one identity may have of what its host shares out among all: Child SAs of all its IKE SAs; where a
	 * tunnel serves many, prefixes that its addresses split into, and those of one Child SA of them. */
	uint32_t peer_children_max, peer_prefixes_max, child_prefixes_max;
	uint64_t retransmit_first_ns;  /* time before the first retransmission */
	uint32_t retransmit_tries;     /* retransmissions before giving up, each waiting twice as long, at most 16 s */
	uint64_t half_open_timeout_ns; /* a responder's IKE SA must be authenticated, a job be done within this */
	uint64_t keepalive_ns;         /* NAT keepalive interval (RFC 3948 4), 0: none */
	uint64_t retry_first_ns;       /* START_INITIATE: pause after a failure, doubled up to retry_max_ns */
	uint64_t retry_max_ns;
};

extern const struct ike_settings ike_default_settings;

/* profiles: borrowed until free. Tunnels with START_INITIATE begin at the first ike_tick. NULL without memory or when
 * OpenSSL lacks an algorithm. */
struct ike_engine *ike_engine_create(const struct ike_settings *settings, const struct ike_host *host,
	const struct tunnel_profile *profiles, size_t profile_count);
void ike_engine_free(struct ike_engine *e);

/* ---- what comes in ------------------------------------------------------------------------------------------- */

struct ike_datagram {
	struct endpoint local, remote;
	struct bytes
		data; /* without the non-ESP marker; borrowed for the call; may be decrypted in place through scratch */
};

/* In the place of a child: all of them, or the tunnel itself. */
#define IKE_WHOLE_TUNNEL UINT32_MAX

enum ike_command_kind {
	IKE_INITIATE,        /* tunnel, child or all: bring it up */
	IKE_TERMINATE,       /* tunnel: delete the IKE SA, or a child of it; stays down until INITIATE, ACQUIRE or the
			      * peer */
	IKE_TERMINATE_ALL,   /* shutdown: delete every IKE SA */
	IKE_ACQUIRE,         /* tunnel, child: a packet needs it (trap), or is outside of what it carries;
			      * packet_local and packet_remote are its own, when known */
	IKE_REKEY,           /* tunnel, child or all of them: new keys */
	IKE_SOFT_EXPIRE,     /* spi: an inbound or outbound SA should be replaced soon */
	IKE_EXPIRE,          /* spi: hard lifetime or sequence end of an inbound or outbound SA */
	IKE_USED,            /* spi: authenticated traffic arrived on this inbound SA */
	IKE_SENT,            /* spi: traffic left on the outbound SA of this pair */
	IKE_ADDRESS_CHANGED, /* spi, remote: the newest authenticated packet came from there */
	IKE_PATHS_CHANGED,   /* our addresses or routes are other ones: path_usable answers differently */
	IKE_MOVE,            /* tunnel, local, remote: use this path (ADDR_NONE: as it is) */
};

struct ike_command {
	enum ike_command_kind kind;
	uint32_t tunnel; /* index into the profiles */
	uint32_t child;  /* index into the profile's children, or IKE_WHOLE_TUNNEL */
	uint32_t spi;    /* our inbound SPI */
	struct endpoint remote;
	const struct identity *peer; /* of TERMINATE, REKEY of a tunnel that serves many: this one, NULL: all; borrowed
				      */
	struct addr local;
	struct selector packet_local, packet_remote; /* family ADDR_NONE: not known */
};

/* ---- what goes out ------------------------------------------------------------------------------------------- */

enum ike_action_kind {
	IKE_SEND,    /* a datagram */
	IKE_INSTALL, /* a pair of SAs: inbound live at once; outbound used from SWITCH on */
	IKE_SWITCH,  /* send on the outbound SA of this child now */
	IKE_RETIRE,  /* remove the pair */
	IKE_UPDATE,  /* new path for the pair */
	IKE_ADDRESS, /* the peer gave us a virtual address, or it is gone */
	IKE_CRYPTO,  /* run this job, then ike_job_done */
	IKE_EVENT,   /* a fact for log, metrics, diagnosis */
};

#define EVENT_TEXT_MAX 512

/* Events: enum name, keyword in logs and JSON. */
#define IKE_EVENTS(X)                                                                                                  \
	X(IKE_EV_STARTED, "phase1-started")                                                                            \
	X(IKE_EV_PHASE1_UP, "phase1-up")                                                                               \
	X(IKE_EV_PHASE1_REKEYED, "phase1-rekeyed")                                                                     \
	X(IKE_EV_PHASE2_UP, "phase2-up")                                                                               \
	X(IKE_EV_PHASE2_REKEYED, "phase2-rekeyed")                                                                     \
	X(IKE_EV_PHASE2_DOWN, "phase2-down")                                                                           \
	X(IKE_EV_PHASE1_DOWN, "phase1-down")                                                                           \
	X(IKE_EV_FAILED, "failed")                                                                                     \
	X(IKE_EV_RETRANSMIT, "retransmit")                                                                             \
	X(IKE_EV_NAT_DETECTED, "nat-detected")                                                                         \
	X(IKE_EV_MOVED, "moved")                                                                                       \
	X(IKE_EV_MOVE_REFUSED, "move-refused")                                                                         \
	X(IKE_EV_REPLACED, "replaced")                                                                                 \
	X(IKE_EV_REFUSED, "message-refused")

#define IKE_EVENT_ENUM(name, keyword) name,
enum ike_event_kind { IKE_EVENTS(IKE_EVENT_ENUM) IKE_EVENT_KINDS };
const char *ike_event_name(enum ike_event_kind kind);

/* Why a negotiation failed, complete enough for one line to the operator. */
struct ike_failure {
	uint8_t phase;               /* 1 or 2; 0: none yet */
	uint8_t exchange;            /* enum ike_exchange */
	bool initiator;              /* our role in the exchange */
	uint16_t notify;             /* sent (responder) or received (initiator); 0: none, e.g. a timeout */
	uint64_t at_ns;              /* engine time */
	char reason[128];            /* "no proposal chosen", "peer did not answer" ... */
	char ours[EVENT_TEXT_MAX];   /* proposals, selectors or identities of ours */
	char theirs[EVENT_TEXT_MAX]; /* the peer's; empty when it did not say */
	char mismatch[128];          /* first mismatch: "encryption: ours AES-GCM-256, theirs AES-CBC-128" */
	char hint[128];              /* what to look at */
};

struct ike_event {
	enum ike_event_kind kind;
	int32_t tunnel; /* index, -1: not known yet */
	int32_t child;  /* index, -1: none */
	uint64_t spi_i, spi_r;
	struct endpoint local, remote;
	struct identity peer; /* of a tunnel that serves many; ID_NONE: not known yet, or only one is meant */
	uint32_t child_spi_in, child_spi_out;
	struct ike_failure failure; /* of FAILED and REFUSED */
	char text[EVENT_TEXT_MAX];  /* suite, selectors, reason */
};

struct ike_action {
	enum ike_action_kind kind;
	union {
		struct {
			struct endpoint local, remote;
			uint8_t *data; /* owned by the action list */
			size_t len;
			bool keepalive; /* one 0xff byte, sent without the non-ESP marker */
		} send;
		struct {
			uint32_t tunnel, child;
			struct identity peer;     /* of a tunnel that serves many; else ID_NONE */
			struct sa_spec *in, *out; /* owned by the action list, wiped with it */
			bool switch_now;          /* send on it at once; false: an older pair carries the traffic until
						   * SWITCH (responder, RFC 7296 2.8) */
		} install;
		struct {
			uint32_t tunnel, child, spi_in, spi_out;
			struct path_spec path; /* of UPDATE; local and remote as for the outbound SA */
		} child;                       /* of SWITCH, RETIRE, UPDATE */
		struct {
			uint32_t tunnel;
			bool given;              /* else it is gone; as often as it was given */
			struct addr addrs[2];    /* ADDR_NONE: none of the family */
			struct address_list dns; /* name servers that came with it */
		} address;
		struct crypto_job *job;  /* owned: the host takes it and sets NULL */
		struct ike_event *event; /* owned by the action list */
	};
};

/* Actions in the order they must be carried out. */
struct ike_actions {
	struct ike_action *items;
	size_t count, capacity;
	bool failed; /* memory ran out; some action is missing */
};

void ike_actions_clear(struct ike_actions *out); /* frees what the actions own, keeps the array */
void ike_actions_done(struct ike_actions *out);

/* ---- entry points; `now_ns` is monotonic --------------------------------------------------------------------- */

void ike_input(struct ike_engine *e, const struct ike_datagram *d, uint64_t now_ns, struct ike_actions *out);
void ike_tick(struct ike_engine *e, uint64_t now_ns, struct ike_actions *out);
void ike_command(struct ike_engine *e, const struct ike_command *c, uint64_t now_ns, struct ike_actions *out);
/* Takes the job. */
void ike_job_done(struct ike_engine *e, struct crypto_job *job, uint64_t now_ns, struct ike_actions *out);
/* When ike_tick must be called next; UINT64_MAX: never. */
uint64_t ike_next_deadline(const struct ike_engine *e);

/* ---- state for the operator ---------------------------------------------------------------------------------- */

enum phase_state { PHASE_DOWN, PHASE_NEGOTIATING, PHASE_UP, PHASE_CLOSING };
const char *phase_state_name(enum phase_state s);

struct ike_child_status {
	enum phase_state state;
	uint32_t index; /* of the profile's children */
	uint32_t spi_in, spi_out;
	struct selector_list local, remote; /* negotiated */
	char suite[128];
	uint64_t up_since_ns;
	bool udp_encap, ah;
};

/* Further addresses of a peer (RFC 4555 3.4); what it tells beyond is not used. */
#define IKE_REMOTES_MAX 8

struct ike_tunnel_status {
	enum phase_state phase1;
	bool initiator;
	uint64_t spi_i, spi_r;
	struct endpoint local, remote;
	char suite[PROPOSAL_TEXT_MAX];
	char weak[256]; /* why one should not rely on the suite; empty: nothing to say */
	char remote_id[IDENTITY_TEXT_MAX];
	struct addr virtual[2]; /* that the peer gave us or was lent; ADDR_NONE: none of the family */
	bool local_nat, remote_nat;
	bool mobike;           /* both sides speak it */
	uint8_t remotes_count; /* further addresses the peer told us */
	struct addr remotes[IKE_REMOTES_MAX];
	uint64_t up_since_ns;
	uint32_t request_sent;    /* times our request that no answer has come to was sent; 0: none is on its way */
	uint8_t request_exchange; /* its exchange */
	uint32_t child_count;
	struct ike_child_status children[CHILDREN_MAX];
	uint32_t peer_count;        /* of a tunnel that serves many */
	struct ike_failure failure; /* the last one; phase 0: none */
};

/* Of a tunnel that serves many: of the peer that has most. 0 or -ENOENT. */
int ike_tunnel_status(const struct ike_engine *e, uint32_t tunnel, struct ike_tunnel_status *ret_status);
/* Of one of its peers. 0 or -ENOENT. */
int ike_peer_status(
	const struct ike_engine *e, uint32_t tunnel, const struct identity *peer, struct ike_tunnel_status *ret_status);
/* Where one phase2 entry has several Child SAs: those beside the one of the tunnel's status (by its SPI). peer: as in
 * ike_peer_status; NULL: as in ike_tunnel_status. Returns how many there are; at most capacity are written. */
size_t ike_child_others(const struct ike_engine *e, uint32_t tunnel, const struct identity *peer,
	const struct ike_child_status *shown, struct ike_child_status *ret_others, size_t capacity);
/* The peers of a tunnel that serves many, by their identities, in the order they came; previous NULL: the first. NULL:
 * there is none. Borrowed, until the engine is entered again. */
const struct identity *ike_peer_next(const struct ike_engine *e, uint32_t tunnel, const struct identity *previous);

/* Counters: one X-macro gives enum, name and text. */
#define IKE_COUNTERS(X)                                                                                                \
	X(IKE_C_RECEIVED, "received")                                                                                  \
	X(IKE_C_SENT, "sent")                                                                                          \
	X(IKE_C_RETRANSMITTED, "retransmitted")                                                                        \
	X(IKE_C_ANSWERED_AGAIN, "answered_again")                                                                      \
	X(IKE_C_MALFORMED, "malformed")                                                                                \
	X(IKE_C_WRONG_VERSION, "wrong_version")                                                                        \
	X(IKE_C_UNKNOWN_CRITICAL, "unknown_critical_payload")                                                          \
	X(IKE_C_UNKNOWN_SPI, "unknown_ike_spi")                                                                        \
	X(IKE_C_BAD_ICV, "bad_icv")                                                                                    \
	X(IKE_C_BAD_MESSAGE_ID, "message_id_outside_window")                                                           \
	X(IKE_C_FRAGMENTS, "fragments_received")                                                                       \
	X(IKE_C_REASSEMBLED, "messages_reassembled")                                                                   \
	X(IKE_C_FRAGMENT_REPEATED, "fragment_repeated")                                                                \
	X(IKE_C_FRAGMENT_REFUSED, "fragment_refused")                                                                  \
	X(IKE_C_REASSEMBLY_TIMEOUT, "reassembly_timeout")                                                              \
	X(IKE_C_UNEXPECTED, "unexpected_message")                                                                      \
	X(IKE_C_NO_TUNNEL, "no_matching_tunnel")                                                                       \
	X(IKE_C_HALF_OPEN_LIMIT, "half_open_limit")                                                                    \
	X(IKE_C_COOKIE_SENT, "cookie_sent")                                                                            \
	X(IKE_C_COOKIE_VALID, "cookie_valid")                                                                          \
	X(IKE_C_COOKIE_WRONG, "cookie_wrong")                                                                          \
	X(IKE_C_SOURCE_LIMIT, "source_half_open_limit")                                                                \
	X(IKE_C_SOURCE_FAILURES, "source_failure_limit")                                                               \
	X(IKE_C_JUNK_LIMIT, "half_open_junk_limit")                                                                    \
	X(IKE_C_INVALID_SPI_SENT, "invalid_ike_spi_sent")                                                              \
	X(IKE_C_HINT, "unauthenticated_hint")                                                                          \
	X(IKE_C_AUTH_FAILED, "authentication_failed")                                                                  \
	X(IKE_C_UNIQUE_KEPT, "identity_connected_already")                                                             \
	X(IKE_C_PEERS_LIMIT, "tunnel_peers_limit")                                                                     \
	X(IKE_C_SHARE_LIMIT, "identity_share_limit")                                                                   \
	X(IKE_C_KEY_LIMIT, "key_exchange_limit")

#define IKE_COUNTER_ENUM(name, keyword) name,
enum ike_counter { IKE_COUNTERS(IKE_COUNTER_ENUM) IKE_COUNTER_COUNT };
const char *ike_counter_name(enum ike_counter c);
/* Array of IKE_COUNTER_COUNT values, borrowed. */
const uint64_t *ike_counters(const struct ike_engine *e);
uint32_t ike_sa_count(const struct ike_engine *e);
/* Beside these: IKE SAs that are over and repeat their last response for 20 s (RFC 7296 2.1). */
uint32_t ike_lingering_count(const struct ike_engine *e);
