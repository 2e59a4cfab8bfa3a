/* SPDX-License-Identifier: BSD-3-Clause */
/* Two engines in one process, A and B, over a fake wire with a fake clock: loss, duplication, reordering and NAT by a
 * seeded generator, crypto jobs at once or late. Every message and every installation is recorded. No sockets, no
 * sleeping. */
#pragma once

#include "ike.h"

#define MS 1000000ull
#define S  1000000000ull

#define PROFILES_MAX 3
#define PAIRS_MAX    64
#define PACKETS_MAX  512
#define JOBS_MAX     64
#define STORY_BYTES  16384

struct ike_sa;

/* What a host keeps of an INSTALL. */
struct pair {
	struct sa_spec in, out;
	uint32_t tunnel, child;
	bool live;
};

/* What the engine has said of an IKE SA. */
struct known_sa {
	uint64_t spi;
	bool up;
};

struct node {
	char name;
	struct wire *wire;
	struct ike_engine *engine;
	struct ike_settings settings;
	struct tunnel_profile profiles[PROFILES_MAX];
	size_t profile_count;
	const char *psk;                    /* NULL: no key for anybody */
	struct addr inside;                 /* our address */
	struct addr outside;                /* what the peer sees; the same without NAT */
	uint16_t port_offset;               /* NAT: outside ports are inside ports plus this */
	struct addr second, second_outside; /* another address, for MOBIKE, likewise; ADDR_NONE: none */
	uint16_t second_offset;
	struct addr gone; /* this one is not ours any more: path_usable says no, nothing is sent from or comes to it */
	struct addr cut;  /* nothing gets through to this one, without anybody being told */
	bool dead;        /* neither receives nor sends */
	uint64_t random;
	struct pair pairs[PAIRS_MAX];
	int current[PROFILES_MAX][CHILDREN_MAX]; /* index of the pair traffic goes out on; -1: none */
	int latest;                              /* of those of a first child the one that was chosen last; -1: none */
	uint32_t next_spi, spis_out;             /* SPIs reserved and not given back */
	bool no_spi;                             /* spi_reserve finds none */
	struct ike_sa *speaks_as;                /* whose keys seal_raw takes; NULL: those of node_sa */
	struct known_sa *known;                  /* IKE SAs that are not gone */
	size_t known_count, known_capacity;
	unsigned lent;        /* addresses of pools, not given back */
	bool no_lease;        /* pools are empty */
	struct addr given[2]; /* to us by the peer */
	int times_given;      /* and not gone */
	struct address_list dns;
	uint8_t bad_pad; /* seal_raw writes this pad length instead of the true one; 0: the true one */
	unsigned events[IKE_EVENT_KINDS];
	struct ike_failure failure; /* of the last FAILED */
	int32_t failure_tunnel;
	char last_text[EVENT_TEXT_MAX];
	char moved[EVENT_TEXT_MAX], refused[EVENT_TEXT_MAX]; /* of the last MOVED, MOVE_REFUSED */
	unsigned keepalives, installs, retires, updates;
};

struct packet {
	uint64_t at_ns, order;
	struct node *from, *to;
	struct endpoint local, remote; /* of the receiver */
	uint8_t *data;
	size_t len;
	uint32_t spi; /* 0: an IKE message; else one of the traffic */
};

struct late_job {
	uint64_t at_ns;
	struct node *node;
	struct crypto_job *job;
};

struct wire {
	struct node a, b;
	uint64_t now_ns, order, random;
	uint64_t latency_ns, job_delay_ns;
	unsigned loss_percent, duplicate_percent, reorder_percent;
	struct packet packets[PACKETS_MAX];
	size_t packet_count;
	struct late_job jobs[JOBS_MAX];
	size_t job_count;
	/* Sees each packet before it is put on the wire, may change or drop (false) it. */
	bool (*filter)(struct wire *w, struct packet *p, void *argument);
	void *filter_argument;
	void (*run_job)(struct crypto_job *job); /* crypto_job_run, or something deterministic */
	const char *fault;                       /* first broken rule of a host: NULL */
	char story[STORY_BYTES];                 /* "A IKE_SA_INIT request 0\n..." of what was sent, lost or not */
	size_t story_len;
	uint64_t traffic_every_ns; /* each side sends a packet on every pair that it sends on; 0: none */
	uint64_t traffic_at_ns;
	unsigned traffic_sent, traffic_lost;
	bool watch_traffic; /* from the moment both sides send: each side's outbound must be the other's inbound */
	bool traffic_seen;
	bool traffic_by_address; /* what is sent on a path that leads nowhere counts as strayed */
	unsigned traffic_strayed;
	uint64_t strayed_last_ns;
};

/* Two gateways with one tunnel each: A starts it, B responds. Change profiles and settings, then wire_start. */
void wire_init(struct wire *w, uint64_t seed);
void wire_start(struct wire *w);
/* Starts a node's engine from nothing: a crash, then a restart. */
void node_restart(struct node *n);
/* Everything freed; false when a rule was broken on the way or SPIs leaked. */
bool wire_done(struct wire *w);

/* Runs until nothing happens before now + duration, and then to that time. */
void wire_run(struct wire *w, uint64_t duration_ns);
/* Runs until traffic flows both ways, at most so long. True when it does. */
bool wire_run_until_up(struct wire *w, uint64_t limit_ns);
bool wire_run_until_down(struct wire *w, uint64_t limit_ns);
/* One event; false when none is due up to limit_ns (absolute). */
bool wire_step(struct wire *w, uint64_t limit_ns);

/* Both sides send on a pair that the other side has, with the same keys and mirrored selectors. */
bool wire_up(const struct wire *w);
bool node_flows(const struct node *from, const struct node *to);
/* The same of another child of the first tunnel. */
bool wire_child_up(const struct wire *w, uint32_t child);
/* Every pair of each side is one of the other side. */
bool wire_paired(const struct wire *w);
unsigned node_live_pairs(const struct node *n);
/* The pair traffic goes out on; NULL: none. */
const struct pair *node_pair(const struct node *n);
const struct pair *node_pair_of(const struct node *n, uint32_t tunnel, uint32_t child);

/* Every SPI that is out belongs to a live pair, or to an exchange that has not ended. */
bool node_spis_add_up(const struct node *n);
/* The engine has told of every IKE SA it has, and of no other, whether it is up. */
bool node_sas_are_known(const struct node *n);
/* As run_job: one key pair of X25519 for everybody, so that no job draws randomness of its own. */
void wire_fixed_job(struct crypto_job *job);

/* Does what an engine wants done. */
void node_carry_out(struct node *n, struct ike_actions *out);
void node_command(struct node *n, enum ike_command_kind kind, uint32_t tunnel);
/* About one child of a tunnel. */
void node_index_command(struct node *n, enum ike_command_kind kind, uint32_t tunnel, uint32_t child);
/* Our addresses or routes are other ones now. */
void node_paths_changed(struct node *n);
void node_move(struct node *n, const char *local, const char *remote);
void node_child_command(struct node *n, enum ike_command_kind kind, uint32_t spi, const struct endpoint *remote);
/* Begins one more IKE SA of the tunnel whatever there is: what a peer that makes before it breaks does. */
void node_start_another(struct node *n, uint32_t tunnel);
/* Gives bytes to a node as if they came from the wire. */
void node_receive(struct node *n, const struct endpoint *local, const struct endpoint *remote, struct bytes data);
struct ike_tunnel_status node_status(const struct node *n, uint32_t tunnel);
uint64_t node_counter(const struct node *n, enum ike_counter c);

/* Bytes under the keys of an IKE SA, as its peer would send them: `of` is the sender's engine object. */
struct ike_sa *node_sa(const struct node *n);
/* Memory of one established IKE SA: object, child, keys, cached messages. */
size_t node_sa_bytes(const struct node *n);
/* Seals plaintext as the body of an SK payload whose first payload has type `first`. Returns the length written. */
size_t seal_raw(struct node *sender, uint8_t exchange, bool response, uint32_t message_id, uint8_t first,
	struct bytes plain, uint8_t *ret_data, size_t capacity);
/* The same as one SKF payload. */
struct fragment {
	uint16_t number, total;
	uint8_t first;
};
size_t seal_fragment(struct node *sender, uint8_t exchange, bool response, uint32_t message_id, struct fragment f,
	struct bytes plain, uint8_t *ret_data, size_t capacity);

/* Profile parts. */
void proposals_set(struct proposal_list *list, enum security_protocol protocol, const char *text);
void selectors_set(struct selector_list *list, const char *text);
/* What the story should be: lines of "A IKE_SA_INIT request 0". */
bool wire_story_is(const struct wire *w, const char *story);
uint64_t test_random(uint64_t *state);
