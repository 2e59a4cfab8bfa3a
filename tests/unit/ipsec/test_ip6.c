/* SPDX-License-Identifier: BSD-3-Clause */
/* The walk along IPv6 extension headers: chains as they are sent, cut at every byte, lying about lengths, too long. */
#include "harness.h"
#include "base.h"
#include "ip6.h"

#define ROOM 512

static uint8_t packet[ROOM];
static struct ip6_layout l;

/* An IPv6 header whose chain is `protocols`; each extension header has 8 bytes. Returns the bytes with 8 of payload. */
static uint32_t chain_make(const uint8_t *protocols, size_t count)
{
	uint32_t at = 40;

	memset(packet, 0, sizeof(packet));
	packet[0] = 0x60;
	packet[6] = protocols[0];
	for (size_t i = 1; i < count; i++, at += 8)
		packet[at] = protocols[i];
	store_be16(packet + 4, (uint16_t)(at + 8 - 40));
	return at + 8;
}

#define CHAIN(...) chain_make((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void test_ip6_without_extension_headers(void)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMPV6, IPPROTO_ESP, IPPROTO_AH,
		IPPROTO_NONE };

	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		uint32_t n = CHAIN(protocols[i]);
		CU_ASSERT_EQUAL(ip6_walk(packet, n, &l), IP6_WALK_GOOD);
		CU_ASSERT(l.protocol == protocols[i] && l.offset == 40 && l.next_offset == 6);
		CU_ASSERT(!l.has_fragment_header && !l.routing && l.insert_offset == 40 && l.insert_next == 6);
	}
}

/* RFC 4303 3.1.1: ESP goes behind hop-by-hop, routing and fragment headers; destination options may stand on either
 * side. */
static void test_ip6_place_of_esp_in_transport_mode(void)
{
	uint32_t n = CHAIN(IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT, IPPROTO_DSTOPTS, IPPROTO_TCP);

	CU_ASSERT_EQUAL(ip6_walk(packet, n, &l), IP6_WALK_GOOD);
	CU_ASSERT(l.protocol == IPPROTO_TCP && l.offset == 72 && l.next_offset == 64);
	CU_ASSERT(l.insert_offset == 64 && l.insert_next == 56);
	CU_ASSERT_TRUE(l.has_fragment_header);
	n = CHAIN(IPPROTO_DSTOPTS, IPPROTO_ROUTING, IPPROTO_UDP);
	CU_ASSERT_EQUAL(ip6_walk(packet, n, &l), IP6_WALK_GOOD);
	CU_ASSERT(l.offset == 56 && l.insert_offset == 56 && l.insert_next == 48);
	n = CHAIN(IPPROTO_DSTOPTS, IPPROTO_UDP);
	CU_ASSERT_EQUAL(ip6_walk(packet, n, &l), IP6_WALK_GOOD);
	CU_ASSERT(l.offset == 48 && l.insert_offset == 40 && l.insert_next == 6);
}

static void test_ip6_long_extension_header(void)
{
	uint32_t n = CHAIN(IPPROTO_HOPOPTS, IPPROTO_UDP);

	packet[41] = 3; /* 32 bytes */
	CU_ASSERT_EQUAL(ip6_walk(packet, n + 24, &l), IP6_WALK_GOOD);
	CU_ASSERT(l.protocol == IPPROTO_UDP && l.offset == 72 && l.next_offset == 40);
	CU_ASSERT_EQUAL(ip6_walk(packet, 72, &l), IP6_WALK_GOOD); /* nothing behind it */
	CU_ASSERT_EQUAL(ip6_walk(packet, 71, &l), IP6_WALK_SHORT);
	packet[41] = 255;
	CU_ASSERT_EQUAL(ip6_walk(packet, ROOM, &l), IP6_WALK_SHORT);
}

static void test_ip6_cut_anywhere(void)
{
	uint32_t n = CHAIN(IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, IPPROTO_FRAGMENT, IPPROTO_TCP);

	for (uint32_t cut = 0; cut < n; cut++)
		CU_ASSERT_EQUAL(ip6_walk(packet, cut, &l), cut < 64 ? IP6_WALK_SHORT : IP6_WALK_GOOD);
}

static void test_ip6_chain_too_long(void)
{
	uint8_t chain[IP6_HEADERS_MAX + 2];

	memset(chain, IPPROTO_DSTOPTS, sizeof(chain));
	chain[IP6_HEADERS_MAX] = IPPROTO_TCP;
	uint32_t n = chain_make(chain, IP6_HEADERS_MAX + 1);
	CU_ASSERT_EQUAL(ip6_walk(packet, n, &l), IP6_WALK_GOOD);
	CU_ASSERT_EQUAL(l.offset, 40 + 8 * IP6_HEADERS_MAX);
	chain[IP6_HEADERS_MAX] = IPPROTO_DSTOPTS;
	chain[IP6_HEADERS_MAX + 1] = IPPROTO_TCP;
	n = chain_make(chain, IP6_HEADERS_MAX + 2);
	CU_ASSERT_EQUAL(ip6_walk(packet, n, &l), IP6_WALK_TOO_MANY);
}

/* Behind the header of a later fragment is data: nothing of it is taken for a header. */
static void test_ip6_fragments(void)
{
	uint32_t n = CHAIN(IPPROTO_FRAGMENT, IPPROTO_DSTOPTS, IPPROTO_UDP);

	CU_ASSERT_EQUAL(ip6_walk(packet, n, &l), IP6_WALK_GOOD);
	CU_ASSERT(l.has_fragment_header && !ip6_is_fragment(&l) && l.protocol == IPPROTO_UDP); /* atomic, RFC 6946 */
	store_be16(packet + 42, 1);
	CU_ASSERT_EQUAL(ip6_walk(packet, n, &l), IP6_WALK_GOOD);
	CU_ASSERT(ip6_is_fragment(&l) && !ip6_is_later_fragment(&l) && l.protocol == IPPROTO_UDP && l.offset == 56);
	store_be16(packet + 42, 8);
	CU_ASSERT_EQUAL(ip6_walk(packet, n, &l), IP6_WALK_GOOD);
	CU_ASSERT(ip6_is_later_fragment(&l) && l.protocol == IPPROTO_DSTOPTS && l.offset == 48);
	store_be16(packet + 42, 6); /* reserved bits */
	CU_ASSERT_EQUAL(ip6_walk(packet, n, &l), IP6_WALK_GOOD);
	CU_ASSERT_FALSE(ip6_is_fragment(&l));
}

/* A piece of a datagram stays one, whatever its data says: another fragment header in it takes nothing back. */
static void test_ip6_fragment_header_within_a_fragment(void)
{
	uint32_t n = CHAIN(IPPROTO_FRAGMENT, IPPROTO_FRAGMENT, IPPROTO_UDP);

	CU_ASSERT_EQUAL(ip6_walk(packet, n, &l), IP6_WALK_GOOD);
	CU_ASSERT(!ip6_is_fragment(&l) && l.protocol == IPPROTO_UDP);
	store_be16(packet + 42, 1);
	CU_ASSERT_EQUAL(ip6_walk(packet, n, &l), IP6_WALK_GOOD);
	CU_ASSERT(ip6_is_fragment(&l) && !ip6_is_later_fragment(&l) && l.protocol == IPPROTO_UDP);
	store_be16(packet + 42, 0);
	store_be16(packet + 50, 1);
	CU_ASSERT_EQUAL(ip6_walk(packet, n, &l), IP6_WALK_GOOD);
	CU_ASSERT(ip6_is_fragment(&l));
	store_be16(packet + 42, 1);
	store_be16(packet + 50, 8);
	CU_ASSERT_EQUAL(ip6_walk(packet, n, &l), IP6_WALK_GOOD);
	CU_ASSERT(ip6_is_later_fragment(&l));
}

static void test_ip6_routing_header_with_segments_left(void)
{
	uint32_t n = CHAIN(IPPROTO_ROUTING, IPPROTO_UDP);

	CU_ASSERT_EQUAL(ip6_walk(packet, n, &l), IP6_WALK_GOOD);
	CU_ASSERT_FALSE(l.routing);
	packet[43] = 1;
	CU_ASSERT_EQUAL(ip6_walk(packet, n, &l), IP6_WALK_GOOD);
	CU_ASSERT_TRUE(l.routing);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_ip6_without_extension_headers),
		TEST(test_ip6_place_of_esp_in_transport_mode),
		TEST(test_ip6_long_extension_header),
		TEST(test_ip6_cut_anywhere),
		TEST(test_ip6_chain_too_long),
		TEST(test_ip6_fragments),
		TEST(test_ip6_fragment_header_within_a_fragment),
		TEST(test_ip6_routing_header_with_segments_left),
	};

	return test_main("ipsec_ip6", tests, ARRAY_LEN(tests), argc, argv);
}
