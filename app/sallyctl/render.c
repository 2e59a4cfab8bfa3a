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
	{ "LINK-LOCAL", "link_local", false },
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

static const struct column worker_columns[] = {
	{ "WORKER", "worker", true },
	{ "LCORE", "lcore", true },
	{ "CPU", "cpu", true },
	{ "LOOPS", "loops", true },
	{ "BUSY-CYCLES", "busy_cycles", true },
	{ "IDLE-CYCLES", "idle_cycles", true },
};

/* Which member of the answer is the list, and how its rows look. */
static const struct {
	int command;
	const char *key;
	const struct column *columns;
	size_t count;
} tables[] = {
	{ COMMAND_SHOW_POLICIES, "policies", policy_columns, COUNT(policy_columns) },
	{ COMMAND_SHOW_PORTS, "ports", port_columns, COUNT(port_columns) },
	{ COMMAND_SHOW_ROUTES, "routes", route_columns, COUNT(route_columns) },
	{ COMMAND_SHOW_NEIGHBOURS, "neighbours", neighbour_columns, COUNT(neighbour_columns) },
	{ COMMAND_SHOW_WORKERS, "workers", worker_columns, COUNT(worker_columns) },
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
	static const char *const keys[] = { "replay_window", "lifetime", "tfc_padding", "outer", "inner_mtu" };
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

/* Totals only: per worker figures are in the JSON form. */
static void render_counters(FILE *out, const json_t *result)
{
	const json_t *totals = json_object_get(result, "totals");

	render_group(out, "packets", json_object_get(totals, "counters"), true);
	render_group(out, "drop", json_object_get(totals, "drops"), false);
	render_group(out, "ike", json_object_get(result, "ike"), false);
	render_group(out, "mbufs", json_object_get(result, "mbufs"), true);
}

/* One line a member, in the order the daemon sent them. */
static void render_members(FILE *out, const json_t *result)
{
	const char *key;
	json_t *value;
	char text[256];

	json_object_foreach((json_t *)result, key, value)
	{
		fprintf(out, "%-12s %s\n", key, table_cell(value, text, sizeof(text)));
	}
}

/* Commands that answer nothing worth a table say ok. */
void render(FILE *out, int command, const json_t *result, bool detail)
{
	for (size_t i = 0; i < COUNT(tables); i++)
		if (tables[i].command == command) {
			table_print(out, json_object_get(result, tables[i].key), tables[i].columns, tables[i].count);
			return;
		}
	if (command == COMMAND_SHOW_TUNNELS)
		render_tunnels(out, result, detail);
	else if (command == COMMAND_SHOW_SAS)
		render_sas(out, result, detail);
	else if (command == COMMAND_SHOW_COUNTERS)
		render_counters(out, result);
	else if (command == COMMAND_SHOW_VERSION)
		render_members(out, result);
	else
		fputs("ok\n", out);
}
