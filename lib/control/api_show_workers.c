/* SPDX-License-Identifier: BSD-3-Clause */
/* show workers: how busy each worker is, over the last interval of the sweep and since the start, and what it owns. */
#include "control_priv.h"

static struct worker_sample sample_of(const struct datapath_worker_stats *s)
{
	struct worker_sample sample = {
		.busy_cycles = s->busy_cycles,
		.idle_cycles = s->idle_cycles,
		.packets = s->packets,
		.bursts = s->bursts,
		.measured_loops = s->measured_loops,
		.measured_packets = s->measured_packets,
	};

	memcpy(sample.stage_cycles, s->stage_cycles, sizeof(sample.stage_cycles));
	return sample;
}

struct worker_sample worker_sample_since(const struct worker_sample *now, const struct worker_sample *before)
{
	struct worker_sample since = {
		.busy_cycles = now->busy_cycles - before->busy_cycles,
		.idle_cycles = now->idle_cycles - before->idle_cycles,
		.packets = now->packets - before->packets,
		.bursts = now->bursts - before->bursts,
		.measured_loops = now->measured_loops - before->measured_loops,
		.measured_packets = now->measured_packets - before->measured_packets,
	};

	for (int i = 0; i < CYCLE_STAGE_COUNT; i++)
		since.stage_cycles[i] = now->stage_cycles[i] - before->stage_cycles[i];
	return since;
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

/* Of the loops that were measured: cycles per packet by stage, and their sum. */
static json_t *stages_json(const struct worker_sample *s)
{
	json_t *stages = json_object();
	uint64_t all = 0;

	for (int i = 0; i < CYCLE_STAGE_COUNT; i++) {
		json_object_set_new(stages, datapath_stage_name((enum cycle_stage)i),
			ratio((double)s->stage_cycles[i], s->measured_packets));
		all += s->stage_cycles[i];
	}
	return json_pack("{s:I,s:I,s:o,s:o}", "loops", (json_int_t)s->measured_loops, "packets",
		(json_int_t)s->measured_packets, "all", ratio((double)all, s->measured_packets), "cycles_per_packet",
		stages);
}

json_t *worker_load_json(const struct worker_sample *s)
{
	uint64_t cycles = s->busy_cycles + s->idle_cycles;

	return json_pack("{s:o,s:o,s:o,s:o,s:I,s:o}", "busy_percent", ratio(100.0 * (double)s->busy_cycles, cycles),
		"idle_percent", ratio(100.0 * (double)s->idle_cycles, cycles), "cycles_per_packet",
		ratio((double)s->busy_cycles, s->packets), "packets_per_burst", ratio((double)s->packets, s->bursts),
		"packets", (json_int_t)s->packets, "measured", stages_json(s));
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
