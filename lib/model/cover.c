/* SPDX-License-Identifier: BSD-3-Clause */
/* Traffic as boxes of five ranges (both addresses, the protocol, both ports): what is left of a box without others. */
#include "cover.h"

/* Behind the last port: no port at all (OPAQUE), which ANY includes (RFC 4301 4.4.1.1). */
#define NO_PORT 65536u

/* Boxes looked at before we give up: their number can grow with each box that is cut out. */
#define STEPS_MAX 100000u
/* Boxes cut out of one another, each a frame of the stack. */
#define DEPTH_MAX 500u

enum side { LOCAL, REMOTE, SIDES };

struct box {
	struct addr low[SIDES], high[SIDES];
	uint32_t port_low[SIDES], port_high[SIDES];
	uint32_t protocol_low, protocol_high;
};

/* The pairs of selectors of several rules, one after the other. */
struct cursor {
	const struct selector_sides *all;
	size_t count, at;
	int local, remote;
};

static void box_set_side(struct box *b, enum side side, const struct selector *s)
{
	bool any = s->port_low == 0 && s->port_high == UINT16_MAX, opaque = s->port_low > s->port_high;

	b->low[side] = s->low;
	b->high[side] = s->high;
	b->port_low[side] = opaque ? NO_PORT : s->port_low;
	b->port_high[side] = any || opaque ? NO_PORT : s->port_high;
}

/* False when no packet matches both selectors: a packet has one protocol and one family. */
static bool box_build(const struct selector *local, const struct selector *remote, struct box *ret_box)
{
	uint8_t protocol = local->protocol ? local->protocol : remote->protocol;

	if (local->low.family != remote->low.family || (remote->protocol && protocol != remote->protocol))
		return false;
	box_set_side(ret_box, LOCAL, local);
	box_set_side(ret_box, REMOTE, remote);
	ret_box->protocol_low = protocol;
	ret_box->protocol_high = protocol ? protocol : UINT8_MAX;
	return true;
}

static bool boxes_meet(const struct box *a, const struct box *b)
{
	if (a->protocol_low > b->protocol_high || b->protocol_low > a->protocol_high)
		return false;
	for (int i = 0; i < SIDES; i++)
		if (addr_compare(&a->low[i], &b->high[i]) > 0 || addr_compare(&b->low[i], &a->high[i]) > 0 ||
			a->port_low[i] > b->port_high[i] || b->port_low[i] > a->port_high[i])
			return false;
	return true;
}

/* The next pair that some packet matches; false at the end. */
static bool cursor_next(struct cursor *c, struct box *ret_box)
{
	while (c->at < c->count) {
		const struct selector_sides *s = &c->all[c->at];
		if (c->local == s->local->count) {
			c->at++;
			c->local = c->remote = 0;
		} else if (c->remote == s->remote->count) {
			c->local++;
			c->remote = 0;
		} else if (box_build(&s->local->items[c->local], &s->remote->items[c->remote++], ret_box)) {
			return true;
		}
	}
	return false;
}

/* Most parts that are left of a box when another is cut out: two of each range. */
#define PARTS_MAX 10

/* Each cut appends what of the rest lies outside of the range, and shrinks the rest to it. */
static size_t cut_protocol(struct box *rest, const struct box *cut, struct box *ret_parts)
{
	size_t n = 0;

	if (rest->protocol_low < cut->protocol_low) {
		ret_parts[n] = *rest;
		ret_parts[n++].protocol_high = cut->protocol_low - 1;
		rest->protocol_low = cut->protocol_low;
	}
	if (rest->protocol_high > cut->protocol_high) {
		ret_parts[n] = *rest;
		ret_parts[n++].protocol_low = cut->protocol_high + 1;
		rest->protocol_high = cut->protocol_high;
	}
	return n;
}

static size_t cut_ports(struct box *rest, const struct box *cut, enum side side, struct box *ret_parts)
{
	size_t n = 0;

	if (rest->port_low[side] < cut->port_low[side]) {
		ret_parts[n] = *rest;
		ret_parts[n++].port_high[side] = cut->port_low[side] - 1;
		rest->port_low[side] = cut->port_low[side];
	}
	if (rest->port_high[side] > cut->port_high[side]) {
		ret_parts[n] = *rest;
		ret_parts[n++].port_low[side] = cut->port_high[side] + 1;
		rest->port_high[side] = cut->port_high[side];
	}
	return n;
}

static size_t cut_addresses(struct box *rest, const struct box *cut, enum side side, struct box *ret_parts)
{
	size_t n = 0;

	if (addr_compare(&rest->low[side], &cut->low[side]) < 0) {
		ret_parts[n] = *rest;
		ret_parts[n++].high[side] = addr_beside(&cut->low[side], false);
		rest->low[side] = cut->low[side];
	}
	if (addr_compare(&rest->high[side], &cut->high[side]) > 0) {
		ret_parts[n] = *rest;
		ret_parts[n++].low[side] = addr_beside(&cut->high[side], true);
		rest->high[side] = cut->high[side];
	}
	return n;
}

/* What is left of a box without another that meets it, in parts that are apart. */
static size_t box_cut(const struct box *b, const struct box *cut, struct box *ret_parts)
{
	struct box rest = *b;
	size_t n = cut_protocol(&rest, cut, ret_parts);

	for (int i = 0; i < SIDES; i++) {
		n += cut_addresses(&rest, cut, i, ret_parts + n);
		n += cut_ports(&rest, cut, i, ret_parts + n);
	}
	return n;
}

/* The cursor is a value: each part goes on behind the last cut. */
static enum cover box_cover(const struct box *b, struct cursor outer, uint32_t depth, uint32_t *steps)
{
	struct box cut, parts[PARTS_MAX];

	do {
		if (!cursor_next(&outer, &cut))
			return COVER_PART;
		if (++*steps > STEPS_MAX || depth > DEPTH_MAX)
			return COVER_UNKNOWN;
	} while (!boxes_meet(b, &cut));
	size_t n = box_cut(b, &cut, parts);
	for (size_t i = 0; i < n; i++) {
		enum cover c = box_cover(&parts[i], outer, depth + 1, steps);
		if (c != COVER_WHOLE)
			return c;
	}
	return COVER_WHOLE;
}

enum cover selector_sides_cover(const struct selector_sides *outer, size_t count, const struct selector_sides *inner,
	struct selector *ret_local, struct selector *ret_remote)
{
	const struct cursor from = { .all = outer, .count = count };
	struct box b;
	uint32_t steps = 0;

	for (int i = 0; i < inner->local->count; i++)
		for (int k = 0; k < inner->remote->count; k++) {
			*ret_local = inner->local->items[i];
			*ret_remote = inner->remote->items[k];
			enum cover c = box_build(ret_local, ret_remote, &b) ? box_cover(&b, from, 0, &steps)
									    : COVER_WHOLE;
			if (c != COVER_WHOLE)
				return c;
		}
	return COVER_WHOLE;
}

bool selector_sides_meet(const struct selector_sides *a, const struct selector_sides *b)
{
	struct cursor each = { .all = a, .count = 1 };
	struct box x, y;

	while (cursor_next(&each, &x)) {
		struct cursor other = { .all = b, .count = 1 };
		while (cursor_next(&other, &y))
			if (boxes_meet(&x, &y))
				return true;
	}
	return false;
}
