/* SPDX-License-Identifier: BSD-3-Clause */
/* Tunnels: addresses that are ours and the peer's, identities, a pre-shared key for each. */
#include "conf_priv.h"

#include <stdio.h>
#include <string.h>

#define TUNNELS "tunnels"

/* One of them at least: with MOBIKE the others may come and go. */
static bool has_address(const struct config *c, const struct tunnel_profile *t)
{
	bool has = address_is_ours(c, &t->local_addr);

	for (uint8_t k = 0; t->mobike && k < t->local_more.count && !has; k++)
		has = address_is_ours(c, &t->local_more.items[k]);
	return has;
}

/* IKE and ESP leave from and arrive at addresses of ours only. */
static void check_addresses(struct load *l, size_t i, const struct tunnel_profile *t)
{
	char text[ADDR_TEXT_MAX];

	if (t->remote_addr.family != ADDR_NONE && t->remote_addr.family != t->local_addr.family)
		check_fault(l, TUNNELS, i, "remote.address", "%s is not of the family of local.address",
			addr_format(&t->remote_addr, text));
	if (!has_address(l->config, t))
		check_fault(l, TUNNELS, i, "local.address", "%s is not the address of an interface",
			addr_format(&t->local_addr, text));
	if (address_is_ours(l->config, &t->remote_addr))
		check_fault(
			l, TUNNELS, i, "remote.address", "%s is our own address", addr_format(&t->remote_addr, text));
	for (uint8_t k = 0; k < t->remote_more.count; k++)
		if (address_is_ours(l->config, &t->remote_more.items[k]))
			check_fault(l, TUNNELS, i, "remote.more_addresses", "%s is our own address",
				addr_format(&t->remote_more.items[k], text));
}

static bool has_ports(const struct selector *s)
{
	return s->protocol || s->port_low || s->port_high != UINT16_MAX;
}

/* What only MOBIKE uses. */
static void check_mobike(struct load *l, size_t i, const struct tunnel_profile *t)
{
	static const char *const settings[] = { "local.more_addresses", "remote.move_to" };

	for (size_t k = 0; !t->mobike && k < ARRAY_LEN(settings); k++)
		if (setting_given(l, TUNNELS, i, settings[k]))
			check_fault(l, TUNNELS, i, settings[k], "needs phase1.mobike");
	for (uint8_t k = 0; k < t->move_to.count; k++)
		if (has_ports(&t->move_to.items[k]))
			check_fault(l, TUNNELS, i, "remote.move_to",
				"the peer moves to addresses, not to protocols or ports");
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

/* What one peer has, and what many have. */
static void check_many(struct load *l, size_t i, const struct tunnel_profile *t)
{
	static const char *const of_many[] = { "remote.peers", "remote.unique_id" };

	if (identity_is_pattern(&t->local_id))
		check_fault(l, TUNNELS, i, "local.id", "we are somebody: no pattern");
	if (identity_is_pattern(&t->remote_id) && t->remote_addr.family != ADDR_NONE)
		check_fault(l, TUNNELS, i, "remote.id", "a pattern is for peers that come to us: remote.address any");
	if (t->unique_id == UNIQUE_NEVER && t->pool)
		check_fault(l, TUNNELS, i, "remote.unique_id",
			"a pool lends one address to an identity, which two connections of it would share");
	for (size_t k = 0; k < ARRAY_LEN(of_many) && !profile_serves_many(t); k++)
		if (setting_given(l, TUNNELS, i, of_many[k]))
			check_fault(l, TUNNELS, i, of_many[k],
				"only for many peers: with remote.address any, remote.id any or a pattern");
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

static void check_dpd(struct load *l, size_t i, const struct tunnel_profile *t)
{
	if (t->remote_addr.family == ADDR_NONE && t->dpd_action == DPD_RESTART)
		check_fault(l, TUNNELS, i, "phase1.dpd.action",
			"with remote.address any nobody knows whom to begin with again; use clear");
}

/* With any peer identity, some key of ours has to do. */
static bool has_psk(const struct config *c, const struct tunnel_profile *t)
{
	bool one = t->remote_id.type != ID_NONE && !identity_is_pattern(&t->remote_id);

	if (one)
		return config_psk_lookup(c, &t->local_id, &t->remote_id) != NULL;
	for (size_t i = 0; i < c->psk_count; i++) {
		const struct config_psk *psk = &c->psks[i];
		bool ours = psk->local.type == ID_NONE || identity_equal(&psk->local, &t->local_id);
		if (ours && (psk->remote.type == ID_NONE || identity_matches(&t->remote_id, &psk->remote)))
			return true;
	}
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
		check_mobike(l, i, t);
		check_identities(l, i, t);
		check_many(l, i, t);
		check_dpd(l, i, t);
		for (uint8_t child = 0; child < t->child_count; child++)
			check_child(l, i, t, child);
		check_outer(l, TUNNELS, i, t->local_addr.family, &t->outer);
		check_psk(l, i, t);
	}
}
