/* SPDX-License-Identifier: BSD-3-Clause */
/* show workers: how busy each worker is, over the last interval of the sweep and since the start, and what it owns. */
#include "control_priv.h"

static struct worker_sample sample_of(const struct datapath_worker_stats *s)
{
	return (struct worker_sample){
		.busy_cycles = s->busy_cycles,
		.idle_cycles = s->idle_cycles,
		.packets = s->packets,
		.bursts = s->bursts,
	};
}

struct worker_sample worker_sample_since(const struct worker_sample *now, const struct worker_sample *before)
{
	return (struct worker_sample){
		.busy_cycles = now->busy_cycles - before->busy_cycles,
		.idle_cycles = now->idle_cycles - before->idle_cycles,
		.packets = now->packets - before->packets,
		.bursts = now->bursts - before->bursts,
	};
}

void worker_loads_sweep(struct control *c)
{
	struct datapath_worker_stats stats;

	for (uint16_t i = 0; i < datapath_worker_count(c->dp); i++) {
		struct worker_load *load = &c->loads[i];

		datapath_worker_stats_read(c->dp, i, &stats);
		load->before = load->last;
		load->last = sample_of(&stats);
	}
}

/* Null where there is nothing to divide by: no load is known, which is not the same as none. */
static json_t *ratio(double dividend, uint64_t divisor)
{
	return divisor ? json_real(dividend / (double)divisor) : json_null();
}

json_t *worker_load_json(const struct worker_sample *s)
{
	uint64_t cycles = s->busy_cycles + s->idle_cycles;

	return json_pack("{s:o,s:o,s:o,s:o,s:I}", "busy_percent", ratio(100.0 * (double)s->busy_cycles, cycles),
		"idle_percent", ratio(100.0 * (double)s->idle_cycles, cycles), "cycles_per_packet",
		ratio((double)s->busy_cycles, s->packets), "packets_per_burst", ratio((double)s->packets, s->bursts),
		"packets", (json_int_t)s->packets);
}

static json_t *worker_json(const struct control *c, uint16_t i)
{
	struct worker_sample total, interval = worker_sample_since(&c->loads[i].last, &c->loads[i].before);
	struct datapath_worker_stats s;

	datapath_worker_stats_read(c->dp, i, &s);
	total = sample_of(&s);
	return json_pack("{s:i,s:i,s:i,s:i,s:i,s:I,s:I,s:I,s:o,s:o}", "worker", (int)i, "lcore", (int)s.lcore, "cpu",
		(int)s.cpu, "rx_queues", (int)s.rx_queues, "buckets", (int)s.buckets, "loops", (json_int_t)s.loops,
		"busy_cycles", (json_int_t)s.busy_cycles, "idle_cycles", (json_int_t)s.idle_cycles, "last_second",
		worker_load_json(&interval), "since_start", worker_load_json(&total));
}

json_t *show_workers(struct command_call *call)
{
	const struct control *c = call->control;
	json_t *list = json_array();

	for (uint16_t i = 0; i < datapath_worker_count(c->dp); i++)
		json_array_append_new(list, worker_json(c, i));
	return json_pack("{s:o}", "workers", list);
}
