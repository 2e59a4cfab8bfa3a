/* SPDX-License-Identifier: BSD-3-Clause */
/* What tunnels with MOBIKE move by: our further addresses, which reloads add and remove, and the links of ports. */
#include "control_priv.h"

static bool config_has(const struct config *config, const struct addr *a)
{
	for (size_t i = 0; config && i < config->address_count; i++)
		if (addr_equal(&config->addresses[i].addr, a))
			return true;
	return false;
}

void own_addresses_add(struct control *c, const struct config *next, const struct config *now)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < next->address_count; i++) {
		const struct addr *a = &next->addresses[i].addr;
		if (config_has(now, a))
			continue;
		if (datapath_address_add(c->dp, a))
			log_line(LOG_ERROR, "address %s: too many addresses of ours", addr_format(a, text));
		else
			log_line(LOG_NOTICE, "address-up %s", addr_format(a, text));
	}
}

void own_addresses_remove(struct control *c, const struct config *next, const struct config *now)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < now->address_count; i++) {
		const struct addr *a = &now->addresses[i].addr;
		if (config_has(next, a))
			continue;
		datapath_address_remove(c->dp, a);
		log_line(LOG_NOTICE, "address-down %s", addr_format(a, text));
	}
}

void paths_changed(struct control *c)
{
	struct ike_command changed = { .kind = IKE_PATHS_CHANGED };

	ike_host_command(c, &changed);
}

bool links_read(struct control *c)
{
	uint64_t up = 0, before = c->links_up;

	for (uint16_t i = 0; i < datapath_port_count(c->dp); i++)
		up |= (uint64_t)datapath_link_up(c->dp, i) << i;
	c->links_up = up;
	return up != before;
}
