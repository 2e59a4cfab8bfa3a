/* SPDX-License-Identifier: BSD-3-Clause */
/* show leases: who has which address of a pool, and how full the pools are, as JSON. */
#include "control_priv.h"

#include <stdio.h>

struct listing {
	const struct control *c;
	json_t *list;
};

static void append_lease(void *context, const struct lease_view *v)
{
	const struct listing *l = context;
	uint64_t seconds = v->since_ns ? (l->c->now_ns - v->since_ns) / 1000000000u : 0;
	char addr[ADDR_TEXT_MAX], id[IDENTITY_TEXT_MAX];

	json_array_append_new(
		l->list, json_pack("{s:s,s:s,s:o,s:s,s:I}", "pool", v->pool->name, "address",
				 addr_format(&v->addr, addr), "identity", json_text(identity_format(&v->id, id)),
				 "state", v->taken ? "lent" : "remembered", "seconds", (json_int_t)seconds));
}

/* A /64 has more addresses than JSON has integers. */
static json_t *size_json(uint64_t size)
{
	return json_integer(size > INT64_MAX ? INT64_MAX : (json_int_t)size);
}

static void append_pool(json_t *list, const struct control *c, const struct address_pool *p, uint8_t family)
{
	uint64_t size = leases_pool_size(p, family);

	if (size)
		json_array_append_new(list,
			json_pack("{s:s,s:s,s:o,s:I}", "name", p->name, "family", family == ADDR_IPV4 ? "ipv4" : "ipv6",
				"addresses", size_json(size), "lent", (json_int_t)leases_taken(c->leases, p, family)));
}

json_t *show_leases(struct command_call *call)
{
	struct listing l = { call->control, json_array() };
	json_t *pools = json_array();

	leases_visit(l.c->leases, append_lease, &l);
	for (size_t i = 0; i < l.c->config->pool_count; i++) {
		const struct address_pool *p = leases_pool(l.c->leases, i);
		append_pool(pools, l.c, p, ADDR_IPV4);
		append_pool(pools, l.c, p, ADDR_IPV6);
	}
	return json_pack("{s:o,s:o}", "pools", pools, "leases", l.list);
}
