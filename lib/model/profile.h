/* SPDX-License-Identifier: BSD-3-Clause */
/* Tunnel profiles: what an operator wants of one peer. Configuration fills them, the IKE engine reads them. Times are
 * in nanoseconds. */
#pragma once

#include "addr.h"
#include "identity.h"
#include "proposal.h"
#include "selector.h"
#include "spec.h"

#define PROFILE_NAME_MAX 64
#define CHILDREN_MAX     8 /* phase2 entries of a tunnel */

enum auth_method { AUTH_PSK }; /* certificates, EAP: rows to come */

enum start_action {
	START_RESPOND,  /* wait for the peer */
	START_INITIATE, /* at once, and again after a failure */
	START_TRAP,     /* when the first packet needs it */
};

enum dpd_action {
	DPD_AUTO,    /* as each child starts: START_INITIATE again at once, START_TRAP by the next packet */
	DPD_RESTART, /* at once, and again until it succeeds, however the child starts */
	DPD_CLEAR,   /* nothing, until the operator or the peer wants it */
	DPD_TRAP,    /* the next packet */
};

enum encap_wish {
	ENCAP_AUTO,   /* when NAT detection says so */
	ENCAP_ALWAYS, /* UDP always */
};

/* What becomes of an IKE SA when its peer comes with another one (RFC 7296 2.4). */
enum unique_id {
	UNIQUE_REPLACE, /* the new one stays */
	UNIQUE_KEEP,    /* the old one stays, unless the peer has lost it */
	UNIQUE_NEVER,   /* both stay */
};

#define ADDRESS_LIST_MAX 4

/* A few addresses of either family. */
struct address_list {
	uint8_t count;
	struct addr items[ADDRESS_LIST_MAX];
};

/* Addresses that are lent to peers, and what they are told with them (RFC 7296 3.15). */
struct address_pool {
	char name[PROFILE_NAME_MAX];
	struct selector_list addresses; /* ranges of either family */
	struct address_list dns;
	struct selector_list split_include; /* prefixes of ours that the peer is to send through the tunnel */
	uint64_t hold_ns;                   /* how long an address is kept for who gave it back, when others want it */
};

/* The addresses a tunnel of ours asks its peer for: bits of virtual_ip. */
enum virtual_ip { VIRTUAL_NONE = 0, VIRTUAL_IPV4 = 1, VIRTUAL_IPV6 = 2, VIRTUAL_BOTH = 3 };

/* One phase2 entry: a Child SA that may be. */
struct child_profile {
	char name[PROFILE_NAME_MAX];
	enum sa_mode mode;
	bool tunnel_fallback; /* transport mode: tunnel mode will do where the peer wants it */
	uint8_t protocol;     /* PROTOCOL_ESP or PROTOCOL_AH: of the proposals, looked at by the loader only */
	enum start_action start;
	struct proposal_list proposals; /* of one protocol */
	struct selector_list local, remote;
	uint64_t lifetime_ns;                      /* 0: none */
	uint64_t lifetime_bytes, lifetime_packets; /* of either direction; 0: none */
	uint64_t inactivity_ns; /* ends when nothing has passed it for so long, until a packet needs it again; 0: never
				 */
	uint32_t replay_window;
	uint16_t tfc_bytes;   /* as in struct sa_spec */
	uint32_t tunnel_slot; /* given by control when the configuration is applied; unique per child profile */
};

struct tunnel_profile {
	char name[PROFILE_NAME_MAX];
	struct addr local_addr;              /* ours */
	struct addr remote_addr;             /* ADDR_NONE: any peer (responder only) */
	struct identity local_id, remote_id; /* remote ID_NONE: any identity; or a pattern */
	enum unique_id unique_id;
	uint32_t peers_max; /* of a tunnel that serves many: so many at once; 0: any number */
	enum auth_method local_auth, remote_auth;
	struct proposal_list proposals; /* PROTOCOL_IKE */
	bool allow_weak;                /* proposals may have weak algorithms; looked at by the loader only */
	uint64_t lifetime_ns;           /* of the IKE SA; 0: none */
	uint64_t reauth_ns;             /* the peer has to prove its identity anew within this; 0: never */
	uint64_t dpd_interval_ns;       /* idle time before a liveness check; 0: off */
	uint64_t dpd_timeout_ns;        /* unanswered time before the peer is dead */
	enum dpd_action dpd_action;     /* what follows */
	bool fragmentation;             /* of large IKE messages (RFC 7383) */
	uint32_t fragment_bytes_ipv4, fragment_bytes_ipv6; /* IP packets of IKE fragments are at most so large */
	enum encap_wish encap;
	bool mobike;       /* the IKE SA and its Child SAs may move to other addresses (RFC 4555) */
	bool mobike_check; /* a new address of the peer is asked before traffic goes there (RFC 4555 3.7) */
	bool nat_refused;  /* no NAT may be on the way (RFC 4555 3.9) */
	struct address_list local_more, remote_more; /* further addresses of ours and of the peer, best first */
	struct selector_list move_to; /* where the peer may move; empty: anywhere. Ports and protocols do not count */
	bool one_selector; /* a Child SA carries one local and one remote selector: more of them are more Child SAs */
	bool close_idle;   /* the IKE SA ends with its last Child SA, when inactivity ends that */
	enum virtual_ip virtual_ip; /* we ask for these */
	const struct address_pool
		*pool;             /* the peer gets an address of it; borrowed from the configuration; NULL: none */
	struct header_rules outer; /* of every Child SA; control puts them into the paths */
	uint8_t child_count;
	struct child_profile children[CHILDREN_MAX];
};

/* Each identity that comes has an IKE SA and Child SAs of its own under this one entry. */
static inline bool profile_serves_many(const struct tunnel_profile *p)
{
	return p->remote_addr.family == ADDR_NONE &&
	       (p->remote_id.type == ID_NONE || identity_is_pattern(&p->remote_id));
}
