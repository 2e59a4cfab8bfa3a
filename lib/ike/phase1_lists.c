/* SPDX-License-Identifier: BSD-3-Clause */
/* The different phase1.proposals of all tunnels. Tunnels can be many and mostly have few different ones: an offer,
 * which anybody may send and which may be long, is held against each of these but once. */
#include "ike_priv.h"

#include <errno.h>
#include <stdlib.h>

static uint64_t list_hash(const struct proposal_list *list)
{
	uint64_t hash = list->count;

	for (int i = 0; i < list->count; i++) {
		const struct proposal *p = &list->items[i];
		hash = hash_u64(hash + p->protocol);
		for (int j = 0; j < p->count; j++) {
			const struct transform *t = &p->transforms[j];
			hash = hash_u64(hash + ((uint64_t)t->type << 32 | (uint64_t)t->id << 16 | t->key_bits));
		}
	}
	return hash;
}

static struct phase1_list *lookup(const struct table *lists, const struct proposal_list *proposals, uint64_t hash)
{
	for (struct link *l = table_first(lists, hash); l; l = table_next(l)) {
		struct phase1_list *list = CONTAINER_OF(l, struct phase1_list, by_hash);
		if (proposal_list_equal(list->proposals, proposals))
			return list;
	}
	return NULL;
}

int phase1_lists_init(struct ike_engine *e)
{
	struct table lists = { 0 };
	struct phase1_list *free_list = calloc(e->tunnel_count + 1, sizeof(*free_list));

	e->phase1_lists = free_list;
	if (!free_list || table_init(&lists, e->tunnel_count))
		return -ENOMEM;
	for (size_t i = 0; i < e->tunnel_count; i++) {
		struct tunnel *t = &e->tunnels[i];
		uint64_t hash = list_hash(&t->profile->proposals);
		t->phase1 = lookup(&lists, &t->profile->proposals, hash);
		if (!t->phase1) {
			t->phase1 = free_list++;
			t->phase1->proposals = &t->profile->proposals;
			table_insert(&lists, &t->phase1->by_hash, hash);
		}
		if (addr_is_any(&t->profile->remote_addr) && !t->phase1->for_any) {
			t->phase1->for_any = true;
			e->lists_for_any++;
		}
	}
	table_done(&lists);
	return 0;
}

void phase1_lists_done(struct ike_engine *e)
{
	free(e->phase1_lists);
}
