/* SPDX-License-Identifier: BSD-3-Clause */
/* Neighbour discovery: resolution, answers, unreachability, whom to believe, link-local addresses, floods. */
#include "harness.h"
#include "rig.h"
#include "fake_ipsec.h"

#define NEW_HOST  "2001:db8:1::50"
#define LINK_HOST "fe80::50"

#define SOLICITED 0x40
#define OVERRIDE  0x20

static const uint8_t mac_a[6] = { 2, 0, 0, 0, 0, 0xaa }, mac_b[6] = { 2, 0, 0, 0, 0, 0xbb };
static const struct probe to_new_host = { .src = WAN_PEER6, .dst = NEW_HOST };

/* A message as a host of the LAN sends it. Zero fields: usual values. */
struct message {
	uint8_t type, code, flags;
	const char *src, *dst, *target;
	const uint8_t *mac; /* of the option; NULL: no option */
	uint8_t hop_limit;
	bool bad_checksum;
};

static void checksum_fill(uint8_t *f, uint16_t bytes)
{
	uint16_t sum;

	store_be16(f + 18, (uint16_t)(bytes - 54));
	f[56] = f[57] = 0;
	sum = rte_ipv6_udptcp_cksum((struct rte_ipv6_hdr *)(f + 14), f + 54);
	memcpy(f + 56, &sum, sizeof(sum));
}

/* Where a frame to this address goes: its group, or the port. */
static void link_fill(uint8_t *f, uint16_t port)
{
	if (f[38] == 0xff) {
		f[0] = f[1] = 0x33;
		memcpy(f + 2, f + 50, 4);
	} else {
		memcpy(f, rig.dp->ports[port].mac, 6);
	}
}

static uint16_t message_make(uint8_t f[128], const struct message *msg)
{
	uint16_t bytes = 14 + 40 + 24;

	memset(f, 0, 128);
	memcpy(f + 6, mac_a, 6);
	memcpy(f + 12, "\x86\xdd\x60", 3);
	f[20] = IPPROTO_ICMPV6;
	f[21] = msg->hop_limit ? msg->hop_limit : 255;
	ip6(msg->src, f + 22);
	ip6(msg->dst, f + 38);
	f[54] = msg->type;
	f[55] = msg->code;
	f[58] = msg->flags;
	ip6(msg->target, f + 62);
	link_fill(f, LAN);
	if (msg->mac) {
		f[78] = msg->type == ND_SOLICITATION ? 1 : 2;
		f[79] = 1;
		memcpy(f + 80, msg->mac, 6);
		bytes += 8;
	}
	checksum_fill(f, bytes);
	f[57] ^= msg->bad_checksum;
	return bytes;
}

static void message_send(const struct message *msg)
{
	uint8_t f[128];
	uint16_t bytes = message_make(f, msg);

	rig_send_frame(LAN, f, bytes);
	rig_step();
	rig_poll();
}

/* An answer of NEW_HOST or another. */
static void answer(const char *target, const uint8_t *mac, uint8_t flags)
{
	const struct message m = {
		.type = ND_ADVERTISEMENT, .src = target, .dst = LAN_OWN6, .target = target, .mac = mac, .flags = flags
	};

	message_send(&m);
}

static void ask_us(const char *src, const char *dst, const char *target, const uint8_t *mac)
{
	const struct message m = { .type = ND_SOLICITATION, .src = src, .dst = dst, .target = target, .mac = mac };

	message_send(&m);
}

/* What the LAN port sent next is a valid message; read into nd. */
static bool sent(struct nd *ret_nd, uint8_t ret_link[6])
{
	struct rte_mbuf *m = rig_receive(LAN);
	bool good;

	if (!m)
		return false;
	memcpy(ret_link, rte_pktmbuf_mtod(m, uint8_t *), 6);
	good = !nd_decode(BYTES(rte_pktmbuf_mtod(m, uint8_t *), m->data_len), ret_nd);
	rte_pktmbuf_free(m);
	return good;
}

static bool asked_for(const char *target, bool unicast)
{
	struct addr want;
	uint8_t link[6];
	struct nd nd;

	addr_parse(target, &want);
	return sent(&nd, link) && nd.type == ND_SOLICITATION && addr_equal(&nd.target, &want) && nd.has_mac &&
	       !memcmp(nd.mac, rig.dp->ports[LAN].mac, 6) && (link[0] == 0x33) == !unicast;
}

static uint32_t entry_of(const char *text)
{
	struct addr a;

	addr_parse(text, &a);
	return neighbour_find(rig.dp->neighbours, LAN, &a);
}

static int state_of(const char *text)
{
	uint32_t i = entry_of(text);

	return i == NEIGHBOUR_NONE ? NEIGHBOUR_FREE : rig.dp->neighbours->entries[i].state;
}

static bool sent_to(const uint8_t mac[6])
{
	struct rte_mbuf *m = rig_receive(LAN);
	bool right = m && !memcmp(rte_pktmbuf_mtod(m, void *), mac, 6);

	rte_pktmbuf_free(m);
	return right;
}

static void after(uint64_t ns)
{
	rig.now_ns += ns;
	rig_poll();
}

static void nd_open(void)
{
	rig_open(1);
	RIG_POLICY("bypass ::/0 ::/0", "bypass 0.0.0.0/0 0.0.0.0/0");
}

static void ask_for_new_host(void)
{
	rig_send(WAN, &to_new_host);
	rig_step();
	rig_poll();
	CU_ASSERT(asked_for(NEW_HOST, false));
}

static void test_nd_resolves_and_sends_what_waited(void)
{
	nd_open();
	for (int i = 0; i < 2; i++)
		rig_send(WAN, &to_new_host);
	ask_for_new_host();
	CU_ASSERT_EQUAL(rig_counter(DP_C_HELD), 3);
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	answer(NEW_HOST, mac_a, SOLICITED | OVERRIDE);
	for (int i = 0; i < 3; i++)
		CU_ASSERT(sent_to(mac_a));
	CU_ASSERT_EQUAL(state_of(NEW_HOST), NEIGHBOUR_REACHABLE);
	rig_send(WAN, &to_new_host);
	rig_step();
	CU_ASSERT(sent_to(mac_a));
	rig_close();
}

static void test_nd_silence_is_told_to_the_sender(void)
{
	nd_open();
	ask_for_new_host();
	for (int i = 0; i < 2; i++) {
		after(SECOND_NS);
		CU_ASSERT(asked_for(NEW_HOST, false));
	}
	after(SECOND_NS);
	CU_ASSERT_EQUAL(rig_drops(DROP_NEIGHBOUR), 1);
	CU_ASSERT(is_refusal(WAN, 0x0103));
	CU_ASSERT_EQUAL(state_of(NEW_HOST), NEIGHBOUR_FREE);
	rig_close();
}

/* RFC 4861 7.2.4. */
static void test_nd_answers_for_our_own_addresses(void)
{
	uint8_t link[6], own_link_local[ADDR_TEXT_MAX];
	struct addr link_local;
	struct nd nd;

	nd_open();
	ask_us(NEW_HOST, "ff02::1:ff00:1", LAN_OWN6, mac_b);
	CU_ASSERT(sent(&nd, link));
	CU_ASSERT(nd.type == ND_ADVERTISEMENT && nd.solicited && nd.override && nd.has_mac);
	CU_ASSERT_EQUAL(memcmp(nd.mac, rig.dp->ports[LAN].mac, 6), 0);
	CU_ASSERT_EQUAL(memcmp(link, mac_b, 6), 0);
	CU_ASSERT(ip6_is(nd.target.bytes, LAN_OWN6) && ip6_is(nd.destination.bytes, NEW_HOST));
	/* who asked is known, unproven */
	CU_ASSERT_EQUAL(state_of(NEW_HOST), NEIGHBOUR_STALE);
	/* asked alone, without an option, by a link-local address about ours */
	link_local = addr_from_bytes(ADDR_IPV6, rig.dp->ports[LAN].link_local);
	const char *own = addr_format(&link_local, (char *)own_link_local);
	ask_us(LINK_HOST, own, own, NULL);
	CU_ASSERT(sent(&nd, link));
	CU_ASSERT(nd.solicited && addr_equal(&nd.target, &link_local) && ip6_is(nd.destination.bytes, LINK_HOST));
	CU_ASSERT_EQUAL(memcmp(link, mac_a, 6), 0);
	/* others' addresses, and those of our other port, are not ours there */
	ask_us(NEW_HOST, "ff02::1:ff00:1", "2001:db8:1::ff00:1", mac_b);
	ask_us(NEW_HOST, "ff02::1:ff00:1", WAN_OWN6, mac_b);
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	rig_close();
}

/* RFC 4861 7.2.8: a peer that was lent an address of this subnet is reached through us. */
static void test_nd_answers_for_what_lies_behind_a_tunnel(void)
{
	uint8_t link[6];
	struct nd nd;

	nd_open();
	CU_ASSERT_EQUAL(addr_parse("2001:db8:1::77", &rig.behind_tunnel), 0);
	ask_us(NEW_HOST, "ff02::1:ff00:77", "2001:db8:1::77", mac_b);
	CU_ASSERT(sent(&nd, link));
	CU_ASSERT(nd.type == ND_ADVERTISEMENT && nd.solicited && !nd.override && nd.has_mac);
	CU_ASSERT_EQUAL(memcmp(nd.mac, rig.dp->ports[LAN].mac, 6), 0);
	CU_ASSERT(ip6_is(nd.target.bytes, "2001:db8:1::77") && ip6_is(nd.destination.bytes, NEW_HOST));
	CU_ASSERT_EQUAL(memcmp(nd.source.bytes, rig.dp->ports[LAN].link_local, 16), 0);
	/* is it still there? */
	ask_us(NEW_HOST, "2001:db8:1::77", "2001:db8:1::77", mac_b);
	CU_ASSERT(sent(&nd, link));
	CU_ASSERT(nd.solicited && ip6_is(nd.target.bytes, "2001:db8:1::77"));
	/* somebody wants to take it for itself */
	ask_us("::", "ff02::1:ff00:77", "2001:db8:1::77", NULL);
	CU_ASSERT(sent(&nd, link));
	CU_ASSERT(!nd.solicited && ip6_is(nd.destination.bytes, "ff02::1"));
	ask_us(NEW_HOST, "ff02::1:ff00:78", "2001:db8:1::78", mac_b);
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	rig_close();
}

/* RFC 4861 7.2.4: the answer to who has no address yet goes to all nodes, and is not a solicited one. */
static void test_nd_defends_our_addresses(void)
{
	uint8_t link[6];
	struct nd nd;

	nd_open();
	ask_us("::", "ff02::1:ff00:1", LAN_OWN6, NULL);
	CU_ASSERT(sent(&nd, link));
	CU_ASSERT(!nd.solicited && nd.override && ip6_is(nd.destination.bytes, "ff02::1"));
	CU_ASSERT_EQUAL(memcmp(link, "\x33\x33\0\0\0\1", 6), 0);
	CU_ASSERT_EQUAL(rig_drops(DROP_ADDRESS_CONFLICT), 1);
	/* claims, not heeded */
	answer(LAN_OWN6, mac_b, OVERRIDE);
	ask_us(LAN_OWN6, "ff02::1:ff00:1", LAN_OWN6, mac_b);
	CU_ASSERT_EQUAL(rig_drops(DROP_ADDRESS_CONFLICT), 3);
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	rig_close();
}

/* RFC 4862 5.4.2, 5.4: asked for, not used until nobody has answered, then told. */
static void dad_open(uint8_t probes)
{
	nd_open();
	rig.dp->neighbour_timers.dad_probes = probes;
	dad_start(rig.dp);
	rig_poll();
}

static int address_state(int which)
{
	return port_own6_state(&rig.dp->ports[LAN], which);
}

static void test_nd_start_asks_for_our_addresses(void)
{
	uint8_t link[6];
	struct nd nd;

	dad_open(2);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 2; i++)
			CU_ASSERT(sent(&nd, link) && nd.dad && nd.type == ND_SOLICITATION && link[0] == 0x33);
		CU_ASSERT(ip6_is(nd.target.bytes, LAN_OWN6));
		CU_ASSERT_EQUAL(rig_sent(WAN), 2);
		CU_ASSERT_EQUAL(address_state(PORT_GLOBAL), DATAPATH_ADDRESS_TENTATIVE);
		after(SECOND_NS);
	}
	/* who remembers another MAC forgets it */
	for (int i = 0; i < 2; i++)
		CU_ASSERT(sent(&nd, link) && nd.type == ND_ADVERTISEMENT && nd.override && !nd.solicited);
	CU_ASSERT_EQUAL(address_state(PORT_GLOBAL), DATAPATH_ADDRESS_VALID);
	CU_ASSERT_EQUAL(atomic_load(&rig.dp->own6_unusable), 0);
	CU_ASSERT_EQUAL(rig_sent(WAN), 2);
	rig_close();
}

static void test_nd_without_probes_addresses_are_used_at_once(void)
{
	dad_open(0);
	CU_ASSERT_EQUAL(address_state(PORT_GLOBAL), DATAPATH_ADDRESS_VALID);
	CU_ASSERT_EQUAL(rig_sent(LAN) + rig_sent(WAN), 4);
	ask_us(LAN_HOST6, LAN_OWN6, LAN_OWN6, mac_a);
	CU_ASSERT_EQUAL(rig_sent(LAN), 1);
	rig_close();
}

/* RFC 4862 5.4, 5.4.3: no answer, no source, not even of a question to a neighbour. */
static void test_nd_tentative_addresses_are_not_used(void)
{
	static const struct probe echo = { .src = LAN_HOST6, .dst = LAN_OWN6, .protocol = IPPROTO_ICMPV6 };
	static const struct probe dies = { .src = LAN_HOST6, .dst = FAR_HOST6, .ttl = 1 };

	dad_open(1);
	rig_sent(LAN);
	rig_sent(WAN);
	ask_us(LAN_HOST6, LAN_OWN6, LAN_OWN6, mac_a);
	CU_ASSERT_EQUAL(rig_drops(DROP_ADDRESS_UNUSABLE), 1);
	CU_ASSERT(dropped_as(LAN, &echo, DROP_ADDRESS_UNUSABLE));
	CU_ASSERT(dropped_as(LAN, &dies, DROP_TTL));
	rig_send(WAN, &to_new_host);
	rig_step();
	rig_poll();
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	CU_ASSERT_EQUAL(state_of(NEW_HOST), NEIGHBOUR_INCOMPLETE);
	after(SECOND_NS);
	after(SECOND_NS / 2);
	CU_ASSERT_EQUAL(rig_sent(LAN), 3); /* told twice, and the question */
	answer(NEW_HOST, mac_a, SOLICITED | OVERRIDE);
	CU_ASSERT(sent_to(mac_a));
	rig_send(LAN, &echo);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(LAN), 1);
	rig_sent(WAN);
	rig_close();
}

/* RFC 4862 5.4.3, 5.4.4: whoever answers, or asks for the same address, has it; ours stays unused and one event says
 * so. */
static void test_nd_duplicate_address_stays_unused(void)
{
	static const struct probe echo = { .src = LAN_HOST6, .dst = LAN_OWN6, .protocol = IPPROTO_ICMPV6 };

	for (int how = 0; how < 2; how++) {
		dad_open(1);
		rig_sent(LAN);
		if (how)
			ask_us("::", "ff02::1:ff00:1", LAN_OWN6, NULL);
		else
			answer(LAN_OWN6, mac_b, OVERRIDE);
		rig_poll();
		CU_ASSERT_EQUAL(address_state(PORT_GLOBAL), DATAPATH_ADDRESS_DUPLICATE);
		CU_ASSERT(rig.event_count == 1 && rig.event.kind == DATAPATH_ADDRESS_TAKEN && rig.event.port == LAN);
		CU_ASSERT(ip6_is(rig.event.local.addr.bytes, LAN_OWN6));
		CU_ASSERT_EQUAL(memcmp(rig.event.mac, how ? mac_a : mac_b, 6), 0);
		after(10 * SECOND_NS);
		rig_sent(LAN);
		rig_sent(WAN);
		ask_us("::", "ff02::1:ff00:1", LAN_OWN6, NULL);
		CU_ASSERT(dropped_as(LAN, &echo, DROP_ADDRESS_UNUSABLE));
		CU_ASSERT_EQUAL(rig.event_count, 1);
		/* the other address of the port is nobody else's */
		CU_ASSERT_EQUAL(address_state(PORT_LINK_LOCAL), DATAPATH_ADDRESS_VALID);
		rig_close();
	}
}

/* Some links give back what was sent; so may a switch with a loop. */
static void test_nd_own_probe_heard_again_is_no_duplicate(void)
{
	struct rte_mbuf *m;

	dad_open(1);
	while ((m = rig_receive(LAN)) != NULL) {
		rig_send_frame(LAN, rte_pktmbuf_mtod(m, void *), m->data_len);
		rte_pktmbuf_free(m);
	}
	rig_step();
	rig_poll();
	CU_ASSERT_EQUAL(address_state(PORT_GLOBAL), DATAPATH_ADDRESS_TENTATIVE);
	after(SECOND_NS);
	CU_ASSERT_EQUAL(address_state(PORT_GLOBAL), DATAPATH_ADDRESS_VALID);
	CU_ASSERT_EQUAL(address_state(PORT_LINK_LOCAL), DATAPATH_ADDRESS_VALID);
	CU_ASSERT_EQUAL(rig.event_count, 0);
	rig_sent(LAN);
	rig_sent(WAN);
	rig_close();
}

static void test_nd_believes_nobody_it_does_not_know(void)
{
	nd_open();
	size_t before = datapath_neighbours_read(rig.dp, NULL, 0);
	answer(NEW_HOST, mac_a, SOLICITED | OVERRIDE);
	answer(LAN_HOST6, mac_b, OVERRIDE);                  /* static */
	ask_us("2001:db8:77::1", LAN_OWN6, LAN_OWN6, mac_b); /* not of this link */
	CU_ASSERT_EQUAL(rig_drops(DROP_MARTIAN), 1);
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	CU_ASSERT_EQUAL(datapath_neighbours_read(rig.dp, NULL, 0), before);
	CU_ASSERT_EQUAL(state_of(LAN_HOST6), NEIGHBOUR_STATIC);
	CU_ASSERT_NOT_EQUAL(memcmp(rig.dp->neighbours->entries[entry_of(LAN_HOST6)].mac, mac_b, 6), 0);
	rig_close();
}

/* RFC 4861 7.2.5 and appendix C. */
static void test_nd_override_decides_whether_a_mac_changes(void)
{
	nd_open();
	ask_for_new_host();
	answer(NEW_HOST, NULL, SOLICITED | OVERRIDE); /* no MAC: nothing to use */
	CU_ASSERT_EQUAL(state_of(NEW_HOST), NEIGHBOUR_INCOMPLETE);
	answer(NEW_HOST, mac_a, SOLICITED);
	CU_ASSERT_EQUAL(state_of(NEW_HOST), NEIGHBOUR_REACHABLE);
	answer(NEW_HOST, mac_b, 0);
	CU_ASSERT_EQUAL(state_of(NEW_HOST), NEIGHBOUR_STALE);
	CU_ASSERT_EQUAL(memcmp(rig.dp->neighbours->entries[entry_of(NEW_HOST)].mac, mac_a, 6), 0);
	answer(NEW_HOST, mac_b, OVERRIDE);
	CU_ASSERT_EQUAL(state_of(NEW_HOST), NEIGHBOUR_STALE);
	CU_ASSERT_EQUAL(memcmp(rig.dp->neighbours->entries[entry_of(NEW_HOST)].mac, mac_b, 6), 0);
	rig_sent(LAN);
	rig_close();
}

static void test_nd_used_neighbour_is_asked_again_and_lost_when_silent(void)
{
	nd_open();
	ask_for_new_host();
	answer(NEW_HOST, mac_a, SOLICITED | OVERRIDE);
	rig_sent(LAN);
	after(31 * SECOND_NS);
	CU_ASSERT(asked_for(NEW_HOST, true));
	CU_ASSERT_EQUAL(state_of(NEW_HOST), NEIGHBOUR_PROBE);
	answer(NEW_HOST, NULL, SOLICITED); /* without an option, as RFC 4861 4.4 lets it */
	CU_ASSERT_EQUAL(state_of(NEW_HOST), NEIGHBOUR_REACHABLE);
	rig_send(WAN, &to_new_host);
	rig_step();
	CU_ASSERT(sent_to(mac_a));
	after(31 * SECOND_NS);
	after(SECOND_NS);
	after(SECOND_NS);
	for (int i = 0; i < 3; i++)
		CU_ASSERT(asked_for(NEW_HOST, true));
	/* gone, or another MAC: all are asked; it comes back with another */
	after(SECOND_NS);
	CU_ASSERT(asked_for(NEW_HOST, false));
	answer(NEW_HOST, mac_b, SOLICITED | OVERRIDE);
	rig_send(WAN, &to_new_host);
	rig_step();
	CU_ASSERT(sent_to(mac_b));
	rig_close();
}

static void test_nd_unused_neighbour_is_forgotten(void)
{
	nd_open();
	ask_us(NEW_HOST, LAN_OWN6, LAN_OWN6, mac_a);
	CU_ASSERT_EQUAL(rig_sent(LAN), 1);
	for (int i = 0; i < 125; i++)
		after(5 * SECOND_NS);
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	CU_ASSERT_EQUAL(state_of(NEW_HOST), NEIGHBOUR_FREE);
	rig_close();
}

static bool refused(const struct message *msg, enum drop_reason reason)
{
	uint64_t before = rig_drops(reason);

	message_send(msg);
	return rig_drops(reason) == before + 1 && rig_sent(LAN) == 0 && rig_counter(DP_C_PUNT_ND) == 0;
}

/* RFC 4861 7.1. */
static void test_nd_invalid_messages_are_named(void)
{
	const struct message good = {
		.type = ND_SOLICITATION, .src = NEW_HOST, .dst = "ff02::1:ff00:1", .target = LAN_OWN6, .mac = mac_a
	};
	struct message m = good;

	nd_open();
	m.hop_limit = 254;
	CU_ASSERT(refused(&m, DROP_ND));
	m = good, m.code = 1;
	CU_ASSERT(refused(&m, DROP_ND));
	m = good, m.bad_checksum = true;
	CU_ASSERT(refused(&m, DROP_ND));
	m = good, m.target = "ff02::1";
	CU_ASSERT(refused(&m, DROP_ND));
	m = good, m.mac = (const uint8_t[6]){ 3, 0, 0, 0, 0, 1 };
	CU_ASSERT(refused(&m, DROP_ND));
	m = good, m.src = "::"; /* with an option */
	CU_ASSERT(refused(&m, DROP_ND));
	m.mac = NULL, m.dst = LAN_OWN6; /* not to the group */
	CU_ASSERT(refused(&m, DROP_ND));
	m = good, m.type = ND_ADVERTISEMENT, m.dst = "ff02::1", m.flags = SOLICITED;
	CU_ASSERT(refused(&m, DROP_ND));
	rig_close();
}

static void test_nd_router_messages_are_not_heeded(void)
{
	static const uint8_t types[] = { ND_ROUTER_SOLICITATION, ND_ROUTER_ADVERTISEMENT, ND_REDIRECT };
	struct message m = { .src = LINK_HOST, .dst = "ff02::1", .target = NEW_HOST };

	nd_open();
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		m.type = types[i];
		CU_ASSERT(refused(&m, DROP_ND_IGNORED));
	}
	rig_close();
}

static void test_nd_decode_refuses_every_cut_and_option_of_no_length(void)
{
	const struct message msg = {
		.type = ND_SOLICITATION, .src = NEW_HOST, .dst = LAN_OWN6, .target = LAN_OWN6, .mac = mac_a
	};
	uint8_t f[128];
	uint16_t bytes;
	struct nd nd;

	nd_open();
	bytes = message_make(f, &msg);
	CU_ASSERT_EQUAL(nd_decode(BYTES(f, bytes), &nd), DROP_NONE);
	for (uint16_t n = 0; n < bytes; n++)
		CU_ASSERT_NOT_EQUAL(nd_decode(BYTES(f, n), &nd), DROP_NONE);
	for (uint16_t n = 55; n < bytes; n++) {
		/* cut, with a length and checksum that say so; without the option it is whole */
		bytes = message_make(f, &msg);
		checksum_fill(f, n);
		CU_ASSERT_EQUAL(nd_decode(BYTES(f, n), &nd) == DROP_NONE, n == 78);
	}
	bytes = message_make(f, &msg);
	f[79] = 0;
	checksum_fill(f, bytes);
	CU_ASSERT_EQUAL(nd_decode(BYTES(f, bytes), &nd), DROP_ND);
	f[79] = 2;
	checksum_fill(f, bytes);
	CU_ASSERT_EQUAL(nd_decode(BYTES(f, bytes), &nd), DROP_ND);
	rig_close();
}

static void test_nd_frames_to_a_group_are_for_nd_only(void)
{
	const struct probe echo = { .src = LAN_HOST6, .dst = LAN_OWN6, .protocol = IPPROTO_ICMPV6 };
	struct rte_mbuf *m;

	nd_open();
	m = rig_packet(&echo);
	uint8_t *f = (uint8_t *)rte_pktmbuf_prepend(m, 14);
	memcpy(f, "\x33\x33\xff\0\0\1\2\0\0\0\0\xaa\x86\xdd", 14);
	rig_send_mbuf(LAN, m);
	rig_step();
	CU_ASSERT_EQUAL(rig_drops(DROP_NOT_FOR_US), 1);
	/* a group that is nobody's here */
	m = rig_packet(&echo);
	f = (uint8_t *)rte_pktmbuf_prepend(m, 14);
	memcpy(f, "\x33\x33\xff\0\0\2\2\0\0\0\0\xaa\x86\xdd", 14);
	rig_send_mbuf(LAN, m);
	rig_step();
	CU_ASSERT_EQUAL(rig_drops(DROP_NOT_FOR_US), 2);
	rig_close();
}

/* ---- link-local addresses ---- */

static void test_nd_link_local_is_made_of_the_mac(void)
{
	static const uint8_t mac[6]; /* of the ring when the port was made */
	const uint8_t *a;

	nd_open();
	a = rig.dp->ports[LAN].link_local;
	CU_ASSERT_EQUAL(load_be64(a), 0xfe80000000000000u);
	CU_ASSERT(a[8] == (mac[0] ^ 2) && !memcmp(a + 9, mac + 1, 2) && a[11] == 0xff && a[12] == 0xfe &&
		  !memcmp(a + 13, mac + 3, 3));
	rig_close();
}

static void test_nd_link_local_echo_is_answered_on_its_link(void)
{
	char text[ADDR_TEXT_MAX];
	struct addr own;

	nd_open();
	/* not even a rule for everything makes it a tunnel's business */
	RIG_POLICY("protect 0 ::/0 ::/0");
	own = addr_from_bytes(ADDR_IPV6, rig.dp->ports[LAN].link_local);
	const struct probe echo = { .src = LINK_HOST, .dst = addr_format(&own, text), .protocol = IPPROTO_ICMPV6 };
	rig_send(LAN, &echo);
	rig_step();
	rig_poll();
	CU_ASSERT(asked_for(LINK_HOST, false));
	answer(LINK_HOST, mac_b, SOLICITED | OVERRIDE);
	CU_ASSERT(sent_to(mac_b));
	CU_ASSERT_EQUAL(rig_counter(DP_C_LOCAL), 1);
	/* who is on the link by another address is asked what policy asks of that, who is not is not answered */
	const struct probe beyond = { .src = FAR_HOST6, .dst = text, .protocol = IPPROTO_ICMPV6 };
	const struct probe global = { .src = LAN_HOST6, .dst = text, .protocol = IPPROTO_ICMPV6 };
	CU_ASSERT(dropped_as(LAN, &beyond, DROP_REVERSE_PATH));
	CU_ASSERT(dropped_as(LAN, &global, DROP_INBOUND_CLEAR));
	/* it is no address of the other link, where the ring has the same MAC */
	rig.dp->ports[WAN].link_local[15] = 9;
	CU_ASSERT(dropped_as(WAN, &echo, DROP_MARTIAN));
	RIG_POLICY("discard ::/0 ::/0");
	CU_ASSERT(dropped_as(LAN, &echo, DROP_DISCARD));
	rig_close();
}

static void test_nd_link_local_is_not_forwarded(void)
{
	const struct probe from = { .src = LINK_HOST, .dst = WAN_PEER6 }, to = { .src = LAN_HOST6, .dst = "fe80::99" };

	nd_open();
	CU_ASSERT(dropped_as(LAN, &from, DROP_MARTIAN));
	CU_ASSERT(dropped_as(LAN, &to, DROP_MARTIAN));
	rig_close();
}

static void test_nd_route_through_a_link_local_next_hop(void)
{
	const struct probe p = { .src = LAN_HOST6, .dst = FAR_HOST6 };
	struct datapath_route route = { .on_port = true, .port = WAN };
	struct spd_rule all = { .action = SPD_BYPASS };
	struct selector any;
	const char *reason;

	nd_open();
	selector_parse("::/0", &any);
	all.local = all.remote = (struct selector_list){ .count = 1, .items = { any } };
	prefix_parse("2001:db8:2::/48", &route.prefix);
	addr_parse("fe80::1", &route.via);
	const struct datapath_snapshot s = { &all, 1, &route, 1 };
	CU_ASSERT_EQUAL_FATAL(datapath_neighbour_add(rig.dp, WAN, &route.via, mac_b), 0);
	CU_ASSERT_EQUAL_FATAL(datapath_publish(rig.dp, &s, &reason), 0);
	rig_send(LAN, &p);
	rig_step();
	struct rte_mbuf *m = rig_receive(WAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod(m, void *), mac_b, 6), 0);
	rte_pktmbuf_free(m);
	/* which link? */
	route.on_port = false;
	CU_ASSERT_EQUAL(datapath_publish(rig.dp, &s, &reason), -EINVAL);
	rig_close();
}

/* ---- floods ---- */

/* A flood of many seconds takes less: limits are by the worker's clock. */
static void flood_open(void)
{
	nd_open();
	rig.dp->cycles_per_s /= 1000;
}

static void sent_forget(void)
{
	rig_sent(LAN);
	rig_sent(WAN);
}

/* One that answered, and is in use. */
static void establish(void)
{
	ask_for_new_host();
	answer(NEW_HOST, mac_a, SOLICITED | OVERRIDE);
	rig_sent(LAN);
}

static bool established_works(void)
{
	rig_sent(LAN);
	rig_send(WAN, &to_new_host);
	rig_step();
	return sent_to(mac_a);
}

static void flood_check(void)
{
	struct neighbour_table *t = rig.dp->neighbours;

	CU_ASSERT(established_works());
	CU_ASSERT(t->unproven_count <= NEIGHBOURS_UNPROVEN_MAX);
	CU_ASSERT(t->entry_count <= NEIGHBOURS_UNPROVEN_MAX + RIG_NEIGHBOURS + 1);
	CU_ASSERT(t->held_total <= NEIGHBOURS_HELD_MAX);
	/* and a new one is found in the middle of it */
	sent_forget();
	const struct probe other = { .src = WAN_PEER6, .dst = "2001:db8:1::51" };
	rig_send(WAN, &other);
	rig_step();
	rig_poll();
	answer("2001:db8:1::51", mac_b, SOLICITED | OVERRIDE);
	CU_ASSERT_EQUAL(state_of("2001:db8:1::51"), NEIGHBOUR_REACHABLE);
	/* all of it ends */
	for (int i = 0; i < 140; i++) {
		sent_forget();
		reclaim_poll(rig.ips);
		after(5 * SECOND_NS);
	}
	CU_ASSERT_EQUAL(t->held_total, 0);
	CU_ASSERT_EQUAL(t->unproven_count, 0);
	rig_sent(LAN);
	rig_sent(WAN);
	rig_close();
}

/* More questions than a port may bring, from as many senders. */
static void solicitations_flood(void)
{
	uint64_t limited = rig_drops(DROP_RATE_LIMIT);
	char source[ADDR_TEXT_MAX];

	for (unsigned i = 0; i < 100000 && rig_drops(DROP_RATE_LIMIT) < limited + 200; i++) {
		if (i % 64 == 0)
			sent_forget();
		reclaim_poll(rig.ips);
		snprintf(source, sizeof(source), "2001:db8:1::9:%x", i + 1);
		ask_us(source, "ff02::1:ff00:1", LAN_OWN6, mac_b);
	}
	CU_ASSERT(rig_drops(DROP_RATE_LIMIT) >= limited + 200);
}

static void test_nd_flood_of_solicitations_leaves_neighbours_alone(void)
{
	char source[ADDR_TEXT_MAX];

	flood_open();
	establish();
	for (unsigned i = 0; i < 10000; i++) {
		if (i % 64 == 0)
			sent_forget();
		reclaim_poll(rig.ips);
		snprintf(source, sizeof(source), "2001:db8:1::6:%x", i + 1);
		ask_us(source, "ff02::1:ff00:1", LAN_OWN6, mac_b);
	}
	flood_check();
}

static void test_nd_flood_of_packets_to_absent_hosts_leaves_neighbours_alone(void)
{
	char destination[ADDR_TEXT_MAX];

	flood_open();
	establish();
	for (unsigned i = 0; i < 10000; i++) {
		const struct probe p = { .src = WAN_PEER6, .dst = destination };
		if (i % 64 == 0)
			sent_forget();
		reclaim_poll(rig.ips);
		snprintf(destination, sizeof(destination), "2001:db8:1::7:%x", i + 1);
		rig_send(WAN, &p);
		rig_step();
		rig_poll();
	}
	CU_ASSERT(rig_drops(DROP_NEIGHBOUR) > 0);
	flood_check();
}

/* A worker that does not report: indexes do not come back, and what finds no room is named. */
static void test_nd_flood_without_grace_periods_is_named(void)
{
	char source[ADDR_TEXT_MAX];

	flood_open();
	establish();
	fake.hold_reclaim = true;
	for (unsigned i = 0; i < 6000; i++) {
		if (i % 64 == 0)
			sent_forget();
		snprintf(source, sizeof(source), "2001:db8:1::8:%x", i + 1);
		ask_us(source, "ff02::1:ff00:1", LAN_OWN6, mac_b);
	}
	CU_ASSERT(rig_drops(DROP_NEIGHBOURS_FULL) > 1000);
	CU_ASSERT(established_works());
	fake.hold_reclaim = false;
	reclaim_poll(rig.ips);
	rig_sent(LAN);
	rig_close();
}

/* The proof of a neighbour runs out while its link is flooded: it is asked, and its answer heard. */
static void test_nd_flood_does_not_drown_answers(void)
{
	nd_open();
	establish();
	for (int turn = 0; turn < 5; turn++) {
		solicitations_flood();
		CU_ASSERT(established_works());
		after(rig.dp->neighbour_timers.reachable_ms * 1000000ull);
		CU_ASSERT_EQUAL(state_of(NEW_HOST), NEIGHBOUR_PROBE);
		answer(NEW_HOST, mac_a, SOLICITED | OVERRIDE);
		CU_ASSERT_EQUAL(state_of(NEW_HOST), NEIGHBOUR_REACHABLE);
		/* and it may ask for us meanwhile */
		rig_sent(LAN);
		ask_us(NEW_HOST, "ff02::1:ff00:1", LAN_OWN6, mac_a);
		CU_ASSERT(sent_to(mac_a));
	}
	rig_sent(LAN);
	rig_close();
}

/* Somebody has our address: that is heard whatever else is on the link (RFC 4862 5.4). */
static void test_nd_flood_does_not_hide_a_duplicate(void)
{
	nd_open();
	solicitations_flood();
	rig.dp->neighbour_timers.dad_probes = 1;
	dad_start(rig.dp);
	answer(LAN_OWN6, mac_b, OVERRIDE);
	CU_ASSERT_EQUAL(port_own6_state(&rig.dp->ports[LAN], PORT_GLOBAL), DATAPATH_ADDRESS_DUPLICATE);
	sent_forget();
	rig_close();
}

static void test_nd_flood_is_limited_and_starves_no_other_class(void)
{
	const struct message nd = {
		.type = ND_SOLICITATION, .src = NEW_HOST, .dst = "ff02::1:ff00:1", .target = LAN_OWN6, .mac = mac_a
	};
	uint8_t f[128];
	uint16_t bytes;

	nd_open();
	bytes = message_make(f, &nd);
	for (unsigned i = 0; i < 100000 && !rig_drops(DROP_RATE_LIMIT); i++) {
		rig_send_frame(LAN, f, bytes);
		rig_step();
		if (i % 64 == 63)
			rig_poll();
		rig_sent(LAN);
	}
	CU_ASSERT(rig_drops(DROP_RATE_LIMIT) > 0);
	const struct probe p = { .src = WAN_PEER, .dst = "10.1.0.50" };
	rig_send(WAN, &p);
	rig_step();
	CU_ASSERT_EQUAL(rig_counter(DP_C_HELD), 1);
	for (int i = 0; i < 4; i++)
		after(SECOND_NS);
	CU_ASSERT(is_refusal(WAN, 0x0301));
	rig_sent(LAN);
	rig_close();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_nd_resolves_and_sends_what_waited),
		TEST(test_nd_silence_is_told_to_the_sender),
		TEST(test_nd_answers_for_our_own_addresses),
		TEST(test_nd_answers_for_what_lies_behind_a_tunnel),
		TEST(test_nd_defends_our_addresses),
		TEST(test_nd_start_asks_for_our_addresses),
		TEST(test_nd_without_probes_addresses_are_used_at_once),
		TEST(test_nd_tentative_addresses_are_not_used),
		TEST(test_nd_duplicate_address_stays_unused),
		TEST(test_nd_own_probe_heard_again_is_no_duplicate),
		TEST(test_nd_believes_nobody_it_does_not_know),
		TEST(test_nd_override_decides_whether_a_mac_changes),
		TEST(test_nd_used_neighbour_is_asked_again_and_lost_when_silent),
		TEST(test_nd_unused_neighbour_is_forgotten),
		TEST(test_nd_invalid_messages_are_named),
		TEST(test_nd_router_messages_are_not_heeded),
		TEST(test_nd_decode_refuses_every_cut_and_option_of_no_length),
		TEST(test_nd_frames_to_a_group_are_for_nd_only),
		TEST(test_nd_link_local_is_made_of_the_mac),
		TEST(test_nd_link_local_echo_is_answered_on_its_link),
		TEST(test_nd_link_local_is_not_forwarded),
		TEST(test_nd_route_through_a_link_local_next_hop),
		TEST(test_nd_flood_of_solicitations_leaves_neighbours_alone),
		TEST(test_nd_flood_of_packets_to_absent_hosts_leaves_neighbours_alone),
		TEST(test_nd_flood_without_grace_periods_is_named),
		TEST(test_nd_flood_does_not_drown_answers),
		TEST(test_nd_flood_does_not_hide_a_duplicate),
		TEST(test_nd_flood_is_limited_and_starves_no_other_class),
	};

	rig_eal();
	return test_main("datapath_nd", tests, ARRAY_LEN(tests), argc, argv);
}
