/* SPDX-License-Identifier: BSD-3-Clause */
/* Virtual addresses by the Configuration payload of IKE_AUTH, both roles (RFC 7296 2.19, 3.15): as initiator we ask and
 * take, as responder we lend from the pool of the tunnel. Which selectors follow from that. */
#include <errno.h>
#include <stdio.h>

#include "v2.h"

/* What is asked for and given, one row a family. */
static const struct family_row {
	uint8_t family; /* enum addr_family */
	uint8_t wish;   /* enum virtual_ip */
	uint8_t bytes;  /* of an address */
	enum cp_attribute_type address, dns, subnet;
	uint8_t address_bytes; /* of the attribute: with the length of the prefix or without */
	bool subnet_has_mask;  /* else the length of the prefix */
} family_rows[VIRTUAL_FAMILIES] = {
	{ ADDR_IPV4, VIRTUAL_IPV4, 4, ATTRIBUTE_IP4_ADDRESS, ATTRIBUTE_IP4_DNS, ATTRIBUTE_IP4_SUBNET, 4, true },
	{ ADDR_IPV6, VIRTUAL_IPV6, 16, ATTRIBUTE_IP6_ADDRESS, ATTRIBUTE_IP6_DNS, ATTRIBUTE_IP6_SUBNET, 17, false },
};

static struct payload *add_cp(struct message *m, enum cfg_type type, const struct writer *w)
{
	struct payload *cp = message_add(m, PAYLOAD_CP);

	if (cp) {
		cp->cp.type = (uint8_t)type;
		cp->cp.attributes = writer_view(w);
	}
	return cp;
}

static const struct payload *find_cp(const struct message *m, enum cfg_type type)
{
	const struct payload *cp = message_find(m, PAYLOAD_CP);

	return cp && cp->cp.type == type ? cp : NULL;
}

/* The first attribute of this type. False: there is none. */
static bool find_attribute(const struct payload *cp, enum cp_attribute_type type, struct bytes *ret_value)
{
	struct reader r = reader_init(cp->cp.attributes);
	struct cp_attribute a;

	while (cp_attribute_next(&r, &a))
		if (a.type == type) {
			*ret_value = a.value;
			return true;
		}
	return false;
}

static void add_address(struct writer *w, const struct family_row *row, const struct addr *a)
{
	uint8_t value[17];

	memcpy(value, a->bytes, row->bytes);
	value[16] = 128; /* RFC 7296 3.15.1: one address */
	cp_attribute_add(w, row->address, a->family ? BYTES(value, row->address_bytes) : BYTES_NONE);
}

/* ---- initiator ---- */

void config_ask(const struct ike_sa *sa, struct message *m, uint8_t ret_data[CONFIG_DATA_MAX])
{
	struct writer w = writer_init(ret_data, CONFIG_DATA_MAX);
	enum virtual_ip wish = sa->tunnel->profile->virtual_ip;

	if (!wish)
		return;
	for (int i = 0; i < VIRTUAL_FAMILIES; i++)
		if (wish & family_rows[i].wish) {
			add_address(&w, &family_rows[i], &sa->tunnel->virtual[i]);
			cp_attribute_add(&w, family_rows[i].dns, BYTES_NONE);
			cp_attribute_add(&w, family_rows[i].subnet, BYTES_NONE);
		}
	add_cp(m, CFG_REQUEST, &w);
}

static void take_address(struct ike_sa *sa, int i, const struct payload *cp)
{
	const struct family_row *row = &family_rows[i];
	struct bytes value;
	struct addr a;

	if (!find_attribute(cp, row->address, &value) || value.len != row->address_bytes)
		return;
	a = addr_from_bytes((enum addr_family)row->family, value.data);
	if (!addr_is_any(&a) && !addr_is_multicast(&a))
		sa->virtual[i] = sa->tunnel->virtual[i] = a;
}

static void take_dns(const struct payload *cp, struct address_list *ret_dns)
{
	struct reader r = reader_init(cp->cp.attributes);
	struct cp_attribute a;

	while (cp_attribute_next(&r, &a))
		for (int i = 0; i < VIRTUAL_FAMILIES; i++)
			if (a.type == family_rows[i].dns && a.value.len && ret_dns->count < ADDRESS_LIST_MAX)
				ret_dns->items[ret_dns->count++] = addr_from_bytes(
					(enum addr_family)family_rows[i].family, a.value.data);
}

static bool has_address(const struct ike_sa *sa)
{
	return sa->virtual[0].family || sa->virtual[1].family;
}

bool config_on_answer(struct ike_engine *e, struct ike_sa *sa, const struct message *response)
{
	const struct payload *cp = find_cp(response, CFG_REPLY);
	enum virtual_ip wish = sa->tunnel->profile->virtual_ip;
	struct address_list dns = { 0 };

	if (!wish)
		return true;
	for (int i = 0; cp && i < VIRTUAL_FAMILIES; i++)
		if (wish & family_rows[i].wish)
			take_address(sa, i, cp);
	if (cp)
		take_dns(cp, &dns);
	if (has_address(sa))
		action_virtual(e, sa, &dns, true);
	return has_address(sa);
}

/* ---- responder ---- */

/* Lends what the request asks for. 0, or the notify that says why not. */
static uint16_t lend(struct ike_engine *e, struct ike_sa *sa, const struct payload *request)
{
	const struct address_pool *pool = sa->tunnel->profile->pool;
	bool asked = false;

	for (int i = 0; i < VIRTUAL_FAMILIES; i++) {
		const struct family_row *row = &family_rows[i];
		struct addr wanted = { 0 };
		struct bytes value;
		if (!find_attribute(request, row->address, &value))
			continue;
		asked = true;
		if (value.len)
			wanted = addr_from_bytes((enum addr_family)row->family, value.data);
		if (e->host.lease_take(e->host.context, pool, row->family, &sa->remote_id, &wanted, &sa->virtual[i]))
			sa->virtual[i] = (struct addr){ 0 };
	}
	if (has_address(sa))
		return 0;
	return asked ? NOTIFY_INTERNAL_ADDRESS_FAILURE : NOTIFY_FAILED_CP_REQUIRED;
}

static void add_dns(struct writer *w, const struct family_row *row, const struct address_list *dns)
{
	for (int k = 0; k < dns->count; k++)
		if (dns->items[k].family == row->family)
			cp_attribute_add(w, row->dns, BYTES(dns->items[k].bytes, row->bytes));
}

static uint8_t prefix_length(const struct selector *s, uint8_t bytes)
{
	uint8_t len = 0;

	while (len < 8 * bytes && !((s->low.bytes[len / 8] ^ s->high.bytes[len / 8]) & (0x80 >> len % 8)))
		len++;
	return len;
}

/* RFC 7296 3.15.1: an IPv4 subnet has its netmask, an IPv6 one the length of its prefix. */
static size_t subnet_write(const struct family_row *row, const struct selector *s, uint8_t ret_value[17])
{
	uint32_t mask = ~(addr_ipv4(&s->low) ^ addr_ipv4(&s->high));

	memcpy(ret_value, s->low.bytes, row->bytes);
	if (row->subnet_has_mask)
		store_be32(ret_value + row->bytes, mask);
	else
		ret_value[row->bytes] = prefix_length(s, row->bytes);
	return row->bytes + (row->subnet_has_mask ? sizeof(mask) : 1u);
}

static void add_subnets(struct writer *w, const struct family_row *row, const struct selector_list *subnets)
{
	uint8_t value[17];

	for (int k = 0; k < subnets->count; k++)
		if (subnets->items[k].low.family == row->family)
			cp_attribute_add(w, row->subnet, BYTES(value, subnet_write(row, &subnets->items[k], value)));
}

static void add_reply(struct ike_sa *sa, const struct payload *request, struct message *response, uint8_t *ret_data)
{
	const struct address_pool *pool = sa->tunnel->profile->pool;
	struct writer w = writer_init(ret_data, CONFIG_DATA_MAX);
	struct bytes ignored;

	for (int i = 0; i < VIRTUAL_FAMILIES; i++) {
		if (!sa->virtual[i].family)
			continue;
		add_address(&w, &family_rows[i], &sa->virtual[i]);
		if (find_attribute(request, family_rows[i].dns, &ignored))
			add_dns(&w, &family_rows[i], &pool->dns);
		add_subnets(&w, &family_rows[i], &pool->split_include);
	}
	add_cp(response, CFG_REPLY, &w);
}

static struct ike_failure refusal(const struct ike_sa *sa, uint16_t notify)
{
	const char *pool = sa->tunnel->profile->pool->name;
	bool full = notify == NOTIFY_INTERNAL_ADDRESS_FAILURE;
	struct ike_failure f = failure_make(2, IKE_AUTH, false, notify,
		full ? "the pool has no address for this peer"
		     : "the peer asks for no address, but the tunnel lends them",
		full ? "show leases says who has them; the peer may want the other IP version"
		     : "let the peer ask for a virtual IP");

	snprintf(f.ours, sizeof(f.ours), "pool %s", pool);
	return f;
}

bool config_answer(struct ike_engine *e, struct ike_sa *sa, const struct message *request, const struct ike_datagram *d,
	struct message *response, uint8_t ret_data[CONFIG_DATA_MAX])
{
	const struct payload *cp = find_cp(request, CFG_REQUEST);
	uint16_t notify;

	if (!sa->tunnel->profile->pool)
		return true;
	notify = cp ? lend(e, sa, cp) : NOTIFY_FAILED_CP_REQUIRED;
	if (!notify) {
		add_reply(sa, cp, response, ret_data);
		return true;
	}
	/* RFC 7296 3.15.4: the IKE SA comes up without a child */
	struct ike_failure f = refusal(sa, notify);
	failure_report(e, sa->tunnel, sa, d, &f);
	message_add_notify(response, (enum notify_type)notify, BYTES_NONE);
	return false;
}

/* ---- both ---- */

struct selector_list config_side(const struct ike_sa *sa, const struct selector_list *side, bool local)
{
	const struct tunnel_profile *p = sa->tunnel->profile;
	struct selector_list list = { 0 };

	if (!side->dynamic || (local ? !p->virtual_ip : !p->pool))
		return *side;
	/* before IKE_AUTH has brought us an address it may be any; a peer that was lent none has no side */
	if (local && !has_address(sa))
		return *side;
	for (int i = 0; i < VIRTUAL_FAMILIES; i++)
		if (sa->virtual[i].family) {
			const struct prefix host = { sa->virtual[i], (uint8_t)(8 * family_rows[i].bytes) };
			list.items[list.count++] = selector_from_prefix(&host);
		}
	return list;
}

void config_move(struct ike_sa *from, struct ike_sa *to)
{
	memcpy(to->virtual, from->virtual, sizeof(to->virtual));
	memset(from->virtual, 0, sizeof(from->virtual));
}

void config_give_back(struct ike_engine *e, struct ike_sa *sa)
{
	const struct address_pool *pool = sa->tunnel ? sa->tunnel->profile->pool : NULL;

	for (int i = 0; i < VIRTUAL_FAMILIES; i++)
		if (sa->virtual[i].family && pool)
			e->host.lease_give_back(e->host.context, pool, &sa->virtual[i]);
	memset(sa->virtual, 0, sizeof(sa->virtual));
}

void config_release(struct ike_engine *e, struct ike_sa *sa)
{
	if (has_address(sa) && !sa->tunnel->profile->pool)
		action_virtual(e, sa, &(struct address_list){ 0 }, false);
	config_give_back(e, sa);
}
