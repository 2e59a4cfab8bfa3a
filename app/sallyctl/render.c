/* SPDX-License-Identifier: BSD-3-Clause */
/* Which answer is printed how: a table of columns per command, and a few that are no tables. */
#include "render_priv.h"

#include <string.h>

#include "commands.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct column sa_columns[] = {
	{ "NAME", "name", false },
	{ "DIR", "direction", false },
	{ "PROTO", "protocol", false },
	{ "MODE", "mode", false },
	{ "SPI", "spi", false },
	{ "LOCAL", "local", false },
	{ "REMOTE", "remote", false },
	{ "PEER", "peer_id", false },
	{ "ENCAP", "encap", false },
	{ "SUITE", "suite", false },
	{ "ESN", "esn", false },
	{ "PACKETS", "packets", true },
	{ "BYTES", "bytes", true },
	{ "SEQ", "sequence", true },
	{ "WORKER", "owner", true },
	{ "FLAGS", "flags", false },
	{ "DROPS", "drops", false },
};

static const struct column policy_columns[] = {
	{ "NO", "number", true },
	{ "ACTION", "action", false },
	{ "TARGET", "target", false },
	{ "LOCAL", "local", false },
	{ "REMOTE", "remote", false },
	{ "POLICY", "policy", false },
};

static const struct column port_columns[] = {
	{ "NAME", "name", false },
	{ "DRIVER", "driver", false },
	{ "LINK", "link", false },
	{ "ADDRESS", "address", false },
	{ "ADDRESS6", "address6", false },
	{ "STATE6", "address6_state", false },
	{ "LINK-LOCAL", "link_local", false },
	{ "LL-STATE", "link_local_state", false },
	{ "VLAN", "vlan", true },
	{ "MAC", "mac", false },
	{ "MTU", "mtu", true },
	{ "RX-PACKETS", "rx_packets", true },
	{ "TX-PACKETS", "tx_packets", true },
	{ "RX-BYTES", "rx_bytes", true },
	{ "TX-BYTES", "tx_bytes", true },
	{ "MISSED", "rx_missed", true },
	{ "RX-ERR", "rx_errors", true },
	{ "TX-ERR", "tx_errors", true },
	{ "NO-BUF", "rx_no_buffer", true },
};

static const struct column route_columns[] = {
	{ "PREFIX", "prefix", false },
	{ "VIA", "via", false },
	{ "INTERFACE", "interface", false },
	{ "KIND", "kind", false },
};

static const struct column neighbour_columns[] = {
	{ "ADDRESS", "address", false },
	{ "INTERFACE", "interface", false },
	{ "MAC", "mac", false },
	{ "STATE", "state", false },
};

static const struct column lease_columns[] = {
	{ "POOL", "pool", false },
	{ "ADDRESS", "address", false },
	{ "IDENTITY", "identity", false },
	{ "STATE", "state", false },
	{ "SECONDS", "seconds", true },
};

static const struct column pool_columns[] = {
	{ "POOL", "name", false },
	{ "FAMILY", "family", false },
	{ "ADDRESSES", "addresses", true },
	{ "LENT", "lent", true },
};

/* Which member of the answer is the list, and how its rows look. */
static const struct {
	int command;
	const char *key;
	const struct column *columns;
	size_t count;
} tables[] = {
	{ COMMAND_SHOW_POLICIES, "policies", policy_columns, COUNT(policy_columns) },
	{ COMMAND_SHOW_ROUTES, "routes", route_columns, COUNT(route_columns) },
	{ COMMAND_SHOW_NEIGHBOURS, "neighbours", neighbour_columns, COUNT(neighbour_columns) },
};

static const char *direction_of(const json_t *sa)
{
	const char *direction = json_string_value(json_object_get(sa, "direction"));

	return direction ? direction : "-";
}

/* Below the table, so that it is not lost in a wide one. Both SAs of a pair are weak alike: said once. */
static void render_weak(FILE *out, const json_t *list)
{
	const char *reason, *name;
	json_t *sa;
	size_t i;

	json_array_foreach(list, i, sa)
	{
		reason = json_string_value(json_object_get(sa, "weak"));
		name = json_string_value(json_object_get(sa, "name"));
		if (reason && strcmp(direction_of(sa), "out") != 0)
			fprintf(out, "WEAK %s: %s\n", name ? name : "-", reason);
	}
}

/* A sender has no window, a receiver pads nothing, and of negotiated SAs IKE counts the lifetimes. */
static bool setting_applies(const json_t *sa, const char *key)
{
	if (!strcmp(key, "replay_window"))
		return strcmp(direction_of(sa), "out") != 0;
	if (!strcmp(key, "tfc_padding"))
		return strcmp(direction_of(sa), "in") != 0;
	if (!strcmp(key, "lifetime"))
		return json_is_true(json_object_get(sa, "manual"));
	return json_object_get(sa, key) != NULL;
}

/* What a table has no room for. */
static void render_settings(FILE *out, const json_t *list)
{
	static const char *const keys[] = { "replay_window", "lifetime", "tfc_padding", "outer", "inner_mtu",
		"path_mtu" };
	const char *separator;
	char text[256];
	json_t *sa;
	size_t i;

	json_array_foreach(list, i, sa)
	{
		fprintf(out, "%s %s", direction_of(sa), table_cell(json_object_get(sa, "spi"), text, sizeof(text)));
		separator = ":";
		for (size_t k = 0; k < COUNT(keys); k++) {
			if (!setting_applies(sa, keys[k]))
				continue;
			fprintf(out, "%s %s %s", separator, keys[k],
				table_cell(json_object_get(sa, keys[k]), text, sizeof(text)));
			separator = ";";
		}
		fputc('\n', out);
	}
}

static void render_sas(FILE *out, const json_t *result, bool detail)
{
	const json_t *list = json_object_get(result, "sas");

	table_print(out, list, sa_columns, COUNT(sa_columns));
	if (detail)
		render_settings(out, list);
	render_weak(out, list);
}

/* Zero drops and IKE counters are left out: what is there should catch the eye. Packet counters always show. */
static void render_group(FILE *out, const char *title, const json_t *totals, bool zeros)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)totals, key, value)
	{
		if (zeros || json_integer_value(value))
			fprintf(out, "%-7s %-28s %12" JSON_INTEGER_FORMAT "\n", title, key, json_integer_value(value));
	}
}

/* What each worker counted, where there is more than one; zeros are left out. */
static void render_each_worker(FILE *out, const json_t *workers)
{
	json_t *worker;
	char title[32];
	size_t i;

	if (json_array_size(workers) < 2)
		return;
	json_array_foreach(workers, i, worker)
	{
		snprintf(title, sizeof(title), "w%" JSON_INTEGER_FORMAT,
			json_integer_value(json_object_get(worker, "worker")));
		render_group(out, title, json_object_get(worker, "counters"), false);
		snprintf(title, sizeof(title), "w%" JSON_INTEGER_FORMAT " drop",
			json_integer_value(json_object_get(worker, "worker")));
		render_group(out, title, json_object_get(worker, "drops"), false);
	}
}

/* Totals, then the workers one by one. */
static void render_counters(FILE *out, const json_t *result)
{
	const json_t *totals = json_object_get(result, "totals");

	render_group(out, "packets", json_object_get(totals, "counters"), true);
	render_group(out, "drop", json_object_get(totals, "drops"), false);
	render_group(out, "ike", json_object_get(result, "ike"), false);
	render_group(out, "mbufs", json_object_get(result, "mbufs"), true);
	render_each_worker(out, json_object_get(result, "workers"));
}

/* One line a member, in the order the daemon sent them. */
static void render_members(FILE *out, const json_t *result)
{
	int width = 12;
	const char *key;
	json_t *value;
	char text[256];

	json_object_foreach((json_t *)result, key, value)
	{
		if ((int)strlen(key) > width)
			width = (int)strlen(key);
	}
	json_object_foreach((json_t *)result, key, value)
	{
		fprintf(out, "%-*s %s\n", width, key, table_cell(value, text, sizeof(text)));
	}
}

/* Reasons stand below the table, a line a port that dropped something. */
static void render_ports(FILE *out, const json_t *result)
{
	const json_t *list = json_object_get(result, "ports"), *drops, *port;
	char text[1024];
	size_t i;

	table_print(out, list, port_columns, COUNT(port_columns));
	json_array_foreach(list, i, port)
	{
		drops = json_object_get(port, "drops");
		if (json_object_size(drops))
			fprintf(out, "drops of %s: %s\n", json_string_value(json_object_get(port, "name")),
				table_cell(drops, text, sizeof(text)));
	}
}

static void render_leases(FILE *out, const json_t *result)
{
	table_print(out, json_object_get(result, "pools"), pool_columns, COUNT(pool_columns));
	table_print(out, json_object_get(result, "leases"), lease_columns, COUNT(lease_columns));
}

static const struct {
	int command;
	void (*print)(FILE *out, const json_t *result);
} reports[] = {
	{ COMMAND_SHOW_COUNTERS, render_counters },
	{ COMMAND_SHOW_PORTS, render_ports },
	{ COMMAND_SHOW_LEASES, render_leases },
	{ COMMAND_SHOW_WORKERS, render_workers },
	{ COMMAND_EXPLAIN, render_explain },
	{ COMMAND_SHOW_MEMORY, render_members },
	{ COMMAND_SHOW_VERSION, render_members },
	{ COMMAND_RELOAD, render_members },
	{ COMMAND_TRACE_SHOW, render_trace },
	{ COMMAND_TRACE_START, render_members },
	{ COMMAND_CAPTURE_START, render_members },
	{ COMMAND_CAPTURE_STATUS, render_members },
	{ COMMAND_CAPTURE_STOP, render_members },
};

/* True when the command has an entry of one of the tables above. */
static bool render_listed(FILE *out, int command, const json_t *result)
{
	for (size_t i = 0; i < COUNT(tables); i++)
		if (tables[i].command == command) {
			table_print(out, json_object_get(result, tables[i].key), tables[i].columns, tables[i].count);
			return true;
		}
	for (size_t i = 0; i < COUNT(reports); i++)
		if (reports[i].command == command) {
			reports[i].print(out, result);
			return true;
		}
	return false;
}

/* Commands that answer nothing worth a table say ok. */
void render(FILE *out, int command, const json_t *result, bool detail)
{
	if (command == COMMAND_SHOW_TUNNELS)
		render_tunnels(out, result, detail);
	else if (command == COMMAND_SHOW_SAS)
		render_sas(out, result, detail);
	else if (!render_listed(out, command, result))
		fputs("ok\n", out);
}
