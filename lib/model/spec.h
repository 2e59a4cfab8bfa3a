/* SPDX-License-Identifier: BSD-3-Clause */
/* The SA specification: everything the packet path needs to build one unidirectional SA, whoever made it (IKE or manual
 * keys). Plain data; the keys are wiped once the SA is built. */
#pragma once

#include "addr.h"
#include "proposal.h"
#include "secret.h"
#include "selector.h"

enum sa_direction { SA_IN, SA_OUT };

enum sa_mode { SA_MODE_TUNNEL, SA_MODE_TRANSPORT };

enum sa_encap {
	SA_ENCAP_NONE, /* raw ESP, protocol 50; an inbound SA of this kind still accepts UDP encapsulation when `natt`
			*/
	SA_ENCAP_UDP,  /* RFC 3948 */
};

/* The outer header's half: what MOBIKE, NAT or PMTU may change without touching the SA. */
struct path_spec {
	struct endpoint local, remote; /* ports are used with SA_ENCAP_UDP only */
	enum sa_encap encap;
	uint16_t table_id; /* 0: the only routing table today */
};

/* 0 means no limit. */
struct sa_lifetime {
	uint64_t soft_bytes, hard_bytes;
	uint64_t soft_packets, hard_packets;
};

#define SA_NAME_MAX 64

struct sa_spec {
	char name[SA_NAME_MAX]; /* child or manual SA, for texts */
	enum sa_direction direction;
	enum sa_mode mode;
	uint8_t protocol;        /* PROTOCOL_ESP */
	bool natt;               /* inbound: accept raw and UDP-encapsulated packets alike */
	uint32_t spi;            /* host order */
	const struct alg *encr;  /* borrowed rows of the algorithm table */
	const struct alg *integ; /* NULL with an AEAD */
	struct secret encr_key;  /* key, then salt; owned */
	struct secret integ_key; /* owned */
	bool esn;
	uint32_t replay_window;    /* packets; 0: no replay check */
	uint64_t initial_sequence; /* outbound: last sequence used; inbound: highest received */
	struct path_spec path;
	struct selector_list local, remote; /* of the gateway: local is ours, whichever the direction */
	struct sa_lifetime lifetime;
	uint32_t tunnel_slot; /* where the outbound SA is published; index of the policy's tunnel slot */
};

/* 0, or -EINVAL with a reason (static text) when the combination makes no sense: key lengths, algorithms, selectors. */
int sa_spec_check(const struct sa_spec *spec, const char **ret_reason);

/* Wipes and frees the keys; the rest is zeroed. */
void sa_spec_done(struct sa_spec *spec);
