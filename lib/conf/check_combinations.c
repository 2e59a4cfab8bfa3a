/* SPDX-License-Identifier: BSD-3-Clause */
/* Settings that are right by themselves and make no sense together: each refused by name, at the setting that would be
 * changed. Keys and SPIs are not looked at here. */
#include "conf_priv.h"

#define MANUAL "manual_sas"

/* ---- one manual SA: a table of rules ---- */

struct view {
	const struct load *l;
	size_t i;
	const struct config_manual_sa *m;
};

struct rule {
	const char *setting;
	bool (*broken)(const struct view *v);
	const char *text;
};

static bool given(const struct view *v, const char *setting)
{
	return setting_given(v->l, MANUAL, v->i, setting);
}

static bool families_differ(const struct view *v)
{
	return v->m->in.path.local.addr.family != v->m->in.path.remote.addr.family;
}

static bool ah_in_udp(const struct view *v)
{
	return v->m->in.protocol == PROTOCOL_AH && v->m->in.path.encap == SA_ENCAP_UDP;
}

static bool outer_of_transport(const struct view *v)
{
	return v->m->in.mode == SA_MODE_TRANSPORT && given(v, "outer");
}

static bool padding_of_transport(const struct view *v)
{
	return v->m->in.mode == SA_MODE_TRANSPORT && v->m->out.tfc_bytes;
}

static bool padding_of_ah(const struct view *v)
{
	return v->m->in.protocol == PROTOCOL_AH && v->m->out.tfc_bytes;
}

static bool esn_without_window(const struct view *v)
{
	return v->m->in.esn && !v->m->in.replay_window;
}

static bool sequence_in_too_high(const struct view *v)
{
	return !v->m->in.esn && v->m->in.initial_sequence > UINT32_MAX;
}

static bool sequence_out_too_high(const struct view *v)
{
	return !v->m->in.esn && v->m->out.initial_sequence > UINT32_MAX;
}

static bool later(uint64_t soft, uint64_t hard)
{
	return hard && soft > hard;
}

static bool soft_time_later(const struct view *v)
{
	return later(v->m->in.lifetime.soft_ns, v->m->in.lifetime.hard_ns);
}

static bool soft_bytes_later(const struct view *v)
{
	return later(v->m->in.lifetime.soft_bytes, v->m->in.lifetime.hard_bytes);
}

static bool soft_packets_later(const struct view *v)
{
	return later(v->m->in.lifetime.soft_packets, v->m->in.lifetime.hard_packets);
}

/* An algorithm that counts needs the operator's yes; with others that says nothing and does no harm. */
static bool unconfirmed(const struct view *v)
{
	const struct alg *encr = v->m->in.encr, *integ = v->m->in.integ;
	uint16_t flags = (encr ? encr->flags : 0) | (integ ? integ->flags : 0);

	return (flags & ALG_COUNTER) && !given(v, "lab_keys");
}

static const struct rule rules[] = {
	{ "remote", families_differ, "local and remote are not of one address family" },
	{ "encap", ah_in_udp, "AH cannot be encapsulated in UDP (RFC 3948 1)" },
	{ "outer", outer_of_transport, "transport mode keeps the packet's own header: nothing to set" },
	{ "tfc_padding", padding_of_transport,
		"transport mode cannot pad: only an inner IP header says where a packet ends "
		"(RFC 4303 2.7)" },
	{ "tfc_padding", padding_of_ah, "AH does not hide lengths; ESP does (RFC 4303 2.7)" },
	{ "replay_window", esn_without_window,
		"64-bit sequence numbers (esn) need the window: without it the receiver does "
		"not know the upper half (RFC 4303 3.3.3)" },
	{ "sequence_in", sequence_in_too_high, "numbers above 4294967295 need esn in the proposal" },
	{ "sequence_out", sequence_out_too_high, "numbers above 4294967295 need esn in the proposal" },
	{ "lifetime.soft_time", soft_time_later, "longer than hard_time" },
	{ "lifetime.soft_bytes", soft_bytes_later, "more than hard_bytes" },
	{ "lifetime.soft_packets", soft_packets_later, "more than hard_packets" },
	{ "lab_keys", unconfirmed,
		"true is needed here: with manual keys this algorithm repeats nonces after a restart "
		"(RFC 8221 3), so it is for a lab" },
};

/* ---- selectors ---- */

/* In transport mode the addresses inside are those outside: other selectors would let packets with addresses of others
 * through an SA that is between two hosts. */
static void check_transport_selectors(
	struct load *l, size_t i, const char *setting, const struct selector_list *list, const struct addr *host)
{
	char text[SELECTOR_TEXT_MAX], own[ADDR_TEXT_MAX];

	for (int k = 0; k < list->count; k++)
		if (!addr_equal(&list->items[k].low, host) || !addr_equal(&list->items[k].high, host)) {
			check_fault(l, MANUAL, i, setting,
				"%s is not inside of %s: transport mode is between the two hosts only",
				selector_format(&list->items[k], text), addr_format(host, own));
			return;
		}
}

static bool has_family(const struct selector_list *list, uint8_t family)
{
	for (int i = 0; i < list->count; i++)
		if (list->items[i].low.family == family)
			return true;
	return false;
}

/* Each side that is given; one left out is taken from elsewhere. */
void check_families(struct load *l, const char *list, size_t i, const char *setting, const struct selector_list *local,
	const struct selector_list *remote)
{
	static const uint8_t families[] = { ADDR_IPV4, ADDR_IPV6 };

	for (size_t k = 0; k < ARRAY_LEN(families); k++) {
		bool ours = has_family(local, families[k]), theirs = has_family(remote, families[k]);
		if (ours != theirs && local->count && remote->count)
			check_fault(l, list, i, setting, "%s has IPv%d and the other side has not: no packet matches",
				ours ? "local_selectors" : "remote_selectors", families[k]);
	}
}

void check_outer(struct load *l, const char *list, size_t i, uint8_t family, const struct header_rules *outer)
{
	if (outer->fragment == FRAGMENT_AFTER && outer->df == DF_SET)
		check_fault(
			l, list, i, "outer.fragment", "`after` makes fragments of what `df: set` forbids to fragment");
	if (family == ADDR_IPV6 && setting_given(l, list, i, "outer.df"))
		check_fault(l, list, i, "outer.df", "an outer IPv6 header has no DF bit");
	if (family == ADDR_IPV4 && setting_given(l, list, i, "outer.flow_label"))
		check_fault(l, list, i, "outer.flow_label", "an outer IPv4 header has no flow label");
}

void check_combinations(struct load *l, size_t i)
{
	const struct config_manual_sa *m = &l->config->manual_sas[i];
	const struct view v = { l, i, m };

	for (size_t k = 0; k < ARRAY_LEN(rules); k++)
		if (rules[k].broken(&v))
			check_fault(l, MANUAL, i, rules[k].setting, "%s", rules[k].text);
	if (m->in.mode == SA_MODE_TRANSPORT) {
		check_transport_selectors(l, i, "local_selectors", &m->in.local, &m->in.path.local.addr);
		check_transport_selectors(l, i, "remote_selectors", &m->in.remote, &m->in.path.remote.addr);
	} else {
		check_outer(l, MANUAL, i, m->in.path.local.addr.family, &m->in.path.header);
	}
	check_families(l, MANUAL, i, "remote_selectors", &m->in.local, &m->in.remote);
}
