/* SPDX-License-Identifier: BSD-3-Clause */
/* Prediction of the worker that will receive a peer's packets. The hashes are the published ones of Microsoft's
 * "Verifying the RSS Hash Calculation" (addresses alone). */
#include "harness.h"
#include "rig.h"

static const struct {
	const char *source, *destination;
	uint32_t hash;
} vectors[] = {
	{ "66.9.149.187", "161.142.100.80", 0x323e8fc2 },
	{ "199.92.111.2", "65.69.140.83", 0xd718262a },
	{ "24.19.198.95", "12.22.207.184", 0xd2d0a5de },
	{ "38.27.205.30", "209.142.163.6", 0x82989176 },
	{ "153.39.163.191", "202.188.127.2", 0x5d1809c5 },
	{ "3ffe:2501:200:1fff::7", "3ffe:2501:200:3::1", 0x2cc18cd5 },
	{ "3ffe:501:8::260:97ff:fe40:efab", "ff02::1", 0x0f0c461c },
	{ "3ffe:1900:4545:3:200:f8ff:fe21:67cf", "fe80::200:f8ff:fe21:67cf", 0x4b61e985 },
};

static void rss_fill(struct rss *r, uint16_t size, uint16_t queues)
{
	static const uint8_t key[40] = { 0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43,
		0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
		0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa };

	*r = (struct rss){ .known = true, .reta_size = size };
	memcpy(r->key, key, sizeof(key));
	for (uint16_t i = 0; i < size; i++)
		r->reta[i] = i % queues;
}

static void test_rss_published_hashes(void)
{
	struct addr source, destination;
	struct rss r;

	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		CU_ASSERT_EQUAL_FATAL(addr_parse(vectors[i].source, &source), 0);
		CU_ASSERT_EQUAL_FATAL(addr_parse(vectors[i].destination, &destination), 0);
		rss_fill(&r, 512, 512);
		CU_ASSERT_EQUAL(rss_queue(&r, &source, &destination), vectors[i].hash % 512);
		rss_fill(&r, 128, 4);
		CU_ASSERT_EQUAL(rss_queue(&r, &source, &destination), vectors[i].hash % 128 % 4);
	}
}

static uint8_t predict(const char *remote)
{
	struct addr local, peer;

	addr_parse(WAN_OWN, &local);
	addr_parse(remote, &peer);
	return datapath_worker_predict(rig.dp, &local, &peer);
}

static void test_rss_single_queue_is_its_workers(void)
{
	rig_open(2);
	CU_ASSERT_EQUAL(predict(WAN_PEER), 1);
	CU_ASSERT_EQUAL(predict("198.51.100.7"), 1); /* by the default route */
	CU_ASSERT_EQUAL(predict(LAN_HOST), 0);
	CU_ASSERT_EQUAL(predict(WAN_OWN), WORKER_NONE);
	CU_ASSERT_EQUAL(predict("224.0.0.1"), WORKER_NONE);
	rig_close();
}

/* Two queues, two workers: the table decides; a device that tells nothing is not guessed. */
static void test_rss_queue_of_the_table_is_its_workers(void)
{
	struct device *d;
	struct rss r;
	struct addr local, peer;

	rig_open(2);
	d = &rig.dp->devices[rig.dp->ports[WAN].device];
	addr_parse(WAN_OWN, &local);
	addr_parse(WAN_PEER, &peer);
	d->rx_queues = 2;
	CU_ASSERT_EQUAL(predict(WAN_PEER), WORKER_NONE);
	rss_fill(&r, 128, 2);
	d->rss = r;
	rig.dp->snapshot->assignment->rx[WAN][0] = 1;
	rig.dp->snapshot->assignment->rx[WAN][1] = 0;
	CU_ASSERT_EQUAL(predict(WAN_PEER), 1 - rss_queue(&r, &peer, &local));
	rig.dp->snapshot->assignment->rx[WAN][0] = WORKER_LEAVING | 1;
	rig.dp->snapshot->assignment->rx[WAN][1] = WORKER_MOVING;
	CU_ASSERT_EQUAL(predict(WAN_PEER), WORKER_NONE);
	d->rx_queues = 1;
	rig_close();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_rss_published_hashes),
		TEST(test_rss_single_queue_is_its_workers),
		TEST(test_rss_queue_of_the_table_is_its_workers),
	};

	rig_eal();
	return test_main("datapath_rss", tests, ARRAY_LEN(tests), argc, argv);
}
