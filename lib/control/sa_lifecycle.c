/* SPDX-License-Identifier: BSD-3-Clause */
/* Birth, life and death of installed SA pairs as control sees them. Nothing here knows IKE messages. */
#include "sa_lifecycle_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop_priv.h"

int sa_registry_init(struct sa_registry *r, struct ipsec *ips, struct datapath *dp, size_t slot_count)
{
	*r = (struct sa_registry){ .ips = ips,
		.dp = dp,
		.slot_count = slot_count,
		.mtu_floor = PATH_MTU_FLOOR,
		.mtu_hold_ns = PATH_MTU_HOLD_NS };
	TAILQ_INIT(&r->pairs);
	r->tunnels = calloc(slot_count + 1, sizeof(*r->tunnels));
	for (uint32_t i = 0; r->tunnels && i < slot_count; i++)
		r->tunnels[i].tunnel_slot = r->tunnels[i].slot = i;
	return r->tunnels ? 0 : -ENOMEM;
}

void sa_registry_done(struct sa_registry *r)
{
	struct sa_pair *pair;

	while ((pair = TAILQ_FIRST(&r->pairs))) {
		TAILQ_REMOVE(&r->pairs, pair, all);
		datapath_steer_free(r->dp, pair->steer);
		sa_places_release(r, pair);
		sa_free(pair->out);
		free(pair->peer);
		free(pair);
	}
	r->count = 0;
	path_mtus_done(&r->mtus);
	free(r->tunnels);
	r->tunnels = NULL;
}

struct sa_pair *sa_pair_lookup(const struct sa_registry *r, uint32_t spi_in)
{
	struct sa_pair *pair;

	LIST_FOREACH (pair, &r->buckets[sa_bucket_of(spi_in)], bucket) {
		if (pair->in_view.spi == spi_in)
			return pair;
	}
	return NULL;
}

static void weak_fill(const struct sa_spec *spec, bool manual, struct sa_view *ret_view)
{
	const struct suite suite = { .encr = spec->encr, .integ = spec->integ };
	bool counts = (spec->encr && (spec->encr->flags & ALG_COUNTER)) ||
		      (spec->integ && (spec->integ->flags & ALG_COUNTER));
	char text[sizeof(ret_view->weak)];

	suite_weakness(&suite, text, sizeof(text));
	snprintf(ret_view->weak, sizeof(ret_view->weak), "%s%.180s",
		!(manual && counts) ? ""
		: text[0]           ? "manual keys repeat nonces after a restart; "
				    : "manual keys repeat nonces after a restart",
		text);
}

/* Keys are not among what is kept. */
static void view_fill(const struct sa_spec *spec, bool manual, struct sa_view *ret_view)
{
	ret_view->spi = spec->spi;
	ret_view->protocol = spec->protocol;
	ret_view->mode = (uint8_t)spec->mode;
	ret_view->esn = spec->esn;
	ret_view->tfc_bytes = spec->tfc_bytes;
	ret_view->replay_window = spec->replay_window;
	ret_view->lifetime = spec->lifetime;
	ret_view->path = spec->path;
	snprintf(ret_view->suite, sizeof(ret_view->suite), "%s%s%s", spec->encr ? spec->encr->name : "",
		spec->encr && spec->integ ? "/" : "", spec->integ ? spec->integ->name : "");
	weak_fill(spec, manual, ret_view);
}

static struct sa_pair *pair_create(const struct sa_owner *owner, const struct sa_spec *in, const struct sa_spec *out)
{
	struct sa_pair *pair = calloc(1, sizeof(*pair));
	char peer[IDENTITY_TEXT_MAX];

	if (!pair)
		return NULL;
	pair->tunnel = owner->tunnel;
	pair->child = owner->child;
	pair->tunnel_slot = out->tunnel_slot;
	pair->flags_untold = true;
	snprintf(pair->name, sizeof(pair->name), "%s", out->name);
	if (owner->peer && !(pair->peer = strdup(identity_format(owner->peer, peer)))) {
		free(pair);
		return NULL;
	}
	view_fill(in, owner->tunnel < 0, &pair->in_view);
	view_fill(out, owner->tunnel < 0, &pair->out_view);
	return pair;
}

static void pair_age(struct sa_pair *pair, uint64_t now_ns)
{
	uint64_t in_ns = sa_age(pair->in, now_ns), out_ns = sa_age(pair->out, now_ns);

	pair->age_ns = in_ns < out_ns ? in_ns : out_ns;
}

static struct datapath_steer *steer_in(struct sa_registry *r, const struct sa_spec *in)
{
	const struct datapath_steer_spec s = { .spi = in->spi,
		.ah = in->protocol == PROTOCOL_AH,
		.udp = in->path.encap == SA_ENCAP_UDP,
		.remote = in->path.remote.addr,
		.table_id = in->path.table_id };

	return datapath_steer_create(r->dp, &s);
}

/* First the path: without a route nothing has to be undone. */
static int build_out(struct sa_registry *r, struct sa_pair *pair, const struct sa_spec *spec, const char **ret_reason)
{
	struct path *path = NULL;
	int rc = sa_path_build(r, pair, &spec->path, loop_now_ns(), &path);

	if (rc) {
		*ret_reason = rc == -EHOSTUNREACH ? "no route to the peer" : "no path to the peer";
		return rc;
	}
	pair->out = sa_create(r->ips, spec, path, ret_reason);
	return pair->out ? 0 : -EINVAL;
}

static int take_places(struct sa_registry *r, struct sa_pair *pair, const struct sa_spec *out, const char **ret_reason)
{
	int rc = sa_places_take(r, pair, pair->peer ? &out->remote : NULL);

	if (rc)
		*ret_reason = rc == -EINVAL   ? "no such tunnel slot"
			      : rc == -E2BIG  ? "its remote addresses are too many prefixes"
			      : rc == -ENOSPC ? "no room for the addresses of another peer"
					      : "no memory";
	return rc;
}

/* From here on the peer's packets are accepted. */
static int build_in(struct sa_registry *r, const struct sa_spec *spec, struct sa **ret_sa, const char **ret_reason)
{
	struct sa *sa = sa_create(r->ips, spec, NULL, ret_reason);
	int rc;

	if (!sa)
		return -EINVAL;
	rc = sad_insert(r->ips, sa);
	if (rc) {
		*ret_reason = rc == -EEXIST ? "inbound SPI is in use" : "no room for another inbound SA";
		sa_free(sa);
		return rc;
	}
	*ret_sa = sa;
	return 0;
}

int sa_pair_install(struct sa_registry *r, const struct sa_owner *owner, const struct sa_spec *in,
	const struct sa_spec *out, bool switch_now, const char **ret_reason)
{
	struct sa_pair *pair = pair_create(owner, in, out);
	int rc;

	*ret_reason = "no memory";
	if (!pair)
		return -ENOMEM;
	rc = take_places(r, pair, out, ret_reason);
	if (!rc)
		rc = build_out(r, pair, out, ret_reason);
	if (!rc)
		rc = build_in(r, in, &pair->in, ret_reason);
	if (rc) {
		sa_places_release(r, pair);
		sa_free(pair->out);
		free(pair->peer);
		free(pair);
		return rc;
	}
	pair->steer = steer_in(r, in);
	pair_age(pair, loop_now_ns());
	TAILQ_INSERT_TAIL(&r->pairs, pair, all);
	LIST_INSERT_HEAD(&r->buckets[sa_bucket_of(in->spi)], pair, bucket);
	LIST_INSERT_HEAD(&r->out_buckets[sa_bucket_of(out->spi)], pair, out_bucket);
	r->count++;
	if (switch_now) {
		rc = sa_pair_switch(r, pair);
		if (rc) {
			*ret_reason = "no such tunnel slot";
			sa_pair_retire(r, pair);
		}
	}
	return rc;
}

/* Idempotent: SWITCH may follow an install that switched already (RFC 7296 2.8: first use decides). The pair before
 * keeps its outbound SA until it is retired: when both sides began at once, the engine may yet go back to it. Pairs for
 * other pieces of the policy stay in the slot. */
int sa_pair_switch(struct sa_registry *r, struct sa_pair *pair)
{
	return sa_places_publish(r, pair);
}

int sa_pair_update(struct sa_registry *r, struct sa_pair *pair, const struct path_spec *spec)
{
	struct path *path = NULL;
	int rc;

	rc = sa_path_build(r, pair, spec, loop_now_ns(), &path);
	if (rc)
		return rc;
	sa_path_publish(r->ips, pair->out, path);
	pair->in_view.path = *spec;
	pair->out_view.path = *spec;
	return 0;
}

void sa_registry_repath(struct sa_registry *r)
{
	struct sa_pair *pair;

	TAILQ_FOREACH (pair, &r->pairs, all) {
		const struct path_spec spec = pair->out_view.path;
		if (sa_pair_update(r, pair, &spec))
			log_line(LOG_WARNING, "no-route %s spi-out %08x: the peer cannot be reached by the routes now",
				pair->name, pair->out_view.spi);
	}
}

struct sa_pair *sa_pair_of_slot(const struct sa_registry *r, uint32_t tunnel_slot)
{
	return tunnel_slot < r->slot_count ? r->tunnels[tunnel_slot].holder : NULL;
}

/* Outbound first: a packet that finds no SA is dropped by name, one that is sent to a peer who forgot is lost silently.
 */
void sa_pair_retire(struct sa_registry *r, struct sa_pair *pair)
{
	sa_places_release(r, pair);
	datapath_steer_free(r->dp, pair->steer);
	sa_retire(r->ips, pair->out);
	sad_retire(r->ips, pair->in);
	TAILQ_REMOVE(&r->pairs, pair, all);
	LIST_REMOVE(pair, bucket);
	LIST_REMOVE(pair, out_bucket);
	r->count--;
	free(pair->peer);
	free(pair);
}

/* False without memory: the next sweep tries again. */
static bool facts_push(
	struct sa_facts *facts, enum ike_command_kind kind, const struct sa_pair *pair, const struct endpoint *remote)
{
	if (facts->count == facts->capacity) {
		size_t capacity = facts->capacity ? 2 * facts->capacity : 64;
		struct ike_command *items = realloc(facts->items, capacity * sizeof(*items));

		if (!items)
			return false;
		facts->items = items;
		facts->capacity = capacity;
	}
	facts->items[facts->count++] = (struct ike_command){ .kind = kind,
		.tunnel = (uint32_t)pair->tunnel,
		.child = (uint32_t)pair->child,
		.spi = pair->in_view.spi,
		.remote = remote ? *remote : (struct endpoint){ .port = 0 } };
	return true;
}

/* The SAs of a manual pair end each for itself, and once is enough for the log. */
static void tell_expiry(struct sa_pair *pair, enum sa_direction direction, uint32_t flags)
{
	uint32_t spi = direction == SA_IN ? pair->in_view.spi : pair->out_view.spi;
	const char *side = direction == SA_IN ? "in" : "out";
	uint32_t news = flags & ~pair->told[direction];

	pair->told[direction] |= flags;
	if (news & SA_SOFT_EXPIRED)
		log_line(LOG_NOTICE, "expiring manual-sa %s spi-%s %08x: new keys are needed soon", pair->name, side,
			spi);
	if (news & (SA_HARD_EXPIRED | SA_SEQUENCE_END))
		log_line(LOG_ERROR, "expired manual-sa %s spi-%s %08x: %s, new keys are needed", pair->name, side, spi,
			news & SA_SEQUENCE_END ? "no sequence number is left" : "its lifetime is over");
}

static void check_expiry(struct sa_pair *pair, enum sa_direction direction, uint32_t flags, struct sa_facts *facts)
{
	if (pair->tunnel < 0) {
		tell_expiry(pair, direction, flags);
		return;
	}
	if ((flags & SA_SOFT_EXPIRED) && !pair->soft_told)
		pair->soft_told = facts_push(facts, IKE_SOFT_EXPIRE, pair, NULL);
	if ((flags & (SA_HARD_EXPIRED | SA_SEQUENCE_END)) && !pair->expiry_told)
		pair->expiry_told = facts_push(facts, IKE_EXPIRE, pair, NULL);
}

static void check_source(struct sa_pair *pair, uint32_t flags, struct sa_facts *facts)
{
	struct sa_stats stats;

	if (!(flags & SA_NEW_SOURCE) && !pair->source_untold)
		return;
	/* acknowledged before the source is read: one that changes in between raises the flag again */
	sa_flags_acknowledge(pair->in, SA_NEW_SOURCE);
	sa_stats_read(pair->in, &stats);
	pair->source_untold = !facts_push(facts, IKE_ADDRESS_CHANGED, pair, &stats.source);
}

/* Expiry flags stay set: the SA is over for good, and show sas should say why. */
static void check_flags(struct sa_pair *pair, struct sa_facts *facts)
{
	const uint32_t over = SA_HARD_EXPIRED | SA_SEQUENCE_END;
	uint32_t in = sa_flags_read(pair->in), out = sa_flags_read(pair->out);

	check_expiry(pair, SA_OUT, out, facts);
	check_expiry(pair, SA_IN, in, facts);
	if (pair->tunnel >= 0)
		check_source(pair, in, facts);
	pair->flags_untold = pair->tunnel >= 0 &&
			     (((in | out) & SA_SOFT_EXPIRED && !pair->soft_told) ||
				     ((in | out) & over && !pair->expiry_told) || pair->source_untold);
}

static void check_packets(struct sa_pair *pair, struct sa_facts *facts)
{
	if (pair->tunnel < 0)
		return;
	uint64_t sent = sa_packets_read(pair->out), received = sa_packets_read(pair->in);
	if (received != pair->packets_seen[SA_IN] && facts_push(facts, IKE_USED, pair, NULL))
		pair->packets_seen[SA_IN] = received;
	/* traffic both ways is told of once */
	else if (sent != pair->packets_seen[SA_OUT] && facts_push(facts, IKE_SENT, pair, NULL))
		pair->packets_seen[SA_OUT] = sent;
}

void sa_pair_check(struct sa_pair *pair, struct sa_facts *facts)
{
	check_flags(pair, facts);
	check_packets(pair, facts);
}

void sa_registry_sweep(struct sa_registry *r, uint64_t now_ns, struct sa_facts *facts)
{
	uint32_t news = sa_flag_news(r->ips);
	bool raised = news != r->news_seen;
	struct sa_pair *pair;

	r->news_seen = news;
	TAILQ_FOREACH (pair, &r->pairs, all) {
		bool aged = now_ns >= pair->age_ns;
		if (aged)
			pair_age(pair, now_ns);
		sa_path_mtu_raise(r, pair, now_ns);
		if (raised || aged || pair->flags_untold)
			check_flags(pair, facts);
		check_packets(pair, facts);
	}
}

void sa_facts_done(struct sa_facts *facts)
{
	free(facts->items);
	*facts = (struct sa_facts){ 0 };
}
