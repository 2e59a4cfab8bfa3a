/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine's host: its callbacks, and the carrying out of its actions in their order. Decides nothing itself. */
#include "control_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* ---- callbacks ---- */

/* Without random numbers every key would be guessable: better no gateway. */
static void host_random(void *context, void *ret_data, size_t len)
{
	(void)context;
	if (crypto_random(ret_data, len)) {
		log_line(LOG_ERROR, "stop: the random generator failed");
		abort();
	}
}

static int host_psk_lookup(
	void *context, const struct identity *local, const struct identity *remote, struct secret *ret_secret)
{
	const struct control *c = context;
	const struct secret *psk = config_psk_lookup(c->config, local, remote);

	return psk && !secret_copy(ret_secret, secret_view(psk)) ? 0 : -ENOENT;
}

/* In a bucket of the worker that will receive the peer's packets; any other will do too, its owner gets them handed
 * over. */
static uint32_t host_spi_reserve(void *context, const struct addr *local, const struct addr *remote)
{
	const struct control *c = context;
	uint32_t spi = spi_reserve(c->ips, datapath_worker_predict(c->dp, local, remote));

	return spi ? spi : spi_reserve(c->ips, WORKER_NONE);
}

static void host_spi_release(void *context, uint32_t spi)
{
	const struct control *c = context;

	spi_release(c->ips, spi);
}

static int host_lease_take(void *context, const struct address_pool *pool, uint8_t family, const struct identity *peer,
	const struct addr *wanted, struct addr *ret_addr)
{
	const struct control *c = context;

	return leases_take(c->leases, pool, family, peer, wanted, c->now_ns, ret_addr);
}

static void host_lease_give_back(void *context, const struct address_pool *pool, const struct addr *addr)
{
	const struct control *c = context;

	leases_give_back(c->leases, pool, addr, c->now_ns);
}

bool own_address(const struct control *c, const struct addr *a)
{
	for (size_t i = 0; i < c->config->address_count; i++)
		if (addr_equal(&c->config->addresses[i].addr, a))
			return true;
	return datapath_address_local(c->dp, a, NULL);
}

/* A link without a carrier leads nowhere, whatever the routes say. */
static bool host_path_usable(void *context, const struct addr *local, const struct addr *remote)
{
	const struct control *c = context;
	struct datapath_neighbour hop;

	if (!own_address(c, local))
		return false;
	return !remote || (!datapath_next_hop_read(c->dp, remote, &hop) && c->links_up >> hop.port & 1);
}

static void host_sa_news(void *context, uint64_t spi, enum ike_sa_news news)
{
	static const enum datapath_ike_sa states[] = { [IKE_SA_GONE] = DATAPATH_IKE_NONE,
		[IKE_SA_OPENING] = DATAPATH_IKE_OPENING,
		[IKE_SA_UP] = DATAPATH_IKE_UP };
	struct control *c = context;

	if (datapath_ike_sa_set(c->dp, spi, states[news]))
		log_limited(c, LIMIT_INSTALL, LOG_ERROR,
			"ike-spi %016" PRIx64 ": too many IKE SAs, its messages have no share of their own", spi);
}

struct ike_host ike_host_functions(struct control *c)
{
	return (struct ike_host){
		.context = c,
		.random = host_random,
		.psk_lookup = host_psk_lookup,
		.spi_reserve = host_spi_reserve,
		.spi_release = host_spi_release,
		.lease_take = host_lease_take,
		.lease_give_back = host_lease_give_back,
		.path_usable = host_path_usable,
		.sa_news = host_sa_news,
	};
}

/* ---- actions ---- */

static void do_send(struct control *c, struct ike_action *a)
{
	bool marker = a->send.local.port == PORT_NATT && !a->send.keepalive;
	int rc = datapath_send_udp(c->dp, &a->send.local, &a->send.remote, BYTES(a->send.data, a->send.len), marker);
	char peer[ENDPOINT_TEXT_MAX];

	if (rc)
		log_limited(c, LIMIT_SEND, LOG_WARNING, "not-sent peer %s bytes %zu: %s",
			endpoint_format(&a->send.remote, peer), a->send.len, strerror(-rc));
}

/* The engine is told by EXPIRE once this list of actions is carried out. */
static void install_failed(struct control *c, const struct ike_action *a, const char *reason)
{
	char peer[ADDR_TEXT_MAX];

	log_limited(c, LIMIT_INSTALL, LOG_ERROR, "not-installed tunnel %s spi-in %08x spi-out %08x peer %s: %s",
		c->config->tunnels[a->install.tunnel].name, a->install.in->spi, a->install.out->spi,
		addr_format(&a->install.out->path.remote.addr, peer), reason);
	if (c->uninstalled_count < UNINSTALLED_MAX)
		c->uninstalled[c->uninstalled_count++] = a->install.in->spi;
}

static void do_install(struct control *c, struct ike_action *a)
{
	struct sa_owner owner = { (int32_t)a->install.tunnel, (int32_t)a->install.child,
		a->install.peer.type ? &a->install.peer : NULL };
	const struct tunnel_profile *tunnel = &c->config->tunnels[a->install.tunnel];
	const char *reason;

	/* the slot is control's to give; of the header of tunnel mode only the packet path knows */
	a->install.in->tunnel_slot = tunnel->children[a->install.child].tunnel_slot;
	a->install.out->tunnel_slot = a->install.in->tunnel_slot;
	if (a->install.out->mode == SA_MODE_TUNNEL)
		a->install.in->path.header = a->install.out->path.header = tunnel->outer;
	if (sa_pair_install(&c->sas, &owner, a->install.in, a->install.out, a->install.switch_now, &reason))
		install_failed(c, a, reason);
}

static void do_switch(struct control *c, struct ike_action *a)
{
	struct sa_pair *pair = sa_pair_lookup(&c->sas, a->child.spi_in);

	if (pair && sa_pair_switch(&c->sas, pair))
		log_line(LOG_ERROR, "not-switched sa %s spi-out %08x", pair->name, a->child.spi_out);
}

static void do_retire(struct control *c, struct ike_action *a)
{
	struct sa_pair *pair = sa_pair_lookup(&c->sas, a->child.spi_in);

	if (pair)
		sa_pair_retire(&c->sas, pair);
	else
		spi_release(c->ips, a->child.spi_in); /* its INSTALL failed */
}

static void do_update(struct control *c, struct ike_action *a)
{
	struct sa_pair *pair = sa_pair_lookup(&c->sas, a->child.spi_in);
	char peer[ENDPOINT_TEXT_MAX];
	int rc = 0;

	if (pair) {
		a->child.path.header = pair->out_view.path.header;
		rc = sa_pair_update(&c->sas, pair, &a->child.path);
	}
	if (rc)
		log_limited(c, LIMIT_INSTALL, LOG_ERROR, "not-updated sa %s spi-in %08x peer %s: %s", pair->name,
			a->child.spi_in, endpoint_format(&a->child.path.remote, peer), strerror(-rc));
}

/* Where the peer takes packets from: what comes to it is for us. */
static void do_address(struct control *c, struct ike_action *a)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(a->address.addrs); i++) {
		const struct addr *addr = &a->address.addrs[i];
		if (!addr->family)
			continue;
		if (!a->address.given)
			datapath_address_remove(c->dp, addr);
		else if (datapath_address_add(c->dp, addr))
			log_line(LOG_ERROR, "virtual-ip %s: too many addresses of ours", addr_format(addr, text));
		log_line(LOG_NOTICE, "virtual-ip-%s tunnel %s address %s", a->address.given ? "up" : "down",
			c->config->tunnels[a->address.tunnel].name, addr_format(addr, text));
	}
}

static void do_crypto(struct control *c, struct ike_action *a)
{
	if (crypto_pool_push(c->pool, a->job))
		log_line(LOG_ERROR, "crypto job lost: no memory");
	a->job = NULL;
}

static void do_event(struct control *c, struct ike_action *a)
{
	event_report(c, a->event);
}

static void (*const doers[])(struct control *c, struct ike_action *a) = {
	[IKE_SEND] = do_send,
	[IKE_INSTALL] = do_install,
	[IKE_SWITCH] = do_switch,
	[IKE_RETIRE] = do_retire,
	[IKE_UPDATE] = do_update,
	[IKE_ADDRESS] = do_address,
	[IKE_CRYPTO] = do_crypto,
	[IKE_EVENT] = do_event,
};

static void carry_out(struct control *c)
{
	for (size_t i = 0; i < c->actions.count; i++)
		doers[c->actions.items[i].kind](c, &c->actions.items[i]);
	if (c->actions.failed)
		log_line(LOG_ERROR, "ike: an action is missing: no memory");
	ike_actions_clear(&c->actions);
	c->actions.failed = false;
}

/* What could not be installed is over for the engine too; that may start something new, so until nothing is left. */
static void finish(struct control *c)
{
	carry_out(c);
	while (c->uninstalled_count) {
		struct ike_command expire = { .kind = IKE_EXPIRE, .spi = c->uninstalled[--c->uninstalled_count] };

		ike_command(c->engine, &expire, c->now_ns, &c->actions);
		carry_out(c);
	}
}

void ike_host_tick(struct control *c)
{
	ike_tick(c->engine, c->now_ns, &c->actions);
	finish(c);
}

void ike_host_command(struct control *c, const struct ike_command *command)
{
	ike_command(c->engine, command, c->now_ns, &c->actions);
	finish(c);
}

void ike_host_input(struct control *c, const struct ike_datagram *d)
{
	if (!own_address(c, &d->local.addr))
		return;
	ike_input(c->engine, d, c->now_ns, &c->actions);
	finish(c);
}

void ike_host_job_done(struct control *c, struct crypto_job *job)
{
	ike_job_done(c->engine, job, c->now_ns, &c->actions);
	finish(c);
}
