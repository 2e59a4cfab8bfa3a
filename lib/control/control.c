/* SPDX-License-Identifier: BSD-3-Clause */
/* Start, turn of the loop and stop of the control core: the order of things and nothing else. */
#include "control.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <rte_version.h>

#include "control_priv.h"

/* Room for 10,000 tunnels with a few children each, their successors during a grace period, and reuse in a far
 * distance. */
#define SAD_SLOTS     65536
#define CHILD_SLOTS   65536
#define JOB_QUEUE_MAX 1024
/* Liveness and lifetimes count in seconds: a finer sweep would only cost. */
#define SWEEP_NS         1000000000ull
#define STOP_NS          2000000000ull /* for the peers to answer our deletes */
#define STALL_NS         5000000000ull /* a worker that does not report for this long is an alarm */
#define POOL_THREADS_MAX 4

const char *control_dpdk_version(void)
{
	return rte_version();
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

/* ---- sources of the loop ---- */

/* A second signal means that the operator does not want to wait for the peers. */
static void begin_stop(struct control *c, uint32_t signal_number)
{
	struct ike_command all = { .kind = IKE_TERMINATE_ALL };

	if (c->stopping) {
		c->stop_by_ns = 0;
		return;
	}
	log_line(LOG_NOTICE, "stop: signal %u, deleting %u IKE SA%s", signal_number, ike_sa_count(c->engine),
		plural(ike_sa_count(c->engine)));
	c->stopping = true;
	reload_cancel(c);
	c->stop_by_ns = c->now_ns + STOP_NS;
	ike_host_command(c, &all);
}

static void on_signal(void *context, uint32_t events)
{
	struct control *c = context;
	struct signalfd_siginfo info;

	(void)events;
	while (read(c->signals.fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			reload_on_signal(c);
		else
			begin_stop(c, info.ssi_signo);
	}
}

/* Punted messages, events and ARP; also when only ARP's timers are due. */
static void poll_packets(struct control *c)
{
	struct datapath_host host = dp_events_host(c);

	datapath_control_poll(c->dp, &host, c->now_ns);
}

static void on_packets(void *context, uint32_t events)
{
	struct control *c = context;

	(void)events;
	c->now_ns = loop_now_ns();
	poll_packets(c);
}

/* Every finished job at once: the descriptor stays quiet until another one finishes. */
static void on_jobs(void *context, uint32_t events)
{
	struct control *c = context;
	struct crypto_job *job;

	(void)events;
	c->now_ns = loop_now_ns();
	while ((job = crypto_pool_pull(c->pool)))
		ike_host_job_done(c, job);
}

static json_t *on_command(
	void *context, const char *command, const char *const *args, size_t arg_count, struct api_error *ret_error)
{
	return commands_run(context, command, args, arg_count, ret_error);
}

/* ---- start ---- */

/* Blocked before EAL starts threads, which inherit the mask: signals come through the loop only. */
static int open_signals(struct control *c)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL))
		return -EINVAL;
	c->signals = (struct loop_source){ signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), on_signal, c };
	return c->signals.fd < 0 ? -errno : loop_add(&c->loop, &c->signals, EPOLLIN);
}

/* Prefixes of peers, where some tunnel serves many. A reload does not change tunnels. */
static uint32_t child_slots(const struct config *config)
{
	for (size_t i = 0; i < config->tunnel_count; i++)
		if (profile_serves_many(&config->tunnels[i]))
			return CHILD_SLOTS;
	return 0;
}

/* Tables are sized once, so that what a configuration to come names has a place. */
static int start_ipsec(struct control *c, char *ret_reason, size_t reason_capacity)
{
	struct ipsec_config ic = { .workers = c->eal.workers,
		.sad_slots = SAD_SLOTS,
		.tunnel_slots = POLICY_SLOTS_MAX,
		.child_slots = child_slots(c->config) };
	const char *reason = "failed";

	c->ips = ipsec_create(&ic, &reason);
	if (!c->ips)
		snprintf(ret_reason, reason_capacity, "packet path tables: %s", reason);
	return c->ips ? 0 : -EIO;
}

/* A pool lends addresses that look as if they were on the link. */
static bool lends_from(const struct config *config, const struct prefix *subnet)
{
	const struct selector on_link = selector_from_prefix(subnet);
	struct selector common;

	for (size_t i = 0; i < config->pool_count; i++)
		for (int k = 0; k < config->pools[i].addresses.count; k++)
			if (selector_intersect(&config->pools[i].addresses.items[k], &on_link, &common))
				return true;
	return false;
}

/* Further addresses of ours are there. */
static bool has_addresses(const struct config *config, const struct prefix *subnet)
{
	for (size_t i = 0; i < config->address_count; i++)
		if (prefix_contains(subnet, &config->addresses[i].addr))
			return true;
	return false;
}

static int fill_ports(const struct config *config, struct datapath_config *dc, char *ret_reason, size_t reason_capacity)
{
	static_assert(CONFIG_INTERFACES_MAX <= DATAPATH_PORTS_MAX, "room for all interfaces");
	for (size_t i = 0; i < config->interface_count; i++) {
		const struct config_interface *from = &config->interfaces[i];
		struct datapath_port_config *to = &dc->ports[dc->port_count++];

		snprintf(to->name, sizeof(to->name), "%s", from->name);
		if (eal_device_name(from->device, to->device, sizeof(to->device))) {
			snprintf(ret_reason, reason_capacity, "interface %s: device name too long", from->name);
			return -EINVAL;
		}
		to->address = from->address;
		to->address6 = from->address6;
		to->link_local = from->link_local;
		to->vlan = (uint16_t)from->vlan;
		to->mtu = (uint16_t)from->mtu;
		to->rpf = (enum datapath_rpf)from->rpf;
		to->proxies = from->address6.addr.family &&
			      (lends_from(config, &from->address6) || has_addresses(config, &from->address6));
	}
	return 0;
}

static const enum datapath_idle idle_ways[] = {
	[IDLE_POLL] = DATAPATH_POLL,
	[IDLE_ADAPTIVE] = DATAPATH_ADAPTIVE,
	[IDLE_PAUSE] = DATAPATH_PAUSE,
	[IDLE_MONITOR] = DATAPATH_MONITOR,
	[IDLE_INTERRUPT] = DATAPATH_INTERRUPT,
};

static int create_datapath(struct control *c, char *ret_reason, size_t reason_capacity)
{
	const struct config_system *s = &c->config->system;
	struct datapath_config *dc = calloc(1, sizeof(*dc));
	int rc;

	if (!dc)
		return -ENOMEM;
	dc->workers = c->eal.workers;
	dc->active = (uint16_t)s->workers;
	dc->idle = idle_ways[s->idle];
	dc->mbufs = s->mbufs;
	dc->mss_clamp = s->mss_clamp;
	dc->flow_entries = s->flow_cache;
	dc->flow_rules = s->flow_rules;
	dc->icmp = (struct datapath_icmp){
		.path_mtu = s->icmp.path_mtu, .errors = s->icmp.errors, .prohibited = s->icmp.prohibited
	};
	dc->reassembly = (struct datapath_reassembly){
		.datagrams = (uint16_t)s->reassembly.datagrams,
		.fragments = (uint16_t)s->reassembly.fragments,
		.timeout_ms = (uint32_t)(s->reassembly.timeout_ns / 1000000),
		.large_buffers = s->reassembly.large_buffers,
	};
	dc->neighbours = (struct datapath_neighbour_timers){
		.dad_probes = (uint8_t)s->neighbours.dad_probes,
		.retransmit_ms = (uint32_t)(s->neighbours.retransmit_ns / 1000000),
		.reachable_ms = (uint32_t)(s->neighbours.reachable_ns / 1000000),
	};
	rc = fill_ports(c->config, dc, ret_reason, reason_capacity);
	if (!rc)
		c->dp = datapath_create(c->ips, dc, ret_reason, reason_capacity);
	free(dc);
	return c->dp ? 0 : -EIO;
}

struct datapath_route *config_routes(const struct config *config)
{
	struct datapath_route *routes = calloc(config->route_count + 1, sizeof(*routes));

	for (size_t i = 0; routes && i < config->route_count; i++)
		routes[i] = (struct datapath_route){
			.prefix = config->routes[i].prefix,
			.via = config->routes[i].via,
			.on_port = config->routes[i].has_interface,
			.port = (uint16_t)config->routes[i].interface,
		};
	return routes;
}

/* The rules are only a recipe: compiled and published, they are not needed any more; the slots' owners are. */
static int publish_policy(struct control *c, char *ret_reason, size_t reason_capacity)
{
	struct datapath_route *routes = config_routes(c->config);
	struct datapath_snapshot snapshot = { c->policy.rules, c->policy.rule_count, routes, c->config->route_count };
	const char *reason = "no memory";
	int rc = routes ? datapath_publish(c->dp, &snapshot, &reason) : -ENOMEM;

	if (rc)
		snprintf(ret_reason, reason_capacity, "policies and routes: %s", reason);
	free(routes);
	policy_rules_free(&c->policy);
	return rc;
}

static int add_neighbours(struct control *c, char *ret_reason, size_t reason_capacity)
{
	for (size_t i = 0; i < c->config->neighbour_count; i++) {
		const struct config_neighbour *n = &c->config->neighbours[i];
		int rc = datapath_neighbour_add(c->dp, (uint16_t)n->interface, &n->addr, n->mac);
		char text[ADDR_TEXT_MAX];

		if (rc) {
			snprintf(ret_reason, reason_capacity, "neighbour %s: %s", addr_format(&n->addr, text),
				strerror(-rc));
			return rc;
		}
	}
	return 0;
}

/* Manually keyed SAs are installed before workers run, through the same function as negotiated ones. */
static int install_manual_sas(struct control *c, char *ret_reason, size_t reason_capacity)
{
	static const struct sa_owner nobody = { .tunnel = -1, .child = -1 };

	for (size_t i = 0; i < c->config->manual_sa_count; i++) {
		const struct config_manual_sa *m = &c->config->manual_sas[i];
		const char *reason;
		int rc = sa_pair_install(&c->sas, &nobody, &m->in, &m->out, true, &reason);

		if (rc) {
			snprintf(ret_reason, reason_capacity, "manual SA %s: %s", m->name, reason);
			return rc;
		}
		log_line(LOG_NOTICE, "manual-sa-up %s spi-in %08x spi-out %08x", m->name, m->in.spi, m->out.spi);
	}
	return 0;
}

/* Key exchange is bursty and short; more threads than this would take CPUs from packets. */
static unsigned pool_threads(const cpu_set_t *cpus)
{
	unsigned n = (unsigned)CPU_COUNT(cpus);

	return n > POOL_THREADS_MAX ? POOL_THREADS_MAX : n ? n : 1;
}

/* A gateway that forgets who had which address is better than none: the fault is logged. */
static int start_leases(struct control *c, char *ret_reason, size_t reason_capacity)
{
	const char *reason;
	const char *path = c->config->pool_count ? c->config->control.leases : NULL;

	c->leases = leases_create(c->config->pools, c->config->pool_count, path, c->now_ns, &reason);
	if (!c->leases) {
		snprintf(ret_reason, reason_capacity, "no memory");
		return -ENOMEM;
	}
	if (reason)
		log_line(LOG_ERROR, "leases: %s: %s; addresses lent now are forgotten at a restart", path, reason);
	return 0;
}

static struct ike_settings engine_settings(const struct config_ike *wanted)
{
	struct ike_settings settings = ike_default_settings;

	settings.half_open_max = wanted->half_open;
	settings.cookie_threshold = wanted->cookie_threshold;
	settings.source_half_open_max = wanted->half_open_per_source;
	settings.source_failures_max = wanted->failures_per_source;
	return settings;
}

static int start_engine(struct control *c, char *ret_reason, size_t reason_capacity)
{
	const struct ike_host host = ike_host_functions(c);
	const struct ike_settings settings = engine_settings(&c->config->system.ike);

	c->histories = calloc(c->config->tunnel_count + 1, sizeof(*c->histories));
	c->pool = crypto_pool_create(pool_threads(&c->eal.other_cpus), JOB_QUEUE_MAX, &c->eal.other_cpus);
	if (c->histories && c->pool)
		c->engine = ike_engine_create(&settings, &host, c->config->tunnels, c->config->tunnel_count);
	if (!c->engine) {
		snprintf(ret_reason, reason_capacity,
			"the IKE engine does not start: memory or OpenSSL algorithms lacking");
		return -EIO;
	}
	return 0;
}

static int start_sources(struct control *c, char *ret_reason, size_t reason_capacity)
{
	const struct api_host host = { c, on_command };
	int rc;

	c->packets = (struct loop_source){ datapath_event_fd(c->dp), on_packets, c };
	c->jobs = (struct loop_source){ crypto_pool_fd(c->pool), on_jobs, c };
	rc = loop_add(&c->loop, &c->packets, EPOLLIN);
	if (!rc)
		rc = loop_add(&c->loop, &c->jobs, EPOLLIN);
	if (!rc)
		rc = api_start(c->api, &c->loop, &host);
	if (rc)
		snprintf(ret_reason, reason_capacity, "event loop: %s", strerror(-rc));
	return rc;
}

static int start_workers(struct control *c, char *ret_reason, size_t reason_capacity)
{
	return datapath_start(c->dp, ret_reason, reason_capacity);
}

/* Policy before workers: the first packet a worker sees finds complete rules, or is dropped. */
static int start_packet_path(struct control *c, char *ret_reason, size_t reason_capacity)
{
	int rc = start_ipsec(c, ret_reason, reason_capacity);

	if (!rc)
		rc = create_datapath(c, ret_reason, reason_capacity);
	if (rc)
		return rc;
	rc = sa_registry_init(&c->sas, c->ips, c->dp, POLICY_SLOTS_MAX);
	c->sas.mtu_floor = (uint16_t)c->config->system.icmp.floor;
	c->sas.mtu_hold_ns = c->config->system.icmp.hold_ns;
	if (!rc)
		rc = publish_policy(c, ret_reason, reason_capacity);
	if (!rc)
		rc = add_neighbours(c, ret_reason, reason_capacity);
	if (!rc)
		own_addresses_add(c, c->config, NULL);
	if (!rc)
		rc = install_manual_sas(c, ret_reason, reason_capacity);
	if (!rc)
		rc = start_workers(c, ret_reason, reason_capacity);
	if (!rc)
		links_read(c);
	return rc;
}

/* The socket first: a second daemon with the same configuration ends before it touches ports. */
static int start(struct control *c, char *ret_reason, size_t reason_capacity)
{
	struct api_error error;
	int rc = api_open(c->config->control.socket, &c->api, &error);

	if (rc) {
		snprintf(ret_reason, reason_capacity, "%s", error.text);
		return rc;
	}
	rc = loop_init(&c->loop);
	if (!rc)
		rc = open_signals(c);
	if (!rc)
		rc = policy_resolve(c->config, NULL, &c->policy);
	if (rc) {
		snprintf(ret_reason, reason_capacity, "%s", strerror(-rc));
		return rc;
	}
	rc = eal_start(c->config, &c->eal, ret_reason, reason_capacity);
	if (!rc)
		rc = start_packet_path(c, ret_reason, reason_capacity);
	if (!rc)
		rc = start_leases(c, ret_reason, reason_capacity);
	if (!rc)
		rc = start_engine(c, ret_reason, reason_capacity);
	if (!rc)
		rc = start_sources(c, ret_reason, reason_capacity);
	return rc;
}

static void log_short_interfaces(const struct config *config)
{
	char text[INTERFACE_TEXT_MAX];

	for (size_t i = 0; i < config->interface_count; i++)
		if (kernel_interface_is_short(config, i, text, sizeof(text)))
			log_line(LOG_WARNING, "%s", text);
}

static void log_ready(const struct control *c)
{
	size_t ports = datapath_port_count(c->dp), tunnels = c->config->tunnel_count;
	size_t manual = c->config->manual_sa_count;

	log_line(LOG_NOTICE, "ready: %u worker%s, %zu port%s, %zu tunnel%s, %zu manual SA%s, %s, control socket %s",
		c->eal.workers, plural(c->eal.workers), ports, plural(ports), tunnels, plural(tunnels), manual,
		plural(manual), c->eal.no_huge ? "no hugepages" : "hugepages", c->config->control.socket);
}

struct control *control_create(struct config *config, char *ret_reason, size_t reason_capacity)
{
	struct control *c = calloc(1, sizeof(*c));

	snprintf(ret_reason, reason_capacity, "no memory");
	if (!c)
		return NULL;
	c->config = config;
	c->loop.epoll_fd = -1;
	c->signals.fd = -1;
	c->started_ns = c->now_ns = loop_now_ns();
	TAILQ_INIT(&c->sas.pairs);
	limits_init(c->limits);
	if (start(c, ret_reason, reason_capacity)) {
		control_free(c);
		return NULL;
	}
	log_short_interfaces(config);
	log_ready(c);
	return c;
}

/* ---- run ---- */

/* Told once per stall: a worker that hangs keeps every retired SA in memory. */
static void check_stall(struct control *c)
{
	bool stalled = reclaim_stalled(c->ips, c->now_ns, STALL_NS);

	if (stalled && !c->stall_told)
		log_line(LOG_ERROR, "worker-stalled: a worker has not reported for %llu s, memory waits for it",
			STALL_NS / 1000000000u);
	c->stall_told = stalled;
}

/* State is the truth: what an event lost in a full ring would have said is found here. */
static void sweep(struct control *c)
{
	struct sa_facts facts = { 0 };

	c->next_sweep_ns = c->now_ns + SWEEP_NS;
	sa_registry_sweep(&c->sas, c->now_ns, &facts);
	for (size_t i = 0; i < facts.count; i++)
		ike_host_command(c, &facts.items[i]);
	sa_facts_done(&facts);
	if (links_read(c))
		paths_changed(c);
	check_stall(c);
	worker_loads_sweep(c);
	api_sweep(c->api, c->now_ns);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Everything that is due, then the time of what is due next. */
static uint64_t run_timers(struct control *c)
{
	uint64_t deadline;

	c->now_ns = loop_now_ns();
	if (ike_next_deadline(c->engine) <= c->now_ns)
		ike_host_tick(c);
	if (datapath_next_deadline(c->dp) <= c->now_ns)
		poll_packets(c);
	if (c->next_sweep_ns <= c->now_ns)
		sweep(c);
	reclaim_poll(c->ips);
	if (capture_deadline(c) <= c->now_ns)
		capture_poll(c);
	deadline = earlier(earlier(ike_next_deadline(c->engine), datapath_next_deadline(c->dp)), c->next_sweep_ns);
	deadline = earlier(deadline, capture_deadline(c));
	return c->stopping ? earlier(deadline, c->stop_by_ns) : deadline;
}

/* An IKE SA is gone when the peer has answered its delete. */
static bool may_end(const struct control *c)
{
	return c->stopping && (c->now_ns >= c->stop_by_ns || !ike_sa_count(c->engine));
}

int control_run(struct control *c)
{
	int rc = 0;

	ike_host_tick(c);
	while (!rc) {
		uint64_t deadline = run_timers(c);

		if (may_end(c))
			break;
		rc = loop_wait(&c->loop, deadline);
	}
	return rc;
}

/* ---- stop ---- */

static void free_histories(struct control *c)
{
	for (size_t i = 0; c->histories && i < c->config->tunnel_count; i++)
		history_done(&c->histories[i]);
	free(c->histories);
}

/* Workers end before what they look at is freed; helpers end before the engine whose jobs they run. A compilation that
 * outlasts the wait for it keeps everything: the end of the process takes it. */
int control_free(struct control *c)
{
	if (!c)
		return 0;
	api_close(c->api);
	if (c->dp)
		datapath_stop(c->dp);
	capture_close(c);
	if (reload_end(c)) {
		log_line(LOG_WARNING, "stop: the policies of a reload still compile: left to the end of the process");
		return -ETIMEDOUT;
	}
	crypto_pool_free(c->pool);
	ike_engine_free(c->engine);
	leases_free(c->leases);
	ike_actions_done(&c->actions);
	sa_registry_done(&c->sas);
	datapath_free(c->dp);
	ipsec_free(c->ips);
	policy_done(&c->policy);
	free_histories(c);
	free(c->trace.records);
	if (c->signals.fd >= 0)
		close(c->signals.fd);
	loop_done(&c->loop);
	eal_stop(&c->eal);
	config_free(c->config_owned);
	free(c);
	return 0;
}
