/* SPDX-License-Identifier: BSD-3-Clause */
/* VLANs: which interface a frame belongs to, what leaves, and interfaces that share a device. */
#include "harness.h"
#include "rig.h"
#include "fake_ipsec.h"

#include <rte_eth_ring.h>

static const struct probe lan_to_wan = { .src = LAN_HOST, .dst = WAN_PEER };

/* The LAN's interface has VLAN 100 of its device, nobody the untagged frames. */
static void vlan_open(void)
{
	struct device *d;

	rig_open(1);
	RIG_POLICY("bypass 0.0.0.0/0 0.0.0.0/0", "bypass ::/0 ::/0");
	d = &rig.dp->devices[rig.dp->ports[LAN].device];
	d->ports[0] = PORT_NONE;
	d->ports[100] = LAN;
	rig.dp->ports[LAN].vlan = 100;
}

/* The probe as a frame with these tags (TPID and TCI, 4 bytes each). */
static struct rte_mbuf *tagged(const struct probe *p, const char *tags, uint16_t bytes)
{
	struct rte_mbuf *m = rig_packet(p);
	uint8_t *f = (uint8_t *)rte_pktmbuf_prepend(m, (uint16_t)(14 + bytes));

	if (!f)
		abort();
	memcpy(f, rig.dp->ports[LAN].mac, 6);
	memcpy(f + 6, "\2\0\0\0\0\x10", 6);
	memcpy(f + 12, tags, bytes);
	store_be16(f + 12 + bytes, RTE_ETHER_TYPE_IPV4);
	return m;
}

static uint64_t named(struct rte_mbuf *m, enum drop_reason reason)
{
	uint64_t before = rig_drops(reason);

	rig_send_mbuf(LAN, m);
	rig_step();
	return rig_drops(reason) - before;
}

static void test_vlan_tag_is_taken_out_and_forwarded(void)
{
	struct rte_mbuf *m;

	vlan_open();
	rig_send_mbuf(LAN, tagged(&lan_to_wan, "\x81\0\xe0\x64", 4)); /* with a priority */
	rig_step();
	m = rig_receive(WAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(m->pkt_len, 14 + 60);
	CU_ASSERT_EQUAL(load_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, 12)), RTE_ETHER_TYPE_IPV4);
	rte_pktmbuf_free(m);
	rig_close();
}

static void test_vlan_tag_that_the_device_stripped(void)
{
	struct rte_mbuf *m;

	vlan_open();
	m = tagged(&lan_to_wan, "", 0);
	m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	m->vlan_tci = 0x2064;
	rig_send_mbuf(LAN, m);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 1);
	m = tagged(&lan_to_wan, "", 0);
	m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	m->vlan_tci = 101;
	CU_ASSERT_EQUAL(named(m, DROP_VLAN), 1);
	m = tagged(&lan_to_wan, "\x81\0\0\x64", 4);
	m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	m->vlan_tci = 100;
	CU_ASSERT_EQUAL(named(m, DROP_VLAN_STACKED), 1);
	rig_close();
}

static void test_vlan_that_nobody_has_is_named(void)
{
	vlan_open();
	CU_ASSERT_EQUAL(named(tagged(&lan_to_wan, "\x81\0\0\x65", 4), DROP_VLAN), 1);
	CU_ASSERT_EQUAL(named(tagged(&lan_to_wan, "\x81\0\x0f\xff", 4), DROP_VLAN), 1);
	CU_ASSERT_EQUAL(named(tagged(&lan_to_wan, "\x81\0\0\0", 4), DROP_VLAN), 1); /* a priority: untagged */
	CU_ASSERT_EQUAL(named(tagged(&lan_to_wan, "", 0), DROP_VLAN), 1);
	CU_ASSERT_EQUAL(named(tagged(&lan_to_wan, "\x81\0\0\x64\x81\0\0\x64", 8), DROP_VLAN_STACKED), 1);
	CU_ASSERT_EQUAL(named(tagged(&lan_to_wan, "\x88\xa8\0\x64\x81\0\0\x64", 8), DROP_VLAN_STACKED), 1);
	CU_ASSERT_EQUAL(named(tagged(&lan_to_wan, "\x91\0\0\x64", 4), DROP_VLAN_STACKED), 1);
	/* cut inside of the tag */
	rig_send_frame(LAN, "\2\0\0\0\1\0\2\0\0\0\0\x10\x81\0\0\x64", 16);
	rig_step();
	CU_ASSERT_EQUAL(rig_drops(DROP_NOT_IP), 1);
	CU_ASSERT_EQUAL(rig_sent(WAN), 0);
	rig_close();
}

static void test_vlan_zero_is_the_untagged_interface(void)
{
	rig_open(1);
	RIG_POLICY("bypass 0.0.0.0/0 0.0.0.0/0");
	rig_send_mbuf(LAN, tagged(&lan_to_wan, "\x81\0\xa0\0", 4));
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 1);
	rig_close();
}

static void test_vlan_tag_is_put_on_what_leaves(void)
{
	const struct probe back = { .src = WAN_PEER, .dst = LAN_HOST },
			   unknown = { .src = WAN_PEER, .dst = "10.1.0.50" };
	struct rte_mbuf *m;
	const uint8_t *f;

	vlan_open();
	rig_send(WAN, &back);
	rig_step();
	m = rig_receive(LAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	f = rte_pktmbuf_mtod(m, const uint8_t *);
	CU_ASSERT_EQUAL(m->pkt_len, 18 + 60);
	CU_ASSERT_EQUAL(load_be32(f + 12), 0x81000064);
	CU_ASSERT_EQUAL(load_be16(f + 16), RTE_ETHER_TYPE_IPV4);
	CU_ASSERT_EQUAL(memcmp(f + 6, rig.dp->ports[LAN].mac, 6), 0);
	rte_pktmbuf_free(m);
	/* and on what control says */
	rig_send(WAN, &unknown);
	rig_step();
	rig_poll();
	m = rig_receive(LAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	f = rte_pktmbuf_mtod(m, const uint8_t *);
	CU_ASSERT(load_be32(f + 12) == 0x81000064 && load_be16(f + 16) == RTE_ETHER_TYPE_ARP);
	rte_pktmbuf_free(m);
	for (int i = 0; i < 4; i++) {
		rig.now_ns += SECOND_NS;
		rig_poll();
	}
	CU_ASSERT_EQUAL(rig_sent(WAN), 1);
	rig_sent(LAN);
	rig_close();
}

/* A device that is not the rig's; closed by the data path that was to have it. */
static void ring_device(char ret_name[64])
{
	static unsigned serial;
	static struct rte_ring *ring;
	char name[32];

	snprintf(name, sizeof(name), "shared%u", serial++);
	if (!ring)
		ring = rte_ring_create(name, 64, SOCKET_ID_ANY, 0);
	CU_ASSERT_FATAL(rte_eth_from_rings(name, &ring, 1, &ring, 1, 0) >= 0);
	snprintf(ret_name, 64, "net_ring_%s", name);
}

static struct datapath *shared_create(struct ipsec *ips, uint16_t third_vlan, char *ret_text)
{
	struct datapath_config c = { .workers = 1, .mbufs = 1023, .port_count = 3 };

	ring_device(c.ports[0].device);
	for (int i = 0; i < 3; i++) {
		struct datapath_port_config *p = &c.ports[i];
		snprintf(p->name, sizeof(p->name), "p%d", i);
		memcpy(p->device, c.ports[0].device, sizeof(p->device));
		p->address = (struct prefix){ addr_from_ipv4(0x0a050001u + ((uint32_t)i << 16)), 24 };
		p->mtu = (uint16_t)(1500 + 100 * i);
		p->vlan = (uint16_t)(10 * i);
	}
	c.ports[2].vlan = third_vlan;
	return datapath_create(ips, &c, ret_text, 256);
}

/* Queues stay the device's: polled once, one of each worker to send. */
static void test_vlan_interfaces_share_a_device(void)
{
	const struct ipsec_config ic = { .workers = 1, .sad_slots = 16, .tunnel_slots = 2 };
	struct datapath_port_stats stats;
	const char *reason;
	char text[256] = "";
	struct ipsec *ips = ipsec_create(&ic, &reason);

	CU_ASSERT_PTR_NULL(shared_create(ips, 10, text));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "VLAN 10 of device"));
	CU_ASSERT_PTR_NULL(shared_create(ips, 4095, text));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "1 to 4094"));
	struct datapath *dp = shared_create(ips, 4094, text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(dp);
	CU_ASSERT(dp->port_count == 3 && dp->device_count == 1);
	CU_ASSERT_EQUAL_FATAL(worker_attach(dp->workers[0]), 0);
	CU_ASSERT(dp->workers[0]->rx_count == 1 && dp->workers[0]->tx_queue[2] == 0);
	worker_detach(dp->workers[0]);
	CU_ASSERT(dp->devices[0].ports[0] == 0 && dp->devices[0].ports[10] == 1 && dp->devices[0].ports[4094] == 2);
	datapath_port_stats_read(dp, 2, &stats);
	CU_ASSERT(stats.vlan == 4094 && stats.mtu == 1700 && stats.rx_queues == 1);
	datapath_free(dp);
	ipsec_free(ips);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_vlan_tag_is_taken_out_and_forwarded),
		TEST(test_vlan_tag_that_the_device_stripped),
		TEST(test_vlan_that_nobody_has_is_named),
		TEST(test_vlan_zero_is_the_untagged_interface),
		TEST(test_vlan_tag_is_put_on_what_leaves),
		TEST(test_vlan_interfaces_share_a_device),
	};

	rig_eal();
	return test_main("datapath_vlan", tests, ARRAY_LEN(tests), argc, argv);
}
