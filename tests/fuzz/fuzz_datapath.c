/* SPDX-License-Identifier: BSD-3-Clause */
/* libFuzzer target: frames to a gateway of two ports with one tunnel, control included. Whatever comes in, every buffer
 * returns to its pool and nothing that policy protects leaves in clear. Input: records of port, length (2), frame. */
#include <sanitizer/lsan_interface.h>
#include <stdio.h>
#include <stdlib.h>

#include "fake_ipsec.h"
#include "rig.h"

#define FRAME_MAX  1600
#define FRAMES_MAX 32
#define HOW_ND     224 /* frames whose first byte is at least that are neighbour discovery */

static struct sa inbound_sa = { .spi = 0x1001 };
static struct sa outbound_sa = { .spi = 0x1002, .owner = WORKER_NONE, .inner_mtu = 600 };
static struct sa outbound6_sa = { .spi = 0x1003, .owner = WORKER_NONE, .inner_mtu = 1280 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char *const rules[] = { "protect 3 10.1.0.0/24 10.2.0.0/24", "bypass 10.1.0.0/24 192.0.2.0/24",
		"protect 4 2001:db8:1::/64 2001:db8:2::/64", "bypass 2001:db8:1::/64 2001:db8:f::/64",
		"discard 10.1.0.0/24 192.0.2.9/32[udp/7]" };
	struct path_spec spec = { 0 };

	(void)argc;
	(void)argv;
	/* the gateway lives until the end, held by DPDK memory that the leak check does not look into */
	__lsan_disable();
	rig_eal();
	rig_open_reassembly(1);
	rig_policy(rules, ARRAY_LEN(rules));
	addr_parse(WAN_OWN, &spec.local.addr);
	addr_parse(WAN_PEER, &spec.remote.addr);
	if (datapath_path_create(rig.dp, &spec, &outbound_sa.path))
		abort();
	addr_parse(WAN_OWN6, &spec.local.addr);
	addr_parse(WAN_PEER6, &spec.remote.addr);
	if (datapath_path_create(rig.dp, &spec, &outbound6_sa.path))
		abort();
	fake.inbound[0] = &inbound_sa;
	fake.tunnels[3] = &outbound_sa;
	fake.tunnels[4] = &outbound6_sa;
	__lsan_enable();
	return 0;
}

static void addresses6_fix(uint8_t *frame, size_t size, uint8_t how)
{
	static const char *const addresses[] = { LAN_HOST6, LAN_OWN6, WAN_OWN6, WAN_PEER6, FAR_HOST6, "2001:db8:1::77",
		"2a00::1" };

	if (size < 54)
		return;
	frame[14] = (uint8_t)(0x60 | (frame[14] & 0x0f));
	ip6(addresses[how % 7], frame + 22);
	ip6(addresses[how / 7 % 7], frame + 38);
}

/* Neighbour discovery that passes its first checks: the rest of it is up to the fuzzer, often about addresses that mean
 * something. */
static void nd_fix(uint8_t *frame, size_t size)
{
	static const char *const targets[] = { LAN_OWN6, WAN_OWN6, "2001:db8:1::77", LAN_HOST6, "fe80::1",
		"fe80::200:ff:fe00:0" };
	uint16_t checksum;

	if (size < 62)
		return;
	frame[14] = 0x60;
	store_be16(frame + 18, (uint16_t)(size - 54));
	frame[20] = IPPROTO_ICMPV6;
	frame[21] = 255;
	if (size >= 78 && frame[61] % 8 < ARRAY_LEN(targets))
		ip6(targets[frame[61] % 8], frame + 62);
	store_be16(frame + 56, 0);
	checksum = rte_ipv6_udptcp_cksum((struct rte_ipv6_hdr *)(frame + 14), frame + 54);
	memcpy(frame + 56, &checksum, sizeof(checksum));
}

/* The addresses and the Ethernet header a fuzzer would take long to find. */
static void frame_fix(uint8_t *frame, size_t size, uint16_t port, uint8_t how)
{
	static const char *const addresses[] = { LAN_HOST, LAN_OWN, WAN_OWN, WAN_PEER, FAR_HOST, "10.1.0.77",
		"8.8.8.8" };
	uint32_t be;

	if (size < 34 || how < 16)
		return;
	memcpy(frame, rig.dp->ports[port].mac, 6);
	if (how < 32)
		return;
	if (load_be16(frame + 12) == RTE_ETHER_TYPE_IPV6) {
		if (how >= HOW_ND)
			nd_fix(frame, size);
		else
			addresses6_fix(frame, size, how);
		return;
	}
	store_be16(frame + 12, RTE_ETHER_TYPE_IPV4);
	be = ip4(addresses[how % 7]);
	memcpy(frame + 26, &be, 4);
	be = ip4(addresses[how / 7 % 7]);
	memcpy(frame + 30, &be, 4);
	if ((frame[14] & 0x0f) * 4u <= size - 14)
		ip_checksum_set((struct rte_ipv4_hdr *)(frame + 14));
}

static bool sent4_good(struct rte_mbuf *m)
{
	const uint32_t mask = RTE_BE32(0xffffff00);
	const struct rte_ipv4_hdr *ip = frame_ip(m);

	if (m->data_len < 34 ||
		((ip->src_addr & mask) == RTE_BE32(0x0a010000) && (ip->dst_addr & mask) == RTE_BE32(0x0a020000)))
		return false;
	return ip_checksum_valid(ip) && ip_total_bytes(ip) == m->pkt_len - 14;
}

/* LAN and the far net differ in the sixth byte; everything else of the prefix is the same. */
static bool sent6_good(struct rte_mbuf *m)
{
	static const uint8_t lan[8] = { 0x20, 0x01, 0x0d, 0xb8, 0, 1 }, far[8] = { 0x20, 0x01, 0x0d, 0xb8, 0, 2 };
	const struct rte_ipv6_hdr *ip = frame_ip6(m);

	if (m->data_len < 54 || (!memcmp(&ip->src_addr, lan, 8) && !memcmp(&ip->dst_addr, far, 8)))
		return false;
	return *(const uint8_t *)ip >> 4 == 6 && rte_be_to_cpu_16(ip->payload_len) == m->pkt_len - 54;
}

static void sent_check(uint16_t port)
{
	struct rte_mbuf *m;

	while ((m = rig_receive(port))) {
		uint16_t type = load_be16(rte_pktmbuf_mtod(m, uint8_t *) + 12);
		bool good = type == RTE_ETHER_TYPE_IPV4   ? sent4_good(m)
			    : type == RTE_ETHER_TYPE_IPV6 ? sent6_good(m)
							  : type == RTE_ETHER_TYPE_ARP;
		if (!good || m->pkt_len > 1514)
			abort();
		rte_pktmbuf_free(m);
	}
}

static void captured_check(void *context, const struct datapath_captured *p)
{
	(void)context;
	if (p->data.len > p->length || p->data.len > 128 || p->reason >= DROP_REASON_COUNT)
		abort();
}

/* Sometimes the operator watches: by address or tunnel, a port or a tunnel. */
static void watch_begin(uint8_t how)
{
	struct datapath_trace_spec trace = { .count = 8, .every = 1, .first_slot = 3, .slot_count = how & 1 };
	const struct datapath_capture_spec capture = { .of_port = how & 2,
		.port = WAN,
		.first_slot = 3,
		.slot_count = 2,
		.clear = true,
		.sealed = true,
		.snaplen = 128 };

	if (how & 4)
		prefix_parse("10.0.0.0/8", &trace.src);
	if (how < 128 && (datapath_trace_start(rig.dp, &trace) || datapath_capture_start(rig.dp, &capture)))
		abort();
}

static void watch_end(void)
{
	struct datapath_trace_record record;

	datapath_trace_stop(rig.dp);
	datapath_capture_stop(rig.dp);
	rig_step();
	reclaim_poll(rig.ips);
	while (datapath_capture_drain(rig.dp, 1000, captured_check, NULL))
		continue;
	while (datapath_trace_read(rig.dp, &record, 1))
		if (record.stage >= DATAPATH_TRACE_STAGE_COUNT)
			abort();
	if (!datapath_capture_settled(rig.dp))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_init(BYTES(data, size));
	uint8_t frame[FRAME_MAX];

	watch_begin(size ? data[size - 1] : 0);
	for (int i = 0; i < FRAMES_MAX && reader_left(&r) > 4; i++) {
		uint8_t how = reader_u8(&r);
		uint16_t port = how & 1, want = (uint16_t)(reader_u16(&r) % FRAME_MAX);
		struct bytes b = reader_bytes(&r, RTE_MIN((size_t)want, reader_left(&r)));
		if (!b.len)
			continue;
		memcpy(frame, b.data, b.len);
		frame_fix(frame, b.len, port, how);
		rig_send_frame(port, frame, (uint16_t)b.len);
		rig_step();
		rig_poll();
	}
	/* long enough for every unanswered question to end, and for the one about who is to be told so */
	for (int i = 0; i < 10; i++) {
		rig.now_ns += SECOND_NS;
		rig_poll();
	}
	rig_forget_fragments();
	sent_check(LAN);
	sent_check(WAN);
	watch_end();
	if (datapath_mbufs_free(rig.dp) != rig.mbufs)
		abort();
	return 0;
}
