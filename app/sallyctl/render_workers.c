/* SPDX-License-Identifier: BSD-3-Clause */
/* show workers for people: one line a worker for the last second, one since the start; then where the cycles of those
 * loops went that were measured. */
#include "render_priv.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct column worker_columns[] = {
	{ "WORKER", "worker", true },
	{ "LCORE", "lcore", true },
	{ "CPU", "cpu", true },
	{ "QUEUES", "rx_queues", true },
	{ "BUCKETS", "buckets", true },
	{ "OVER", "over", false },
	{ "BUSY-%", "busy_percent", true },
	{ "IDLE-%", "idle_percent", true },
	{ "PACKETS", "packets", true },
	{ "CYCLES/PACKET", "cycles_per_packet", true },
	{ "PACKETS/BURST", "packets_per_burst", true },
};

/* Cycles per packet, by stage; the keys are the daemon's names. */
static const struct column stage_columns[] = {
	{ "WORKER", "worker", true },
	{ "OVER", "over", false },
	{ "MEASURED", "packets", true },
	{ "RECEIVE", "receive", true },
	{ "CLASSIFY", "classify", true },
	{ "DECIDE", "decide", true },
	{ "FIND-SA", "find_sa", true },
	{ "PREPARE", "prepare", true },
	{ "CRYPTO", "crypto", true },
	{ "FINISH", "finish", true },
	{ "INNER", "inner", true },
	{ "FORWARD", "forward", true },
	{ "TRANSMIT", "transmit", true },
	{ "OTHER", "other", true },
	{ "ALL", "all", true },
};

/* The worker's own members and those of one span of time, side by side. */
static void row_add(json_t *rows, const json_t *worker, const char *span, const char *label)
{
	json_t *row = json_copy((json_t *)worker);

	json_object_update(row, json_object_get(worker, span));
	json_object_set_new(row, "over", json_string(label));
	json_array_append_new(rows, row);
}

static void stages_add(json_t *rows, const json_t *worker, const char *span, const char *label)
{
	const json_t *measured = json_object_get(json_object_get(worker, span), "measured");
	json_t *row = json_copy((json_t *)measured);

	json_object_update(row, json_object_get(measured, "cycles_per_packet"));
	json_object_set(row, "worker", json_object_get(worker, "worker"));
	json_object_set_new(row, "over", json_string(label));
	json_array_append_new(rows, row);
}

void render_workers(FILE *out, const json_t *result)
{
	json_t *rows = json_array(), *stages = json_array(), *worker;
	size_t i;

	json_array_foreach(json_object_get(result, "workers"), i, worker)
	{
		row_add(rows, worker, "last_second", "last second");
		row_add(rows, worker, "since_start", "since start");
		stages_add(stages, worker, "last_second", "last second");
		stages_add(stages, worker, "since_start", "since start");
	}
	table_print(out, rows, worker_columns, COUNT(worker_columns));
	fputs("\ncycles per packet by stage, where measured\n", out);
	table_print(out, stages, stage_columns, COUNT(stage_columns));
	json_decref(rows);
	json_decref(stages);
}
