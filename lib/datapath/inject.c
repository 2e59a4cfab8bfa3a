/* SPDX-License-Identifier: BSD-3-Clause */
/* Control's way out: packets it made, given to a worker's inject ring. Workers route and send them. */
#include "datapath_priv.h"

#include <errno.h>

#define UDP_TTL        64
#define UDP_DATA_MAX   (65535 - 20 - 8)
#define MARKER_BYTES   4 /* RFC 3948 2.2 */
#define MTU_OF_NOWHERE 1500

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
	if (!rte_ring_sp_enqueue(dp->workers[worker]->inject, m))
		return 0;
	control_drop(dp, m, DROP_HANDOFF_FULL);
	return -ENOBUFS;
}

/* The datagram in one piece: UDP header, marker, data. */
struct datagram {
	uint8_t bytes[8 + MARKER_BYTES + UDP_DATA_MAX];
	uint16_t len;
	uint32_t source_be, destination_be;
};

static uint16_t udp_checksum(const struct datagram *d)
{
	uint8_t pseudo[12];

	memcpy(pseudo, &d->source_be, 4);
	memcpy(pseudo + 4, &d->destination_be, 4);
	pseudo[8] = 0;
	pseudo[9] = IPPROTO_UDP;
	store_be16(pseudo + 10, d->len);
	uint32_t sum = (uint32_t)rte_raw_cksum(pseudo, sizeof(pseudo)) + rte_raw_cksum(d->bytes, d->len);
	uint16_t checksum = (uint16_t) ~((sum & 0xffff) + (sum >> 16));
	/* zero would say "none" (RFC 768) */
	return checksum ? checksum : 0xffff;
}

static void datagram_fill(
	struct datagram *d, const struct endpoint *local, const struct endpoint *remote, struct bytes data, bool marker)
{
	struct writer w = writer_init(d->bytes, sizeof(d->bytes));

	d->len = (uint16_t)(8 + (marker ? MARKER_BYTES : 0) + data.len);
	d->source_be = rte_cpu_to_be_32(addr_ipv4(&local->addr));
	d->destination_be = rte_cpu_to_be_32(addr_ipv4(&remote->addr));
	writer_u16(&w, local->port);
	writer_u16(&w, remote->port);
	writer_u16(&w, d->len);
	writer_u16(&w, 0);
	writer_zero(&w, marker ? MARKER_BYTES : 0);
	writer_bytes(&w, data);
	uint16_t checksum = udp_checksum(d);
	memcpy(d->bytes + 6, &checksum, sizeof(checksum));
}

static struct rte_mbuf *fragment_build(
	struct datapath *dp, const struct datagram *d, uint16_t at, uint16_t bytes, uint16_t ip_id)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(dp->pool);
	struct rte_ipv4_hdr *ip = m ? (void *)rte_pktmbuf_append(m, (uint16_t)(sizeof(*ip) + bytes)) : NULL;

	if (!ip) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = 0x45,
		.total_length = rte_cpu_to_be_16(m->data_len),
		.packet_id = rte_cpu_to_be_16(ip_id),
		.fragment_offset = rte_cpu_to_be_16(
			(uint16_t)(at / 8 | (at + bytes < d->len ? RTE_IPV4_HDR_MF_FLAG : 0))),
		.time_to_live = UDP_TTL,
		.next_proto_id = IPPROTO_UDP,
		.src_addr = d->source_be,
		.dst_addr = d->destination_be,
	};
	ip_checksum_set(ip);
	memcpy(ip + 1, d->bytes + at, bytes);
	*packet_note(m) = (struct note){ .stage = STAGE_ROUTE, .neighbour = NEIGHBOUR_NONE };
	return m;
}

/* MTU of the port the datagram will leave through. Without a route the worker drops it by name. */
static uint16_t mtu_towards(struct datapath *dp, uint32_t destination_be)
{
	const struct snapshot *snap = atomic_load_explicit(&dp->snapshot, memory_order_relaxed);
	const struct route *r = route_lookup(&snap->routes->tables[TABLE_ID_MAIN].four, destination_be);

	return route_leads(r) ? dp->ports[r->port].mtu : MTU_OF_NOWHERE;
}

int datapath_send_udp(struct datapath *dp, const struct endpoint *local, const struct endpoint *remote,
	struct bytes data, bool non_esp_marker)
{
	static struct datagram d; /* control is one thread */
	uint16_t ip_id = dp->ip_id++;

	assert_control(dp);
	if (local->addr.family != ADDR_IPV4 || remote->addr.family != ADDR_IPV4 ||
		data.len > UDP_DATA_MAX - (non_esp_marker ? MARKER_BYTES : 0))
		return -EMSGSIZE;
	datagram_fill(&d, local, remote, data, non_esp_marker);
	uint16_t mtu = mtu_towards(dp, d.destination_be);
	uint16_t room = (uint16_t)((mtu - sizeof(struct rte_ipv4_hdr)) & ~7u);
	if (d.len + sizeof(struct rte_ipv4_hdr) <= mtu)
		room = d.len;
	for (uint16_t at = 0; at < d.len;) {
		uint16_t bytes = RTE_MIN(room, (uint16_t)(d.len - at));
		struct rte_mbuf *m = fragment_build(dp, &d, at, bytes, ip_id);
		if (!m || inject_push(dp, 0, m))
			return -ENOBUFS;
		at += bytes;
	}
	return 0;
}
