/* SPDX-License-Identifier: BSD-3-Clause */
/* A changed configuration under traffic, step by step: everything is read, checked and compiled first, beside the
 * control thread, which serves peers and operators meanwhile; then it is taken over at once. */
#include "reload_run_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "control_priv.h"

/* How long the end of the daemon waits for a compilation, which cannot be interrupted. */
#define END_WAIT_MS 5000

__attribute__((format(printf, 3, 4))) static int refuse(struct reload_run *r, int rc, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(r->reason, sizeof(r->reason), format, args);
	va_end(args);
	return rc;
}

/* ---- steps: 0, or -errno with the reason filled ---- */

static int load_file(struct reload_run *r)
{
	char text[480];
	int rc;

	r->errors = calloc(1, sizeof(*r->errors));
	if (!r->errors)
		return refuse(r, -ENOMEM, "no memory");
	rc = config_load(config_file(r->c->config), &r->next, r->errors);
	if (rc)
		refuse(r, rc, "%s%s", config_error_format(&r->errors->items[0], text, sizeof(text)),
			r->errors->count > 1 ? " (and more: sallyctl check)" : "");
	return rc;
}

/* What is a reload's to change beside the setting that takes a restart. */
static const char *live_instead(const char *path)
{
	const char *last = strrchr(path, '.');
	bool address = !strncmp(path, "interfaces.", 11) && last && !strncmp(last, ".address", 8);

	return address ? "; further addresses come and go with a reload: `addresses`" : "";
}

static int check_live(struct reload_run *r)
{
	char path[128];

	if (config_needs_restart(r->c->config, r->next, path, sizeof(path)))
		return refuse(r, -EINVAL, "%s: a change of it takes a restart%s", path, live_instead(path));
	if (r->next->system.workers > datapath_worker_count(r->c->dp))
		return refuse(r, -EINVAL, "system.workers: %u, and only %u were made at the start",
			r->next->system.workers, datapath_worker_count(r->c->dp));
	return 0;
}

static int resolve(struct reload_run *r)
{
	int rc = policy_resolve(r->next, &r->c->policy, &r->policy);

	return rc ? refuse(r, rc, "%s", rc == -ENOSPC ? "too many tunnels and manual SAs" : "no memory") : 0;
}

static int log_warnings(struct reload_run *r)
{
	char text[1024];

	for (size_t i = 0; i < r->errors->warning_count && i < CONFIG_WARNINGS_MAX; i++)
		log_line(LOG_WARNING, "configuration: %s",
			config_error_format(&r->errors->warnings[i], text, sizeof(text)));
	return 0;
}

static int prepare(struct reload_run *r)
{
	const char *reason = "no memory";
	struct datapath_route *routes = config_routes(r->next);
	const struct datapath_snapshot s = { r->policy.rules, r->policy.rule_count, routes, r->next->route_count };

	if (routes)
		r->prepared = datapath_prepare(r->c->dp, &s, &reason);
	free(routes);
	return r->prepared ? 0 : refuse(r, -EINVAL, "policies and routes: %s", reason);
}

static int compile(struct reload_run *r)
{
	const char *reason;
	int rc = datapath_compile(r->prepared, &reason);

	return rc ? refuse(r, rc, "policies and routes: %s", reason) : 0;
}

/* A manual SA without a route could not be installed. */
static int check_reach(struct reload_run *r)
{
	for (size_t i = 0; i < r->next->manual_sa_count; i++)
		if (!datapath_prepared_reaches(r->prepared, &r->next->manual_sas[i].out.path.remote.addr))
			return refuse(r, -EINVAL, "manual SA %s: no route to the peer", r->next->manual_sas[i].name);
	return 0;
}

static int count_changes(struct reload_run *r)
{
	reload_changes_count(r);
	return 0;
}

static int take_over(struct reload_run *r)
{
	const struct reload_report *p = &r->report;

	if (r->request.check_only)
		return 0;
	reload_take_over(r);
	log_line(LOG_NOTICE,
		"reload: %zu rules, %zu routes, manual SAs: %zu added, %zu replaced, %zu removed, %zu kept, %u workers",
		p->rules, p->routes, p->sas_added, p->sas_replaced, p->sas_removed, p->sas_kept, p->workers);
	return 0;
}

/* Beside the control thread goes what takes long and touches nothing but the run. */
static const struct step {
	int (*run)(struct reload_run *r);
	bool beside;
} steps[] = {
	{ load_file, true },
	{ check_live, true },
	{ resolve, true },
	{ log_warnings, false },
	{ prepare, false },
	{ compile, true },
	{ check_reach, true },
	{ count_changes, true },
	{ take_over, false },
};

/* ---- the run ---- */

static void run_free(struct reload_run *r)
{
	datapath_prepared_free(r->prepared);
	policy_done(&r->policy);
	config_free(r->next);
	free(r->errors);
	free(r);
}

/* Who asked is told once; after that the run has nobody to tell. */
static void tell(struct reload_run *r)
{
	struct reload_request request = r->request;

	r->request.told = NULL;
	if (request.told)
		request.told(r->c, request.ticket, r->rc, &r->report, r->reason);
}

/* A signal that came meanwhile may have been about a file that was changed behind the reading. */
static void finish(struct reload_run *r)
{
	struct control *c = r->c;
	bool again = c->reload_again && !c->stopping;

	c->reload = NULL;
	c->reload_again = false;
	tell(r);
	run_free(r);
	if (again)
		reload_on_signal(c);
}

static void run_steps(struct reload_run *r, bool beside)
{
	while (!r->rc && r->step < ARRAY_LEN(steps) && steps[r->step].beside == beside)
		r->rc = atomic_load_explicit(&r->cancelled, memory_order_relaxed)
				? refuse(r, -ECANCELED, "the gateway is stopping")
				: steps[r->step++].run(r);
}

static void work_beside(void *context)
{
	run_steps(context, true);
}

static int start_beside(struct reload_run *r)
{
	int rc = background_start(&r->background, &r->c->loop, &r->c->eal.other_cpus);

	return rc ? refuse(r, rc, "no thread to compile on: %s", strerror(-rc)) : 0;
}

/* What ran beside has ended. */
static void go_on(void *context)
{
	struct reload_run *r = context;
	int rc;

	run_steps(r, false);
	if (!r->rc && r->step < ARRAY_LEN(steps)) {
		/* once it has started, the run is no longer ours to write */
		rc = start_beside(r);
		if (!rc)
			return;
		r->rc = rc;
	}
	finish(r);
}

static struct reload_run *run_create(struct control *c, const struct reload_request *request)
{
	struct reload_run *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->c = c;
	r->request = *request;
	r->background = (struct background){ .work = work_beside, .done = go_on, .context = r };
	return r;
}

int reload_start(struct control *c, const struct reload_request *request, char *ret_reason, size_t capacity)
{
	struct reload_run *r;
	int rc;

	if (c->stopping || c->reload) {
		snprintf(ret_reason, capacity, "%s",
			c->stopping ? "the gateway is stopping" : "a reload is running: try again when it has ended");
		return c->stopping ? -ESHUTDOWN : -EBUSY;
	}
	r = run_create(c, request);
	rc = r ? start_beside(r) : -ENOMEM;
	if (!rc) {
		c->reload = r;
		return 0;
	}
	snprintf(ret_reason, capacity, "%s", r ? r->reason : "no memory");
	if (r)
		run_free(r);
	return rc;
}

/* What was taken over and did not come up is in the log already. */
static void log_how_it_ended(
	struct control *c, uint64_t ticket, int rc, const struct reload_report *report, const char *reason)
{
	(void)c;
	(void)ticket;
	(void)report;
	if (rc)
		log_line(LOG_ERROR, "reload: nothing has changed: %s", reason);
}

void reload_on_signal(struct control *c)
{
	const struct reload_request request = { .told = log_how_it_ended };
	char reason[128];
	int rc = reload_start(c, &request, reason, sizeof(reason));

	if (rc == -EBUSY)
		c->reload_again = true;
	else if (rc)
		log_line(LOG_ERROR, "reload: nothing has changed: %s", reason);
}

void reload_cancel(struct control *c)
{
	struct reload_run *r = c->reload;

	if (!r)
		return;
	atomic_store_explicit(&r->cancelled, true, memory_order_relaxed);
	if (r->request.told)
		r->request.told(c, r->request.ticket, -ECANCELED, &r->report, "the gateway is stopping");
	r->request.told = NULL;
}

int reload_end(struct control *c)
{
	struct reload_run *r = c->reload;
	int rc = r ? background_end(&r->background, END_WAIT_MS) : 0;

	if (r && !rc)
		run_free(r);
	c->reload = NULL;
	return rc;
}
