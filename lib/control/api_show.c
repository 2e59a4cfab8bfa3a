/* SPDX-License-Identifier: BSD-3-Clause */
/* The other show commands: ports, counters, routes, neighbours, version, as JSON. */
#include "control_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include <rte_version.h>

/* Counters are unsigned; JSON integers end at 2^63, which no counter reaches. */
static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static const char *mac_format(const uint8_t mac[6], char ret_text[18])
{
	snprintf(ret_text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return ret_text;
}

/* Empty: none of that family. */
static const char *own_format(const struct prefix *p, char *ret_text)
{
	return p->addr.family == ADDR_NONE ? "" : prefix_format(p, ret_text);
}

static const char *state_name(const struct addr *a, enum datapath_address_state state)
{
	static const char *const names[] = {
		[DATAPATH_ADDRESS_VALID] = "valid",
		[DATAPATH_ADDRESS_TENTATIVE] = "tentative",
		[DATAPATH_ADDRESS_DUPLICATE] = "duplicate",
	};

	return a->family == ADDR_NONE ? "" : names[state];
}

static json_t *port_json(const struct datapath_port_stats *s)
{
	char mac[18], address[PREFIX_TEXT_MAX], address6[PREFIX_TEXT_MAX], link_local[ADDR_TEXT_MAX] = "";
	json_t *port = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:i,s:i}", "name", s->name, "device", s->device,
		"driver", s->driver, "mac", mac_format(s->mac, mac), "address", own_format(&s->address, address),
		"address6", own_format(&s->address6, address6), "link", s->link_up ? "up" : "down", "mtu", (int)s->mtu,
		"rx_queues", (int)s->rx_queues, "tx_queues", (int)s->tx_queues);

	if (s->link_local.family != ADDR_NONE)
		addr_format(&s->link_local, link_local);
	json_object_set_new(port, "link_local", json_string(link_local));
	json_object_set_new(port, "address6_state", json_string(state_name(&s->address6.addr, s->address6_state)));
	json_object_set_new(port, "link_local_state", json_string(state_name(&s->link_local, s->link_local_state)));
	json_object_set_new(port, "vlan", number(s->vlan));
	json_object_set_new(port, "rx_packets", number(s->rx_packets));
	json_object_set_new(port, "tx_packets", number(s->tx_packets));
	json_object_set_new(port, "rx_bytes", number(s->rx_bytes));
	json_object_set_new(port, "tx_bytes", number(s->tx_bytes));
	json_object_set_new(port, "rx_missed", number(s->rx_missed));
	json_object_set_new(port, "rx_errors", number(s->rx_errors));
	json_object_set_new(port, "tx_errors", number(s->tx_errors));
	json_object_set_new(port, "rx_no_buffer", number(s->rx_nombuf));
	json_object_set_new(port, "drops", drops_some_json(s->drops));
	return port;
}

json_t *show_ports(struct command_call *call)
{
	struct datapath *dp = call->control->dp;
	struct datapath_port_stats stats;
	json_t *list = json_array();

	for (uint16_t i = 0; i < datapath_port_count(dp); i++) {
		datapath_port_stats_read(dp, i, &stats);
		json_array_append_new(list, port_json(&stats));
	}
	return json_pack("{s:o,s:o}", "ports", list, "free_buffers", number(datapath_mbufs_free(dp)));
}

static json_t *counters_json(const struct datapath_worker_stats *s)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < DATAPATH_COUNTER_COUNT; i++)
		json_object_set_new(object, datapath_counter_name((enum datapath_counter)i), number(s->counters[i]));
	return object;
}

/* Every reason, also those at zero: a reader should not have to know the list. */
static json_t *drops_json(const struct datapath_worker_stats *s)
{
	json_t *object = json_object();

	for (unsigned i = DROP_NONE + 1; i < DROP_REASON_COUNT; i++)
		json_object_set_new(object, drop_keyword((enum drop_reason)i), number(s->drops[i]));
	return object;
}

static json_t *ike_json(const struct ike_engine *engine)
{
	const uint64_t *counters = ike_counters(engine);
	json_t *object = json_object();

	for (unsigned i = 0; i < IKE_COUNTER_COUNT; i++)
		json_object_set_new(object, ike_counter_name((enum ike_counter)i), number(counters[i]));
	json_object_set_new(object, "ike_sas", number(ike_sa_count(engine)));
	json_object_set_new(object, "ike_sas_lingering", number(ike_lingering_count(engine)));
	return object;
}

static void stats_add(struct datapath_worker_stats *total, const struct datapath_worker_stats *s)
{
	for (unsigned i = 0; i < DATAPATH_COUNTER_COUNT; i++)
		total->counters[i] += s->counters[i];
	for (unsigned i = 0; i < DROP_REASON_COUNT; i++)
		total->drops[i] += s->drops[i];
}

json_t *show_counters(struct command_call *call)
{
	const struct control *c = call->control;
	struct datapath_worker_stats total = { 0 }, stats;
	json_t *workers = json_array();

	for (uint16_t i = 0; i < datapath_worker_count(c->dp); i++) {
		datapath_worker_stats_read(c->dp, i, &stats);
		stats_add(&total, &stats);
		json_array_append_new(workers, json_pack("{s:i,s:o,s:o}", "worker", (int)i, "counters",
						       counters_json(&stats), "drops", drops_json(&stats)));
	}
	return json_pack("{s:o,s:{s:o,s:o},s:o,s:{s:o,s:o,s:o}}", "workers", workers, "totals", "counters",
		counters_json(&total), "drops", drops_json(&total), "ike", ike_json(c->engine), "mbufs", "size",
		number(c->config->system.mbufs), "free", number(datapath_mbufs_free(c->dp)), "large_free",
		number(datapath_large_free(c->dp)));
}

/* The subnet of an interface: its address without host bits. */
static void append_connected(json_t *list, const struct config_interface *i, const struct prefix *own)
{
	struct prefix subnet = { .len = own->len };
	char text[PREFIX_TEXT_MAX];
	struct addr high;

	if (own->addr.family == ADDR_NONE)
		return;
	prefix_range(own, &subnet.addr, &high);
	json_array_append_new(list, json_pack("{s:s,s:s,s:n,s:s}", "prefix", prefix_format(&subnet, text), "kind",
					    "connected", "via", "interface", i->name));
}

static bool is_connected(const struct config_interface *i, const struct addr *a)
{
	return prefix_contains(&i->address, a) || prefix_contains(&i->address6, a);
}

/* Which interface a route leaves through follows from the subnet of its next hop. */
static json_t *static_route(const struct config *config, const struct config_route *r)
{
	char prefix[PREFIX_TEXT_MAX], via[ADDR_TEXT_MAX];
	const char *interface = "";

	if (r->has_interface)
		interface = config->interfaces[r->interface].name;
	for (size_t i = 0; i < config->interface_count && !r->has_interface; i++)
		if (is_connected(&config->interfaces[i], &r->via))
			interface = config->interfaces[i].name;
	return json_pack("{s:s,s:s,s:s,s:s}", "prefix", prefix_format(&r->prefix, prefix), "kind", "static", "via",
		addr_format(&r->via, via), "interface", interface);
}

json_t *show_routes(struct command_call *call)
{
	const struct config *config = call->control->config;
	json_t *list = json_array();

	for (size_t i = 0; i < config->interface_count; i++) {
		append_connected(list, &config->interfaces[i], &config->interfaces[i].address);
		append_connected(list, &config->interfaces[i], &config->interfaces[i].address6);
	}
	for (size_t i = 0; i < config->route_count; i++)
		json_array_append_new(list, static_route(config, &config->routes[i]));
	return json_pack("{s:o}", "routes", list);
}

static const char *const neighbour_states[] = {
	[NEIGHBOUR_FREE] = "free",
	[NEIGHBOUR_INCOMPLETE] = "incomplete",
	[NEIGHBOUR_REACHABLE] = "reachable",
	[NEIGHBOUR_STALE] = "stale",
	[NEIGHBOUR_PROBE] = "probe",
	[NEIGHBOUR_STATIC] = "static",
};

/* An unresolved neighbour has no address yet: what stands in the table then is not shown. */
json_t *neighbour_json(const struct config *config, const struct datapath_neighbour *n)
{
	bool known = n->state != NEIGHBOUR_INCOMPLETE && n->state != NEIGHBOUR_FREE;
	char address[ADDR_TEXT_MAX], mac[18];

	return json_pack("{s:s,s:s,s:s,s:s}", "address", addr_format(&n->addr, address), "interface",
		n->port < config->interface_count ? config->interfaces[n->port].name : "", "mac",
		known ? mac_format(n->mac, mac) : "", "state", neighbour_states[n->state]);
}

json_t *show_neighbours(struct command_call *call)
{
	const struct control *c = call->control;
	size_t capacity = datapath_neighbours_read(c->dp, NULL, 0);
	struct datapath_neighbour *all = calloc(capacity + 1, sizeof(*all));
	json_t *list = json_array();
	size_t n = all ? datapath_neighbours_read(c->dp, all, capacity) : 0;

	for (size_t i = 0; i < n && i < capacity; i++)
		json_array_append_new(list, neighbour_json(c->config, &all[i]));
	free(all);
	return json_pack("{s:o}", "neighbours", list);
}

json_t *show_version(struct command_call *call)
{
	uint64_t up_ns = loop_now_ns() - call->control->started_ns;

	return json_pack("{s:s,s:s,s:s,s:s,s:I}", "version", SALLYPORT_VERSION, "dpdk", rte_version(), "ipsec_mb",
		ipsec_crypto_version(), "openssl", crypto_library_version(), "up_seconds",
		(json_int_t)(up_ns / 1000000000u));
}
