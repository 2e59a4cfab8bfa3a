/* SPDX-License-Identifier: BSD-3-Clause */
/* Blocks of pcapng against the format: lengths at both ends, padding, options; and what does not fit. */
#include "base.h"
#include "harness.h"
#include "pcapng_priv.h"

static uint8_t memory[4096];

static uint32_t word_at(size_t offset)
{
	uint32_t v;

	memcpy(&v, memory + offset, sizeof(v));
	return v;
}

static uint16_t half_at(size_t offset)
{
	uint16_t v;

	memcpy(&v, memory + offset, sizeof(v));
	return v;
}

/* A block's length stands in front and behind. */
static bool block_whole(const struct writer *w)
{
	return !w->failed && word_at(4) == w->len && word_at(w->len - 4) == w->len && w->len % 4 == 0;
}

static void test_pcapng_section_tells_its_byte_order(void)
{
	struct writer w = writer_init(memory, sizeof(memory));

	pcapng_section(&w, "test 1");
	CU_ASSERT_TRUE(block_whole(&w));
	CU_ASSERT_EQUAL(word_at(0), 0x0a0d0d0a);
	CU_ASSERT_EQUAL(word_at(8), 0x1a2b3c4d);
	CU_ASSERT_EQUAL(half_at(12), 1);
	CU_ASSERT_EQUAL(half_at(14), 0);
}

static void test_pcapng_interface_has_name_and_nanoseconds(void)
{
	struct writer w = writer_init(memory, sizeof(memory));

	pcapng_interface(&w, "lan", PCAPNG_RAW_IP, 2048);
	CU_ASSERT_TRUE(block_whole(&w));
	CU_ASSERT_EQUAL(word_at(0), 1);
	CU_ASSERT_EQUAL(half_at(8), 101);
	CU_ASSERT_EQUAL(word_at(12), 2048);
	CU_ASSERT_EQUAL(half_at(16), 2);
	CU_ASSERT_EQUAL(half_at(18), 3);
	CU_ASSERT_EQUAL(memcmp(memory + 20, "lan", 4), 0);
	CU_ASSERT_EQUAL(half_at(24), 9);
	CU_ASSERT_EQUAL(memory[28], 9);
}

static void test_pcapng_packet_is_padded_and_says_where_it_went(void)
{
	const struct pcapng_packet p = { .interface = 1,
		.time_ns = 0x1122334455667788ull,
		.length = 1500,
		.data = BYTES("abcde", 5),
		.outbound = true,
		.comment = "dropped" };
	struct writer w = writer_init(memory, sizeof(memory));

	pcapng_packet(&w, &p);
	CU_ASSERT_TRUE(block_whole(&w));
	CU_ASSERT_EQUAL(word_at(0), 6);
	CU_ASSERT_EQUAL(word_at(8), 1);
	CU_ASSERT_EQUAL(word_at(12), 0x11223344);
	CU_ASSERT_EQUAL(word_at(16), 0x55667788);
	CU_ASSERT_EQUAL(word_at(20), 5);
	CU_ASSERT_EQUAL(word_at(24), 1500);
	CU_ASSERT_EQUAL(memcmp(memory + 28, "abcde\0\0", 8), 0);
	CU_ASSERT_EQUAL(half_at(36), 2);
	CU_ASSERT_EQUAL(word_at(40), 2);
	CU_ASSERT_EQUAL(half_at(44), 1);
	CU_ASSERT_EQUAL(half_at(46), 7);
}

static void test_pcapng_long_texts_are_cut_and_little_room_fails(void)
{
	char text[1000];
	struct pcapng_packet p = { .data = BYTES("a", 1), .comment = text };
	struct writer w = writer_init(memory, sizeof(memory));

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	pcapng_packet(&w, &p);
	CU_ASSERT_TRUE(block_whole(&w));
	CU_ASSERT_TRUE(w.len < PCAPNG_BLOCK_EXTRA);
	for (size_t room = 0; room < 60; room++) {
		w = writer_init(memory, room);
		pcapng_packet(&w, &p);
		CU_ASSERT_TRUE(w.failed);
	}
}

static const struct test tests[] = {
	TEST(test_pcapng_section_tells_its_byte_order),
	TEST(test_pcapng_interface_has_name_and_nanoseconds),
	TEST(test_pcapng_packet_is_padded_and_says_where_it_went),
	TEST(test_pcapng_long_texts_are_cut_and_little_room_fails),
};

int main(int argc, char **argv)
{
	return test_main("control_pcapng", tests, ARRAY_LEN(tests), argc, argv);
}
