/* SPDX-License-Identifier: BSD-3-Clause */
/* show tunnels: Phase 1, Phase 2, last failure and recent events of each tunnel, as JSON. */
#include "control_priv.h"

#include <stdio.h>

static json_t *spi_text(uint64_t spi, int digits)
{
	char text[20];

	if (!spi)
		return json_null();
	snprintf(text, sizeof(text), "0x%0*llx", digits, (unsigned long long)spi);
	return json_string(text);
}

/* Where it is, or, before anything is negotiated, where it is configured to be. */
static json_t *endpoint_text(const struct endpoint *e, const struct addr *configured)
{
	char text[ENDPOINT_TEXT_MAX];

	return json_string(e->addr.family && e->port ? endpoint_format(e, text) : addr_format(configured, text));
}

static json_t *selectors(const struct selector_list *list)
{
	json_t *array = json_array();
	char text[SELECTOR_TEXT_MAX];

	for (uint8_t i = 0; i < list->count; i++)
		json_array_append_new(array, json_string(selector_format(&list->items[i], text)));
	return array;
}

static uint64_t seconds_since(const struct control *c, uint64_t ns)
{
	return ns && ns < c->now_ns ? (c->now_ns - ns) / 1000000000u : 0;
}

static json_t *addresses(const struct addr *items, size_t count)
{
	json_t *array = json_array();
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < count; i++)
		if (items[i].family)
			json_array_append_new(array, json_string(addr_format(&items[i], text)));
	return array;
}

/* The request that waits for its answer, from its second transmission on, and what the packet path knows of the way. */
static json_t *unanswered(const struct control *c, const struct ike_tunnel_status *s)
{
	struct datapath_neighbour hop;
	char hint[128] = "";
	int rc;

	if (s->request_sent < 2)
		return json_null();
	rc = datapath_next_hop_read(c->dp, &s->remote.addr, &hop);
	hint_silence(c->config, &s->remote.addr, rc, &hop, hint, sizeof(hint));
	return json_pack("{s:s,s:I,s:s}", "exchange", exchange_name(s->request_exchange), "sent",
		(json_int_t)s->request_sent, "hint", hint);
}

static json_t *phase1(const struct control *c, const struct tunnel_profile *profile, const struct ike_tunnel_status *s)
{
	return json_pack("{s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:b,s:b,s:b,s:o,s:o,s:I}", "state",
		phase_state_name(s->phase1), "role",
		s->phase1 == PHASE_DOWN ? "none"
		: s->initiator          ? "initiator"
					: "responder",
		"suite", json_text(s->suite), "weak", s->weak[0] ? json_text(s->weak) : json_null(), "spi_i",
		spi_text(s->spi_i, 16), "spi_r", spi_text(s->spi_r, 16), "local",
		endpoint_text(&s->local, &profile->local_addr), "remote",
		endpoint_text(&s->remote, &profile->remote_addr), "remote_id", json_text(s->remote_id), "virtual_ips",
		addresses(s->virtual, ARRAY_LEN(s->virtual)), "nat_local", s->local_nat, "nat_remote", s->remote_nat,
		"mobike", s->mobike, "remote_more_addresses", addresses(s->remotes, s->remotes_count), "unanswered",
		unanswered(c, s), "up_seconds",
		(json_int_t)(s->phase1 == PHASE_UP ? seconds_since(c, s->up_since_ns) : 0));
}

/* What is negotiated, or, while nothing is, what is wanted. */
static json_t *phase2(const struct control *c, const struct child_profile *profile, const struct ike_child_status *s)
{
	const struct selector_list *local = s->local.count ? &s->local : &profile->local;
	const struct selector_list *remote = s->remote.count ? &s->remote : &profile->remote;

	return json_pack("{s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:s,s:s,s:I}", "name", profile->name, "state",
		phase_state_name(s->state), "suite", json_text(s->suite), "spi_in", spi_text(s->spi_in, 8), "spi_out",
		spi_text(s->spi_out, 8), "local_selectors", selectors(local), "remote_selectors", selectors(remote),
		"protocol", s->ah ? "ah" : "esp", "encap", s->udp_encap ? "udp" : "none", "up_seconds",
		(json_int_t)(s->state == PHASE_UP ? seconds_since(c, s->up_since_ns) : 0));
}

/* Fractions of a second, so that a waiting client can tell this failure from the one before its request. */
static json_t *failure(const struct control *c, const struct history *h, const struct ike_failure *f)
{
	double ago = f->at_ns < c->now_ns ? (double)((c->now_ns - f->at_ns) / 1000000u) / 1000.0 : 0.0;

	if (!f->phase)
		return json_null();
	return json_pack("{s:i,s:s,s:s,s:o,s:s,s:o,s:o,s:o,s:o,s:f}", "phase", (int)f->phase, "exchange",
		f->exchange ? exchange_name(f->exchange) : "none", "role", f->initiator ? "initiator" : "responder",
		"reason", json_text(f->reason), "notify", f->notify ? notify_name(f->notify) : "", "ours",
		json_text(f->ours), "theirs", json_text(f->theirs), "mismatch", json_text(f->mismatch), "hint",
		json_text(hint_of(h, f)), "seconds_ago", ago);
}

json_t *tunnel_failure_json(const struct control *c, uint32_t index)
{
	struct ike_tunnel_status *s = calloc(1, sizeof(*s));
	json_t *result = json_null();

	if (s && !ike_tunnel_status(c->engine, index, s))
		result = failure(c, &c->histories[index], &s->failure);
	free(s);
	return result;
}

static json_t *events(const struct history *h)
{
	json_t *array = json_array();

	for (size_t i = 0; i < h->count; i++) {
		const struct history_entry *e = history_at(h, i);
		char when[32];
		struct tm utc;

		gmtime_r(&e->at, &utc);
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &utc);
		json_array_append_new(array, json_pack("{s:s,s:s,s:o}", "time", when, "event", ike_event_name(e->kind),
						     "text", json_text(e->text ? e->text : "")));
	}
	return array;
}

/* Those of a phase2 entry that its peer carries on several Child SAs. */
static json_t *others(
	const struct control *c, uint32_t index, const struct identity *peer, const struct ike_child_status *shown)
{
	const struct child_profile *profile = &c->config->tunnels[index].children[shown->index];
	size_t count = ike_child_others(c->engine, index, peer, shown, NULL, 0);
	struct ike_child_status *items = count ? calloc(count, sizeof(*items)) : NULL;
	json_t *list = json_array();

	if (items)
		ike_child_others(c->engine, index, peer, shown, items, count);
	for (size_t i = 0; items && i < count; i++)
		json_array_append_new(list, phase2(c, profile, &items[i]));
	free(items);
	return list;
}

/* Of each entry the newest Child SA, and under it the others that it has. */
static json_t *children(
	const struct control *c, uint32_t index, const struct identity *peer, const struct ike_tunnel_status *s)
{
	const struct tunnel_profile *profile = &c->config->tunnels[index];
	json_t *list = json_array();

	for (uint8_t i = 0; i < profile->child_count; i++) {
		json_t *child = phase2(c, &profile->children[i], &s->children[i]);
		json_object_set_new(child, "others", others(c, index, peer, &s->children[i]));
		json_array_append_new(list, child);
	}
	return list;
}

/* Of a tunnel that serves many: each of them, or the one that is asked for. The status is reused. */
static json_t *peers(const struct control *c, uint32_t index, const struct identity *only, struct ike_tunnel_status *s)
{
	const struct tunnel_profile *profile = &c->config->tunnels[index];
	const struct identity *peer = only ? only : ike_peer_next(c->engine, index, NULL);
	char id[IDENTITY_TEXT_MAX];
	json_t *list = json_array();

	for (; peer; peer = only ? NULL : ike_peer_next(c->engine, index, peer))
		if (!ike_peer_status(c->engine, index, peer, s))
			json_array_append_new(
				list, json_pack("{s:o,s:o,s:o}", "id", json_text(identity_format(peer, id)), "phase1",
					      phase1(c, profile, s), "phase2", children(c, index, peer, s)));
	return list;
}

/* The status is large: selectors and failure texts of every child. On the heap. */
static json_t *tunnel(const struct control *c, uint32_t index, const struct identity *only)
{
	const struct tunnel_profile *profile = &c->config->tunnels[index];
	struct ike_tunnel_status *s = calloc(1, sizeof(*s));
	json_t *result;

	if (!s || ike_tunnel_status(c->engine, index, s)) {
		free(s);
		return NULL;
	}
	result = json_pack("{s:s,s:o,s:o,s:o,s:o}", "name", profile->name, "phase1", phase1(c, profile, s), "phase2",
		children(c, index, NULL, s), "last_failure", failure(c, &c->histories[index], &s->failure), "events",
		events(&c->histories[index]));
	json_object_set_new(
		result, "peers_max", profile_serves_many(profile) ? json_integer(profile->peers_max) : json_null());
	json_object_set_new(result, "peers", profile_serves_many(profile) ? peers(c, index, only, s) : json_null());
	free(s);
	return result;
}

json_t *show_tunnels(struct command_call *call)
{
	const struct control *c = call->control;
	int wanted = call->arg_count ? find_tunnel(call, call->args[0]) : -1;
	struct identity peer;
	const struct identity *only = NULL;
	json_t *list;

	if (call->arg_count && (wanted < 0 || !find_peer(call, wanted, 1, &peer, &only)))
		return NULL;
	list = json_array();
	for (uint32_t i = 0; i < c->config->tunnel_count; i++)
		if (wanted < 0 || (uint32_t)wanted == i)
			json_array_append_new(list, tunnel(c, i, only));
	return json_pack("{s:o,s:i}", "tunnels", list, "manual_sas", (int)c->config->manual_sa_count);
}
