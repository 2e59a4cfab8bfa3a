/* SPDX-License-Identifier: BSD-3-Clause */
/* Neighbour discovery: what is sent and understood, answers for our own addresses, and whom to believe. When to ask is
 * resolve.c. What routers say to hosts is not heeded: our routes are configured. RFC 4861 4.3, 4.4, 7; RFC 4862 5.4. */
#include "datapath_priv.h"

#define HOP_LIMIT         255 /* RFC 4861 7.1: nothing that a router forwarded still has it */
#define MESSAGE_BYTES     24  /* of solicitation and advertisement in front of their options */
#define OPTION_UNIT       8   /* option lengths count these */
#define OPTION_SOURCE_MAC 1
#define OPTION_TARGET_MAC 2
#define OPTION_MAC_BYTES  8
#define FLAG_ROUTER       0x80000000u
#define FLAG_SOLICITED    0x40000000u
#define FLAG_OVERRIDE     0x20000000u
#define HEADERS_BYTES     (RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv6_hdr))

static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };
static const uint8_t unspecified[16];

void nd_solicited_node(const uint8_t target[16], uint8_t ret_group[16])
{
	static const uint8_t head[13] = { 0xff, 0x02, [11] = 1, [12] = 0xff };

	memcpy(ret_group, head, sizeof(head));
	memcpy(ret_group + sizeof(head), target + sizeof(head), 16 - sizeof(head));
}

static bool is_solicited_node(const uint8_t group[16])
{
	uint8_t want[16];

	nd_solicited_node(group, want);
	return !memcmp(group, want, sizeof(want));
}

/* ---- understood ---- */

/* The options that follow; one kind is looked for, the others are passed over (RFC 4861 4.6). False: an option of no
 * length, or cut. */
static bool options_decode(struct reader *r, uint8_t wanted, struct nd *nd)
{
	while (reader_left(r)) {
		uint8_t type = reader_u8(r);
		size_t bytes = (size_t)reader_u8(r) * OPTION_UNIT;
		if (r->failed || bytes < OPTION_UNIT)
			return false;
		struct bytes body = reader_bytes(r, bytes - 2);
		if (r->failed)
			return false;
		if (type != wanted || bytes != OPTION_MAC_BYTES)
			continue;
		memcpy(nd->mac, body.data, sizeof(nd->mac));
		/* a group, or nobody, is no neighbour's address */
		if (!rte_is_valid_assigned_ether_addr((const struct rte_ether_addr *)nd->mac))
			return false;
		nd->has_mac = true;
	}
	return true;
}

/* RFC 4861 7.1.1, 7.1.2, and 4.3: a solicitation from nobody is a question of duplicate address detection. */
static bool is_valid(const struct nd *nd)
{
	if (ipv6_not_unicast(nd->target.bytes))
		return false;
	if (nd->dad)
		return nd->type == ND_SOLICITATION && !nd->has_mac && is_solicited_node(nd->destination.bytes);
	if (ipv6_not_unicast(nd->source.bytes))
		return false;
	return !(nd->solicited && addr_is_multicast(&nd->destination));
}

static bool checksum_good(const uint8_t *ip, struct bytes message)
{
	uint32_t sum = rte_ipv6_phdr_cksum((const struct rte_ipv6_hdr *)ip, 0);

	sum += rte_raw_cksum(message.data, message.len);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16)) == 0xffff;
}

static bool message_decode(struct bytes message, struct nd *nd)
{
	struct reader r = reader_init(message);

	nd->type = reader_u8(&r);
	uint8_t code = reader_u8(&r);
	reader_take(&r, 2);
	uint32_t flags = reader_u32(&r);
	struct bytes target = reader_bytes(&r, 16);
	if (r.failed || code)
		return false;
	nd->target = addr_from_bytes(ADDR_IPV6, target.data);
	nd->solicited = nd->type == ND_ADVERTISEMENT && (flags & FLAG_SOLICITED);
	nd->override = nd->type == ND_ADVERTISEMENT && (flags & FLAG_OVERRIDE);
	nd->dad = !memcmp(nd->source.bytes, unspecified, sizeof(unspecified));
	return options_decode(&r, nd->type == ND_SOLICITATION ? OPTION_SOURCE_MAC : OPTION_TARGET_MAC, nd) &&
	       is_valid(nd);
}

enum drop_reason nd_decode(struct bytes frame, struct nd *ret_nd)
{
	const uint8_t *ip = frame.data + RTE_ETHER_HDR_LEN;
	struct nd nd = { 0 };

	if (frame.len < HEADERS_BYTES + OPTION_UNIT)
		return DROP_ND;
	struct bytes message = BYTES(frame.data + HEADERS_BYTES, frame.len - HEADERS_BYTES);
	if (ip[6] != IPPROTO_ICMPV6 || ip[7] != HOP_LIMIT || load_be16(ip + 4) > message.len)
		return DROP_ND;
	message.len = load_be16(ip + 4);
	if (message.len < OPTION_UNIT || !checksum_good(ip, message))
		return DROP_ND;
	if (message.data[0] != ND_SOLICITATION && message.data[0] != ND_ADVERTISEMENT)
		return DROP_ND_IGNORED;
	memcpy(nd.frame_mac, frame.data + RTE_ETHER_ADDR_LEN, sizeof(nd.frame_mac));
	nd.source = addr_from_bytes(ADDR_IPV6, ip + 8);
	nd.destination = addr_from_bytes(ADDR_IPV6, ip + 24);
	if (!message_decode(message, &nd))
		return DROP_ND;
	*ret_nd = nd;
	return DROP_NONE;
}

/* ---- sent ---- */

/* Words about a message of ours. */
struct message {
	uint8_t type, option; /* 0: without our MAC */
	uint32_t flags;
	const uint8_t *mac; /* of the frame's destination; NULL: that of the group */
	const uint8_t *source, *destination, *target;
};

static void ether_write(struct writer *w, const struct port *p, const struct message *msg)
{
	if (msg->mac) {
		writer_bytes(w, BYTES(msg->mac, 6));
	} else {
		/* RFC 2464 7 */
		writer_u16(w, 0x3333);
		writer_bytes(w, BYTES(msg->destination + 12, 4));
	}
	writer_bytes(w, BYTES_OF(p->mac));
	writer_u16(w, RTE_ETHER_TYPE_IPV6);
}

static void message_write(struct writer *w, const struct port *p, const struct message *msg)
{
	writer_u8(w, msg->type);
	writer_zero(w, 3);
	writer_u32(w, msg->flags);
	writer_bytes(w, BYTES(msg->target, 16));
	if (!msg->option)
		return;
	writer_u8(w, msg->option);
	writer_u8(w, OPTION_MAC_BYTES / OPTION_UNIT);
	writer_bytes(w, BYTES_OF(p->mac));
}

static void nd_send(struct datapath *dp, uint16_t port, const struct message *msg)
{
	const uint16_t bytes = MESSAGE_BYTES + (msg->option ? OPTION_MAC_BYTES : 0);
	struct rte_mbuf *m = rte_pktmbuf_alloc(dp->pool);

	if (!m)
		return;
	uint8_t *frame = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(HEADERS_BYTES + bytes));
	struct writer w = writer_init(frame, HEADERS_BYTES + bytes);
	ether_write(&w, &dp->ports[port], msg);
	writer_u32(&w, 0x60000000);
	writer_u16(&w, bytes);
	writer_u8(&w, IPPROTO_ICMPV6);
	writer_u8(&w, HOP_LIMIT);
	writer_bytes(&w, BYTES(msg->source, 16));
	writer_bytes(&w, BYTES(msg->destination, 16));
	message_write(&w, &dp->ports[port], msg);
	uint16_t checksum = rte_ipv6_udptcp_cksum(
		(const struct rte_ipv6_hdr *)(frame + RTE_ETHER_HDR_LEN), frame + HEADERS_BYTES);
	memcpy(frame + HEADERS_BYTES + 2, &checksum, sizeof(checksum));
	*packet_note(m) = (struct note){ .stage = STAGE_TX, .origin = ORIGIN_CONTROL, .port = port };
	inject_push(dp, ownership_sender(dp, port), m);
}

/* The address that fits the target's, of those that may be used; NULL: none. */
static const uint8_t *source_for(const struct port *p, const struct addr *target)
{
	const bool global = port_own6(p, PORT_GLOBAL) && port_own6_state(p, PORT_GLOBAL) == DATAPATH_ADDRESS_VALID;

	if (global && prefix_contains(&p->prefix6, target))
		return p->prefix6.addr.bytes;
	if (port_own6_state(p, PORT_LINK_LOCAL) == DATAPATH_ADDRESS_VALID)
		return p->link_local;
	return global ? p->prefix6.addr.bytes : NULL;
}

void nd_ask(struct datapath *dp, uint16_t port, const struct addr *target, const uint8_t *mac)
{
	const struct port *p = &dp->ports[port];
	const uint8_t *source = source_for(p, target);
	uint8_t group[16];

	if (!source)
		return;
	nd_solicited_node(target->bytes, group);
	const struct message m = {
		.type = ND_SOLICITATION,
		.option = OPTION_SOURCE_MAC,
		.mac = mac,
		.source = source,
		.destination = mac ? target->bytes : group,
		.target = target->bytes,
	};
	nd_send(dp, port, &m);
}

/* RFC 4861 7.2.4, 7.2.6: to who asked, or to everybody when who asked has no address yet. */
static void advertise(struct datapath *dp, uint16_t port, const struct nd *nd)
{
	/* for others (RFC 4861 7.2.8) what the node itself says comes before what we say */
	uint32_t override = port_has6(&dp->ports[port], nd->target.bytes) ? FLAG_OVERRIDE : 0;
	const struct message m = {
		.type = ND_ADVERTISEMENT,
		.option = OPTION_TARGET_MAC,
		.flags = FLAG_ROUTER | override | (nd->dad ? 0 : FLAG_SOLICITED),
		.mac = nd->dad       ? NULL
		       : nd->has_mac ? nd->mac
				     : nd->frame_mac,
		.source = override ? nd->target.bytes : dp->ports[port].link_local,
		.destination = nd->dad ? all_nodes : nd->source.bytes,
		.target = nd->target.bytes,
	};
	nd_send(dp, port, &m);
}

void nd_probe(struct datapath *dp, uint16_t port, const uint8_t target[16])
{
	uint8_t group[16];

	nd_solicited_node(target, group);
	const struct message m = {
		.type = ND_SOLICITATION, .source = unspecified, .destination = group, .target = target
	};
	nd_send(dp, port, &m);
}

void nd_announce(struct datapath *dp, uint16_t port, const uint8_t target[16])
{
	const struct message m = {
		.type = ND_ADVERTISEMENT,
		.option = OPTION_TARGET_MAC,
		.flags = FLAG_ROUTER | FLAG_OVERRIDE,
		.source = target,
		.destination = all_nodes,
		.target = target,
	};

	nd_send(dp, port, &m);
}

/* ---- believed ---- */

/* RFC 4862 5.4.3, 5.4.4: about an address of ours that may not be used yet. A link that loops back what we sent does
 * not make it a duplicate; a host that asks for it in order to talk to it gets no answer. */
static enum drop_reason unusable_heard(struct datapath *dp, uint16_t port, int which, const struct nd *nd)
{
	const struct port *p = &dp->ports[port];

	if (port_own6_state(p, which) == DATAPATH_ADDRESS_DUPLICATE || !memcmp(nd->frame_mac, p->mac, sizeof(p->mac)) ||
		(nd->type == ND_SOLICITATION && !nd->dad))
		return DROP_ADDRESS_UNUSABLE;
	dad_duplicate(dp, port, which, nd->has_mac ? nd->mac : nd->frame_mac);
	return DROP_ADDRESS_CONFLICT;
}

/* RFC 4861 7.2.3. Who asks for us is known from then on, if it can be a host of the link. */
static enum drop_reason solicited(
	struct datapath *dp, uint16_t port, const struct nd *nd, const struct datapath_host *host, uint64_t now_ns)
{
	const struct port *p = &dp->ports[port];
	bool ours = port_has6(p, nd->target.bytes);
	uint32_t index;

	/* an address behind a tunnel, though it looks as if it were on this link (RFC 4861 7.2.8) */
	if (!ours && (!port_is_on_link(p, &nd->target) || !host_answers_for(host, &nd->target)))
		return DROP_NONE;
	/* it stays ours; nothing else of it is believed */
	if (nd->dad || address6_own(dp, p->table_id, nd->source.bytes) || port_has6(p, nd->source.bytes)) {
		if (nd->dad)
			advertise(dp, port, nd);
		return DROP_ADDRESS_CONFLICT;
	}
	/* what lies behind a tunnel or another port is not answered here */
	if (!port_is_on_link(p, &nd->source))
		return DROP_MARTIAN;
	advertise(dp, port, nd);
	if (!nd->has_mac)
		return DROP_NONE;
	index = resolve_ensure(dp, port, &nd->source);
	if (index == NEIGHBOUR_NONE)
		return DROP_NEIGHBOURS_FULL;
	resolve_heard(dp, index, nd->mac, now_ns);
	return DROP_NONE;
}

/* RFC 4861 7.2.5; only about neighbours that have an entry. An answer counts as proof when there was a question. */
static enum drop_reason advertised(struct datapath *dp, uint16_t port, const struct nd *nd, uint64_t now_ns)
{
	const struct neighbour *n;
	uint32_t index;

	if (port_has6(&dp->ports[port], nd->target.bytes) ||
		address6_own(dp, dp->ports[port].table_id, nd->target.bytes))
		return DROP_ADDRESS_CONFLICT;
	index = neighbour_find(dp->neighbours, port, &nd->target);
	if (index == NEIGHBOUR_NONE)
		return DROP_NONE;
	n = &dp->neighbours->entries[index];
	if (n->state == NEIGHBOUR_INCOMPLETE && !nd->has_mac)
		return DROP_NONE;
	const uint8_t *mac = nd->has_mac ? nd->mac : n->mac;
	bool differs = n->state != NEIGHBOUR_INCOMPLETE && memcmp(mac, n->mac, sizeof(n->mac)) != 0;
	if (differs && !nd->override)
		resolve_doubt(dp, index, now_ns);
	else if (nd->solicited && resolve_is_asked(dp, index))
		resolve_answered(dp, index, mac, now_ns);
	else
		resolve_heard(dp, index, mac, now_ns);
	return DROP_NONE;
}

enum drop_reason nd_input(
	struct datapath *dp, const struct rte_mbuf *m, const struct datapath_host *host, uint64_t now_ns)
{
	enum drop_reason reason;
	struct nd nd;

	if (m->port >= dp->port_count)
		return DROP_ND;
	reason = nd_decode(BYTES(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len), &nd);
	if (reason || !dp->ports[m->port].six)
		return reason;
	int which = port_own6_find(&dp->ports[m->port], nd.target.bytes);
	if (which >= 0 && port_own6_state(&dp->ports[m->port], which) != DATAPATH_ADDRESS_VALID)
		return unusable_heard(dp, m->port, which, &nd);
	return nd.type == ND_SOLICITATION ? solicited(dp, m->port, &nd, host, now_ns)
					  : advertised(dp, m->port, &nd, now_ns);
}
