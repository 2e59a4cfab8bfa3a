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

/* DF of an outer IPv4 header (RFC 4301 8.1). Copied from IPv6, which no router fragments, it is set. */
enum df_rule { DF_COPY, DF_SET, DF_CLEAR };

/* What becomes of packets without DF that are too large for the tunnel (RFC 4301 8.2.1): fragments through the SA one
 * by one, or the packet through the SA whole and its outer packet in fragments. */
enum fragment_rule { FRAGMENT_BEFORE, FRAGMENT_AFTER };

#define OUTER_TTL_DEFAULT 64

/* How the outer header of a tunnel is made from the inner one; all zero is the default. */
struct header_rules {
	bool dscp_set;        /* DSCP is `dscp`, else copied (RFC 4301 5.1.2.1) */
	uint8_t dscp;         /* 0-63 */
	bool ecn_clear;       /* RFC 6040 4.1 compatibility mode: Not-ECT outside; else normal mode, ECN copied */
	uint8_t df;           /* enum df_rule; outer IPv4 */
	uint8_t fragment;     /* enum fragment_rule */
	bool ttl_copy;        /* TTL or hop limit from the inner header */
	uint8_t ttl;          /* else this; 0: OUTER_TTL_DEFAULT */
	bool flow_label_copy; /* outer IPv6: from an inner IPv6 header, 0 for IPv4 */
	uint32_t flow_label;  /* else this; 20 bits */
};

/* True when nothing differs from the default, be it said or left out. */
bool header_rules_default(const struct header_rules *h);

/* The outer header's half: what MOBIKE, NAT or PMTU may change without touching the SA. */
struct path_spec {
	struct endpoint local, remote; /* ports are used with SA_ENCAP_UDP only */
	enum sa_encap encap;
	struct header_rules header; /* tunnel mode */
	uint16_t table_id;          /* 0: the only routing table today */
};

#define TFC_TO_MTU UINT16_MAX

/* 0 means no limit. Times count from the SA's birth. */
struct sa_lifetime {
	uint64_t soft_ns, hard_ns;
	uint64_t soft_bytes, hard_bytes;
	uint64_t soft_packets, hard_packets;
};

#define SA_NAME_MAX 64

struct sa_spec {
	char name[SA_NAME_MAX]; /* child or manual SA, for texts */
	enum sa_direction direction;
	enum sa_mode mode;
	uint8_t protocol;        /* PROTOCOL_ESP or PROTOCOL_AH */
	bool natt;               /* inbound: accept raw and UDP-encapsulated packets alike */
	uint32_t spi;            /* host order */
	const struct alg *encr;  /* borrowed rows of the algorithm table; NULL with AH */
	const struct alg *integ; /* NULL with an AEAD */
	struct secret encr_key;  /* key, then salt; owned */
	struct secret integ_key; /* key, with GMAC then salt; owned */
	bool esn;
	uint32_t replay_window;    /* packets; 0: no replay check */
	uint16_t tfc_bytes;        /* outbound ESP tunnel: inner packets are padded to this many bytes, or TFC_TO_MTU;
				    * 0: no traffic flow confidentiality padding (RFC 4303 2.7) */
	uint64_t initial_sequence; /* outbound: last sequence used; inbound: highest received */
	struct path_spec path;
	/* inbound ESP in transport mode behind a NAT: the hosts as the sender calls them, which the checksums of its
	 * payloads are about (RFC 3948 3.1.2); ADDR_NONE: as the path does */
	struct addr original_local, original_remote;
	struct selector_list local, remote; /* of the gateway: local is ours, whichever the direction */
	struct sa_lifetime lifetime;
	uint32_t tunnel_slot; /* where the outbound SA is published; index of the policy's tunnel slot */
};

/* 0, or -EINVAL with a reason (static text) when the combination makes no sense: key lengths, algorithms, selectors. */
int sa_spec_check(const struct sa_spec *spec, const char **ret_reason);

/* Wipes and frees the keys; the rest is zeroed. */
void sa_spec_done(struct sa_spec *spec);
