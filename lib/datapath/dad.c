/* SPDX-License-Identifier: BSD-3-Clause */
/* Duplicate address detection: our own IPv6 addresses are tentative until nobody has answered for them, and stay unused
 * when somebody has. What the questions look like and who is believed is nd.c. RFC 4862 5.4. */
#include "datapath_priv.h"

const uint8_t *port_own6(const struct port *p, int which)
{
	if (!p->six || (which == PORT_GLOBAL && p->prefix6.addr.family != ADDR_IPV6))
		return NULL;
	return which == PORT_GLOBAL ? p->prefix6.addr.bytes : p->link_local;
}

int port_own6_find(const struct port *p, const uint8_t addr[16])
{
	for (int which = 0; which < PORT_OWN6; which++) {
		const uint8_t *own = port_own6(p, which);
		if (own && !memcmp(own, addr, 16))
			return which;
	}
	return -1;
}

enum datapath_address_state port_own6_state(const struct port *p, int which)
{
	return (enum datapath_address_state)atomic_load_explicit(
		(_Atomic uint8_t *)(uintptr_t)&p->own6_state[which], memory_order_relaxed);
}

static void state_set(struct port *p, int which, enum datapath_address_state state)
{
	atomic_store_explicit(&p->own6_state[which], (uint8_t)state, memory_order_relaxed);
}

/* Workers look at addresses only while there is one that may not be used. */
static void unusable_add(struct datapath *dp, int by)
{
	atomic_fetch_add_explicit(&dp->own6_unusable, by, memory_order_relaxed);
}

bool address6_unusable(const struct datapath *dp, uint16_t port, const uint8_t addr[16])
{
	uint16_t first = 0, end = dp->port_count;

	/* the same on several links, each with its own fate */
	if (ipv6_link_local(addr)) {
		first = port;
		end = (uint16_t)RTE_MIN(port + 1, end);
	}
	for (uint16_t i = first; i < end; i++) {
		int which = port_own6_find(&dp->ports[i], addr);
		if (which >= 0 && dp->ports[i].table_id == port_table_id(dp, port))
			return port_own6_state(&dp->ports[i], which) != DATAPATH_ADDRESS_VALID;
	}
	return false;
}

bool dad_pending(const struct port *p)
{
	bool tentative = false;

	for (int which = 0; which < PORT_OWN6; which++) {
		if (!port_own6(p, which))
			continue;
		if (port_own6_state(p, which) == DATAPATH_ADDRESS_VALID)
			return false;
		tentative |= port_own6_state(p, which) == DATAPATH_ADDRESS_TENTATIVE;
	}
	return tentative;
}

void dad_start(struct datapath *dp)
{
	dp->dad_next_ns = 0;
	for (uint16_t i = 0; i < dp->port_count; i++)
		for (int which = 0; which < PORT_OWN6; which++) {
			struct dad *d = &dp->links[i].dad[which];
			*d = (struct dad){ .next_ns = UINT64_MAX };
			if (!port_own6(&dp->ports[i], which))
				continue;
			d->next_ns = 0;
			d->left = dp->neighbour_timers.dad_probes;
			if (!d->left || port_own6_state(&dp->ports[i], which) != DATAPATH_ADDRESS_VALID)
				continue;
			state_set(&dp->ports[i], which, DATAPATH_ADDRESS_TENTATIVE);
			unusable_add(dp, 1);
		}
}

void dad_duplicate(struct datapath *dp, uint16_t port, int which, const uint8_t mac[6])
{
	struct dad *d = &dp->links[port].dad[which];

	state_set(&dp->ports[port], which, DATAPATH_ADDRESS_DUPLICATE);
	memcpy(d->mac, mac, sizeof(d->mac));
	d->next_ns = 0;
	dp->dad_next_ns = 0;
}

/* Nobody has it. Who remembers another MAC for it hears of ours (RFC 4861 7.2.6). */
static void become_valid(struct datapath *dp, uint16_t port, int which)
{
	struct port *p = &dp->ports[port];

	if (port_own6_state(p, which) == DATAPATH_ADDRESS_TENTATIVE) {
		state_set(p, which, DATAPATH_ADDRESS_VALID);
		unusable_add(dp, -1);
	}
	nd_announce(dp, port, port_own6(p, which));
	/* RFC 3590 4: reports without a source were for switches only */
	if (which == PORT_LINK_LOCAL)
		mld_report(dp, port);
}

static void duplicate_tell(struct datapath *dp, uint16_t port, int which, const struct datapath_host *host)
{
	struct datapath_event e = { .kind = DATAPATH_ADDRESS_TAKEN, .port = port };

	e.local.addr = addr_from_bytes(ADDR_IPV6, port_own6(&dp->ports[port], which));
	memcpy(e.mac, dp->links[port].dad[which].mac, sizeof(e.mac));
	host->event(host->context, &e);
}

static void attend(struct datapath *dp, uint16_t port, int which, const struct datapath_host *host, uint64_t now_ns)
{
	struct dad *d = &dp->links[port].dad[which];

	d->next_ns = UINT64_MAX;
	if (port_own6_state(&dp->ports[port], which) == DATAPATH_ADDRESS_DUPLICATE) {
		duplicate_tell(dp, port, which, host);
	} else if (d->left) {
		d->left--;
		nd_probe(dp, port, port_own6(&dp->ports[port], which));
		d->next_ns = now_ns + dp->neighbour_timers.retransmit_ms * NS_IN_MS;
	} else {
		become_valid(dp, port, which);
	}
}

void dad_tick(struct datapath *dp, const struct datapath_host *host, uint64_t now_ns)
{
	uint64_t earliest = UINT64_MAX;

	if (now_ns < dp->dad_next_ns)
		return;
	for (uint16_t i = 0; i < dp->port_count; i++)
		for (int which = 0; which < PORT_OWN6; which++) {
			if (!port_own6(&dp->ports[i], which))
				continue;
			if (dp->links[i].dad[which].next_ns <= now_ns)
				attend(dp, i, which, host, now_ns);
			earliest = RTE_MIN(earliest, dp->links[i].dad[which].next_ns);
		}
	dp->dad_next_ns = earliest;
}
