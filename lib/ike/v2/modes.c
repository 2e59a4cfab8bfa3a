/* SPDX-License-Identifier: BSD-3-Clause */
/* What Child SAs agree on beside algorithms and selectors, both roles: transport or tunnel mode (RFC 7296 1.3.1), with
 * the addresses that a NAT in between changes (2.23.1), whether TFC padding may be sent (3.10.1), and AH, which no NAT
 * lets through. Decides on values; installs and sends nothing. */
#include "v2.h"

const char modes_no_nat[] = "AH cannot pass a NAT (RFC 3948 1)";

static bool behind_nat(const struct ike_sa *sa)
{
	/* nothing ends because of a NAT that is not sure */
	bool remote_nat = sa->remote_nat && !sa->timers[TIMER_NAT].place;

	return sa->local_nat || remote_nat || sa->tunnel->profile->encap == ENCAP_ALWAYS;
}

bool modes_pass_nat(const struct ike_sa *sa, uint8_t protocol)
{
	return protocol != PROTOCOL_AH || !behind_nat(sa);
}

const char *modes_path_fault(const struct child_sa *child)
{
	if (!modes_pass_nat(child->sa, child->protocol))
		return modes_no_nat;
	/* the selectors are the host's name to us, and to whatever is sent to it */
	if (child->renamed && !addr_equal(&child->selectors[child->local_count].low, &child->sa->remote.addr))
		return "a NAT gives the peer another address, and transport mode's selectors name the one before";
	return NULL;
}

bool modes_transport_asked(const struct message *m)
{
	return message_find_notify(m, NOTIFY_USE_TRANSPORT_MODE);
}

bool modes_acceptable(const struct child_profile *p, bool transport)
{
	return transport ? p->mode == SA_MODE_TRANSPORT : p->mode == SA_MODE_TUNNEL || p->tunnel_fallback;
}

void modes_add(struct message *m, bool transport, uint8_t protocol)
{
	if (!transport)
		return;
	message_add_notify(m, NOTIFY_USE_TRANSPORT_MODE, BYTES_NONE);
	/* without an inner header nothing says where the packet ends and the padding begins (RFC 4303 2.7) */
	if (protocol == PROTOCOL_ESP)
		message_add_notify(m, NOTIFY_ESP_TFC_PADDING_NOT_SUPPORTED, BYTES_NONE);
}

struct selector_list modes_side(const struct ike_sa *sa, const struct child_profile *p, bool local)
{
	const struct selector_list *side = local ? &p->local : &p->remote;
	const struct addr *host = local ? &sa->local.addr : &sa->remote.addr;
	struct selector_list list = { .count = 1 };

	if (p->mode != SA_MODE_TRANSPORT || !side->dynamic)
		return config_side(sa, side, local);
	list.items[0] = selector_from_prefix(&(struct prefix){ *host, (uint8_t)(8 * addr_len(host)) });
	return list;
}

/* Each of a side's selectors is one address, the same: that of a host. */
static bool names_one_host(const struct selector_list *side)
{
	const struct addr *host = &side->items[0].low;

	for (int i = 0; i < side->count; i++)
		if (!addr_equal(&side->items[i].low, host) || !addr_equal(&side->items[i].high, host))
			return false;
	return side->count > 0;
}

/* The side of one who is behind a NAT: it is known by the address of the IKE SA. *ret_original: as it was named. */
static void substitute(struct selector_list *side, const struct addr *seen, bool behind, struct addr *ret_original)
{
	*ret_original = (struct addr){ 0 };
	if (!behind || !names_one_host(side) || side->items[0].low.family != seen->family)
		return;
	*ret_original = side->items[0].low;
	for (int i = 0; i < side->count; i++)
		side->items[i].low = side->items[i].high = *seen;
}

void modes_substitute(const struct ike_sa *sa, struct ts_pair *sides, struct agreement *ret)
{
	substitute(&sides->local, &sa->local.addr, sa->local_nat, &ret->original_local);
	substitute(&sides->remote, &sa->remote.addr, sa->remote_nat, &ret->original_remote);
}

/* Its traffic and that of a Child SA of this agreement could not be told apart. */
static bool same_traffic(const struct child_sa *child, const struct agreement *a)
{
	struct ts_pair ts = child_ts(child);

	return child->transport && child->state == CHILD_UP && narrow_overlap(&ts, &a->ts);
}

static bool carries_same(const struct ike_sa *sa, const struct agreement *a)
{
	const struct child_sa *child;

	TAILQ_FOREACH (child, &sa->children, siblings) {
		if (same_traffic(child, a))
			return true;
	}
	return false;
}

bool modes_taken_by_neighbour(const struct ike_engine *e, const struct ike_sa *sa, const struct agreement *a)
{
	if (!a->transport || !sa->remote_nat)
		return false;
	for (const struct ike_sa *other = e->sas; other; other = other->next)
		if (addr_equal(&other->remote.addr, &sa->remote.addr) &&
			!identity_equal(&other->remote_id, &sa->remote_id) && carries_same(other, a))
			return true;
	return false;
}

static bool side_is(const struct selector_list *side, const struct addr *host)
{
	return names_one_host(side) && addr_equal(&side->items[0].low, host);
}

bool modes_between_hosts(const struct ike_sa *sa, const struct ts_pair *ts)
{
	return side_is(&ts->local, &sa->local.addr) && side_is(&ts->remote, &sa->remote.addr);
}
