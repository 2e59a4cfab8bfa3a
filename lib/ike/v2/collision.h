/* SPDX-License-Identifier: BSD-3-Clause */
/* When both sides want something of the same SAs at once (RFC 7296 2.8.1, 2.8.2, 2.25): what a request is answered.
 * Values in, values out. */
#pragma once

#include "base.h"

/* What the peer asks for. */
enum peer_asks {
	ASKS_CREATE_CHILD,
	ASKS_REKEY_CHILD,
	ASKS_DELETE_CHILD,
	ASKS_REKEY_IKE,
	ASKS_DELETE_IKE,
	PEER_ASKS,
};

/* What we are about with the IKE SA. */
enum ike_doing {
	IKE_IDLE,
	IKE_BUSY,     /* our request to create, rekey or delete one of its Child SAs is out */
	IKE_REKEYING, /* our request to rekey it is out */
	IKE_REKEYED,  /* it has a successor: its Delete is what is left */
	IKE_CLOSING,  /* our Delete is out, or about to be */
	IKE_DOINGS,
};

/* And with the Child SA that the request names. */
enum child_doing {
	CHILD_UNKNOWN, /* there is none, or not any more */
	CHILD_IDLE,
	CHILD_REKEYING, /* our request to rekey it is out */
	CHILD_REKEYED,  /* the peer has rekeyed it already: its Delete is what is left */
	CHILD_DELETING, /* our Delete is out, or about to be */
	CHILD_DOINGS,
};

enum verdict {
	VERDICT_PROCEED,   /* answer as usual */
	VERDICT_RACE,      /* answer as usual; nonces say which of the two results stays */
	VERDICT_FORGET,    /* answer as usual and forget our own request */
	VERDICT_LATER,     /* TEMPORARY_FAILURE */
	VERDICT_NOT_FOUND, /* CHILD_SA_NOT_FOUND */
	VERDICT_SILENT,    /* answer without a Delete for it */
};

/* `child` is not looked at when the request is not about a Child SA. */
enum verdict collision_judge(enum peer_asks asks, enum ike_doing ike, enum child_doing child);

/* The lower of two nonces: octet by octet, and a shorter one that ends is lower (RFC 7296 2.8.1). */
struct bytes nonce_lower(struct bytes a, struct bytes b);
/* Of two exchanges, each known by the lower of its nonces: true when the first one's result stays. */
bool collision_first_stays(struct bytes first, struct bytes second);
