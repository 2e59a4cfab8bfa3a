/* SPDX-License-Identifier: BSD-3-Clause */
/* The outbound paths of installed pairs and their MTUs: lowered on the word of a router that shows us a packet of the
 * SA, raised again by time. RFC 4301 8.2, RFC 1191, RFC 8201. */
#include "sa_lifecycle_priv.h"

int sa_path_build(struct sa_registry *r, struct sa_pair *pair, const struct path_spec *spec, uint64_t now_ns,
	struct path **ret_path)
{
	uint16_t learnt;
	int rc = datapath_path_create(r->dp, spec, ret_path);

	if (rc)
		return rc;
	learnt = path_mtus_lookup(&r->mtus, spec->table_id, &spec->local.addr, &spec->remote.addr, now_ns,
		r->mtu_hold_ns, &pair->learnt_ns);
	pair->link_mtu = (*ret_path)->mtu;
	pair->path_mtu = learnt < pair->link_mtu ? learnt : 0;
	/* nobody has seen the path yet */
	if (pair->path_mtu)
		(*ret_path)->mtu = pair->path_mtu;
	return 0;
}

/* In UDP the peer's ports tell one peer behind a NAT from another; ours are 4500. */
static bool quoted_matches(const struct sa_view *v, const struct datapath_event *e)
{
	bool udp = v->path.encap == SA_ENCAP_UDP;

	return v->spi == e->spi && (v->protocol == PROTOCOL_AH) == e->ah && udp == e->udp &&
	       addr_equal(&v->path.local.addr, &e->local.addr) && addr_equal(&v->path.remote.addr, &e->remote.addr) &&
	       (!udp || v->path.remote.port == e->remote.port);
}

struct sa_pair *sa_pair_quoted(const struct sa_registry *r, const struct datapath_event *e)
{
	struct sa_pair *pair;

	LIST_FOREACH (pair, &r->out_buckets[sa_bucket_of(e->spi)], out_bucket) {
		if (quoted_matches(&pair->out_view, e))
			return pair;
	}
	return NULL;
}

/* The path as it is, made anew with what is known now. */
static int rebuild(struct sa_registry *r, struct sa_pair *pair, uint64_t now_ns)
{
	struct path *path = NULL;
	int rc = sa_path_build(r, pair, &pair->out_view.path, now_ns, &path);

	if (!rc)
		sa_path_publish(r->ips, pair->out, path);
	return rc;
}

static bool is_on_path(const struct sa_pair *pair, const struct path_spec *path)
{
	const struct path_spec *own = &pair->out_view.path;

	return own->table_id == path->table_id && addr_equal(&own->local.addr, &path->local.addr) &&
	       addr_equal(&own->remote.addr, &path->remote.addr);
}

/* What one packet has shown of a path is true for all SAs on it. Claims that are believed are few: each lowers an MTU.
 */
static void siblings_rebuild(struct sa_registry *r, const struct sa_pair *told, uint16_t mtu, uint64_t now_ns)
{
	struct sa_pair *pair;

	TAILQ_FOREACH (pair, &r->pairs, all) {
		uint16_t current = pair->path_mtu ? pair->path_mtu : pair->link_mtu;
		/* without a route the path stays; a later one begins with it */
		if (pair != told && current > mtu && is_on_path(pair, &told->out_view.path))
			(void)rebuild(r, pair, now_ns);
	}
}

enum drop_reason sa_path_mtu_lower(
	struct sa_registry *r, const struct datapath_event *e, uint64_t now_ns, struct sa_pair **ret_pair)
{
	struct sa_pair *pair = sa_pair_quoted(r, e);
	struct path_mtu_claim claim = { e->remote.addr.family, e->mtu, e->quoted_bytes };
	enum drop_reason reason;
	uint16_t mtu;

	if (!pair)
		return DROP_PMTU_SPOOFED;
	reason = path_mtu_judge(&claim, pair->path_mtu ? pair->path_mtu : pair->link_mtu, r->mtu_floor, &mtu);
	if (reason)
		return reason;
	path_mtus_note(&r->mtus, pair->out_view.path.table_id, &e->local.addr, &e->remote.addr, mtu, now_ns);
	*ret_pair = pair;
	siblings_rebuild(r, pair, mtu, now_ns);
	/* without a route nothing leaves; a later path begins with it */
	return rebuild(r, pair, now_ns) ? DROP_NO_ROUTE : DROP_NONE;
}

void sa_path_mtu_raise(struct sa_registry *r, struct sa_pair *pair, uint64_t now_ns)
{
	if (!pair->path_mtu || now_ns - pair->learnt_ns < r->mtu_hold_ns)
		return;
	/* without a route the next sweep tries again */
	(void)rebuild(r, pair, now_ns);
}
