/* SPDX-License-Identifier: BSD-3-Clause */
/* The pairs of SAs that are installed: made from specs, switched, re-pathed, retired, swept for flags. Control's own
 * book-keeping; the tables that workers read are in ipsec. */
#pragma once

#include <sys/queue.h>

#include "conf.h"
#include "datapath.h"
#include "ike.h"
#include "ipsec.h"
#include "path_mtu_priv.h"

#define SA_REGISTRY_BUCKETS 4096

/* What operators are shown of an SA; the spec itself is wiped after installing. */
struct sa_view {
	uint32_t spi;
	uint8_t protocol; /* PROTOCOL_ESP, PROTOCOL_AH */
	uint8_t mode;     /* enum sa_mode */
	bool esn;
	uint16_t tfc_bytes;
	uint32_t replay_window;
	struct sa_lifetime lifetime;
	struct path_spec path;
	char suite[96];
	char weak[256]; /* why one should not rely on it; empty: nothing to say */
};

/* Where an outbound SA is published. */
struct sa_place {
	LIST_ENTRY(sa_place) bucket; /* of a prefix */
	uint32_t tunnel_slot;        /* which the rule leads to */
	uint32_t slot;               /* the same, or the one of the prefix under it */
	struct prefix remote;        /* ADDR_NONE: the tunnel's own */
	uint32_t pairs;              /* that may be published here */
	struct sa_pair *holder;      /* whose outbound SAs are, the newest first; NULL: none */
};

/* What the sweep reads of every pair comes first: what it does not read stays where it is, and the packet path's lines
 * in the cache that both share. */
struct sa_pair {
	TAILQ_ENTRY(sa_pair) all;
	struct sa *in;
	struct sa *out;                 /* published or not; ours until the pair is retired */
	uint64_t age_ns;                /* when a lifetime of either wants attention */
	int32_t tunnel, child;          /* indexes; -1: a manual SA */
	uint64_t packets_seen[2];       /* by direction: what the engine has heard of */
	uint16_t link_mtu;              /* of our own link on the path */
	uint16_t path_mtu;              /* learnt from a router, lower than that; 0: nothing learnt */
	bool soft_told, expiry_told;    /* once is enough for the engine */
	bool source_untold;             /* a new source that the engine has not heard of: no memory then */
	bool flags_untold;              /* flags of its SAs are to be read again; also of a new pair */
	LIST_ENTRY(sa_pair) bucket;     /* by inbound SPI */
	LIST_ENTRY(sa_pair) out_bucket; /* by outbound SPI, which is the peer's choice */
	struct sa_pair *next_holder;    /* of those that share its place; NULL with several places */
	uint32_t tunnel_slot;           /* of the rule */
	struct sa_place **places;       /* owned; where the outbound SA may be published */
	uint16_t place_count, held;     /* all of them, those where it is */
	char *peer;                     /* owned; identity, of a tunnel that serves many; NULL: of another */
	char name[SA_NAME_MAX];
	struct sa_view in_view, out_view;
	struct datapath_steer *steer; /* the device's rule for the inbound one; NULL: none */
	uint64_t learnt_ns;           /* when path_mtu was */
	uint32_t told[2];             /* by direction, of a manual SA: flags that the log has had */
};

struct sa_registry {
	struct ipsec *ips;
	struct datapath *dp;
	TAILQ_HEAD(, sa_pair) pairs;
	LIST_HEAD(, sa_pair) buckets[SA_REGISTRY_BUCKETS], out_buckets[SA_REGISTRY_BUCKETS];
	struct path_mtus mtus; /* by path, outliving its pairs */
	uint16_t mtu_floor;    /* below it no MTU is believed */
	uint64_t mtu_hold_ns;  /* how long one is */
	size_t count;
	uint32_t news_seen;       /* sa_flag_news of the sweep before */
	struct sa_place *tunnels; /* owned; index: tunnel slot */
	size_t slot_count;
	LIST_HEAD(, sa_place) places[SA_REGISTRY_BUCKETS]; /* by prefix */
};

/* Our SPIs count up in their low bits (slot), those of peers are random or few. */
static inline uint32_t sa_bucket_of(uint32_t spi)
{
	return spi % SA_REGISTRY_BUCKETS;
}

/* Facts for the engine, collected by a sweep and told after it: telling changes the registry. */
struct sa_facts {
	struct ike_command *items; /* owned */
	size_t count, capacity;
};

struct sa_owner {
	int32_t tunnel, child;       /* -1: a manual SA */
	const struct identity *peer; /* of a tunnel that serves many, borrowed; NULL: the tunnel is its alone */
};

/* 0 or -ENOMEM; r can be ended either way. */
int sa_registry_init(struct sa_registry *r, struct ipsec *ips, struct datapath *dp, size_t slot_count);
/* Frees the book-keeping and outbound SAs never published; workers have ended. The tables free the rest. */
void sa_registry_done(struct sa_registry *r);

/* Builds both SAs, publishes the inbound one and, with switch_now, the outbound one. Borrows the specs. 0, or -errno
 * (-EHOSTUNREACH: no route to the peer) with a static text; nothing is installed then. The one place where SAs are
 * born, whoever negotiated them. */
int sa_pair_install(struct sa_registry *r, const struct sa_owner *owner, const struct sa_spec *in,
	const struct sa_spec *out, bool switch_now, const char **ret_reason);
struct sa_pair *sa_pair_lookup(const struct sa_registry *r, uint32_t spi_in);
/* The newest pair whose outbound SA is published in a slot, or NULL. */
struct sa_pair *sa_pair_of_slot(const struct sa_registry *r, uint32_t tunnel_slot);
/* Routes have changed: the path of every pair is made anew. One without a route keeps the old path. */
void sa_registry_repath(struct sa_registry *r);
/* Sends on the pair's outbound SA from now on; others of its slot that are for the same traffic are no longer used. 0
 * or -EINVAL. */
int sa_pair_switch(struct sa_registry *r, struct sa_pair *pair);
/* New outer addresses under traffic. 0, -EHOSTUNREACH. */
int sa_pair_update(struct sa_registry *r, struct sa_pair *pair, const struct path_spec *path);
void sa_pair_retire(struct sa_registry *r, struct sa_pair *pair);

/* sa_place.c: where the pair's outbound SA may be published: with remote NULL the tunnel's own slot, else a slot for
 * each prefix of these addresses. 0, -ENOSPC, -E2BIG (too many prefixes), -ENOMEM, -EINVAL; to be released either way.
 */
int sa_places_take(struct sa_registry *r, struct sa_pair *pair, const struct selector_list *remote);
/* sa_place.c: publishes it there; what was for the same traffic is so no more. 0 or -EINVAL. */
int sa_places_publish(struct sa_registry *r, struct sa_pair *pair);
/* sa_place.c: it is published nowhere any more; prefixes that no other pair has go. */
void sa_places_release(struct sa_registry *r, struct sa_pair *pair);

/* sa_path.c: a new path as datapath_path_create makes it, with what has been learnt of its MTU; *pair is told. 0,
 * -EHOSTUNREACH. */
int sa_path_build(struct sa_registry *r, struct sa_pair *pair, const struct path_spec *spec, uint64_t now_ns,
	struct path **ret_path);
/* sa_path.c: the pair whose outbound SA a quoted packet is of: SPI, protocol, encapsulation and addresses are those it
 * is sent with now. NULL: none. */
struct sa_pair *sa_pair_quoted(const struct sa_registry *r, const struct datapath_event *e);
/* sa_path.c: somebody says that a packet was too big. DROP_NONE: the pair's path has that MTU from now on, and
 * so have all others on that path, until mtu_hold_ns are over. */
enum drop_reason sa_path_mtu_lower(
	struct sa_registry *r, const struct datapath_event *e, uint64_t now_ns, struct sa_pair **ret_pair);
/* sa_path.c: when the time is over, the MTU of the link is tried again (RFC 1191 6.3). */
void sa_path_mtu_raise(struct sa_registry *r, struct sa_pair *pair, uint64_t now_ns);

/* Reads flags and counters of one pair: adds facts and acknowledges the flags they carry. */
void sa_pair_check(struct sa_pair *pair, struct sa_facts *facts);
/* Every pair, after its time lifetimes were looked at. */
void sa_registry_sweep(struct sa_registry *r, uint64_t now_ns, struct sa_facts *facts);
void sa_facts_done(struct sa_facts *facts);
