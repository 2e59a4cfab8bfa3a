/* SPDX-License-Identifier: BSD-3-Clause */
/* What the packet path reports: IKE messages, packets without an SA, unknown SPIs, flags, ICMP errors about SAs. Hints
 * only: the sweep finds what a full ring lost. */
#include <netinet/in.h>

#include "control_priv.h"

static void on_ike(void *context, const struct datapath_ike *d)
{
	struct ike_datagram datagram = { .local = d->local, .remote = d->remote, .data = d->data };

	ike_host_input(context, &datagram);
}

/* RFC 7296 2.9: exact, but any type of ICMP, as the answer to one is another. */
static struct selector packet_selector(const struct datapath_event *e, const struct endpoint *end)
{
	bool ports = e->has_ports && e->protocol != IPPROTO_ICMP && e->protocol != IPPROTO_ICMPV6;

	return (struct selector){ .low = end->addr,
		.high = end->addr,
		.protocol = e->protocol,
		.port_low = ports ? end->port : 0,
		.port_high = ports ? end->port : UINT16_MAX };
}

/* A child that is to come up by itself is asked for; one that waits for its peer stays down, and the packet's drop has
 * its counter. */
static void on_no_sa(struct control *c, const struct datapath_event *e)
{
	const struct slot_owner *o;
	struct ike_command acquire = { .kind = IKE_ACQUIRE };

	if (e->tunnel_slot >= c->policy.slot_count || c->stopping)
		return;
	o = &c->policy.slots[e->tunnel_slot];
	if (o->tunnel < 0)
		return;
	acquire.tunnel = (uint32_t)o->tunnel;
	acquire.child = (uint32_t)o->child;
	acquire.packet_local = packet_selector(e, &e->local);
	acquire.packet_remote = packet_selector(e, &e->remote);
	if (c->config->tunnels[o->tunnel].children[o->child].start == START_RESPOND)
		log_limited(c, LIMIT_NO_SA, LOG_DEBUG, "no-sa tunnel %s: waiting for the peer",
			c->config->tunnels[o->tunnel].name);
	else
		ike_host_command(c, &acquire);
}

static void on_unknown_spi(struct control *c, const struct datapath_event *e)
{
	char peer[ENDPOINT_TEXT_MAX];

	/* only a packet inside UDP has a port */
	log_limited(c, LIMIT_UNKNOWN_SPI, LOG_NOTICE, "unknown-spi %08x peer %s", e->spi,
		e->remote.port ? endpoint_format(&e->remote, peer) : addr_format(&e->remote.addr, peer));
}

static void on_sa_flags(struct control *c, const struct datapath_event *e)
{
	struct sa_pair *pair = sa_pair_lookup(&c->sas, e->spi);
	struct sa_facts facts = { 0 };

	if (pair)
		sa_pair_check(pair, &facts);
	for (size_t i = 0; i < facts.count; i++)
		ike_host_command(c, &facts.items[i]);
	sa_facts_done(&facts);
}

/* Nobody has authenticated it: the pair it quotes and the limits decide (RFC 4301 8.2.1). What is not believed ends
 * here, under its name. */
static void on_path_mtu(struct control *c, const struct datapath_event *e)
{
	struct sa_pair *pair = NULL;
	enum drop_reason reason = sa_path_mtu_lower(&c->sas, e, c->now_ns, &pair);
	char peer[ADDR_TEXT_MAX], router[ADDR_TEXT_MAX];

	if (reason)
		datapath_drop_count(c->dp, reason);
	else
		log_limited(c, LIMIT_PATH_MTU, LOG_NOTICE,
			"path-mtu %s spi-out %08x peer %s: %u bytes says %s, %u at our link", pair->name, e->spi,
			addr_format(&e->remote.addr, peer), pair->path_mtu, addr_format(&e->reporter, router),
			pair->link_mtu);
}

/* A line for the operator who asked for it (system.icmp.errors); nothing follows from it. */
static void on_icmp_error(struct control *c, const struct datapath_event *e)
{
	const struct sa_pair *pair = sa_pair_quoted(&c->sas, e);
	char peer[ADDR_TEXT_MAX], router[ADDR_TEXT_MAX];

	if (!pair)
		datapath_drop_count(c->dp, DROP_PMTU_SPOOFED);
	else
		log_limited(c, LIMIT_ICMP_ERROR, LOG_NOTICE,
			"icmp-error %s spi-out %08x peer %s: type %u code %u says %s", pair->name, e->spi,
			addr_format(&e->remote.addr, peer), e->icmp_type, e->icmp_code,
			addr_format(&e->reporter, router));
}

/* Said once: it stays unused until a restart. */
static void on_address_taken(struct control *c, const struct datapath_event *e)
{
	const struct config_interface *i = &c->config->interfaces[e->port];
	char address[ADDR_TEXT_MAX];

	log_line(LOG_ERROR, "address-duplicate %s: %s is in use by %02x:%02x:%02x:%02x:%02x:%02x, not used", i->name,
		addr_format(&e->local.addr, address), e->mac[0], e->mac[1], e->mac[2], e->mac[3], e->mac[4], e->mac[5]);
}

static void on_event(void *context, const struct datapath_event *e)
{
	switch (e->kind) {
	case DATAPATH_NO_SA: on_no_sa(context, e); break;
	case DATAPATH_UNKNOWN_SPI: on_unknown_spi(context, e); break;
	case DATAPATH_SA_FLAGS: on_sa_flags(context, e); break;
	case DATAPATH_PATH_MTU: on_path_mtu(context, e); break;
	case DATAPATH_ICMP_ERROR: on_icmp_error(context, e); break;
	case DATAPATH_ADDRESS_TAKEN: on_address_taken(context, e); break;
	}
}

/* A further address of ours; a peer that was lent an address of a connected subnet is reached through us. */
static bool on_question(void *context, const struct addr *a)
{
	const struct control *c = context;

	return own_address(c, a) || leases_lent(c->leases, a);
}

struct datapath_host dp_events_host(struct control *c)
{
	return (struct datapath_host){ .context = c, .ike = on_ike, .event = on_event, .answers_for = on_question };
}
