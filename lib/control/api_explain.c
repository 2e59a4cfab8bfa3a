/* SPDX-License-Identifier: BSD-3-Clause */
/* explain: what the packet path says about a packet or an SPI, with the operator's names: rules, tunnels, interfaces.
 * Decides nothing itself. The answer is a list of ways, each of steps and a verdict. */
#include "control_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "explain_priv.h"

/* One way, while it is written. */
struct way {
	const struct control *control;
	const struct policy *policy; /* resolved anew: the compiled one has no names */
	json_t *object, *steps;
};

__attribute__((format(printf, 3, 4))) static void step(struct way *w, const char *name, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	json_array_append_new(w->steps, json_pack("{s:s,s:o}", "step", name, "text", json_text(text)));
}

static struct way way_begin(const struct control *c, const struct policy *policy, const char *title)
{
	struct way w = { .control = c, .policy = policy, .object = json_object(), .steps = json_array() };

	json_object_set_new(w.object, "way", json_string(title));
	json_object_set(w.object, "steps", w.steps);
	json_decref(w.steps); /* the object's now */
	return w;
}

__attribute__((format(printf, 3, 4))) static void verdict(struct way *w, enum drop_reason drop, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	json_object_set_new(w->object, "drop", drop ? json_string(drop_keyword(drop)) : json_null());
	json_object_set_new(w->object, "verdict", json_text(text));
}

/* ---- names ---- */

const char *slot_name(const struct control *c, uint32_t slot)
{
	const struct slot_owner *o = slot < c->policy.slot_count ? &c->policy.slots[slot] : NULL;

	if (!o || (o->manual < 0 && o->tunnel < 0))
		return "nobody";
	return o->manual >= 0 ? c->config->manual_sas[o->manual].name : c->config->tunnels[o->tunnel].name;
}

static const char *port_name(const struct control *c, uint16_t port)
{
	return port < c->config->interface_count ? c->config->interfaces[port].name : "no interface";
}

static const char *worker_name(uint8_t worker, char ret_text[16])
{
	snprintf(ret_text, 16,
		worker == WORKER_NONE      ? "none yet"
		: worker >= WORKER_LEAVING ? "moving"
					   : "worker %u",
		worker);
	return ret_text;
}

/* ---- rules ---- */

static void step_rule(struct way *w, const char *name, const struct spd_verdict *v)
{
	char local[256], remote[256];
	const struct spd_rule *r;
	const char *policy;

	if (!v->matched || v->rule >= w->policy->rule_count) {
		step(w, name, "no rule matches");
		json_object_set_new(w->object, name, json_null());
		return;
	}
	r = &w->policy->rules[v->rule];
	policy = w->policy->origins[v->rule] >= 0 ? w->control->config->policies[w->policy->origins[v->rule]].name : "";
	step(w, name, "rule %u%s%s: %s%s%s, %s === %s", v->rule + 1, *policy ? " of policy " : "", policy,
		policy_action_name((enum spd_action)v->action), v->action == SPD_PROTECT ? " by " : "",
		v->action == SPD_PROTECT ? slot_name(w->control, v->tunnel_slot) : "",
		selector_list_format(&r->local, local, sizeof(local)),
		selector_list_format(&r->remote, remote, sizeof(remote)));
	json_object_set_new(w->object, name, policy_rule_json(w->control->config, w->policy, v->rule));
}

/* ---- SAs ---- */

/* "replayed 3, bad_icv 1" */
static void drops_format(const struct sa_stats *s, char *ret_text, size_t capacity)
{
	size_t len = 0;

	snprintf(ret_text, capacity, "none");
	for (unsigned r = DROP_NONE + 1; r < DROP_REASON_COUNT && len < capacity; r++)
		if (s->drops[r])
			len += (size_t)snprintf(ret_text + len, capacity - len, "%s%s %llu", len ? ", " : "",
				drop_keyword((enum drop_reason)r), (unsigned long long)s->drops[r]);
}

static void step_sa(struct way *w, const struct sa_pair *pair, enum sa_direction direction, uint8_t owner)
{
	const struct sa_view *v = direction == SA_IN ? &pair->in_view : &pair->out_view;
	char drops[256], owner_text[16], peer[ADDR_TEXT_MAX];
	struct sa_stats stats;

	sa_stats_read(direction == SA_IN ? pair->in : pair->out, &stats);
	drops_format(&stats, drops, sizeof(drops));
	step(w, direction == SA_IN ? "sa in" : "sa out",
		"SPI 0x%08x of %s, %s, peer %s, owner %s, %llu packets, drops %s", v->spi, pair->name, v->suite,
		addr_format(&v->path.remote.addr, peer), worker_name(owner, owner_text),
		(unsigned long long)stats.packets, drops);
	json_object_set_new(w->object, direction == SA_IN ? "sa_in" : "sa_out", sa_json(pair, direction));
}

/* Why it is down, when IKE knows. */
static void step_down(struct way *w, uint32_t slot)
{
	const struct control *c = w->control;
	const struct slot_owner *o = slot < c->policy.slot_count ? &c->policy.slots[slot] : NULL;
	json_t *failure = o && o->tunnel >= 0 ? tunnel_failure_json(c, (uint32_t)o->tunnel) : NULL;
	const char *exchange = json_string_value(json_object_get(failure, "exchange"));
	const char *reason = json_string_value(json_object_get(failure, "reason"));
	const char *hint = json_string_value(json_object_get(failure, "hint"));

	step(w, "sa", "no SA of %s is up", slot_name(c, slot));
	if (reason)
		step(w, "last failure", "%s: %s%s%s", exchange ? exchange : "none", reason, hint && *hint ? "; " : "",
			hint ? hint : "");
	json_object_set_new(w->object, "last_failure", failure ? failure : json_null());
}

static const struct sa_pair *pair_of_outbound(const struct control *c, const struct sa *sa)
{
	const struct sa_pair *pair;

	TAILQ_FOREACH (pair, &c->sas.pairs, all)
		if (sa && pair->out == sa)
			return pair;
	return NULL;
}

static void step_tunnel(struct way *w, const struct datapath_walk *walk)
{
	const struct sa_pair *pair = pair_of_outbound(w->control, walk->sa);

	json_object_set_new(w->object, "tunnel", json_string(slot_name(w->control, walk->tunnel_slot)));
	if (!walk->sa)
		step_down(w, walk->tunnel_slot);
	else if (pair)
		step_sa(w, pair, SA_OUT, walk->owner);
}

/* The inbound SAs of a tunnel: does one of them take the packet? DROP_NONE, or why none does. */
static enum drop_reason step_inbound(struct way *w, uint32_t slot, const struct flow *arriving)
{
	const struct control *c = w->control;
	enum drop_reason reason = DROP_NO_SA;
	const struct sa_pair *pair;

	json_object_set_new(w->object, "tunnel", json_string(slot_name(c, slot)));
	TAILQ_FOREACH (pair, &c->sas.pairs, all) {
		if (pair->tunnel_slot != slot)
			continue;
		step_sa(w, pair, SA_IN, sad_bucket_worker(c->ips, pair->in_view.spi));
		if (sa_selectors_match(pair->in, arriving))
			reason = DROP_NONE;
		else if (reason == DROP_NO_SA)
			reason = DROP_SELECTOR_IN;
	}
	if (reason == DROP_NO_SA)
		step_down(w, slot);
	return reason;
}

/* ---- where it goes ---- */

static void step_route(struct way *w, const struct addr *dst, const struct datapath_neighbour *hop)
{
	const struct config *config = w->control->config;
	bool on_link = addr_equal(dst, &hop->addr);
	json_t *neighbour = neighbour_json(config, hop);
	const char *mac = json_string_value(json_object_get(neighbour, "mac"));
	char text[ADDR_TEXT_MAX];

	addr_format(&hop->addr, text);
	step(w, "route", "%s%s on %s", on_link ? "connected" : "via ", on_link ? "" : text,
		port_name(w->control, hop->port));
	step(w, "neighbour", "%s on %s is %s%s%s", text, port_name(w->control, hop->port),
		hop->state == NEIGHBOUR_FREE ? "unknown" : json_string_value(json_object_get(neighbour, "state")),
		mac && *mac ? ", " : "", mac ? mac : "");
	json_object_set_new(w->object, "neighbour", neighbour);
}

static void verdict_dropped(struct way *w, enum drop_reason reason, const struct datapath_walk *walk)
{
	char text[ADDR_TEXT_MAX];

	if (reason == DROP_NEIGHBOUR && walk)
		verdict(w, reason, "would be dropped: %s (%s), unless %s on %s answers", drop_keyword(reason),
			drop_text(reason), addr_format(&walk->next_hop.addr, text),
			port_name(w->control, walk->next_hop.port));
	else
		verdict(w, reason, "would be dropped: %s (%s)", drop_keyword(reason), drop_text(reason));
}

/* from: the tunnel that brought it, or NULL. */
static void verdict_walk(struct way *w, const struct datapath_walk *walk, const char *from)
{
	char opened[96] = "", text[ADDR_TEXT_MAX];
	const char *port = port_name(w->control, walk->next_hop.port);

	if (from)
		snprintf(opened, sizeof(opened), "opened by tunnel %.64s and ", from);
	addr_format(&walk->next_hop.addr, text);
	switch (walk->end) {
	case DATAPATH_END_SEALED:
		verdict(w, DROP_NONE, "would be: %ssealed by tunnel %s and sent to %s on %s", opened,
			slot_name(w->control, walk->tunnel_slot), text, port);
		break;
	case DATAPATH_END_CLEAR:
		verdict(w, DROP_NONE, "would be: %ssent to %s on %s%s", opened, text, port, from ? "" : " in clear");
		break;
	case DATAPATH_END_IKE: verdict(w, DROP_NONE, "would be: given to IKE"); break;
	case DATAPATH_END_ANSWERED: verdict(w, DROP_NONE, "would be: %sanswered by the gateway itself", opened); break;
	case DATAPATH_END_OPENED:
		verdict(w, DROP_NONE, "would be: opened by the SA of its SPI (explain spi ...)");
		break;
	case DATAPATH_END_DROPPED:
	default: verdict_dropped(w, walk->reason, walk); break;
	}
}

static void steps_walk(struct way *w, const struct datapath_walk *walk, const struct addr *dst)
{
	if (walk->protect)
		step_tunnel(w, walk);
	if (walk->routed)
		step_route(w, walk->sa ? &sa_path(walk->sa)->spec.remote.addr : dst, &walk->next_hop);
	if (walk->mtu) {
		step(w, "size", "packets up to %u bytes fit", walk->mtu);
		json_object_set_new(w->object, "mtu", json_integer(walk->mtu));
	}
}

/* ---- the ways of a packet ---- */

static void step_receive(struct way *w, const struct datapath_query *q, const struct datapath_explanation *e)
{
	bool assumed = q->port == DATAPATH_PORT_ANY;
	char worker[16];

	if (e->local)
		step(w, "from", "the gateway itself: this is the way of its answers");
	else if (e->port == DATAPATH_PORT_ANY)
		step(w, "from", "no route leads to the source: no interface is assumed");
	else if (e->rx_worker == WORKER_NONE)
		step(w, "from", "%s%s, by the worker of its queue", port_name(w->control, e->port),
			assumed ? ", behind which the source is" : "");
	else
		step(w, "from", "%s%s, by %s", port_name(w->control, e->port),
			assumed ? ", behind which the source is" : "", worker_name(e->rx_worker, worker));
	json_object_set_new(w->object, "interface",
		e->local || e->port == DATAPATH_PORT_ANY ? json_null() : json_string(port_name(w->control, e->port)));
}

/* Of a rule that asks for an SA when it has none, and keeps packets meanwhile (await.c of the packet path). */
static bool is_held(const struct way *w, const struct datapath_explanation *e)
{
	return e->clear.end == DATAPATH_END_DROPPED && e->clear.reason == DROP_NO_SA && e->clear.protect &&
	       e->leaving.matched && e->leaving.rule < w->policy->rule_count &&
	       w->policy->rules[e->leaving.rule].awaits;
}

static json_t *way_clear(const struct control *c, const struct policy *policy, const struct datapath_query *q,
	const struct datapath_explanation *e)
{
	struct way w = way_begin(c, policy, e->local ? "made here" : "in clear");

	step_receive(&w, q, e);
	step_rule(&w, "leaving", &e->leaving);
	step_rule(&w, "arriving", &e->arriving);
	steps_walk(&w, &e->clear, &q->dst);
	if (is_held(&w, e))
		verdict(&w, DROP_NO_SA, "would be: held up to %d s for an SA of %s, else dropped: %s (%s)",
			DATAPATH_AWAIT_S, slot_name(c, e->clear.tunnel_slot), drop_keyword(DROP_NO_SA),
			drop_text(DROP_NO_SA));
	else
		verdict_walk(&w, &e->clear, NULL);
	return w.object;
}

static json_t *way_tunnelled(const struct control *c, const struct policy *policy, const struct datapath_query *q,
	const struct datapath_explanation *e)
{
	struct way w = way_begin(c, policy, "out of its tunnel");
	enum drop_reason reason;

	step_rule(&w, "arriving", &e->arriving);
	reason = step_inbound(&w, e->arriving.tunnel_slot, &e->arriving_flow);
	step_rule(&w, "leaving", &e->leaving);
	steps_walk(&w, &e->tunnelled, &q->dst);
	if (reason)
		verdict_dropped(&w, reason, NULL);
	else
		verdict_walk(&w, &e->tunnelled, slot_name(c, e->arriving.tunnel_slot));
	return w.object;
}

static json_t *explain_packet(struct command_call *call, const struct policy *policy, const struct datapath_query *q)
{
	const struct control *c = call->control;
	struct datapath_explanation e;
	json_t *ways;

	if (datapath_explain(c->dp, q, &e)) {
		snprintf(call->error, sizeof(call->error), "explain: addresses of two families");
		return NULL;
	}
	ways = json_array();
	json_array_append_new(ways, way_clear(c, policy, q, &e));
	if (e.brought)
		json_array_append_new(ways, way_tunnelled(c, policy, q, &e));
	return ways;
}

/* ---- an SPI ---- */

/* pair: NULL: nobody has this SPI. */
static json_t *way_spi_in(
	const struct control *c, const struct policy *policy, uint32_t spi, const struct sa_pair *pair)
{
	struct way w = way_begin(c, policy, "arriving");
	uint8_t owner = sad_bucket_worker(c->ips, spi);
	struct sa_stats stats = { 0 };
	char worker[16];

	step(&w, "bucket", "0x%02x, %s", spi % SA_BUCKETS, worker_name(owner, worker));
	if (!pair) {
		verdict_dropped(&w, DROP_UNKNOWN_SPI, NULL);
		return w.object;
	}
	json_object_set_new(w.object, "tunnel", json_string(slot_name(c, pair->tunnel_slot)));
	step_sa(&w, pair, SA_IN, owner);
	sa_stats_read(pair->in, &stats);
	if (stats.flags & SA_HARD_EXPIRED)
		verdict_dropped(&w, DROP_EXPIRED, NULL);
	else
		verdict(&w, DROP_NONE, "would be: opened by tunnel %s on %s", slot_name(c, pair->tunnel_slot),
			worker_name(owner, worker));
	return w.object;
}

static void spi_out_verdict(struct way *w, const struct sa_pair *pair, const struct datapath_neighbour *hop)
{
	const struct datapath_walk walk = { .tunnel_slot = pair->tunnel_slot, .next_hop = *hop };
	bool known = hop->state != NEIGHBOUR_FREE && hop->state != NEIGHBOUR_INCOMPLETE;
	char text[ADDR_TEXT_MAX];

	if (!pair->held)
		verdict(w, DROP_NONE, "takes no packets: another SA of %s is in use",
			slot_name(w->control, pair->tunnel_slot));
	else if (!known)
		verdict_dropped(w, DROP_NEIGHBOUR, &walk);
	else
		verdict(w, DROP_NONE, "would be: sealed by tunnel %s and sent to %s on %s",
			slot_name(w->control, pair->tunnel_slot), addr_format(&hop->addr, text),
			port_name(w->control, hop->port));
}

static json_t *way_spi_out(const struct control *c, const struct policy *policy, const struct sa_pair *pair)
{
	struct way w = way_begin(c, policy, "leaving");
	const struct addr *peer = &pair->out_view.path.remote.addr;
	struct datapath_neighbour hop;

	json_object_set_new(w.object, "tunnel", json_string(slot_name(c, pair->tunnel_slot)));
	step_sa(&w, pair, SA_OUT, sa_owner(pair->out));
	if (datapath_next_hop_read(c->dp, peer, &hop)) {
		verdict_dropped(&w, DROP_NO_ROUTE, NULL);
		return w.object;
	}
	step_route(&w, peer, &hop);
	spi_out_verdict(&w, pair, &hop);
	return w.object;
}

/* The peer chose the outbound ones: several peers may have chosen the same, and it may be one of ours. Manual ones may
 * differ in protocol and destination only. */
static json_t *explain_spi(const struct control *c, const struct policy *policy, uint32_t spi)
{
	const struct sa_pair *pair;
	json_t *ways = json_array();

	TAILQ_FOREACH (pair, &c->sas.pairs, all) {
		if (pair->out_view.spi == spi)
			json_array_append_new(ways, way_spi_out(c, policy, pair));
		if (pair->in_view.spi == spi)
			json_array_append_new(ways, way_spi_in(c, policy, spi, pair));
	}
	if (!json_array_size(ways))
		json_array_append_new(ways, way_spi_in(c, policy, spi, NULL));
	return ways;
}

json_t *explain(struct command_call *call)
{
	struct control *c = call->control;
	struct explain_request request;
	struct policy policy;
	json_t *ways;

	if (explain_parse(c->config, call->args, call->arg_count, &request, call->error, sizeof(call->error)) ||
		policy_resolve(c->config, &c->policy, &policy))
		return NULL;
	ways = request.by_spi ? explain_spi(c, &policy, request.spi) : explain_packet(call, &policy, &request.query);
	policy_done(&policy);
	return ways ? json_pack("{s:o}", "ways", ways) : NULL;
}
