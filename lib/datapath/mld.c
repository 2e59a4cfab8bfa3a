/* SPDX-License-Identifier: BSD-3-Clause */
/* Multicast listener discovery, a listener's side: switches and routers hear which groups our interfaces want, unasked
 * at the start and whenever a querier asks; of those that speak version 1 only, in its words. Without it a switch that
 * snoops keeps solicitations for us away. We ask nobody: reports of others are not heeded. RFC 3810 5, 6, 8.2; RFC
 * 2710. */
#include "datapath_priv.h"

#include <rte_random.h>

#define RECORD_IS_EXCLUDE 2 /* RFC 3810 5.2.12: all sources are wanted, as ever; since now */
#define RECORD_TO_EXCLUDE 4
#define RECORD_BYTES      20
#define REPORT_BYTES      8
#define V1_BYTES          24 /* of queries and reports of version 1 */
#define V2_QUERY_BYTES    28
#define ALERT_BYTES       8 /* hop-by-hop header with the router alert (RFC 2711) and padding */
#define OPTION_PAD1       0
#define OPTION_ALERT      5
#define UNSOLICITED_NS    NS_IN_S /* 9.11 */
#define ROBUSTNESS        2       /* 9.1 */
#define QUERY_INTERVAL_S  125     /* 9.2 */
#define HEADERS_BYTES     (RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv6_hdr))
#define MESSAGE_BYTES_MAX (REPORT_BYTES + MLD_GROUPS_MAX * RECORD_BYTES)

static const uint8_t all_routers[16] = { 0xff, 0x02, [15] = 2 };
static const uint8_t all_listeners[16] = { 0xff, 0x02, [15] = 0x16 }; /* RFC 3810 5.2.14 */
static const uint8_t unspecified[16];

/* ---- understood ---- */

static bool checksum_good(const uint8_t *ip, struct bytes message)
{
	uint16_t words[2] = { rte_cpu_to_be_16((uint16_t)message.len), rte_cpu_to_be_16(IPPROTO_ICMPV6) };
	uint32_t sum = (uint32_t)words[0] + words[1] + rte_raw_cksum(ip + 8, 32);

	sum += rte_raw_cksum(message.data, message.len);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16)) == 0xffff;
}

/* RFC 2711 2.1: of value 0, in the hop-by-hop header that comes first. header: of `bytes`. */
static bool has_router_alert(const uint8_t *header, size_t bytes)
{
	struct reader r = reader_init(BYTES(header + 2, bytes - 2));

	while (reader_left(&r)) {
		uint8_t type = reader_u8(&r);
		if (type == OPTION_PAD1)
			continue;
		struct bytes body = reader_bytes(&r, reader_u8(&r));
		if (r.failed)
			return false;
		if (type == OPTION_ALERT)
			return body.len == 2 && load_be16(body.data) == 0;
	}
	return false;
}

/* RFC 3810 5.1.3, 5.1.9: a small number, or mantissa and exponent. */
static uint32_t code_value(uint32_t code, unsigned mantissa_bits)
{
	uint32_t top = 1u << (mantissa_bits + 3), mantissa = code & ((1u << mantissa_bits) - 1);

	if (code < top)
		return code;
	return (mantissa | 1u << mantissa_bits) << ((code >> mantissa_bits & 7) + 3);
}

static bool query_decode(struct bytes message, struct mld_query *q)
{
	struct reader r = reader_init(message);

	reader_take(&r, 4);
	uint32_t code = reader_u16(&r);
	reader_take(&r, 2);
	struct bytes group = reader_bytes(&r, 16);
	/* RFC 3810 8.1: what has another length is neither version's */
	if (r.failed || (message.len != V1_BYTES && message.len < V2_QUERY_BYTES))
		return false;
	q->group = addr_from_bytes(ADDR_IPV6, group.data);
	q->general = !memcmp(group.data, unspecified, sizeof(unspecified));
	q->v1 = message.len == V1_BYTES;
	q->response_ms = q->v1 ? code : code_value(code, 12);
	if (!q->general && group.data[0] != 0xff)
		return false;
	if (q->v1)
		return true;
	q->robustness = reader_u8(&r) & 7;
	q->interval_s = code_value(reader_u8(&r), 4);
	size_t sources = reader_u16(&r);
	reader_take(&r, sources * 16);
	return !r.failed;
}

/* RFC 3810 5.1.14, 6.2: a query is from the link, which hop limit, source and router alert say together. */
static bool is_from_link(const uint8_t *ip)
{
	size_t bytes = ip[6] == IPPROTO_HOPOPTS ? (ip[41] + 1u) * 8u : 0;

	return ip[7] == 1 && ipv6_link_local(ip + 8) && bytes &&
	       has_router_alert(ip + sizeof(struct rte_ipv6_hdr), bytes);
}

enum drop_reason mld_decode(struct bytes frame, struct mld_query *ret_query)
{
	const uint8_t *ip = frame.data + RTE_ETHER_HDR_LEN;
	struct mld_query q = { 0 };
	struct ip6_layout l;

	if (frame.len < HEADERS_BYTES || load_be16(ip + 4) > frame.len - HEADERS_BYTES)
		return DROP_MLD;
	uint32_t bytes = (uint32_t)sizeof(struct rte_ipv6_hdr) + load_be16(ip + 4);
	if (ip6_walk(ip, bytes, &l) != IP6_WALK_GOOD || l.protocol != IPPROTO_ICMPV6 || l.has_fragment_header)
		return DROP_MLD;
	struct bytes message = BYTES(ip + l.offset, bytes - l.offset);
	if (message.len < REPORT_BYTES)
		return DROP_MLD;
	if (!checksum_good(ip, message))
		return DROP_MLD;
	if (message.data[0] != MLD_QUERY)
		return DROP_MLD_IGNORED;
	if (!is_from_link(ip) || !query_decode(message, &q))
		return DROP_MLD;
	*ret_query = q;
	return DROP_NONE;
}

/* ---- sent ---- */

/* RFC 3810 5.2.13, RFC 3590 4: without a source while there is none. */
static const uint8_t *report_source(const struct port *p)
{
	return port_own6_state(p, PORT_LINK_LOCAL) == DATAPATH_ADDRESS_VALID ? p->link_local : unspecified;
}

static void headers_write(struct writer *w, const struct port *p, const uint8_t destination[16], uint16_t bytes)
{
	/* RFC 2464 7 */
	writer_u16(w, 0x3333);
	writer_bytes(w, BYTES(destination + 12, 4));
	writer_bytes(w, BYTES_OF(p->mac));
	writer_u16(w, RTE_ETHER_TYPE_IPV6);
	writer_u32(w, 0x60000000);
	writer_u16(w, (uint16_t)(ALERT_BYTES + bytes));
	writer_u8(w, IPPROTO_HOPOPTS);
	writer_u8(w, 1);
	writer_bytes(w, BYTES(report_source(p), 16));
	writer_bytes(w, BYTES(destination, 16));
	writer_bytes(w, BYTES(((const uint8_t[]){ IPPROTO_ICMPV6, 0, OPTION_ALERT, 2, 0, 0, 1, 0 }), ALERT_BYTES));
}

static void report_send(struct datapath *dp, uint16_t port, const uint8_t destination[16], struct bytes message)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(dp->pool);

	if (!m)
		return;
	uint16_t bytes = (uint16_t)(HEADERS_BYTES + ALERT_BYTES + message.len);
	uint8_t *frame = (uint8_t *)rte_pktmbuf_append(m, bytes);
	struct writer w = writer_init(frame, bytes);
	headers_write(&w, &dp->ports[port], destination, (uint16_t)message.len);
	writer_bytes(&w, message);
	uint8_t *icmp = frame + HEADERS_BYTES + ALERT_BYTES, *ip = frame + RTE_ETHER_HDR_LEN;
	uint16_t words[2] = { rte_cpu_to_be_16((uint16_t)message.len), rte_cpu_to_be_16(IPPROTO_ICMPV6) };
	uint32_t sum = (uint32_t)words[0] + words[1] + rte_raw_cksum(ip + 8, 32) + rte_raw_cksum(icmp, message.len);
	sum = (sum & 0xffff) + (sum >> 16);
	uint16_t checksum = (uint16_t) ~((sum & 0xffff) + (sum >> 16));
	memcpy(icmp + 2, &checksum, sizeof(checksum));
	*packet_note(m) = (struct note){ .stage = STAGE_TX, .origin = ORIGIN_CONTROL, .port = port };
	inject_push(dp, ownership_sender(dp, port), m);
}

/* RFC 2710 3: one group, and to that group. */
static void report1_send(struct datapath *dp, uint16_t port, const struct mld_group *g)
{
	uint8_t message[V1_BYTES] = { MLD_REPORT_V1 };

	memcpy(message + 8, g->address, sizeof(g->address));
	report_send(dp, port, g->address, BYTES_OF(message));
}

/* A record each of so many groups. */
static void report2_send(
	struct datapath *dp, uint16_t port, uint8_t record, const struct mld_group *groups, uint8_t count)
{
	uint8_t message[MESSAGE_BYTES_MAX];
	struct writer w = writer_init(message, sizeof(message));

	writer_u8(&w, MLD_REPORT_V2);
	writer_zero(&w, 5);
	writer_u16(&w, count);
	for (uint8_t i = 0; i < count; i++) {
		writer_u8(&w, record);
		writer_zero(&w, 3);
		writer_bytes(&w, BYTES_OF(groups[i].address));
	}
	report_send(dp, port, all_listeners, BYTES(message, (size_t)(REPORT_BYTES + count * RECORD_BYTES)));
}

static void groups_send(
	struct datapath *dp, uint16_t port, uint8_t record, const struct mld_group *groups, uint8_t count)
{
	if (!dp->links[port].mld.v1_until_ns) {
		report2_send(dp, port, record, groups, count);
		return;
	}
	for (uint8_t i = 0; i < count; i++)
		report1_send(dp, port, &groups[i]);
}

/* ---- when ---- */

/* Nothing is due at once, and everything before the time is over: listeners do not speak all together. */
static uint64_t random_after(uint64_t now_ns, uint64_t most_ns)
{
	return now_ns + (most_ns ? 1 + rte_rand_max(most_ns) : 0);
}

static void groups_forget(struct mld *s)
{
	s->general_ns = UINT64_MAX;
	for (uint8_t i = 0; i < s->group_count; i++)
		s->groups[i].due_ns = UINT64_MAX;
}

static void group_add(struct mld *s, const uint8_t address[16])
{
	for (uint8_t i = 0; i < s->group_count; i++)
		if (!memcmp(s->groups[i].address, address, sizeof(s->groups[i].address)))
			return;
	memcpy(s->groups[s->group_count].address, address, sizeof(s->groups[0].address));
	s->groups[s->group_count++].due_ns = UINT64_MAX;
}

void mld_report(struct datapath *dp, uint16_t port)
{
	struct mld *s = &dp->links[port].mld;

	s->unsolicited = s->robustness;
	s->unsolicited_ns = s->group_count && s->unsolicited ? 0 : UINT64_MAX;
	dp->mld_next_ns = RTE_MIN(dp->mld_next_ns, s->unsolicited_ns);
}

/* RFC 4291 2.8: what a router has to listen to; all nodes are never reported (RFC 3810 6). */
void mld_start(struct datapath *dp)
{
	uint8_t group[16];

	for (uint16_t i = 0; i < dp->port_count; i++) {
		struct mld *s = &dp->links[i].mld;
		*s = (struct mld){ .robustness = ROBUSTNESS, .interval_ns = QUERY_INTERVAL_S * NS_IN_S };
		groups_forget(s);
		if (dp->ports[i].six)
			group_add(s, all_routers);
		for (int which = 0; which < PORT_OWN6; which++) {
			const uint8_t *own = port_own6(&dp->ports[i], which);
			if (!own)
				continue;
			nd_solicited_node(own, group);
			group_add(s, group);
		}
		mld_report(dp, i);
	}
}

/* RFC 3810 8.2.1, 9.12. */
static void version_note(struct mld *s, const struct mld_query *q, uint64_t now_ns)
{
	if (q->v1) {
		if (!s->v1_until_ns)
			groups_forget(s);
		s->v1_until_ns = now_ns + s->robustness * s->interval_ns + q->response_ms * NS_IN_MS;
		return;
	}
	s->robustness = q->robustness ? q->robustness : ROBUSTNESS;
	s->interval_ns = (q->interval_s ? q->interval_s : QUERY_INTERVAL_S) * NS_IN_S;
}

/* RFC 3810 6.2: what is due sooner stays. Sources do not matter to who wants them all. RFC 2710 4: in version 1 each
 * group has its own delay. */
static void answer_schedule(struct mld *s, const struct mld_query *q, uint64_t now_ns)
{
	const uint64_t most_ns = q->response_ms * NS_IN_MS;

	if (q->general && !s->v1_until_ns) {
		s->general_ns = RTE_MIN(s->general_ns, random_after(now_ns, most_ns));
		return;
	}
	for (uint8_t i = 0; i < s->group_count; i++) {
		struct mld_group *g = &s->groups[i];
		if (q->general || !memcmp(g->address, q->group.bytes, sizeof(g->address)))
			g->due_ns = RTE_MIN(g->due_ns, random_after(now_ns, most_ns));
	}
}

static uint64_t earliest_of(const struct mld *s)
{
	uint64_t earliest = RTE_MIN(s->unsolicited_ns, s->general_ns);

	for (uint8_t i = 0; i < s->group_count; i++)
		earliest = RTE_MIN(earliest, s->groups[i].due_ns);
	return s->v1_until_ns ? RTE_MIN(earliest, s->v1_until_ns) : earliest;
}

enum drop_reason mld_input(struct datapath *dp, const struct rte_mbuf *m, uint64_t now_ns)
{
	enum drop_reason reason;
	struct mld_query q;

	if (m->port >= dp->port_count)
		return DROP_MLD;
	reason = mld_decode(BYTES(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len), &q);
	if (reason)
		return reason;
	struct mld *s = &dp->links[m->port].mld;
	/* nothing is reported by who does not listen, or has not started */
	if (!s->group_count)
		return DROP_MLD_IGNORED;
	version_note(s, &q, now_ns);
	answer_schedule(s, &q, now_ns);
	dp->mld_next_ns = RTE_MIN(dp->mld_next_ns, earliest_of(s));
	return DROP_NONE;
}

static void unsolicited_send(struct datapath *dp, uint16_t port, uint64_t now_ns)
{
	struct mld *s = &dp->links[port].mld;

	groups_send(dp, port, RECORD_TO_EXCLUDE, s->groups, s->group_count);
	s->unsolicited_ns = --s->unsolicited ? random_after(now_ns, UNSOLICITED_NS) : UINT64_MAX;
}

static void attend(struct datapath *dp, uint16_t port, uint64_t now_ns)
{
	struct mld *s = &dp->links[port].mld;

	if (s->v1_until_ns && s->v1_until_ns <= now_ns) {
		s->v1_until_ns = 0;
		groups_forget(s);
	}
	if (s->unsolicited_ns <= now_ns)
		unsolicited_send(dp, port, now_ns);
	if (s->general_ns <= now_ns) {
		groups_send(dp, port, RECORD_IS_EXCLUDE, s->groups, s->group_count);
		groups_forget(s);
	}
	for (uint8_t i = 0; i < s->group_count; i++) {
		if (s->groups[i].due_ns > now_ns)
			continue;
		groups_send(dp, port, RECORD_IS_EXCLUDE, &s->groups[i], 1);
		s->groups[i].due_ns = UINT64_MAX;
	}
}

void mld_tick(struct datapath *dp, uint64_t now_ns)
{
	uint64_t earliest = UINT64_MAX;

	if (now_ns < dp->mld_next_ns)
		return;
	for (uint16_t i = 0; i < dp->port_count; i++) {
		if (!dp->links[i].mld.group_count)
			continue;
		attend(dp, i, now_ns);
		earliest = RTE_MIN(earliest, earliest_of(&dp->links[i].mld));
	}
	dp->mld_next_ns = earliest;
}
