/* SPDX-License-Identifier: BSD-3-Clause */
/* The control core's parts and the calls between its files. Everything here belongs to the control thread. */
#pragma once

#include <stdio.h>

#include "api_priv.h"
#include "control.h"
#include "crypto_pool_priv.h"
#include "datapath.h"
#include "eal_priv.h"
#include "history_priv.h"
#include "ike.h"
#include "leases_priv.h"
#include "limit_priv.h"
#include "loop_priv.h"
#include "policy_order_priv.h"
#include "reload_priv.h"
#include "sa_lifecycle_priv.h"
#include "watch_priv.h"

enum {
	LIMIT_UNKNOWN_SPI = IKE_EVENT_KINDS,
	LIMIT_SEND,
	LIMIT_INSTALL,
	LIMIT_NO_SA,
	LIMIT_PATH_MTU,
	LIMIT_ICMP_ERROR,
	LIMIT_KINDS
};

#define UNINSTALLED_MAX 16

/* What a worker had counted at some moment, or in between two. */
struct worker_sample {
	uint64_t busy_cycles, idle_cycles, packets, bursts;
	uint64_t stage_cycles[CYCLE_STAGE_COUNT], measured_loops, measured_packets;
};

/* Of the last two sweeps. */
struct worker_load {
	struct worker_sample before, last;
};

/* Records of the trace that runs, or of the last one. */
struct trace_session {
	struct datapath_trace_record *records; /* owned; NULL: none was started */
	size_t count;
	uint64_t lost_before; /* what the packet path had lost before this one */
};

/* A capture that runs, or the last one. */
struct capture_session {
	FILE *file; /* NULL: none runs */
	char path[4096];
	char ended[64]; /* why; empty: it goes on */
	struct capture_request request;
	uint32_t interfaces[CAPTURE_PORT_OUT + 1]; /* of the file, by where the packet was */
	uint64_t packets, bytes, lost;
	uint64_t began_cycles, began_ns; /* one moment in two clocks: the TSC, and since 1970 */
	uint64_t next_ns, until_ns;
};

struct control {
	struct config *config;       /* in force; borrowed, or the next one */
	struct config *config_owned; /* taken over by a reload; NULL: none was */
	struct eal eal;
	struct loop loop;
	struct loop_source signals, packets, jobs;
	struct ipsec *ips;
	struct datapath *dp;
	struct policy policy; /* slots kept, rules freed once published */
	struct sa_registry sas;
	struct ike_engine *engine;
	struct leases *leases;
	struct crypto_pool *pool;
	struct api *api;
	struct history *histories; /* one per tunnel */
	struct log_limit limits[LIMIT_KINDS];
	struct ike_actions actions;            /* reused */
	uint32_t uninstalled[UNINSTALLED_MAX]; /* SPIs whose INSTALL failed, to be told to the engine */
	size_t uninstalled_count;
	uint64_t now_ns; /* of this turn of the loop */
	uint64_t started_ns;
	struct worker_load loads[IPSEC_WORKERS_MAX];
	struct reload_run *reload; /* NULL: none runs */
	bool reload_again;         /* a signal asked for one while it ran */
	struct capture_session capture;
	struct trace_session trace;
	uint64_t links_up; /* bit per port, as the last sweep found them */
	uint64_t next_sweep_ns;
	bool stopping;
	uint64_t stop_by_ns;
	bool stall_told;
};

/* ---- addresses.c ---- */

/* Addresses of `next` that `now` (NULL: nothing) lacks become ours in the packet path. */
void own_addresses_add(struct control *c, const struct config *next, const struct config *now);
/* Those of `now` that `next` lacks are ours no more. */
void own_addresses_remove(struct control *c, const struct config *next, const struct config *now);
/* Tunnels look for other paths where theirs is gone. */
void paths_changed(struct control *c);
/* Which links have a carrier; true: other ones than the last time. */
bool links_read(struct control *c);

/* The routes of a configuration as the packet path takes them; the caller's. NULL without memory. */
struct datapath_route *config_routes(const struct config *config);

/* ---- ike_host.c: the engine's side ---- */

/* The functions the engine calls. */
struct ike_host ike_host_functions(struct control *c);
/* An address that peers may send to: of a port, or configured beside these. */
bool own_address(const struct control *c, const struct addr *a);
/* Each calls the engine and carries out what it wants done. */
void ike_host_tick(struct control *c);
void ike_host_command(struct control *c, const struct ike_command *command);
void ike_host_input(struct control *c, const struct ike_datagram *d);
void ike_host_job_done(struct control *c, struct crypto_job *job);

/* ---- events.c: facts to log lines and histories ---- */

void limits_init(struct log_limit limits[LIMIT_KINDS]);
/* Logs with the limit of this kind and says how many lines it held back. */
void log_limited(struct control *c, unsigned kind, enum log_level level, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void event_report(struct control *c, const struct ike_event *e);

/* ---- hint.c: why a peer may be silent ---- */

/* From what datapath_next_hop_read answered about the peer. False when that explains nothing. */
bool hint_silence(const struct config *config, const struct addr *peer, int route_result,
	const struct datapath_neighbour *hop, char *ret_text, size_t capacity);
/* Control's hint on this failure when it has one, else the engine's. */
const char *hint_of(const struct history *h, const struct ike_failure *f);

/* ---- dp_events.c: what the packet path reports ---- */

struct datapath_host dp_events_host(struct control *c);

/* ---- capture.c: the file of a capture ---- */

/* Makes the file, which must not be there yet, and begins. 0, or -errno with a text. */
int capture_begin(struct control *c, const struct capture_request *request, struct watch_error *ret_error);
/* It ends at its next poll. */
void capture_stop(struct control *c);
/* Writes what was copied since, and ends what has to end. */
void capture_poll(struct control *c);
/* When it wants to be polled again; UINT64_MAX: none runs. */
uint64_t capture_deadline(const struct control *c);
/* After the workers have ended. */
void capture_close(struct control *c);

/* ---- api_*.c: commands; json_t results are the caller's ---- */

struct command_call {
	struct control *control;
	const char *const *args;
	size_t arg_count;
	char error[256]; /* filled when the handler returns NULL */
};

json_t *commands_run(
	struct control *c, const char *command, const char *const *args, size_t arg_count, struct api_error *ret_error);
json_t *show_tunnels(struct command_call *call);
json_t *show_sas(struct command_call *call);
json_t *show_policies(struct command_call *call);
json_t *show_ports(struct command_call *call);
json_t *show_counters(struct command_call *call);
json_t *show_routes(struct command_call *call);
json_t *show_neighbours(struct command_call *call);
json_t *show_workers(struct command_call *call);
json_t *show_leases(struct command_call *call);
json_t *show_memory(struct command_call *call);
json_t *show_version(struct command_call *call);
/* Samples of what workers counted, once a sweep; show workers tells the difference. */
void worker_loads_sweep(struct control *c);
struct worker_sample worker_sample_since(const struct worker_sample *now, const struct worker_sample *before);
json_t *worker_load_json(const struct worker_sample *s);
json_t *explain(struct command_call *call);
json_t *command_trace_start(struct command_call *call);
json_t *command_trace_show(struct command_call *call);
json_t *command_trace_stop(struct command_call *call);
json_t *command_capture_start(struct command_call *call);
json_t *command_capture_status(struct command_call *call);
json_t *command_capture_stop(struct command_call *call);
/* Parts of several answers. Only reasons that occurred: without drops an empty object. */
json_t *drops_some_json(const uint64_t drops[DROP_REASON_COUNT]);
json_t *sa_json(const struct sa_pair *pair, enum sa_direction direction);
json_t *policy_rule_json(const struct config *config, const struct policy *p, size_t i);
/* Whose a tunnel slot is. */
const char *slot_name(const struct control *c, uint32_t slot);
const char *policy_action_name(enum spd_action action);
/* The last failure of a tunnel, or null. */
json_t *tunnel_failure_json(const struct control *c, uint32_t index);
json_t *neighbour_json(const struct config *config, const struct datapath_neighbour *n);
/* Index of a tunnel by name, or -ENOENT with the call's error filled. */
int find_tunnel(struct command_call *call, const char *name);
/* The peer of a tunnel that serves many, after the words "peer ID" at the end of the call, not before argument `first`;
 * they are taken off. *ret_only: it, or NULL. False with the call's error filled. */
bool find_peer(struct command_call *call, int tunnel, size_t first, struct identity *ret_peer,
	const struct identity **ret_only);
