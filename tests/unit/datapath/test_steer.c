/* SPDX-License-Identifier: BSD-3-Clause */
/* Rules by SPI: what is asked of a device, and that nothing depends on them. rte_flow is played by this program, in the
 * place of the library's. */
#include "harness.h"
#include "rig.h"

#include <rte_flow.h>

#include "fake_ipsec.h"

static struct {
	int refuse; /* of validate */
	bool full;  /* create has no room */
	unsigned asked, created, destroyed;
	enum rte_flow_item_type types[8];
	uint32_t spi_be;
	uint16_t queue, port_be;
} device;

int rte_flow_validate(uint16_t port, const struct rte_flow_attr *attr, const struct rte_flow_item pattern[],
	const struct rte_flow_action actions[], struct rte_flow_error *error)
{
	unsigned n = 0;

	(void)port;
	(void)error;
	device.asked++;
	CU_ASSERT(attr->ingress && !attr->egress);
	for (; pattern[n].type != RTE_FLOW_ITEM_TYPE_END; n++) {
		device.types[n] = pattern[n].type;
		if (pattern[n].type == RTE_FLOW_ITEM_TYPE_ESP)
			device.spi_be = ((const struct rte_flow_item_esp *)pattern[n].spec)->hdr.spi;
		if (pattern[n].type == RTE_FLOW_ITEM_TYPE_AH)
			device.spi_be = ((const struct rte_flow_item_ah *)pattern[n].spec)->spi;
		if (pattern[n].type == RTE_FLOW_ITEM_TYPE_UDP)
			device.port_be = ((const struct rte_flow_item_udp *)pattern[n].spec)->hdr.dst_port;
	}
	device.types[n] = RTE_FLOW_ITEM_TYPE_END;
	CU_ASSERT_EQUAL(actions[0].type, RTE_FLOW_ACTION_TYPE_QUEUE);
	device.queue = ((const struct rte_flow_action_queue *)actions[0].conf)->index;
	return device.refuse;
}

struct rte_flow *rte_flow_create(uint16_t port, const struct rte_flow_attr *attr, const struct rte_flow_item pattern[],
	const struct rte_flow_action actions[], struct rte_flow_error *error)
{
	(void)port;
	(void)attr;
	(void)pattern;
	(void)actions;
	(void)error;
	if (device.full)
		return NULL;
	device.created++;
	return (struct rte_flow *)&device;
}

int rte_flow_destroy(uint16_t port, struct rte_flow *flow, struct rte_flow_error *error)
{
	(void)port;
	(void)error;
	CU_ASSERT_PTR_EQUAL(flow, &device);
	device.destroyed++;
	return 0;
}

/* Two workers and a WAN device of two queues, the second one worker 0's. */
static struct device *two_queues(void)
{
	struct device *wan;

	memset(&device, 0, sizeof(device));
	rig_open(2);
	wan = &rig.dp->devices[rig.dp->ports[WAN].device];
	wan->rx_queues = 2;
	wan->steers = true;
	rig.dp->snapshot->assignment->rx[rig.dp->ports[WAN].device][0] = 1;
	rig.dp->snapshot->assignment->rx[rig.dp->ports[WAN].device][1] = 0;
	return wan;
}

static void two_close(struct device *wan)
{
	wan->rx_queues = 1;
	rig_close();
}

static struct datapath_steer *steer(const char *remote, bool ah, bool udp)
{
	struct datapath_steer_spec s = { .spi = 0x1002, .ah = ah, .udp = udp };

	addr_parse(remote, &s.remote);
	return datapath_steer_create(rig.dp, &s);
}

static bool types_are(enum rte_flow_item_type a, enum rte_flow_item_type b, enum rte_flow_item_type c)
{
	return device.types[0] == RTE_FLOW_ITEM_TYPE_ETH && device.types[1] == a && device.types[2] == b &&
	       device.types[3] == c;
}

static void test_steer_rule_of_every_kind(void)
{
	struct device *wan = two_queues();
	struct datapath_steer *rules[3];

	rules[0] = steer(WAN_PEER, false, false);
	CU_ASSERT(types_are(RTE_FLOW_ITEM_TYPE_IPV4, RTE_FLOW_ITEM_TYPE_ESP, RTE_FLOW_ITEM_TYPE_END));
	CU_ASSERT_EQUAL(device.queue, 1); /* the bucket is worker 0's */
	CU_ASSERT_EQUAL(device.spi_be, RTE_BE32(0x1002));
	rules[1] = steer(WAN_PEER6, true, false);
	CU_ASSERT(types_are(RTE_FLOW_ITEM_TYPE_IPV6, RTE_FLOW_ITEM_TYPE_AH, RTE_FLOW_ITEM_TYPE_END));
	rules[2] = steer(FAR_HOST, false, true);
	CU_ASSERT(types_are(RTE_FLOW_ITEM_TYPE_IPV4, RTE_FLOW_ITEM_TYPE_UDP, RTE_FLOW_ITEM_TYPE_ESP));
	CU_ASSERT_EQUAL(device.port_be, RTE_BE16(4500));
	CU_ASSERT_EQUAL(wan->steered, 3);
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_PTR_NOT_NULL(rules[i]);
		datapath_steer_free(rig.dp, rules[i]);
	}
	CU_ASSERT_EQUAL(device.destroyed, 3);
	CU_ASSERT_EQUAL(wan->steered, 0);
	two_close(wan);
}

static void test_steer_device_that_refuses_is_not_asked_again(void)
{
	struct device *wan = two_queues();

	device.refuse = -ENOTSUP;
	CU_ASSERT_PTR_NULL(steer(WAN_PEER, false, false));
	CU_ASSERT_PTR_NULL(steer(WAN_PEER, false, false));
	CU_ASSERT_EQUAL(device.asked, 1);
	datapath_steer_free(rig.dp, NULL);
	two_close(wan);
}

static void test_steer_full_device_is_asked_again(void)
{
	struct device *wan = two_queues();
	struct datapath_steer *rule;

	device.full = true;
	rule = steer(WAN_PEER, false, false);
	CU_ASSERT_PTR_NOT_NULL(rule);
	CU_ASSERT_EQUAL(device.created, 0);
	datapath_steer_free(rig.dp, rule);
	device.full = false;
	rule = steer(WAN_PEER, false, false);
	CU_ASSERT_PTR_NOT_NULL(rule);
	datapath_steer_free(rig.dp, rule);
	CU_ASSERT(device.created == 1 && device.destroyed == 1);
	two_close(wan);
}

static void test_steer_nothing_to_choose(void)
{
	struct device *wan = two_queues();

	CU_ASSERT_PTR_NULL(steer("224.0.0.1", false, false)); /* no route */
	CU_ASSERT_PTR_NULL(steer(LAN_HOST, false, false));    /* one queue */
	wan->steers = false;
	CU_ASSERT_PTR_NULL(steer(WAN_PEER, false, false)); /* not wanted */
	wan->steers = true;
	CU_ASSERT_EQUAL(device.asked, 0);
	two_close(wan);
}

/* Owners changed: polls until every rule was looked at. Returns how many polls that took. */
static unsigned owners_changed(uint8_t bucket, uint8_t owner)
{
	unsigned polls = 0;

	sad_bucket_publish(rig.ips, bucket, owner);
	rig.dp->steer_generation++;
	for (; steer_is_behind(rig.dp); polls++) {
		ownership_tick(rig.dp, rig.now_ns);
		CU_ASSERT_EQUAL(rig.dp->move.next_ns != UINT64_MAX, steer_is_behind(rig.dp));
	}
	return polls;
}

static void test_steer_rule_follows_its_owner(void)
{
	struct device *wan = two_queues();
	struct datapath_steer *rule = steer(WAN_PEER, false, false);

	CU_ASSERT_EQUAL(device.queue, 1);
	CU_ASSERT_EQUAL(owners_changed(0x02, 1), 1);
	CU_ASSERT_EQUAL(device.queue, 0);
	CU_ASSERT(device.created == 2 && device.destroyed == 1);
	/* nothing of its own has changed */
	owners_changed(0x03, 0);
	CU_ASSERT(device.created == 2 && device.destroyed == 1);
	CU_ASSERT_EQUAL(wan->steered, 1);
	datapath_steer_free(rig.dp, rule);
	CU_ASSERT_EQUAL(device.destroyed, 2);
	two_close(wan);
}

/* What could not be had at first, or at the change of owners, is asked for at the next one. */
static void test_steer_rule_that_failed_is_made_later(void)
{
	struct device *wan = two_queues();
	struct datapath_steer *rule;

	sad_bucket_publish(rig.ips, 0x02, WORKER_MOVING);
	rule = steer(WAN_PEER, false, false);
	CU_ASSERT(rule && device.asked == 0);
	owners_changed(0x02, 0);
	CU_ASSERT(device.created == 1 && device.queue == 1);
	device.full = true;
	owners_changed(0x02, 1);
	CU_ASSERT(device.created == 1 && device.destroyed == 1 && wan->steered == 0);
	device.full = false;
	owners_changed(0x03, 0);
	CU_ASSERT(device.created == 2 && device.queue == 0);
	datapath_steer_free(rig.dp, rule);
	CU_ASSERT_EQUAL(wan->steered, 0);
	two_close(wan);
}

/* Control has other work: some at a time; and new ones among them are not looked at twice. */
static void test_steer_many_rules_take_several_polls(void)
{
	struct device *wan = two_queues();
	struct datapath_steer *rules[100];

	for (int i = 0; i < 50; i++)
		rules[i] = steer(WAN_PEER, false, false);
	sad_bucket_publish(rig.ips, 0x02, 1);
	rig.dp->steer_generation++;
	ownership_tick(rig.dp, rig.now_ns);
	CU_ASSERT(steer_is_behind(rig.dp));
	for (int i = 50; i < 100; i++)
		rules[i] = steer(WAN_PEER, false, false);
	datapath_steer_free(rig.dp, rules[49]);
	while (steer_is_behind(rig.dp))
		ownership_tick(rig.dp, rig.now_ns);
	CU_ASSERT_EQUAL(device.created, 50 + 50 + 49);
	CU_ASSERT_EQUAL(wan->steered, 99);
	for (int i = 0; i < 100; i++)
		if (i != 49)
			datapath_steer_free(rig.dp, rules[i]);
	CU_ASSERT_EQUAL(wan->steered, 0);
	two_close(wan);
}

/* A whole change of workers ends with rules for the new owners. */
static void test_steer_workers_set_makes_rules_anew(void)
{
	struct device *wan = two_queues();
	struct datapath_steer *rule;

	sad_bucket_publish(rig.ips, 0x02, 1);
	rule = steer(WAN_PEER, false, false);
	CU_ASSERT_EQUAL(device.queue, 0);
	CU_ASSERT_EQUAL(datapath_workers_set(rig.dp, 1), 0);
	/* the port has one queue in truth: workers do as if they went round, and had given it */
	atomic_store(&wan->pollers[0], 0);
	for (int i = 0; i < 100; i++) {
		for (int w = 0; w < 2; w++)
			atomic_fetch_add(&rig.dp->workers[w]->loops, HANDOFF_SIZE);
		ownership_tick(rig.dp, rig.now_ns);
	}
	CU_ASSERT(datapath_workers_settled(rig.dp));
	CU_ASSERT_EQUAL(sad_bucket_worker(rig.ips, 0x02), 0);
	CU_ASSERT_EQUAL(rig.dp->snapshot->assignment->rx[rig.dp->ports[WAN].device][device.queue], 0);
	CU_ASSERT_EQUAL(wan->steered, 1);
	datapath_steer_free(rig.dp, rule);
	two_close(wan);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_steer_rule_of_every_kind),
		TEST(test_steer_device_that_refuses_is_not_asked_again),
		TEST(test_steer_full_device_is_asked_again),
		TEST(test_steer_nothing_to_choose),
		TEST(test_steer_rule_follows_its_owner),
		TEST(test_steer_rule_that_failed_is_made_later),
		TEST(test_steer_many_rules_take_several_polls),
		TEST(test_steer_workers_set_makes_rules_anew),
	};

	rig_eal();
	return test_main("datapath_steer", tests, ARRAY_LEN(tests), argc, argv);
}
