/* SPDX-License-Identifier: BSD-3-Clause */
/* Leases in two trees of the C library, by address and by identity, and a queue of those given back. A pool may be as
 * wide as an IPv6 /64: addresses nobody ever had are found by counting up, not by looking at each. */
#include "leases_priv.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "lease_file_priv.h"

struct lease {
	const struct address_pool *pool;
	struct addr addr;
	struct identity id;
	uint32_t taken;
	uint64_t since_ns;
	TAILQ_ENTRY(lease) given_back; /* of its pool and family, oldest first; while taken is 0 */
};

TAILQ_HEAD(lease_queue, lease);

/* The addresses of one pool in one family. */
struct lease_range {
	struct lease_queue given_back;
	uint8_t selector; /* where the next fresh address is: in this range of the pool */
	struct addr next; /* ADDR_NONE: at its beginning */
	bool used_up;     /* there is no fresh address any more */
	uint32_t taken;
};

#define FAMILIES 2

struct leases {
	const struct address_pool *pools;
	size_t pool_count;
	struct lease_range *ranges; /* FAMILIES of each pool */
	void *by_addr, *by_id;      /* trees of struct lease */
	size_t count;
	const char *path;        /* NULL: nothing is kept */
	struct lease_file *file; /* NULL as well when it cannot be written */
	size_t lines;            /* of the file */
	uint64_t start_ns;
};

/* ---- keys ---- */

static int compare_pool(const struct lease *a, const struct lease *b)
{
	return (a->pool > b->pool) - (a->pool < b->pool);
}

static int compare_addr(const void *a, const void *b)
{
	const struct lease *x = a, *y = b;
	int order = compare_pool(x, y);

	return order ? order : addr_compare(&x->addr, &y->addr);
}

static int compare_id(const void *a, const void *b)
{
	const struct lease *x = a, *y = b;
	int order = compare_pool(x, y);

	if (!order)
		order = (int)x->addr.family - (int)y->addr.family;
	if (!order)
		order = (int)x->id.type - (int)y->id.type;
	if (!order)
		order = (int)x->id.len - (int)y->id.len;
	return order ? order : memcmp(x->id.data, y->id.data, x->id.len);
}

static struct lease *find(void *const *tree, const struct lease *key, int (*compare)(const void *, const void *))
{
	struct lease **found = tfind(key, tree, compare);

	return found ? *found : NULL;
}

static struct lease *find_addr(const struct leases *l, const struct address_pool *pool, const struct addr *addr)
{
	const struct lease key = { .pool = pool, .addr = *addr };

	return find(&l->by_addr, &key, compare_addr);
}

static struct lease *find_id(
	const struct leases *l, const struct address_pool *pool, uint8_t family, const struct identity *id)
{
	const struct lease key = { .pool = pool, .addr = { .family = family }, .id = *id };

	return find(&l->by_id, &key, compare_id);
}

static struct lease_range *range_of(const struct leases *l, const struct address_pool *pool, uint8_t family)
{
	return &l->ranges[(size_t)(pool - l->pools) * FAMILIES + (family == ADDR_IPV6)];
}

/* ---- fresh addresses ---- */

static struct addr addr_after(struct addr a)
{
	for (size_t i = addr_len(&a); i-- > 0 && !++a.bytes[i];)
		;
	return a;
}

static bool pool_holds(const struct address_pool *pool, const struct addr *a)
{
	for (int i = 0; i < pool->addresses.count; i++)
		if (selector_matches(&pool->addresses.items[i], a, 0, false, 0))
			return true;
	return false;
}

/* The next address of the ranges in their order; ADDR_NONE at the end. */
static struct addr range_step(struct lease_range *r, const struct address_pool *pool, uint8_t family)
{
	for (; r->selector < pool->addresses.count; r->selector++) {
		const struct selector *s = &pool->addresses.items[r->selector];
		if (s->low.family != family)
			continue;
		struct addr a = r->next.family == ADDR_NONE ? s->low : r->next;
		if (addr_compare(&a, &s->high) <= 0) {
			r->next = addr_equal(&a, &s->high) ? (struct addr){ 0 } : addr_after(a);
			r->selector += addr_equal(&a, &s->high);
			return a;
		}
	}
	r->used_up = true;
	return (struct addr){ 0 };
}

/* One that nobody has, had, or wanted before. */
static struct addr fresh_addr(struct leases *l, const struct address_pool *pool, uint8_t family)
{
	struct lease_range *r = range_of(l, pool, family);
	struct addr a = { 0 };

	while (!r->used_up) {
		a = range_step(r, pool, family);
		if (a.family != ADDR_NONE && !find_addr(l, pool, &a))
			break;
	}
	return a;
}

/* ---- leases ---- */

static struct lease *lease_insert(
	struct leases *l, const struct address_pool *pool, const struct addr *addr, const struct identity *id)
{
	struct lease *lease = calloc(1, sizeof(*lease));

	if (!lease)
		return NULL;
	*lease = (struct lease){ .pool = pool, .addr = *addr, .id = *id };
	if (!tsearch(lease, &l->by_addr, compare_addr)) {
		free(lease);
		return NULL;
	}
	if (!tsearch(lease, &l->by_id, compare_id)) {
		tdelete(lease, &l->by_addr, compare_addr);
		free(lease);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&range_of(l, pool, addr->family)->given_back, lease, given_back);
	l->count++;
	return lease;
}

static void lease_remove(struct leases *l, struct lease *lease)
{
	TAILQ_REMOVE(&range_of(l, lease->pool, lease->addr.family)->given_back, lease, given_back);
	tdelete(lease, &l->by_addr, compare_addr);
	tdelete(lease, &l->by_id, compare_id);
	free(lease);
	l->count--;
}

/* ---- the file ---- */

/* Lines that were overtaken by later ones are let be until they are most of the file. */
#define LINES_OVERTAKEN_MAX 4096

static void write_one(const void *node, VISIT order, void *file)
{
	const struct lease *lease = *(struct lease *const *)node;

	if (order == postorder || order == leaf)
		lease_file_append(file, lease->pool->name, &lease->addr, &lease->id);
}

/* NULL, or why the file could not be written anew. */
static const char *write_all(struct leases *l)
{
	const char *reason;
	struct lease_file *fresh = lease_file_create(l->path, &reason);

	if (!fresh)
		return reason;
	twalk_r(l->by_addr, write_one, fresh);
	reason = lease_file_replace(fresh);
	lease_file_free(reason ? fresh : l->file);
	if (!reason) {
		l->file = fresh;
		l->lines = l->count;
	}
	return reason;
}

static void write_lease(struct leases *l, const struct lease *lease)
{
	if (!l->file)
		return;
	lease_file_append(l->file, lease->pool->name, &lease->addr, &lease->id);
	if (++l->lines > 2 * l->count + LINES_OVERTAKEN_MAX)
		write_all(l);
}

/* ---- lending ---- */

/* The address of the identity that has been away longest, when it has been away long enough. */
static struct addr oldest_addr(struct leases *l, const struct address_pool *pool, uint8_t family, uint64_t now_ns)
{
	struct lease *oldest = TAILQ_FIRST(&range_of(l, pool, family)->given_back);

	if (!oldest || now_ns - oldest->since_ns < pool->hold_ns)
		return (struct addr){ 0 };
	struct addr a = oldest->addr;
	lease_remove(l, oldest);
	return a;
}

static int lease_new(struct leases *l, const struct address_pool *pool, uint8_t family, const struct identity *id,
	const struct addr *wanted, uint64_t now_ns, struct lease **ret_lease)
{
	struct addr a = *wanted;

	if (a.family != family || !pool_holds(pool, &a) || find_addr(l, pool, &a))
		a = fresh_addr(l, pool, family);
	if (a.family == ADDR_NONE)
		a = oldest_addr(l, pool, family, now_ns);
	if (a.family == ADDR_NONE)
		return -ENOSPC;
	*ret_lease = lease_insert(l, pool, &a, id);
	if (!*ret_lease)
		return -ENOMEM;
	write_lease(l, *ret_lease);
	return 0;
}

int leases_take(struct leases *l, const struct address_pool *pool, uint8_t family, const struct identity *id,
	const struct addr *wanted, uint64_t now_ns, struct addr *ret_addr)
{
	struct lease_range *r = range_of(l, pool, family);
	struct lease *lease = find_id(l, pool, family, id);
	int err = 0;

	if (!leases_pool_size(pool, family))
		return -ENOENT;
	if (!lease)
		err = lease_new(l, pool, family, id, wanted, now_ns, &lease);
	if (err)
		return err;
	if (!lease->taken) {
		TAILQ_REMOVE(&r->given_back, lease, given_back);
		lease->since_ns = now_ns;
		r->taken++;
	}
	lease->taken++;
	*ret_addr = lease->addr;
	return 0;
}

void leases_give_back(struct leases *l, const struct address_pool *pool, const struct addr *addr, uint64_t now_ns)
{
	struct lease_range *r = range_of(l, pool, addr->family);
	struct lease *lease = find_addr(l, pool, addr);

	if (!lease || !lease->taken || --lease->taken)
		return;
	lease->since_ns = now_ns;
	r->taken--;
	TAILQ_INSERT_TAIL(&r->given_back, lease, given_back);
}

/* ---- the start ---- */

static const struct address_pool *pool_lookup(const struct leases *l, const char *name)
{
	for (size_t i = 0; i < l->pool_count; i++)
		if (!strcmp(l->pools[i].name, name))
			return &l->pools[i];
	return NULL;
}

/* One line of the file; later lines hold. What no pool has any more is forgotten. */
static int remember(void *context, const char *pool_name, const struct addr *addr, const struct identity *id)
{
	struct leases *l = context;
	const struct address_pool *pool = pool_lookup(l, pool_name);

	if (!pool || !pool_holds(pool, addr))
		return 0;
	struct lease *same_addr = find_addr(l, pool, addr);
	if (same_addr)
		lease_remove(l, same_addr);
	struct lease *same_id = find_id(l, pool, addr->family, id);
	if (same_id)
		lease_remove(l, same_id);
	struct lease *lease = lease_insert(l, pool, addr, id);
	if (lease)
		lease->since_ns = l->start_ns;
	return lease ? 0 : -ENOMEM;
}

/* Reads what was lent before, and writes it anew without what was overtaken. */
static const char *open_file(struct leases *l, const char *path)
{
	const char *reason = lease_file_read(path, remember, l);

	if (reason)
		return reason;
	l->path = path;
	return write_all(l);
}

struct leases *leases_create(
	const struct address_pool *pools, size_t pool_count, const char *path, uint64_t now_ns, const char **ret_reason)
{
	struct leases *l = calloc(1, sizeof(*l));

	*ret_reason = NULL;
	if (!l)
		return NULL;
	l->pools = pools;
	l->pool_count = pool_count;
	l->start_ns = now_ns;
	l->ranges = calloc(pool_count * FAMILIES + 1, sizeof(*l->ranges));
	if (!l->ranges) {
		free(l);
		return NULL;
	}
	for (size_t i = 0; i < pool_count * FAMILIES; i++)
		TAILQ_INIT(&l->ranges[i].given_back);
	if (path)
		*ret_reason = open_file(l, path);
	return l;
}

static void free_nothing(void *lease)
{
	(void)lease;
}

void leases_free(struct leases *l)
{
	if (!l)
		return;
	tdestroy(l->by_id, free_nothing);
	tdestroy(l->by_addr, free);
	lease_file_free(l->file);
	free(l->ranges);
	free(l);
}

/* ---- views ---- */

struct visitor {
	void (*visit)(void *context, const struct lease_view *view);
	void *context;
};

static void visit_one(const void *node, VISIT order, void *context)
{
	const struct lease *lease = *(struct lease *const *)node;
	const struct visitor *v = context;
	const struct lease_view view = { lease->pool, lease->addr, lease->id, lease->taken, lease->since_ns };

	if (order == postorder || order == leaf)
		v->visit(v->context, &view);
}

void leases_visit(const struct leases *l, void (*visit)(void *context, const struct lease_view *view), void *context)
{
	struct visitor v = { visit, context };

	twalk_r(l->by_addr, visit_one, &v);
}

/* high - low + 1, at most UINT64_MAX. */
static uint64_t range_size(const struct selector *s)
{
	uint64_t low, high;

	if (s->low.family == ADDR_IPV4)
		return (uint64_t)addr_ipv4(&s->high) - addr_ipv4(&s->low) + 1;
	if (load_be64(s->low.bytes) != load_be64(s->high.bytes))
		return UINT64_MAX;
	low = load_be64(s->low.bytes + 8);
	high = load_be64(s->high.bytes + 8);
	return high - low == UINT64_MAX ? UINT64_MAX : high - low + 1;
}

uint64_t leases_pool_size(const struct address_pool *pool, uint8_t family)
{
	uint64_t sum = 0;

	for (int i = 0; i < pool->addresses.count; i++) {
		const struct selector *s = &pool->addresses.items[i];
		uint64_t n = s->low.family == family ? range_size(s) : 0;
		sum = n > UINT64_MAX - sum ? UINT64_MAX : sum + n;
	}
	return sum;
}

const struct address_pool *leases_pool(const struct leases *l, size_t i)
{
	return &l->pools[i];
}

bool leases_lent(const struct leases *l, const struct addr *addr)
{
	const struct lease *lease;

	for (size_t i = 0; i < l->pool_count; i++)
		if ((lease = find_addr(l, &l->pools[i], addr)))
			return lease->taken;
	return false;
}

uint32_t leases_taken(const struct leases *l, const struct address_pool *pool, uint8_t family)
{
	return range_of(l, pool, family)->taken;
}
