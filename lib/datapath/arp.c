/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP on the control core: answers for our own addresses, resolution with retries, ageing, packets that wait. Whom to
 * believe: an entry we have or asked for, and hosts of the subnet that ask for us. RFC 826, RFC 5227, RFC 1122 2.3.2.
 */
#include "datapath_priv.h"

#include <rte_arp.h>

#define PROBES_MAX        3
#define PROBE_INTERVAL_NS 1000000000ull
#define REACHABLE_NS      (60 * 1000000000ull)
#define UNUSED_NS         (600 * 1000000000ull)
#define FRAME_BYTES       60 /* Ethernet's least, without FCS */

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

static void arp_send(
	struct datapath *dp, uint16_t port, uint16_t operation, const uint8_t target_mac[6], uint32_t target_be)
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
	writer_bytes(&w, BYTES(&p->addr_be, 4));
	if (target_mac)
		writer_bytes(&w, BYTES(target_mac, 6));
	else
		writer_zero(&w, 6);
	writer_bytes(&w, BYTES(&target_be, 4));
	writer_zero(&w, FRAME_BYTES - w.len);
	*packet_note(m) = (struct note){ .stage = STAGE_TX, .port = port };
	inject_push(dp, ownership_sender(dp, port), m);
}

/* When the entry wants attention; the table remembers the earliest. */
static void schedule(struct neighbour_table *t, struct neighbour *n, uint64_t at_ns)
{
	n->next_ns = at_ns;
	if (at_ns < t->next_ns)
		t->next_ns = at_ns;
}

/* Waiting packets go on when there is a MAC, and end when there will be none. */
static void held_release(struct datapath *dp, uint32_t index, bool resolved)
{
	struct rte_mbuf *held[NEIGHBOUR_HELD_MAX];
	uint16_t n = neighbour_release_held(dp->neighbours, index, held);

	for (uint16_t i = 0; i < n; i++) {
		if (resolved)
			inject_push(dp, ownership_sender(dp, dp->neighbours->entries[index].port), held[i]);
		else
			control_drop(dp, held[i], DROP_NEIGHBOUR);
	}
}

static void learn(struct datapath *dp, uint32_t index, const uint8_t mac[6], uint64_t now_ns)
{
	struct neighbour *n = &dp->neighbours->entries[index];

	if (n->state == NEIGHBOUR_STATIC)
		return;
	neighbour_confirm(dp->neighbours, index, mac, NEIGHBOUR_REACHABLE, now_ns);
	schedule(dp->neighbours, n, now_ns + REACHABLE_NS);
	held_release(dp, index, true);
}

/* Hosts only: in the subnet, not its first or last address. */
static bool is_host_of(const struct port *p, uint32_t addr_be)
{
	struct addr a = addr_from_ipv4(rte_be_to_cpu_32(addr_be)), low, high;

	if (ipv4_not_unicast(addr_be) || !prefix_contains(&p->prefix, &a))
		return false;
	prefix_range(&p->prefix, &low, &high);
	return p->prefix.len >= 31 || (!addr_equal(&a, &low) && !addr_equal(&a, &high));
}

void arp_input(struct datapath *dp, const struct rte_mbuf *m, uint64_t now_ns)
{
	struct arp a;

	if (m->port >= dp->port_count || !arp_decode(BYTES(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len), &a))
		return;
	uint16_t port = m->port;
	const struct port *p = &dp->ports[port];
	/* somebody claims one of our addresses: nothing of it is believed */
	if (!p->addr_be || address_own(dp, a.sender_be))
		return;
	bool for_us = a.target_be == p->addr_be;
	struct addr sender = addr_from_ipv4(rte_be_to_cpu_32(a.sender_be));
	uint32_t index = neighbour_find(dp->neighbours, port, &sender);
	if (index == NEIGHBOUR_NONE && for_us && a.operation == RTE_ARP_OP_REQUEST && is_host_of(p, a.sender_be))
		index = neighbour_ensure(dp->neighbours, port, &sender);
	if (index != NEIGHBOUR_NONE)
		learn(dp, index, a.sender_mac, now_ns);
	if (for_us && a.operation == RTE_ARP_OP_REQUEST)
		arp_send(dp, port, RTE_ARP_OP_REPLY, a.sender_mac, a.sender_be);
}

/* The entry the packet's note means. */
static uint32_t held_index(struct datapath *dp, struct rte_mbuf *m)
{
	const struct note *note = packet_note(m);
	struct addr destination = addr_from_ipv4(rte_be_to_cpu_32(packet_ip(m)->dst_addr));

	return note->on_link ? neighbour_ensure(dp->neighbours, note->port, &destination) : note->neighbour;
}

void arp_hold(struct datapath *dp, struct rte_mbuf *m, uint64_t now_ns)
{
	struct neighbour_table *t = dp->neighbours;
	uint32_t index = held_index(dp, m);

	if (index == NEIGHBOUR_NONE) {
		control_drop(dp, m, DROP_NEIGHBOUR);
		return;
	}
	if (atomic_load_explicit(&t->words[index], memory_order_relaxed) & NEIGHBOUR_WORD_VALID) {
		/* resolved while the packet was in the ring */
		inject_push(dp, ownership_sender(dp, t->entries[index].port), m);
		return;
	}
	if (!neighbour_hold(t, index, m))
		control_drop(dp, m, DROP_NEIGHBOUR);
	if (t->entries[index].next_ns == UINT64_MAX)
		schedule(t, &t->entries[index], now_ns);
}

static void probe(struct datapath *dp, uint32_t index, uint64_t now_ns)
{
	struct neighbour *n = &dp->neighbours->entries[index];

	n->probes++;
	arp_send(dp, n->port, RTE_ARP_OP_REQUEST, n->state == NEIGHBOUR_STALE ? n->mac : NULL, ipv4_be(&n->addr));
	schedule(dp->neighbours, n, now_ns + PROBE_INTERVAL_NS);
}

/* Nobody answered: the next packet starts over. */
static void give_up(struct datapath *dp, uint32_t index)
{
	struct neighbour *n = &dp->neighbours->entries[index];

	n->probes = 0;
	n->next_ns = UINT64_MAX;
	held_release(dp, index, false);
	neighbour_remove(dp->neighbours, index);
}

/* A minute after the last proof: asked again if it is in use, forgotten if it was not for long. */
static void age(struct datapath *dp, uint32_t index, uint64_t now_ns)
{
	struct neighbour_table *t = dp->neighbours;
	struct neighbour *n = &t->entries[index];

	if (atomic_exchange_explicit(&t->used[index], 0, memory_order_relaxed)) {
		n->used_ns = now_ns;
		n->state = NEIGHBOUR_STALE;
		probe(dp, index, now_ns);
		return;
	}
	schedule(t, n, now_ns + REACHABLE_NS);
	if (now_ns - n->used_ns >= UNUSED_NS)
		neighbour_remove(t, index);
}

static void attend(struct datapath *dp, uint32_t index, uint64_t now_ns)
{
	struct neighbour *n = &dp->neighbours->entries[index];

	if (n->state == NEIGHBOUR_REACHABLE) {
		age(dp, index, now_ns);
		return;
	}
	if (n->state == NEIGHBOUR_STALE && n->probes >= PROBES_MAX) {
		neighbour_forget_mac(dp->neighbours, index);
		n->probes = 0;
	}
	if (n->probes < PROBES_MAX)
		probe(dp, index, now_ns);
	else
		give_up(dp, index);
}

void arp_tick(struct datapath *dp, uint64_t now_ns)
{
	struct neighbour_table *t = dp->neighbours;
	uint64_t earliest = UINT64_MAX;

	if (now_ns < t->next_ns)
		return;
	for (uint32_t i = 0; i < NEIGHBOURS_MAX; i++) {
		if (t->entries[i].next_ns <= now_ns && t->entries[i].state != NEIGHBOUR_FREE)
			attend(dp, i, now_ns);
		if (t->entries[i].state != NEIGHBOUR_FREE)
			earliest = RTE_MIN(earliest, t->entries[i].next_ns);
	}
	t->next_ns = earliest;
}

uint32_t arp_pin(struct datapath *dp, uint16_t port, const struct addr *a)
{
	struct neighbour_table *t = dp->neighbours;
	uint32_t index = neighbour_ensure(t, port, a);

	if (index == NEIGHBOUR_NONE)
		return index;
	t->entries[index].pinned = true;
	/* nobody can be asked about an IPv6 neighbour */
	if (a->family == ADDR_IPV4 && t->entries[index].state == NEIGHBOUR_INCOMPLETE &&
		t->entries[index].next_ns == UINT64_MAX)
		schedule(t, &t->entries[index], 0);
	return index;
}
