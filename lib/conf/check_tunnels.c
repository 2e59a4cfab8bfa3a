/* SPDX-License-Identifier: BSD-3-Clause */
/* Tunnels: addresses that are ours and the peer's, identities, a pre-shared key for each. */
#include "conf_priv.h"

#include <stdio.h>
#include <string.h>

#define TUNNELS "tunnels"

/* IKE and ESP leave from and arrive at addresses of ports only. */
static void check_addresses(struct load *l, size_t i, const struct tunnel_profile *t)
{
	char text[ADDR_TEXT_MAX];

	if (t->remote_addr.family != ADDR_NONE && t->remote_addr.family != t->local_addr.family)
		check_fault(l, TUNNELS, i, "remote.address", "%s is not of the family of local.address",
			addr_format(&t->remote_addr, text));
	if (!interface_of_address(l->config, &t->local_addr))
		check_fault(l, TUNNELS, i, "local.address", "%s is not the address of an interface",
			addr_format(&t->local_addr, text));
	if (interface_of_address(l->config, &t->remote_addr))
		check_fault(
			l, TUNNELS, i, "remote.address", "%s is our own address", addr_format(&t->remote_addr, text));
}

static void identity_from_addr(const struct addr *a, struct identity *ret_identity)
{
	identity_from_bytes(
		a->family == ADDR_IPV6 ? ID_IPV6_ADDR : ID_IPV4_ADDR, BYTES(a->bytes, addr_len(a)), ret_identity);
}

/* An omitted identity is the address; with any peer there is no address to take. */
static void complete_identities(struct load *l, size_t i, struct tunnel_profile *t)
{
	if (!setting_given(l, TUNNELS, i, "local.id"))
		identity_from_addr(&t->local_addr, &t->local_id);
	if (!setting_given(l, TUNNELS, i, "remote.id") && t->remote_addr.family != ADDR_NONE)
		identity_from_addr(&t->remote_addr, &t->remote_id);
}

/* A peer that says it is us could be answered with our own proof. */
static void check_identities(struct load *l, size_t i, const struct tunnel_profile *t)
{
	char text[IDENTITY_TEXT_MAX];

	if (identity_equal(&t->local_id, &t->remote_id))
		check_fault(
			l, TUNNELS, i, "remote.id", "%.128s is our own identity", identity_format(&t->remote_id, text));
}

/* ---- transport mode, AH: a table of rules about one phase2 entry ---- */

struct view {
	const struct tunnel_profile *t;
	const struct child_profile *c;
};

/* In transport mode the addresses inside are those outside: selectors of others would let packets of others through an
 * SA that is between two hosts. */
static bool between_others(const struct selector_list *side, const struct addr *host)
{
	for (int i = 0; i < side->count; i++)
		if (!addr_equal(&side->items[i].low, host) || !addr_equal(&side->items[i].high, host))
			return true;
	return false;
}

static bool local_of_others(const struct view *v)
{
	return v->c->mode == SA_MODE_TRANSPORT && between_others(&v->c->local, &v->t->local_addr);
}

static bool remote_of_others(const struct view *v)
{
	if (v->c->mode != SA_MODE_TRANSPORT || (v->c->remote.dynamic && !v->t->pool))
		return false;
	return between_others(&v->c->remote, &v->t->remote_addr);
}

static bool fallback_of_tunnel(const struct view *v)
{
	return v->c->mode == SA_MODE_TUNNEL && v->c->tunnel_fallback;
}

static bool padding_of_transport(const struct view *v)
{
	return v->c->mode == SA_MODE_TRANSPORT && !v->c->tunnel_fallback && v->c->tfc_bytes;
}

static bool padding_of_ah(const struct view *v)
{
	return v->c->protocol == PROTOCOL_AH && v->c->tfc_bytes;
}

static bool ah_in_udp(const struct view *v)
{
	return v->c->protocol == PROTOCOL_AH && v->t->encap == ENCAP_ALWAYS;
}

static const struct rule {
	const char *setting;
	bool (*broken)(const struct view *v);
	const char *text;
} rules[] = {
	{ "local_selectors", local_of_others,
		"transport mode is between the two hosts only: local.address, or [dynamic] without virtual_ip" },
	{ "remote_selectors", remote_of_others,
		"transport mode is between the two hosts only: remote.address, or [dynamic] without pool" },
	{ "tunnel_fallback", fallback_of_tunnel, "with mode: tunnel there is nothing to fall back from" },
	{ "tfc_padding", padding_of_transport,
		"transport mode cannot pad: only an inner IP header says where a packet ends (RFC 4303 2.7)" },
	{ "tfc_padding", padding_of_ah, "AH does not hide lengths; ESP does (RFC 4303 2.7)" },
	{ "protocol", ah_in_udp, "AH cannot be encapsulated in UDP (RFC 3948 1), which encap: always wants" },
};

static void check_modes(struct load *l, size_t i, const struct tunnel_profile *t, uint8_t child)
{
	const struct view v = { t, &t->children[child] };
	char setting[64];

	for (size_t k = 0; k < ARRAY_LEN(rules); k++) {
		snprintf(setting, sizeof(setting), "phase2.%u.%s", child, rules[k].setting);
		if (rules[k].broken(&v))
			check_fault(l, TUNNELS, i, setting, "%s", rules[k].text);
	}
}

static void check_child(struct load *l, size_t i, const struct tunnel_profile *t, uint8_t child)
{
	const struct child_profile *c = &t->children[child];
	char setting[64];

	check_modes(l, i, t, child);

	snprintf(setting, sizeof(setting), "phase2.%u.remote_selectors", child);
	check_families(l, TUNNELS, i, setting, &c->local, &c->remote);
	snprintf(setting, sizeof(setting), "phase2.%u.start", child);
	if (t->remote_addr.family == ADDR_NONE && c->start != START_RESPOND)
		check_fault(l, TUNNELS, i, setting, "with remote.address any we do not know whom to ask; use respond");
}

/* With any peer identity, some key of ours has to do. */
static bool has_psk(const struct config *c, const struct tunnel_profile *t)
{
	if (t->remote_id.type != ID_NONE)
		return config_psk_lookup(c, &t->local_id, &t->remote_id) != NULL;
	for (size_t i = 0; i < c->psk_count; i++)
		if (c->psks[i].local.type == ID_NONE || identity_equal(&c->psks[i].local, &t->local_id))
			return true;
	return false;
}

/* Without one the negotiation fails late, at IKE_AUTH, and at the peer: better refuse early, here. */
static void check_psk(struct load *l, size_t i, const struct tunnel_profile *t)
{
	char local[IDENTITY_TEXT_MAX], remote[IDENTITY_TEXT_MAX];

	if (has_psk(l->config, t))
		return;
	identity_format(&t->local_id, local);
	if (t->remote_id.type == ID_NONE)
		snprintf(remote, sizeof(remote), "any");
	else
		identity_format(&t->remote_id, remote);
	check_fault(l, TUNNELS, i, "", "no pre-shared key for local %.128s, remote %.128s in %s", local, remote,
		map_get(l->root, "secrets_file") ? "the secrets file" : "a secrets file (secrets_file is not set)");
}

void check_tunnels(struct load *l)
{
	for (size_t i = 0; i < l->config->tunnel_count; i++) {
		struct tunnel_profile *t = &l->config->tunnels[i];
		complete_identities(l, i, t);
		check_addresses(l, i, t);
		check_identities(l, i, t);
		for (uint8_t child = 0; child < t->child_count; child++)
			check_child(l, i, t, child);
		check_outer(l, TUNNELS, i, t->local_addr.family, &t->outer);
		check_psk(l, i, t);
	}
}
