/* SPDX-License-Identifier: BSD-3-Clause */
/* Control's way out: packets it made, given to a worker's inject ring. Workers route and send them. */
#include "datapath_priv.h"

#include <errno.h>

#include <sys/random.h>

#define UDP_TTL        64
#define UDP_DATA_MAX   (65535 - 20 - 8)
#define MARKER_BYTES   4 /* RFC 3948 2.2 */
#define MTU_OF_NOWHERE 1500
#define IPV6_FLOW      0x60000000u /* version 6, no traffic class, no flow label */

void control_drop(struct datapath *dp, struct rte_mbuf *m, enum drop_reason reason)
{
	dp->drops[reason]++;
	if (m->port < DATAPATH_PORTS_MAX)
		dp->port_drops[m->port][reason]++;
	rte_pktmbuf_free(m);
}

void datapath_drop_count(struct datapath *dp, enum drop_reason reason)
{
	assert_control(dp);
	dp->drops[reason]++;
}

int inject_push(struct datapath *dp, uint16_t worker, struct rte_mbuf *m)
{
	if (!rte_ring_sp_enqueue(dp->workers[worker]->inject, m)) {
		idle_wake(dp->workers[worker]);
		return 0;
	}
	control_drop(dp, m, DROP_HANDOFF_FULL);
	return -ENOBUFS;
}

/* The datagram in one piece: UDP header, marker, data. And what every packet that carries of it says. */
struct datagram {
	uint8_t bytes[8 + MARKER_BYTES + UDP_DATA_MAX];
	uint16_t len;
	struct addr source, destination;
	uint32_t identification; /* of its fragments; IPv4 has room for the lower half */
};

/* RFC 768, RFC 8200 8.1: the two pseudo headers add up to the same but for their addresses. */
static uint16_t udp_checksum(const struct datagram *d)
{
	const uint16_t words[2] = { rte_cpu_to_be_16(d->len), RTE_BE16(IPPROTO_UDP) };
	size_t addr_bytes = addr_len(&d->source);
	/* of at most 65,567 bytes the words add up to less than 2^32 */
	uint32_t sum = (uint32_t)words[0] + words[1] + rte_raw_cksum(d->source.bytes, addr_bytes) +
		       rte_raw_cksum(d->destination.bytes, addr_bytes) + rte_raw_cksum(d->bytes, d->len);

	sum = (sum & 0xffff) + (sum >> 16);
	uint16_t checksum = (uint16_t) ~((sum & 0xffff) + (sum >> 16));
	/* zero would say "none" (RFC 768), which IPv6 refuses */
	return checksum ? checksum : 0xffff;
}

static void datagram_fill(
	struct datagram *d, const struct endpoint *local, const struct endpoint *remote, struct bytes data, bool marker)
{
	struct writer w = writer_init(d->bytes, sizeof(d->bytes));

	d->len = (uint16_t)(8 + (marker ? MARKER_BYTES : 0) + data.len);
	d->source = local->addr;
	d->destination = remote->addr;
	writer_u16(&w, local->port);
	writer_u16(&w, remote->port);
	writer_u16(&w, d->len);
	writer_u16(&w, 0);
	writer_zero(&w, marker ? MARKER_BYTES : 0);
	writer_bytes(&w, data);
	uint16_t checksum = udp_checksum(d);
	memcpy(d->bytes + 6, &checksum, sizeof(checksum));
}

static bool is_whole(const struct datagram *d, uint16_t bytes)
{
	return bytes == d->len;
}

static uint16_t header_bytes(const struct datagram *d, uint16_t bytes)
{
	if (d->source.family == ADDR_IPV4)
		return sizeof(struct rte_ipv4_hdr);
	return (uint16_t)(sizeof(struct rte_ipv6_hdr) + (is_whole(d, bytes) ? 0 : IP6_FRAGMENT_BYTES));
}

static void header4_write(const struct datagram *d, uint16_t at, uint16_t bytes, void *ret_header)
{
	struct rte_ipv4_hdr *ip = ret_header;

	*ip = (struct rte_ipv4_hdr){
		.version_ihl = 0x45,
		.total_length = rte_cpu_to_be_16((uint16_t)(sizeof(*ip) + bytes)),
		.packet_id = rte_cpu_to_be_16((uint16_t)d->identification),
		.fragment_offset = rte_cpu_to_be_16(
			(uint16_t)(at / 8 | (at + bytes < d->len ? RTE_IPV4_HDR_MF_FLAG : 0))),
		.time_to_live = UDP_TTL,
		.next_proto_id = IPPROTO_UDP,
	};
	memcpy(&ip->src_addr, d->source.bytes, sizeof(ip->src_addr));
	memcpy(&ip->dst_addr, d->destination.bytes, sizeof(ip->dst_addr));
	ip_checksum_set(ip);
}

/* RFC 8200 3, 4.5. */
static void header6_write(const struct datagram *d, uint16_t at, uint16_t bytes, void *ret_header)
{
	struct rte_ipv6_hdr *ip = ret_header;
	uint8_t *fragment = (uint8_t *)(ip + 1);
	bool whole = is_whole(d, bytes);

	*ip = (struct rte_ipv6_hdr){
		.vtc_flow = RTE_BE32(IPV6_FLOW),
		.payload_len = rte_cpu_to_be_16((uint16_t)(header_bytes(d, bytes) - sizeof(*ip) + bytes)),
		.proto = whole ? IPPROTO_UDP : IPPROTO_FRAGMENT,
		.hop_limits = UDP_TTL,
	};
	memcpy(&ip->src_addr, d->source.bytes, sizeof(ip->src_addr));
	memcpy(&ip->dst_addr, d->destination.bytes, sizeof(ip->dst_addr));
	if (whole)
		return;
	store_be16(fragment, IPPROTO_UDP << 8);
	store_be16(fragment + 2, (uint16_t)(at | (at + bytes < d->len)));
	store_be32(fragment + 4, d->identification);
}

/* The whole datagram or a fragment of it. */
static struct rte_mbuf *packet_build(struct datapath *dp, const struct datagram *d, uint16_t at, uint16_t bytes)
{
	uint16_t front = header_bytes(d, bytes);
	struct rte_mbuf *m = rte_pktmbuf_alloc(dp->pool);
	uint8_t *header = m ? (void *)rte_pktmbuf_append(m, (uint16_t)(front + bytes)) : NULL;

	if (!header) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	if (d->source.family == ADDR_IPV4)
		header4_write(d, at, bytes, header);
	else
		header6_write(d, at, bytes, header);
	memcpy(header + front, d->bytes + at, bytes);
	*packet_note(m) = (struct note){ .stage = STAGE_ROUTE, .neighbour = NEIGHBOUR_NONE };
	return m;
}

/* Of the port the datagram will leave through; without a route the worker drops it by name. */
static uint16_t mtu_towards(struct datapath *dp, const struct addr *destination)
{
	const struct snapshot *snap = atomic_load_explicit(&dp->snapshot, memory_order_relaxed);
	const struct route *r = snapshot_route(snap, TABLE_ID_MAIN, destination);

	return route_leads(r) ? dp->ports[r->port].mtu : MTU_OF_NOWHERE;
}

/* How much of the datagram each packet but the last carries. Where there are fragments of IPv6 they are as small as
 * every path takes them: no router makes them smaller (RFC 8200 5). */
static uint16_t room_of(const struct datagram *d, uint16_t mtu)
{
	if (d->len + header_bytes(d, d->len) <= mtu)
		return d->len;
	if (d->source.family == ADDR_IPV6)
		mtu = RTE_IPV6_MIN_MTU;
	return (uint16_t)((mtu - header_bytes(d, 0)) & ~7u);
}

static bool is_sendable(const struct endpoint *local, const struct endpoint *remote, size_t bytes)
{
	return local->addr.family != ADDR_NONE && local->addr.family == remote->addr.family && bytes <= UDP_DATA_MAX;
}

/* Nobody can guess those of IPv6, which are not spent on whole packets (RFC 7739 1, 5.2). False: no random number. */
static bool identify(struct datapath *dp, struct datagram *d, uint16_t room)
{
	if (d->source.family == ADDR_IPV4)
		d->identification = dp->ip_id++;
	else if (d->len > room)
		return getrandom(&d->identification, sizeof(d->identification), 0) ==
		       (ssize_t)sizeof(d->identification);
	return true;
}

int datapath_send_udp(struct datapath *dp, const struct endpoint *local, const struct endpoint *remote,
	struct bytes data, bool non_esp_marker)
{
	static struct datagram d; /* control is one thread */

	assert_control(dp);
	if (!is_sendable(local, remote, data.len + (non_esp_marker ? MARKER_BYTES : 0)))
		return -EMSGSIZE;
	datagram_fill(&d, local, remote, data, non_esp_marker);
	uint16_t room = room_of(&d, mtu_towards(dp, &remote->addr));
	if (!identify(dp, &d, room))
		return -EIO;
	for (uint16_t at = 0; at < d.len;) {
		uint16_t bytes = RTE_MIN(room, (uint16_t)(d.len - at));
		struct rte_mbuf *m = packet_build(dp, &d, at, bytes);
		if (!m || inject_push(dp, 0, m))
			return -ENOBUFS;
		at += bytes;
	}
	return 0;
}
