/* SPDX-License-Identifier: BSD-3-Clause */
/* Cursors: what fits, what does not, and that a failed one never touches memory again. Hexadecimal both ways. */
#include "bytes.h"

#include <errno.h>
#include <stdlib.h>

#include "base.h"
#include "harness.h"

static void test_load_store_round_trip(void)
{
	uint8_t b[8];

	store_be16(b, 0x8001);
	CU_ASSERT_EQUAL(load_be16(b), 0x8001);
	CU_ASSERT(b[0] == 0x80 && b[1] == 0x01);
	store_be32(b, 0x80000102);
	CU_ASSERT_EQUAL(load_be32(b), 0x80000102);
	store_be64(b, 0x8182838485868788);
	CU_ASSERT_EQUAL(load_be64(b), 0x8182838485868788);
	CU_ASSERT(b[0] == 0x81 && b[7] == 0x88);
}

static void test_reader_reads_in_network_order(void)
{
	static const uint8_t data[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17 };
	struct reader r = reader_init(BYTES_OF(data));

	CU_ASSERT_EQUAL(reader_u8(&r), 1);
	CU_ASSERT_EQUAL(reader_u16(&r), 0x0203);
	CU_ASSERT_EQUAL(reader_u32(&r), 0x04050607);
	CU_ASSERT_EQUAL(reader_u64(&r), 0x08090a0b0c0d0e0f);
	CU_ASSERT_EQUAL(reader_offset(&r), 15);
	CU_ASSERT_EQUAL(reader_left(&r), 2);
	CU_ASSERT(bytes_equal(reader_rest(&r), BYTES(data + 15, 2)));
	CU_ASSERT_EQUAL(reader_left(&r), 0);
	CU_ASSERT_FALSE(r.failed);
}

/* Every kind of read at every short length: fails, yields zero, does not move. The buffers are heap blocks of the exact
 * size, so that a sanitizer sees a read beyond. */
static void test_reader_refuses_what_does_not_fit(void)
{
	for (size_t len = 0; len < 8; len++) {
		uint8_t *data = malloc(len + !len);
		memset(data, 0xff, len);
		for (int kind = 0; kind < 5; kind++) {
			static const size_t sizes[] = { 1, 2, 4, 8, 9 };
			struct reader r = reader_init(BYTES(data, len));
			uint64_t v = kind == 0   ? reader_u8(&r)
				     : kind == 1 ? reader_u16(&r)
				     : kind == 2 ? reader_u32(&r)
				     : kind == 3 ? reader_u64(&r)
						 : (reader_bytes(&r, 9).data != NULL);
			CU_ASSERT_EQUAL(r.failed, len < sizes[kind]);
			CU_ASSERT_EQUAL(v != 0, len >= sizes[kind]);
			CU_ASSERT_EQUAL(reader_offset(&r), r.failed ? 0 : sizes[kind]);
		}
		free(data);
	}
}

static void test_reader_stays_failed(void)
{
	static const uint8_t data[] = { 1, 2, 3 };
	struct reader r = reader_init(BYTES_OF(data));

	CU_ASSERT_EQUAL(reader_u32(&r), 0);
	CU_ASSERT_EQUAL(reader_u8(&r), 0);
	CU_ASSERT_EQUAL(reader_u16(&r), 0);
	CU_ASSERT_PTR_NULL(reader_rest(&r).data);
	CU_ASSERT_PTR_NULL(reader_take(&r, 0));
	CU_ASSERT(r.failed);
	CU_ASSERT_EQUAL(reader_offset(&r), 0);
}

static void test_reader_refuses_huge_lengths(void)
{
	static const uint8_t data[] = { 1, 2, 3 };
	static const size_t lengths[] = { SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2 + 1, (size_t)1 << 32, 4 };

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct reader r = reader_init(BYTES_OF(data));
		reader_u8(&r);
		CU_ASSERT_PTR_NULL(reader_take(&r, lengths[i]));
		CU_ASSERT(r.failed);
	}
}

static void test_reader_of_nothing(void)
{
	struct reader r = reader_init(BYTES_NONE);

	CU_ASSERT_EQUAL(reader_left(&r), 0);
	CU_ASSERT_EQUAL(reader_offset(&r), 0);
	CU_ASSERT_EQUAL(reader_rest(&r).len, 0);
	CU_ASSERT_FALSE(r.failed);
	CU_ASSERT_EQUAL(reader_u8(&r), 0);
	CU_ASSERT(r.failed);
}

static void test_writer_writes_in_network_order(void)
{
	uint8_t out[19];
	struct writer w = writer_init(out, sizeof(out));
	static const uint8_t expected[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 'a', 'b', 0, 0 };

	writer_u8(&w, 1);
	writer_u16(&w, 0x0203);
	writer_u32(&w, 0x04050607);
	writer_u64(&w, 0x08090a0b0c0d0e0f);
	writer_bytes(&w, BYTES("ab", 2));
	writer_zero(&w, 2);
	CU_ASSERT_FALSE(w.failed);
	CU_ASSERT(bytes_equal(writer_view(&w), BYTES_OF(expected)));
	writer_u8(&w, 1);
	CU_ASSERT(w.failed);
	CU_ASSERT_EQUAL(w.len, sizeof(out));
}

static void test_writer_refuses_what_does_not_fit(void)
{
	for (size_t capacity = 0; capacity < 8; capacity++) {
		uint8_t *out = malloc(capacity + !capacity);
		struct writer w = writer_init(out, capacity);
		writer_u64(&w, 1);
		CU_ASSERT(w.failed);
		CU_ASSERT_EQUAL(w.len, 0);
		writer_u8(&w, 1);
		CU_ASSERT_EQUAL(w.len, 0);
		w = writer_init(out, capacity);
		writer_zero(&w, capacity + 1);
		CU_ASSERT(w.failed);
		w = writer_init(out, capacity);
		CU_ASSERT_PTR_NULL(writer_reserve(&w, SIZE_MAX));
		CU_ASSERT(w.failed);
		free(out);
	}
}

static void test_writer_of_nothing(void)
{
	struct writer w = writer_init(NULL, 0);

	writer_bytes(&w, BYTES_NONE);
	writer_zero(&w, 0);
	CU_ASSERT_FALSE(w.failed);
	CU_ASSERT_EQUAL(writer_view(&w).len, 0);
	writer_u8(&w, 1);
	CU_ASSERT(w.failed);
}

static void test_writer_patches_only_what_was_written(void)
{
	uint8_t out[8] = { 0 };
	struct writer w = writer_init(out, sizeof(out));

	writer_patch_u16(&w, 0, 7);
	CU_ASSERT(w.failed);
	w = writer_init(out, sizeof(out));
	writer_u32(&w, 0);
	writer_patch_u16(&w, 2, 0x1234);
	CU_ASSERT_FALSE(w.failed);
	CU_ASSERT(out[2] == 0x12 && out[3] == 0x34);
	writer_patch_u16(&w, 3, 0xffff);
	CU_ASSERT(w.failed);
	CU_ASSERT(out[3] == 0x34 && out[4] == 0);
	w.failed = false;
	writer_patch_u16(&w, SIZE_MAX, 0xffff);
	CU_ASSERT(w.failed);
}

static void test_bytes_equal_compares_length_and_content(void)
{
	CU_ASSERT(bytes_equal(BYTES("abc", 3), BYTES("abc", 3)));
	CU_ASSERT_FALSE(bytes_equal(BYTES("abc", 3), BYTES("abc", 2)));
	CU_ASSERT_FALSE(bytes_equal(BYTES("abc", 3), BYTES("abd", 3)));
	CU_ASSERT(bytes_equal(BYTES_NONE, BYTES("", 0)));
}

static void test_hex_decodes_its_forms(void)
{
	static const char *const forms[] = { "0102ab", "0x0102AB", "0X0102ab", "01:02:ab", "01_02_aB", "01:02_ab" };
	uint8_t out[3];

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		memset(out, 0, sizeof(out));
		CU_ASSERT_EQUAL(hex_decode(forms[i], out, sizeof(out)), 3);
		CU_ASSERT_EQUAL(memcmp(out, "\x01\x02\xab", 3), 0);
	}
	CU_ASSERT_EQUAL(hex_decode("", out, 0), 0);
	CU_ASSERT_EQUAL(hex_decode("0x", out, 0), 0);
}

static void test_hex_refuses_other_text(void)
{
	static const char *const bad[] = { "0", "012", "0g", "g0", " 01", "01 ", "01:", ":01", "01::02", "0x0",
		"0x0x01", "01-02", "-1", "0:1", "\xc3\xa4" };
	uint8_t out[8];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CU_ASSERT_EQUAL(hex_decode(bad[i], out, sizeof(out)), -EINVAL);
}

static void test_hex_respects_capacity(void)
{
	uint8_t out[3] = { 0, 0, 0x5a };

	CU_ASSERT_EQUAL(hex_decode("0102", out, 2), 2);
	CU_ASSERT_EQUAL(hex_decode("010203", out, 2), -ENOSPC);
	CU_ASSERT_EQUAL(hex_decode("01", out, 0), -ENOSPC);
	CU_ASSERT_EQUAL(out[2], 0x5a);
}

static void test_hex_encodes_every_byte(void)
{
	uint8_t all[256], back[256];
	char text[513];

	for (int i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	CU_ASSERT_EQUAL(strlen(hex_encode(BYTES_OF(all), text)), 512);
	CU_ASSERT_EQUAL(memcmp(text, "000102", 6), 0);
	CU_ASSERT_STRING_EQUAL(text + 506, "fdfeff");
	CU_ASSERT_EQUAL(hex_decode(text, back, sizeof(back)), 256);
	CU_ASSERT_EQUAL(memcmp(all, back, sizeof(all)), 0);
	CU_ASSERT_STRING_EQUAL(hex_encode(BYTES_NONE, text), "");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_load_store_round_trip),
		TEST(test_reader_reads_in_network_order),
		TEST(test_reader_refuses_what_does_not_fit),
		TEST(test_reader_stays_failed),
		TEST(test_reader_refuses_huge_lengths),
		TEST(test_reader_of_nothing),
		TEST(test_writer_writes_in_network_order),
		TEST(test_writer_refuses_what_does_not_fit),
		TEST(test_writer_of_nothing),
		TEST(test_writer_patches_only_what_was_written),
		TEST(test_bytes_equal_compares_length_and_content),
		TEST(test_hex_decodes_its_forms),
		TEST(test_hex_refuses_other_text),
		TEST(test_hex_respects_capacity),
		TEST(test_hex_encodes_every_byte),
	};

	return test_main("base_bytes", tests, ARRAY_LEN(tests), argc, argv);
}
