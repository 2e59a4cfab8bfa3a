/* SPDX-License-Identifier: BSD-3-Clause */
/* Builds and drives the gateway of the datapath's tests. Workers are never launched: tests call their loop by hand, so
 * that nothing depends on time or scheduling. */
#include "rig.h"

#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <stdlib.h>
#include <unistd.h>

#define RING_FRAMES 512
#define RIG_MBUFS   4095
#define RIG_FLOWS   256
#define RIG_LARGE   8

struct rig rig;

/* Not CUnit's: the rig also runs under the fuzzer. */
#define must(condition)                                                                                                \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "rig: %s\n", #condition);                                                      \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

static const uint8_t host_mac[6] = { 0x02, 0, 0, 0, 0, 0x10 };

/* EAL makes it even when it keeps nothing there. */
static void folder_remove(void)
{
	rmdir(rte_eal_get_runtime_dir());
}

void rig_eal(void)
{
	static char line[256];
	char *argv[16];
	int argc = 0;

	snprintf(line, sizeof(line),
		"test --no-huge --no-pci -m 512 --lcores 0@0,1@0,2@0 --no-telemetry --no-shconf --log-level error "
		"--file-prefix unit%d",
		(int)getpid());
	for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	if (rte_eal_init(argc, argv) < 0) {
		printf("FAIL datapath/eal rte_eal_init\n");
		exit(1);
	}
	atexit(folder_remove);
}

uint32_t ip4(const char *text)
{
	struct addr a;
	uint32_t be;

	if (addr_parse(text, &a))
		abort();
	memcpy(&be, a.bytes, sizeof(be));
	return be;
}

void ip6(const char *text, uint8_t ret_addr[16])
{
	struct addr a;

	if (addr_parse(text, &a) || a.family != ADDR_IPV6)
		abort();
	memcpy(ret_addr, a.bytes, 16);
}

bool ip6_is(const uint8_t addr[16], const char *text)
{
	uint8_t want[16];

	ip6(text, want);
	return !memcmp(addr, want, 16);
}

static void port_make(unsigned serial, uint16_t port, struct datapath_port_config *c)
{
	char name[32];

	snprintf(name, sizeof(name), "rx%u_%u", serial, port);
	rig.to[port] = rte_ring_create(name, RING_FRAMES, SOCKET_ID_ANY, 0);
	snprintf(name, sizeof(name), "tx%u_%u", serial, port);
	rig.from[port] = rte_ring_create(name, RING_FRAMES, SOCKET_ID_ANY, 0);
	snprintf(name, sizeof(name), "p%u_%u", serial, port);
	if (rte_eth_from_rings(name, &rig.to[port], 1, &rig.from[port], 1, 0) < 0)
		abort();
	snprintf(c->device, sizeof(c->device), "net_ring_%s", name);
	snprintf(c->name, sizeof(c->name), "%s", port == LAN ? "lan" : "wan");
	if (rig.four)
		prefix_parse(port == LAN ? LAN_OWN "/24" : WAN_OWN "/24", &c->address);
	if (rig.six)
		prefix_parse(port == LAN ? LAN_OWN6 "/64" : WAN_OWN6 "/64", &c->address6);
	c->mtu = 1500;
	c->proxies = port == LAN;
}

static void neighbour_static(const char *text)
{
	struct addr a;

	addr_parse(text, &a);
	if (a.family == ADDR_IPV4 ? !rig.four : !rig.six)
		return;
	uint16_t port = prefix_contains(&rig.dp->ports[LAN].prefix, &a) ||
					prefix_contains(&rig.dp->ports[LAN].prefix6, &a)
				? LAN
				: WAN;
	must(datapath_neighbour_add(rig.dp, port, &a, host_mac) == 0);
}

/* net_ring's MAC is zero, which neighbour discovery takes for nobody's. */
static void mac_give(uint16_t port)
{
	const uint8_t mac[6] = { 0x02, 0, 0, 0, 1, (uint8_t)port };
	struct port *p = &rig.dp->ports[port];

	memcpy(rig.dp->devices[p->device].mac, mac, sizeof(mac));
	memcpy(p->mac, mac, sizeof(mac));
	for (int i = 0; i < 2; i++)
		memcpy(p->source_tail[i], mac, sizeof(mac));
}

static const struct datapath_reassembly reassembly = {
	.datagrams = 64, .fragments = 64, .timeout_ms = 5000, .large_buffers = RIG_LARGE
};

static void rig_create(uint16_t workers, bool four, bool six, bool joins)
{
	static const char *const neighbours[] = { LAN_HOST, WAN_PEER, WAN_GW, LAN_HOST6, WAN_PEER6, WAN_GW6 };
	static unsigned serial;
	const struct ipsec_config ic = { .workers = workers, .sad_slots = 256, .tunnel_slots = 8 };
	struct datapath_config c = { .workers = workers,
		.mbufs = RIG_MBUFS,
		.mss_clamp = true,
		.flow_entries = RIG_FLOWS,
		.icmp = { .path_mtu = true },
		.port_count = 2 };
	char text[256] = "";
	const char *reason;

	if (joins)
		c.reassembly = reassembly;
	rig = (struct rig){ .four = four, .six = six };
	for (uint16_t p = 0; p < 2; p++)
		port_make(serial, p, &c.ports[p]);
	serial++;
	rig.now_ns = 1000 * SECOND_NS;
	rig.ips = ipsec_create(&ic, &reason);
	must(rig.ips != NULL);
	rig.dp = datapath_create(rig.ips, &c, text, sizeof(text));
	if (!rig.dp)
		printf("# %s\n", text);
	must(rig.dp != NULL);
	for (uint16_t p = 0; p < 2; p++)
		must(device_start(rig.dp, p) == 0);
	for (uint16_t p = 0; p < 2; p++)
		mac_give(p);
	for (uint16_t i = 0; i < workers; i++)
		must(worker_attach(rig.dp->workers[i]) == 0);
	rig.mbufs = datapath_mbufs_free(rig.dp);
	for (size_t i = 0; i < ARRAY_LEN(neighbours); i++)
		neighbour_static(neighbours[i]);
	rig_policy(NULL, 0);
}

void rig_open(uint16_t workers)
{
	rig_create(workers, true, true, false);
}

void rig_open_reassembly(uint16_t workers)
{
	rig_create(workers, true, true, true);
}

void rig_open_families(bool four, bool six)
{
	rig_create(1, four, six, false);
}

void rig_forget_fragments(void)
{
	for (uint16_t i = 0; i < rig.dp->worker_count; i++)
		defragment_flush(rig.dp->workers[i]);
}

bool rig_done(void)
{
	rig_step();
	rig_forget_fragments();
	bool clean = rig_sent(LAN) + rig_sent(WAN) == 0 && datapath_mbufs_free(rig.dp) == rig.mbufs &&
		     datapath_large_free(rig.dp) == (rig.dp->large_pool ? RIG_LARGE : 0);

	for (uint16_t i = 0; i < rig.dp->worker_count; i++)
		worker_detach(rig.dp->workers[i]);
	for (uint16_t p = 0; p < 2; p++)
		device_stop(rig.dp, p);
	datapath_free(rig.dp);
	ipsec_free(rig.ips);
	for (uint16_t p = 0; p < 2; p++) {
		rte_ring_free(rig.to[p]);
		rte_ring_free(rig.from[p]);
	}
	return clean;
}

static void rule_parse(const char *text, struct spd_rule *ret_rule)
{
	char action[16], a[64], b[64];
	struct selector local, remote;

	if (sscanf(text, "protect %u %63s %63s", &ret_rule->tunnel_slot, a, b) == 3)
		ret_rule->action = SPD_PROTECT;
	else if (sscanf(text, "await %u %63s %63s", &ret_rule->tunnel_slot, a, b) == 3)
		*ret_rule = (struct spd_rule){
			.action = SPD_PROTECT, .tunnel_slot = ret_rule->tunnel_slot, .awaits = true
		};
	else if (sscanf(text, "%15s %63s %63s", action, a, b) == 3)
		ret_rule->action = strcmp(action, "bypass") ? SPD_DISCARD : SPD_BYPASS;
	else
		abort();
	if (selector_parse(a, &local) || selector_parse(b, &remote))
		abort();
	ret_rule->local = (struct selector_list){ .count = 1, .items = { local } };
	ret_rule->remote = (struct selector_list){ .count = 1, .items = { remote } };
}

void rig_policy(const char *const *rules, size_t count)
{
	static struct spd_rule parsed[8];
	struct datapath_route routes[2] = { 0 };
	const char *reason;
	size_t n = 0;

	memset(parsed, 0, sizeof(parsed));
	for (size_t i = 0; i < count; i++)
		rule_parse(rules[i], &parsed[i]);
	if (rig.four) {
		prefix_parse("0.0.0.0/0", &routes[n].prefix);
		addr_parse(WAN_GW, &routes[n++].via);
	}
	if (rig.six) {
		prefix_parse("::/0", &routes[n].prefix);
		addr_parse(WAN_GW6, &routes[n++].via);
	}
	const struct datapath_snapshot s = { parsed, count, routes, n };
	must(datapath_publish(rig.dp, &s, &reason) == 0);
}

static void payload_fill(const struct probe *p, uint8_t *at, uint16_t bytes)
{
	for (uint16_t i = 0; i < bytes; i++)
		at[i] = (uint8_t)(i * 7 + 1);
	if (p->payload) {
		memcpy(at, p->payload, RTE_MIN(bytes, p->payload_bytes));
	} else if (p->protocol == IPPROTO_ICMP && bytes >= 8) {
		store_be32(at, 8u << 24);
		uint16_t sum = (uint16_t)~rte_raw_cksum(at, bytes);
		memcpy(at + 2, &sum, sizeof(sum));
	} else if (bytes >= 8) {
		store_be16(at, p->sport);
		store_be16(at + 2, p->dport);
		store_be16(at + 4, bytes);
		store_be16(at + 6, 0);
	}
}

/* RFC 4443 2.3: the pseudo header counts in. */
static void echo6_finish(struct rte_mbuf *m, const struct probe *p)
{
	uint8_t *icmp = rte_pktmbuf_mtod_offset(m, uint8_t *, 40);
	uint16_t bytes = (uint16_t)(m->data_len - 40), sum;

	if (p->protocol != IPPROTO_ICMPV6 || p->payload || bytes < 8)
		return;
	store_be32(icmp, 128u << 24);
	uint32_t all = rte_ipv6_phdr_cksum(rte_pktmbuf_mtod(m, struct rte_ipv6_hdr *), 0) + rte_raw_cksum(icmp, bytes);
	all = (all & 0xffff) + (all >> 16);
	sum = (uint16_t) ~((all & 0xffff) + (all >> 16));
	memcpy(icmp + 2, &sum, sizeof(sum));
}

static struct rte_mbuf *packet6(const struct probe *p)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(rig.dp->pool);
	uint16_t bytes = p->payload ? (uint16_t)(40 + p->payload_bytes) : p->bytes ? p->bytes : 60;
	struct probe full = *p;

	full.protocol = p->protocol ? p->protocol : IPPROTO_UDP;
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)rte_pktmbuf_append(m, bytes);
	*ip = (struct rte_ipv6_hdr){
		.vtc_flow = RTE_BE32(0x60000000),
		.payload_len = rte_cpu_to_be_16((uint16_t)(bytes - 40)),
		.proto = full.protocol,
		.hop_limits = p->ttl ? p->ttl : 64,
	};
	ip6(p->src, (uint8_t *)&ip->src_addr);
	ip6(p->dst, (uint8_t *)&ip->dst_addr);
	payload_fill(&full, (uint8_t *)(ip + 1), (uint16_t)(bytes - 40));
	echo6_finish(m, &full);
	return m;
}

static struct rte_mbuf *packet4(const struct probe *p)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(rig.dp->pool);
	uint16_t bytes = p->payload ? (uint16_t)(20 + p->payload_bytes) : p->bytes ? p->bytes : 60;
	struct probe full = *p;

	full.protocol = p->protocol ? p->protocol : IPPROTO_UDP;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)rte_pktmbuf_append(m, bytes);
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = 0x45,
		.total_length = rte_cpu_to_be_16(bytes),
		.fragment_offset = rte_cpu_to_be_16(p->fragment),
		.time_to_live = p->ttl ? p->ttl : 64,
		.next_proto_id = full.protocol,
		.src_addr = ip4(p->src),
		.dst_addr = ip4(p->dst),
	};
	ip_checksum_set(ip);
	payload_fill(&full, (uint8_t *)(ip + 1), (uint16_t)(bytes - 20));
	return m;
}

struct rte_mbuf *rig_packet(const struct probe *p)
{
	return strchr(p->src, ':') ? packet6(p) : packet4(p);
}

void rig_send_mbuf(uint16_t port, struct rte_mbuf *m)
{
	if (rte_ring_enqueue(rig.to[port], m))
		abort();
}

void rig_send(uint16_t port, const struct probe *p)
{
	struct rte_mbuf *m = rig_packet(p);
	bool six = packet_is_ip6(m);
	struct rte_ether_hdr *eth = (struct rte_ether_hdr *)rte_pktmbuf_prepend(m, RTE_ETHER_HDR_LEN);

	memcpy(&eth->dst_addr, rig.dp->ports[port].mac, 6);
	memcpy(&eth->src_addr, host_mac, 6);
	eth->ether_type = six ? RTE_BE16(RTE_ETHER_TYPE_IPV6) : RTE_BE16(RTE_ETHER_TYPE_IPV4);
	rig_send_mbuf(port, m);
}

void rig_send_frame(uint16_t port, const void *frame, uint16_t bytes)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(rig.dp->pool);

	memcpy(rte_pktmbuf_append(m, bytes), frame, bytes);
	rig_send_mbuf(port, m);
}

void rig_step(void)
{
	uint32_t moved;

	do {
		moved = 0;
		for (uint16_t i = 0; i < rig.dp->worker_count; i++)
			moved += worker_step(rig.dp->workers[i]);
	} while (moved);
}

static void ike_seen(void *context, const struct datapath_ike *d)
{
	(void)context;
	rig.ike = *d;
	memcpy(rig.ike_data, d->data.data, RTE_MIN(d->data.len, sizeof(rig.ike_data)));
	rig.ike.data.data = rig.ike_data;
	rig.ike_count++;
}

static void event_seen(void *context, const struct datapath_event *e)
{
	(void)context;
	rig.event = *e;
	rig.event_count++;
}

static bool answers_for(void *context, const struct addr *a)
{
	(void)context;
	return addr_equal(a, &rig.behind_tunnel);
}

void rig_poll(void)
{
	const struct datapath_host host = { .ike = ike_seen, .event = event_seen, .answers_for = answers_for };

	datapath_control_poll(rig.dp, &host, rig.now_ns);
	rig_step();
}

/* As a receiver would, it forgets which port the buffer came from. */
struct rte_mbuf *rig_receive(uint16_t port)
{
	void *m = NULL;

	return rte_ring_dequeue(rig.from[port], &m) ? NULL : m;
}

unsigned rig_sent(uint16_t port)
{
	struct rte_mbuf *m;
	unsigned n = 0;

	while ((m = rig_receive(port))) {
		rte_pktmbuf_free(m);
		n++;
	}
	return n;
}

uint64_t rig_drops(enum drop_reason r)
{
	struct datapath_worker_stats s;
	uint64_t sum = 0;

	for (uint16_t i = 0; i < rig.dp->worker_count; i++) {
		datapath_worker_stats_read(rig.dp, i, &s);
		sum += s.drops[r];
	}
	return sum;
}

uint64_t rig_counter(enum datapath_counter c)
{
	struct datapath_worker_stats s;
	uint64_t sum = 0;

	for (uint16_t i = 0; i < rig.dp->worker_count; i++) {
		datapath_worker_stats_read(rig.dp, i, &s);
		sum += s.counters[c];
	}
	return sum;
}

struct rte_ipv4_hdr *frame_ip(struct rte_mbuf *frame)
{
	return rte_pktmbuf_mtod_offset(frame, struct rte_ipv4_hdr *, RTE_ETHER_HDR_LEN);
}

struct rte_ipv6_hdr *frame_ip6(struct rte_mbuf *frame)
{
	return rte_pktmbuf_mtod_offset(frame, struct rte_ipv6_hdr *, RTE_ETHER_HDR_LEN);
}

bool ip_checksum_valid(const struct rte_ipv4_hdr *ip)
{
	return rte_raw_cksum(ip, ip_header_bytes(ip)) == 0xffff;
}

static uint64_t all_drops(void)
{
	uint64_t sum = 0;

	for (int r = 0; r < DROP_REASON_COUNT; r++)
		sum += rig_drops((enum drop_reason)r);
	return sum;
}

bool dropped_as(uint16_t port, const struct probe *p, enum drop_reason reason)
{
	uint64_t all = all_drops(), named = rig_drops(reason);

	rig_send(port, p);
	rig_step();
	return all_drops() == all + 1 && rig_drops(reason) == named + 1 && rig_sent(LAN) + rig_sent(WAN) == 0;
}

bool is_refusal(uint16_t port, uint16_t type_code)
{
	struct rte_mbuf *m = rig_receive(port);
	bool right = false;

	if (!m)
		return false;
	const uint8_t *f = rte_pktmbuf_mtod(m, const uint8_t *);
	if (load_be16(f + 12) == RTE_ETHER_TYPE_IPV4)
		right = frame_ip(m)->next_proto_id == IPPROTO_ICMP && load_be16(f + 34) == type_code;
	else if (load_be16(f + 12) == RTE_ETHER_TYPE_IPV6)
		right = frame_ip6(m)->proto == IPPROTO_ICMPV6 && load_be16(f + 54) == type_code;
	rte_pktmbuf_free(m);
	return right;
}

bool refused_as(uint16_t port, const struct probe *p, enum drop_reason reason, uint16_t type_code)
{
	uint64_t all = all_drops(), named = rig_drops(reason);

	rig_send(port, p);
	rig_step();
	return all_drops() == all + 1 && rig_drops(reason) == named + 1 && is_refusal(port, type_code) &&
	       rig_sent(LAN) + rig_sent(WAN) == 0;
}
