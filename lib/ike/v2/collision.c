/* SPDX-License-Identifier: BSD-3-Clause */
/* Collisions as one table. Pure. */
#include "collision.h"

/* RFC 7296 2.25.1. What is about a Child SA of an IKE SA that is being rekeyed, or has been, waits; but a Delete is
 * answered always. */
static const uint8_t about_children[CHILD_DOINGS][2] = {
	/* asked to: rekey it, delete it */
	[CHILD_UNKNOWN] = { VERDICT_NOT_FOUND, VERDICT_SILENT },
	[CHILD_IDLE] = { VERDICT_PROCEED, VERDICT_PROCEED },
	[CHILD_REKEYING] = { VERDICT_RACE, VERDICT_PROCEED },
	/* the RFC says nothing: a peer that keeps to it asks so when its Delete was overtaken */
	[CHILD_REKEYED] = { VERDICT_LATER, VERDICT_PROCEED },
	[CHILD_DELETING] = { VERDICT_LATER, VERDICT_SILENT },
};

/* RFC 7296 2.25.2 */
static const uint8_t about_ike[IKE_DOINGS][3] = {
	/* asked to: create a Child SA, rekey the IKE SA, delete it */
	[IKE_IDLE] = { VERDICT_PROCEED, VERDICT_PROCEED, VERDICT_PROCEED },
	[IKE_BUSY] = { VERDICT_PROCEED, VERDICT_LATER, VERDICT_PROCEED },
	[IKE_REKEYING] = { VERDICT_LATER, VERDICT_RACE, VERDICT_FORGET },
	[IKE_REKEYED] = { VERDICT_LATER, VERDICT_LATER, VERDICT_PROCEED },
	[IKE_CLOSING] = { VERDICT_LATER, VERDICT_LATER, VERDICT_FORGET },
};

enum verdict collision_judge(enum peer_asks asks, enum ike_doing ike, enum child_doing child)
{
	switch (asks) {
	case ASKS_CREATE_CHILD: return (enum verdict)about_ike[ike][0];
	case ASKS_REKEY_IKE: return (enum verdict)about_ike[ike][1];
	case ASKS_DELETE_IKE: return (enum verdict)about_ike[ike][2];
	case ASKS_REKEY_CHILD: return ike > IKE_BUSY ? VERDICT_LATER : (enum verdict)about_children[child][0];
	case ASKS_DELETE_CHILD:
	default: return (enum verdict)about_children[child][1];
	}
}

static bool lower(struct bytes a, struct bytes b)
{
	size_t common = a.len < b.len ? a.len : b.len;
	int order = common ? memcmp(a.data, b.data, common) : 0;

	return order ? order < 0 : a.len < b.len;
}

struct bytes nonce_lower(struct bytes a, struct bytes b)
{
	return lower(b, a) ? b : a;
}

bool collision_first_stays(struct bytes first, struct bytes second)
{
	return lower(second, first);
}
