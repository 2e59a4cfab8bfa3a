/* SPDX-License-Identifier: BSD-3-Clause */
/* show tunnels for people: Phase 1, Phase 2 and the last failure with the mismatch marked, readable at a glance. */
#include <string.h>

#include "render_priv.h"

/* A string member, "-" when it is empty or not there. */
static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && *text ? text : "-";
}

static bool has_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && *text;
}

static bool is_up(const json_t *phase)
{
	return !strcmp(text_of(phase, "state"), "up");
}

/* The left column of every line that begins a phase. */
static void print_state(FILE *out, const char *label, const json_t *phase)
{
	double seconds = json_number_value(json_object_get(phase, "up_seconds"));
	char duration[32], state[64];

	snprintf(state, sizeof(state), "%s", text_of(phase, "state"));
	if (is_up(phase))
		snprintf(state, sizeof(state), "up %s", elapsed_format(seconds, duration, sizeof(duration)));
	fprintf(out, "  %-8s %-12s", label, state);
}

bool unanswered_describe(const json_t *phase1, char *ret_text, size_t capacity)
{
	const json_t *request = json_object_get(phase1, "unanswered");
	bool hint = has_text(request, "hint");

	if (!json_is_object(request))
		return false;
	snprintf(ret_text, capacity, "%s sent %" JSON_INTEGER_FORMAT " times without an answer%s%s",
		text_of(request, "exchange"), json_integer_value(json_object_get(request, "sent")), hint ? "; " : "",
		hint ? text_of(request, "hint") : "");
	return true;
}

/* Who the peer proved to be, under which IKE SA, and where NAT was found. */
static void print_phase1(FILE *out, const json_t *phase)
{
	bool nat_local = json_is_true(json_object_get(phase, "nat_local"));
	bool nat_remote = json_is_true(json_object_get(phase, "nat_remote"));
	char addresses[2 * 48], more[8 * 48], silence[256];

	print_state(out, "Phase 1", phase);
	if (strcmp(text_of(phase, "state"), "down") != 0)
		fprintf(out, " %s", text_of(phase, "role"));
	if (has_text(phase, "suite"))
		fprintf(out, "  %s", text_of(phase, "suite"));
	if (has_text(phase, "remote_id"))
		fprintf(out, "  peer %s", text_of(phase, "remote_id"));
	fputc('\n', out);
	if (unanswered_describe(phase, silence, sizeof(silence)))
		fprintf(out, "  %-8s %-12s %s\n", "", "", silence);
	if (has_text(phase, "spi_i"))
		fprintf(out, "  %-8s %-12s SPIs %s %s\n", "", "", text_of(phase, "spi_i"), text_of(phase, "spi_r"));
	if (json_array_size(json_object_get(phase, "virtual_ips")))
		fprintf(out, "  %-8s %-12s virtual IP %s\n", "", "",
			table_cell(json_object_get(phase, "virtual_ips"), addresses, sizeof(addresses)));
	if (has_text(phase, "weak"))
		fprintf(out, "  %-8s %-12s WEAK: %s\n", "", "", text_of(phase, "weak"));
	if (json_is_true(json_object_get(phase, "mobike")))
		fprintf(out, "  %-8s %-12s MOBIKE, further addresses of the peer: %s\n", "", "",
			table_cell(json_object_get(phase, "remote_more_addresses"), more, sizeof(more)));
	if (nat_local || nat_remote)
		fprintf(out, "  %-8s %-12s NAT in front of %s\n", "", "",
			nat_local && nat_remote ? "both"
			: nat_local             ? "us"
						: "the peer");
}

/* What is protected; how, once it is negotiated. */
static void print_phase2(FILE *out, const json_t *phase)
{
	char local[256], remote[256];

	print_state(out, "Phase 2", phase);
	fprintf(out, " %s  %s === %s\n", text_of(phase, "name"),
		table_cell(json_object_get(phase, "local_selectors"), local, sizeof(local)),
		table_cell(json_object_get(phase, "remote_selectors"), remote, sizeof(remote)));
	if (has_text(phase, "spi_in") || has_text(phase, "spi_out"))
		fprintf(out, "  %-8s %-12s %s  %s  SPI in %s out %s\n", "", "", text_of(phase, "suite"),
			!strcmp(text_of(phase, "protocol"), "ah") ? "AH"
			: !strcmp(text_of(phase, "encap"), "udp") ? "UDP-encapsulated ESP"
								  : "ESP",
			text_of(phase, "spi_in"), text_of(phase, "spi_out"));
}

/* An entry, and where its peer carries it on several Child SAs all of these. */
static void print_entry(FILE *out, const json_t *entry)
{
	const json_t *others = json_object_get(entry, "others"), *other;
	size_t i;

	print_phase2(out, entry);
	json_array_foreach(others, i, other)
	{
		print_phase2(out, other);
	}
}

static void print_detail(FILE *out, const json_t *failure, const char *key, const char *mark)
{
	if (has_text(failure, key))
		fprintf(out, "  %8s %-12s %s\n", mark, key, text_of(failure, key));
}

/* The first mismatch carries an arrow: the eye should find it before it reads two lists of algorithms. */
static void print_failure(FILE *out, const json_t *failure)
{
	char ago[32];

	if (!json_is_object(failure))
		return;
	elapsed_format(json_number_value(json_object_get(failure, "seconds_ago")), ago, sizeof(ago));
	fprintf(out, "  %-8s %-12s %s ago: Phase %" JSON_INTEGER_FORMAT ", %s as %s: %s", "Last", "failure", ago,
		json_integer_value(json_object_get(failure, "phase")), text_of(failure, "exchange"),
		text_of(failure, "role"), text_of(failure, "reason"));
	if (has_text(failure, "notify"))
		fprintf(out, " (%s)", text_of(failure, "notify"));
	fputc('\n', out);
	print_detail(out, failure, "ours", "");
	print_detail(out, failure, "theirs", "");
	print_detail(out, failure, "mismatch", "-->");
	print_detail(out, failure, "hint", "");
}

static void print_events(FILE *out, const json_t *events)
{
	json_t *e;
	size_t i;

	json_array_foreach(events, i, e)
	{
		fprintf(out, "  %-8s %s  %-14s %s\n", i ? "" : "Events", text_of(e, "time"), text_of(e, "event"),
			has_text(e, "text") ? text_of(e, "text") : "");
	}
}

/* A gateway of manual SAs only is not empty: says where they are. */
static void print_none(FILE *out, const json_t *result)
{
	json_int_t n = json_integer_value(json_object_get(result, "manual_sas"));

	fputs("no tunnels", out);
	if (n)
		fprintf(out, "; %" JSON_INTEGER_FORMAT " manual SA%s: see show sas", n, n == 1 ? "" : "s");
	fputc('\n', out);
}

static void print_phases(FILE *out, const json_t *of)
{
	const json_t *child;
	size_t i;

	print_phase1(out, json_object_get(of, "phase1"));
	json_array_foreach(json_object_get(of, "phase2"), i, child)
	{
		print_entry(out, child);
	}
}

/* A tunnel that serves many has a block a peer. */
static void print_peers(FILE *out, const json_t *tunnel)
{
	const json_t *peers = json_object_get(tunnel, "peers"), *peer;
	size_t i;

	fprintf(out, "  Peers    %zu of at most %" JSON_INTEGER_FORMAT "\n", json_array_size(peers),
		json_integer_value(json_object_get(tunnel, "peers_max")));
	json_array_foreach(peers, i, peer)
	{
		fprintf(out, "  Peer     %s at %s\n", text_of(peer, "id"),
			text_of(json_object_get(peer, "phase1"), "remote"));
		print_phases(out, peer);
	}
}

void render_tunnels(FILE *out, const json_t *result, bool detail)
{
	json_t *tunnel;
	size_t i;

	if (!json_array_size(json_object_get(result, "tunnels")))
		print_none(out, result);
	json_array_foreach(json_object_get(result, "tunnels"), i, tunnel)
	{
		const json_t *phase1 = json_object_get(tunnel, "phase1");

		fprintf(out, "%s%s: %s -> %s\n", i ? "\n" : "", text_of(tunnel, "name"), text_of(phase1, "local"),
			text_of(phase1, "remote"));
		if (json_is_array(json_object_get(tunnel, "peers")))
			print_peers(out, tunnel);
		else
			print_phases(out, tunnel);
		print_failure(out, json_object_get(tunnel, "last_failure"));
		if (detail)
			print_events(out, json_object_get(tunnel, "events"));
	}
}
