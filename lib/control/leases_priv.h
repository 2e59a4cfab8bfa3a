/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses of pools lent to the identities of peers (RFC 7296 3.15). An identity gets the address it had before, also
 * after a restart: what was lent is written to a file. Knows neither IKE nor the packet path. Control thread only. */
#pragma once

#include "conf.h"

struct leases;

/* pools: borrowed. path: of the file, which is read now and written whenever an identity gets another address; NULL:
 * nothing is kept. What is in it counts as given back now. *ret_reason says what was wrong with it: then the leases are
 * those that could be read. NULL without memory. */
struct leases *leases_create(const struct address_pool *pools, size_t pool_count, const char *path, uint64_t now_ns,
	const char **ret_reason);
void leases_free(struct leases *l); /* accepts NULL */

/* Lends the identity its address of this family: the one it has or had, else the wanted one (ADDR_NONE: any) where that
 * is free, else one that nobody ever had, else the one that is given back longest, hold_ns at least. The same identity
 * may take it again; it is given back as often as it was taken. 0; -ENOENT: the pool has none of the family; -ENOSPC:
 * all are taken; -ENOMEM. */
int leases_take(struct leases *l, const struct address_pool *pool, uint8_t family, const struct identity *id,
	const struct addr *wanted, uint64_t now_ns, struct addr *ret_addr);
void leases_give_back(struct leases *l, const struct address_pool *pool, const struct addr *addr, uint64_t now_ns);

struct lease_view {
	const struct address_pool *pool;
	struct addr addr;
	struct identity id;
	uint32_t taken;    /* how often; 0: remembered for its identity */
	uint64_t since_ns; /* taken or given back */
};

/* All, in no order. */
void leases_visit(const struct leases *l, void (*visit)(void *context, const struct lease_view *view), void *context);
/* The pool of this number. */
const struct address_pool *leases_pool(const struct leases *l, size_t i);
/* Whether somebody has this address now, of any pool. */
bool leases_lent(const struct leases *l, const struct addr *addr);
/* Addresses of a pool in this family, and how many of them are taken; at most UINT64_MAX. */
uint64_t leases_pool_size(const struct address_pool *pool, uint8_t family);
uint32_t leases_taken(const struct leases *l, const struct address_pool *pool, uint8_t family);
