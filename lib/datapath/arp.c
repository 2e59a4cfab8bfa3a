/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP on the control core: what is sent and understood, answers for our own addresses and for those behind tunnels, and
 * whom to believe: an entry we have or asked for, and hosts of the subnet that ask for us. When to ask is resolve.c.
 * RFC 826, RFC 5227. */
#include "datapath_priv.h"

#include <rte_arp.h>

#define FRAME_BYTES 60 /* Ethernet's least, without FCS */

bool arp_decode(struct bytes frame, struct arp *ret_arp)
{
	struct reader r = reader_init(frame);
	struct arp a = { 0 };

	reader_take(&r, RTE_ETHER_HDR_LEN);
	bool ethernet_ipv4 = reader_u16(&r) == RTE_ARP_HRD_ETHER;
	ethernet_ipv4 &= reader_u16(&r) == RTE_ETHER_TYPE_IPV4;
	ethernet_ipv4 &= reader_u8(&r) == 6;
	ethernet_ipv4 &= reader_u8(&r) == 4;
	a.operation = reader_u16(&r);
	struct bytes mac = reader_bytes(&r, 6);
	a.sender_be = rte_cpu_to_be_32(reader_u32(&r));
	reader_take(&r, 6);
	a.target_be = rte_cpu_to_be_32(reader_u32(&r));
	if (r.failed || !ethernet_ipv4 || (a.operation != RTE_ARP_OP_REQUEST && a.operation != RTE_ARP_OP_REPLY))
		return false;
	memcpy(a.sender_mac, mac.data, mac.len);
	if (!rte_is_valid_assigned_ether_addr((const struct rte_ether_addr *)a.sender_mac))
		return false;
	*ret_arp = a;
	return true;
}

static void arp_send(struct datapath *dp, uint16_t port, uint16_t operation, uint32_t sender_be,
	const uint8_t target_mac[6], uint32_t target_be)
{
	static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	const struct port *p = &dp->ports[port];
	struct rte_mbuf *m = rte_pktmbuf_alloc(dp->pool);

	if (!m)
		return;
	struct writer w = writer_init(rte_pktmbuf_append(m, FRAME_BYTES), FRAME_BYTES);
	writer_bytes(&w, BYTES(target_mac ? target_mac : broadcast, 6));
	writer_bytes(&w, BYTES_OF(p->mac));
	writer_u16(&w, RTE_ETHER_TYPE_ARP);
	writer_u16(&w, RTE_ARP_HRD_ETHER);
	writer_u16(&w, RTE_ETHER_TYPE_IPV4);
	writer_u8(&w, 6);
	writer_u8(&w, 4);
	writer_u16(&w, operation);
	writer_bytes(&w, BYTES_OF(p->mac));
	writer_bytes(&w, BYTES(&sender_be, 4));
	if (target_mac)
		writer_bytes(&w, BYTES(target_mac, 6));
	else
		writer_zero(&w, 6);
	writer_bytes(&w, BYTES(&target_be, 4));
	writer_zero(&w, FRAME_BYTES - w.len);
	*packet_note(m) = (struct note){ .stage = STAGE_TX, .origin = ORIGIN_CONTROL, .port = port };
	inject_push(dp, ownership_sender(dp, port), m);
}

void arp_ask(struct datapath *dp, uint16_t port, const struct addr *target, const uint8_t *mac)
{
	arp_send(dp, port, RTE_ARP_OP_REQUEST, dp->ports[port].addr_be, mac, ipv4_be(target));
}

/* Who asks for us is known from then on, if it can be a host of the link. */
static uint32_t sender_index(struct datapath *dp, uint16_t port, const struct arp *a, bool asks_us, bool *ret_full)
{
	struct addr sender = addr_from_ipv4(rte_be_to_cpu_32(a->sender_be));
	uint32_t index = neighbour_find(dp->neighbours, port, &sender);

	if (index != NEIGHBOUR_NONE || !asks_us || !port_is_on_link(&dp->ports[port], &sender))
		return index;
	index = resolve_ensure(dp, port, &sender);
	*ret_full = index == NEIGHBOUR_NONE;
	return index;
}

/* An address that lies behind a tunnel, though it looks as if it were on this link (RFC 1027). */
static bool arp_proxies(const struct port *p, uint32_t addr_be, const struct datapath_host *host)
{
	struct addr a = addr_from_ipv4(rte_be_to_cpu_32(addr_be));

	return port_is_on_link(p, &a) && host_answers_for(host, &a);
}

enum drop_reason arp_input(
	struct datapath *dp, const struct rte_mbuf *m, const struct datapath_host *host, uint64_t now_ns)
{
	bool full = false;
	struct arp a;

	if (m->port >= dp->port_count || !arp_decode(BYTES(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len), &a))
		return DROP_ARP;
	uint16_t port = m->port;
	const struct port *p = &dp->ports[port];
	if (!p->addr_be)
		return DROP_NONE;
	/* nothing of it is believed (RFC 5227 2.4) */
	if (address_own(dp, p->table_id, a.sender_be))
		return DROP_ADDRESS_CONFLICT;
	bool for_us = a.target_be == p->addr_be;
	bool answer = a.operation == RTE_ARP_OP_REQUEST && (for_us || arp_proxies(p, a.target_be, host));
	uint32_t index = sender_index(dp, port, &a, answer, &full);
	if (index != NEIGHBOUR_NONE && for_us && a.operation == RTE_ARP_OP_REPLY && resolve_is_asked(dp, index))
		resolve_answered(dp, index, a.sender_mac, now_ns);
	else if (index != NEIGHBOUR_NONE)
		resolve_heard(dp, index, a.sender_mac, now_ns);
	if (answer)
		arp_send(dp, port, RTE_ARP_OP_REPLY, a.target_be, a.sender_mac, a.sender_be);
	return full ? DROP_NEIGHBOURS_FULL : DROP_NONE;
}
