/* SPDX-License-Identifier: BSD-3-Clause */
/* show sas: every installed SA with its counters, flags and named drops, as JSON. */
#include "control_priv.h"

#include <stdio.h>

static const struct {
	uint32_t flag;
	const char *name;
} flag_names[] = {
	{ SA_SOFT_EXPIRED, "soft_expired" },
	{ SA_HARD_EXPIRED, "hard_expired" },
	{ SA_SEQUENCE_END, "sequence_end" },
	{ SA_NEW_SOURCE, "new_source" },
};

static json_t *flags_json(uint32_t flags)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(flag_names); i++)
		if (flags & flag_names[i].flag)
			json_array_append_new(list, json_string(flag_names[i].name));
	return list;
}

json_t *drops_some_json(const uint64_t drops[DROP_REASON_COUNT])
{
	json_t *object = json_object();

	for (unsigned i = DROP_NONE + 1; i < DROP_REASON_COUNT; i++)
		if (drops[i])
			json_object_set_new(
				object, drop_keyword((enum drop_reason)i), json_integer((json_int_t)drops[i]));
	return object;
}

/* Ports mean something with UDP encapsulation only. */
static const char *outer_text(const struct path_spec *path, const struct endpoint *e, char *ret_text)
{
	return path->encap == SA_ENCAP_UDP ? endpoint_format(e, ret_text) : addr_format(&e->addr, ret_text);
}

/* Whole seconds as such: most are. */
static json_t *seconds_json(uint64_t ns)
{
	return ns % 1000000000u ? json_real((double)ns / 1e9) : json_integer((json_int_t)(ns / 1000000000u));
}

/* Only limits that there are. */
static json_t *lifetime_json(const struct sa_lifetime *l)
{
	const struct {
		const char *name;
		uint64_t limit;
	} counts[] = { { "soft_bytes", l->soft_bytes }, { "hard_bytes", l->hard_bytes },
		{ "soft_packets", l->soft_packets }, { "hard_packets", l->hard_packets } };
	json_t *object = json_object();

	if (l->soft_ns)
		json_object_set_new(object, "soft_seconds", seconds_json(l->soft_ns));
	if (l->hard_ns)
		json_object_set_new(object, "hard_seconds", seconds_json(l->hard_ns));
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		if (counts[i].limit)
			json_object_set_new(object, counts[i].name, json_integer((json_int_t)counts[i].limit));
	return object;
}

/* Only what differs from the default, in the words of the configuration. */
static json_t *outer_json(const struct header_rules *h)
{
	static const char *const df[] = { [DF_COPY] = "copy", [DF_SET] = "set", [DF_CLEAR] = "clear" };
	json_t *object = json_object();

	if (h->dscp_set)
		json_object_set_new(object, "dscp", json_integer(h->dscp));
	if (h->ecn_clear)
		json_object_set_new(object, "ecn", json_string("clear"));
	if (h->df != DF_COPY)
		json_object_set_new(object, "df", json_string(df[h->df]));
	if (h->fragment != FRAGMENT_BEFORE)
		json_object_set_new(object, "fragment", json_string("after"));
	if (h->ttl_copy)
		json_object_set_new(object, "ttl", json_string("copy"));
	else if (h->ttl && h->ttl != OUTER_TTL_DEFAULT)
		json_object_set_new(object, "ttl", json_integer(h->ttl));
	if (h->flow_label_copy)
		json_object_set_new(object, "flow_label", json_string("copy"));
	else if (h->flow_label)
		json_object_set_new(object, "flow_label", json_integer((json_int_t)h->flow_label));
	return object;
}

static json_t *padding_json(uint16_t tfc_bytes)
{
	return tfc_bytes == TFC_TO_MTU ? json_string("mtu") : json_integer(tfc_bytes);
}

/* What the specification said. */
static json_t *view_json(const struct sa_pair *pair, enum sa_direction direction)
{
	const struct sa_view *v = direction == SA_IN ? &pair->in_view : &pair->out_view;
	char spi[16], local[ENDPOINT_TEXT_MAX], remote[ENDPOINT_TEXT_MAX];
	json_t *sa;

	snprintf(spi, sizeof(spi), "0x%08x", v->spi);
	sa = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:b}", "name", pair->name, "direction",
		direction == SA_IN ? "in" : "out", "spi", spi, "protocol", v->protocol == PROTOCOL_AH ? "ah" : "esp",
		"mode", v->mode == SA_MODE_TUNNEL ? "tunnel" : "transport", "encap",
		v->path.encap == SA_ENCAP_UDP ? "udp" : "none", "local", outer_text(&v->path, &v->path.local, local),
		"remote", outer_text(&v->path, &v->path.remote, remote), "suite", v->suite, "esn", v->esn);
	json_object_set_new(sa, "manual", json_boolean(pair->tunnel < 0));
	json_object_set_new(sa, "peer_id", pair->peer ? json_text(pair->peer) : json_null());
	json_object_set_new(sa, "weak", v->weak[0] ? json_string(v->weak) : json_null());
	json_object_set_new(sa, "replay_window", json_integer(v->replay_window));
	json_object_set_new(sa, "lifetime", lifetime_json(&v->lifetime));
	json_object_set_new(sa, "tfc_padding", padding_json(v->tfc_bytes));
	json_object_set_new(sa, "outer", outer_json(&v->path.header));
	return sa;
}

/* What the path takes: the link's own MTU, and what a router told us less of, with the seconds since. */
static json_t *path_mtu_json(const struct sa_pair *pair)
{
	uint64_t now_ns = loop_now_ns();
	json_t *object = json_pack("{s:i}", "link", pair->link_mtu);

	if (pair->path_mtu) {
		json_object_set_new(object, "learnt", json_integer(pair->path_mtu));
		json_object_set_new(
			object, "age_seconds", json_integer((json_int_t)((now_ns - pair->learnt_ns) / 1000000000u)));
	}
	return object;
}

json_t *sa_json(const struct sa_pair *pair, enum sa_direction direction)
{
	json_t *sa = view_json(pair, direction);
	struct sa_stats stats;

	sa_stats_read(direction == SA_IN ? pair->in : pair->out, &stats);
	if (direction == SA_OUT) {
		json_object_set_new(sa, "inner_mtu", json_integer(sa_inner_mtu(pair->out)));
		json_object_set_new(sa, "path_mtu", path_mtu_json(pair));
	}
	json_object_set_new(sa, "packets", json_integer((json_int_t)stats.packets));
	json_object_set_new(sa, "bytes", json_integer((json_int_t)stats.bytes));
	json_object_set_new(sa, "sequence", json_integer((json_int_t)stats.sequence));
	json_object_set_new(sa, "owner", stats.owner == WORKER_NONE ? json_null() : json_integer(stats.owner));
	json_object_set_new(sa, "flags", flags_json(stats.flags));
	json_object_set_new(sa, "drops", drops_some_json(stats.drops));
	return sa;
}

/* A name is a tunnel's, a child's or a manual SA's. */
static bool wanted(const struct command_call *call, const struct sa_pair *pair)
{
	const struct config *config = call->control->config;

	return !call->arg_count || !strcmp(pair->name, call->args[0]) ||
	       (pair->tunnel >= 0 && !strcmp(config->tunnels[pair->tunnel].name, call->args[0]));
}

/* A tunnel without SAs is down, not unknown. */
static bool known(const struct control *c, const char *name)
{
	for (size_t i = 0; i < c->config->tunnel_count; i++)
		if (!strcmp(c->config->tunnels[i].name, name))
			return true;
	for (size_t i = 0; i < c->config->manual_sa_count; i++)
		if (!strcmp(c->config->manual_sas[i].name, name))
			return true;
	return false;
}

json_t *show_sas(struct command_call *call)
{
	json_t *list = json_array();
	const struct sa_pair *pair;

	TAILQ_FOREACH (pair, &call->control->sas.pairs, all) {
		if (!wanted(call, pair))
			continue;
		json_array_append_new(list, sa_json(pair, SA_IN));
		json_array_append_new(list, sa_json(pair, SA_OUT));
	}
	if (call->arg_count && !json_array_size(list) && !known(call->control, call->args[0])) {
		snprintf(call->error, sizeof(call->error), "no tunnel or manual SA \"%.80s\"", call->args[0]);
		json_decref(list);
		return NULL;
	}
	return json_pack("{s:o}", "sas", list);
}
