/* SPDX-License-Identifier: BSD-3-Clause */
/* Who gets which address of a pool, now, later, and after a restart. */
#include "leases_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness.h"

#define SECOND 1000000000ull
#define ANY    ((struct addr){ 0 })

static struct address_pool pool;
static struct leases *leases;
static const char *reason;

static struct address_pool pool_of(const char *name, const char *first, const char *second)
{
	struct address_pool p = { .hold_ns = 60 * SECOND };
	const char *ranges[] = { first, second };

	snprintf(p.name, sizeof(p.name), "%s", name);
	for (size_t i = 0; i < ARRAY_LEN(ranges) && ranges[i]; i++)
		CU_ASSERT_EQUAL_FATAL(selector_parse(ranges[i], &p.addresses.items[p.addresses.count++]), 0);
	return p;
}

static struct addr addr_of(const char *text)
{
	struct addr a;

	CU_ASSERT_EQUAL_FATAL(addr_parse(text, &a), 0);
	return a;
}

static void begin(const char *first, const char *second, const char *path)
{
	pool = pool_of("staff", first, second);
	leases = leases_create(&pool, 1, path, 0, &reason);
	CU_ASSERT_PTR_NOT_NULL_FATAL(leases);
}

/* Who gets what at which second; "-28" and the like: that error. */
static void taken_as(const char *who, struct addr wanted, uint64_t second, const char *expected)
{
	struct identity id;
	struct addr got = { 0 };
	char text[ADDR_TEXT_MAX];
	uint8_t family = strchr(expected, ':') ? ADDR_IPV6 : ADDR_IPV4;

	CU_ASSERT_EQUAL_FATAL(identity_parse(who, &id), 0);
	int err = leases_take(leases, &pool, family, &id, &wanted, second * SECOND, &got);
	if (err)
		snprintf(text, sizeof(text), "%d", err);
	else
		addr_format(&got, text);
	CU_ASSERT_STRING_EQUAL(text, expected);
	if (strcmp(text, expected) != 0)
		printf("# %s got %s, expected %s\n", who, text, expected);
}

static void given_back(const char *text, uint64_t second)
{
	struct addr a = addr_of(text);

	leases_give_back(leases, &pool, &a, second * SECOND);
}

static void test_lease_each_identity_its_own(void)
{
	begin("10.8.0.1-10.8.0.2", "10.8.0.9", NULL);
	taken_as("a.example", ANY, 1, "10.8.0.1");
	taken_as("b.example", ANY, 1, "10.8.0.2");
	taken_as("c.example", ANY, 1, "10.8.0.9");
	taken_as("d.example", ANY, 1, "-28");
	CU_ASSERT_EQUAL(leases_taken(leases, &pool, ADDR_IPV4), 3);
	CU_ASSERT_EQUAL(leases_pool_size(&pool, ADDR_IPV4), 3);
	leases_free(leases);
}

static void test_lease_same_identity_same_address(void)
{
	begin("10.8.0.0/24", NULL, NULL);
	taken_as("a.example", ANY, 1, "10.8.0.0");
	/* while its old IKE SA is still there: it begins anew, or authenticates again */
	taken_as("a.example", ANY, 2, "10.8.0.0");
	given_back("10.8.0.0", 3);
	CU_ASSERT_EQUAL(leases_taken(leases, &pool, ADDR_IPV4), 1);
	given_back("10.8.0.0", 4);
	CU_ASSERT_EQUAL(leases_taken(leases, &pool, ADDR_IPV4), 0);
	/* twice too often changes nothing */
	given_back("10.8.0.0", 4);
	taken_as("b.example", ANY, 1000, "10.8.0.1");
	taken_as("a.example", ANY, 1000, "10.8.0.0");
	leases_free(leases);
}

static void test_lease_wanted_address(void)
{
	begin("10.8.0.0/24", NULL, NULL);
	taken_as("a.example", addr_of("10.8.0.77"), 1, "10.8.0.77");
	/* somebody's, not of the pool, of another family */
	taken_as("b.example", addr_of("10.8.0.77"), 1, "10.8.0.0");
	taken_as("c.example", addr_of("10.9.0.1"), 1, "10.8.0.1");
	taken_as("d.example", addr_of("2001:db8::1"), 1, "10.8.0.2");
	/* the own one counts, not the wish */
	taken_as("a.example", addr_of("10.8.0.78"), 1, "10.8.0.77");
	leases_free(leases);
}

static void test_lease_moves_on_after_the_hold(void)
{
	begin("10.8.0.1-10.8.0.2", NULL, NULL);
	taken_as("a.example", ANY, 1, "10.8.0.1");
	taken_as("b.example", ANY, 1, "10.8.0.2");
	given_back("10.8.0.2", 10);
	given_back("10.8.0.1", 20);
	taken_as("c.example", ANY, 69, "-28");
	taken_as("c.example", ANY, 70, "10.8.0.2");
	/* who comes back in time has what it had */
	taken_as("a.example", ANY, 79, "10.8.0.1");
	taken_as("b.example", ANY, 200, "-28");
	leases_free(leases);
}

static void test_lease_two_families(void)
{
	begin("10.8.0.1", "2001:db8::/64", NULL);
	taken_as("a.example", ANY, 1, "2001:db8::");
	taken_as("a.example", ANY, 1, "10.8.0.1");
	taken_as("b.example", addr_of("2001:db8::1"), 1, "2001:db8::1");
	taken_as("c.example", ANY, 1, "2001:db8::2");
	CU_ASSERT_EQUAL(leases_pool_size(&pool, ADDR_IPV6), UINT64_MAX);
	CU_ASSERT_EQUAL(leases_taken(leases, &pool, ADDR_IPV6), 3);
	leases_free(leases);
	begin("10.8.0.1", NULL, NULL);
	taken_as("a.example", ANY, 1, "10.8.0.1");
	struct identity id;
	struct addr got, any = ANY;
	CU_ASSERT_EQUAL(identity_parse("a.example", &id), 0);
	CU_ASSERT_EQUAL(leases_take(leases, &pool, ADDR_IPV6, &id, &any, 0, &got), -ENOENT);
	leases_free(leases);
}

/* At the upper end of the address space nothing wraps. */
static void test_lease_at_the_end_of_all_addresses(void)
{
	begin("255.255.255.254-255.255.255.255", NULL, NULL);
	taken_as("a.example", ANY, 1, "255.255.255.254");
	taken_as("b.example", ANY, 1, "255.255.255.255");
	taken_as("c.example", ANY, 1, "-28");
	leases_free(leases);
}

/* ---- the file ---- */

static char folder[] = "/tmp/sallyport-leases-XXXXXX";
static char path[64];

static size_t file_lines(void)
{
	FILE *in = fopen(path, "r");
	size_t lines = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(in);
	for (int c; (c = fgetc(in)) != EOF;)
		lines += c == '\n';
	fclose(in);
	return lines;
}

static void file_write(const char *text)
{
	FILE *out = fopen(path, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	fputs(text, out);
	fclose(out);
}

static void test_lease_survives_a_restart(void)
{
	unlink(path);
	begin("10.8.0.0/24", "2001:db8::/64", path);
	CU_ASSERT_PTR_NULL(reason);
	taken_as("a.example", addr_of("10.8.0.5"), 1, "10.8.0.5");
	taken_as("keyid:0x00ff0a20", ANY, 1, "2001:db8::");
	CU_ASSERT_EQUAL(file_lines(), 2);
	leases_free(leases); /* as kill -9 would: nothing more is written */
	begin("10.8.0.0/24", "2001:db8::/64", path);
	CU_ASSERT_PTR_NULL(reason);
	CU_ASSERT_EQUAL(leases_taken(leases, &pool, ADDR_IPV4), 0);
	taken_as("b.example", addr_of("10.8.0.5"), 1, "10.8.0.0");
	taken_as("a.example", ANY, 1, "10.8.0.5");
	taken_as("keyid:0x00ff0a20", ANY, 1, "2001:db8::");
	leases_free(leases);
	/* who is remembered keeps it for the hold from the start on */
	begin("10.8.0.5", NULL, path);
	taken_as("c.example", ANY, 59, "-28");
	taken_as("c.example", ANY, 60, "10.8.0.5");
	leases_free(leases);
	/* the pool got smaller: who had what is forgotten */
	begin("10.8.0.0/30", NULL, path);
	taken_as("a.example", ANY, 1, "10.8.0.0");
	leases_free(leases);
}

static void test_lease_file_of_a_broken_run(void)
{
	file_write("staff 10.8.0.7 2:612e6578616d706c65\nstaff 10.8.0.8 2:612e6578616d706c65\nstaff 10.8.0.9 2:62");
	begin("10.8.0.0/24", NULL, path);
	CU_ASSERT_PTR_NULL(reason);
	CU_ASSERT_EQUAL(file_lines(), 1);
	taken_as("a.example", ANY, 1, "10.8.0.8");
	leases_free(leases);
}

/* A file of something else is not overwritten. */
static void foreign_file(const char *data, size_t len, const char *why)
{
	char again[4096];

	FILE *out = fopen(path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	CU_ASSERT_EQUAL(fwrite(data, 1, len, out), len);
	fclose(out);
	begin("10.8.0.0/24", NULL, path);
	CU_ASSERT_STRING_EQUAL(reason, why);
	taken_as("a.example", ANY, 1, "10.8.0.0");
	leases_free(leases);
	FILE *in = fopen(path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(in);
	CU_ASSERT_EQUAL(fread(again, 1, sizeof(again), in), len);
	CU_ASSERT_EQUAL(memcmp(again, data, len), 0);
	fclose(in);
}

static void test_lease_file_of_somebody_else(void)
{
	static const char users[] = "root:x:0:0:root:/root:/bin/bash\n", letter[] = "Dear colleague",
			  line[] = "staff 10.8.0.7 2:61\n";
	static const char not_of[] = "it holds a line that is not of a file of leases";
	char data[2000];

	foreign_file(users, strlen(users), not_of);
	/* what has no line end at all is not what was left of a lease */
	foreign_file(letter, strlen(letter), not_of);
	/* longer than any line of ours, with and without an end, first or later */
	memset(data, '1', sizeof(data));
	foreign_file(data, sizeof(data), "it holds a line that is too long for a file of leases");
	data[1500] = '\n';
	foreign_file(data, sizeof(data), "it holds a line that is too long for a file of leases");
	memcpy(data, line, strlen(line));
	foreign_file(data, sizeof(data), "it holds a line that is too long for a file of leases");
	data[strlen(line)] = '\0';
	foreign_file(data, strlen(line) + 100, "it holds a NUL byte, which no file of leases does");
	data[0] = '\0';
	foreign_file(data, strlen(line), "it holds a NUL byte, which no file of leases does");
	begin("10.8.0.0/24", NULL, "/proc/no/such/folder");
	CU_ASSERT_PTR_NOT_NULL(reason);
	leases_free(leases);
}

/* Two thousand identities take turns at few addresses: the file keeps what counts. */
static void test_lease_file_stays_short(void)
{
	char who[32], last[ADDR_TEXT_MAX] = "10.8.0.0";

	unlink(path);
	begin("10.8.0.0-10.8.0.0", NULL, path);
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(who, sizeof(who), "p%u.example", i);
		taken_as(who, ANY, 100 * i, last);
		given_back(last, 100 * i);
	}
	CU_ASSERT(file_lines() < 5000);
	leases_free(leases);
}

static void visit(void *context, const struct lease_view *view)
{
	uint32_t *sums = context;

	sums[0]++;
	sums[1] += view->taken;
	CU_ASSERT_PTR_EQUAL(view->pool, &pool);
}

static void test_lease_views(void)
{
	uint32_t sums[2] = { 0, 0 };

	begin("10.8.0.0/24", NULL, NULL);
	taken_as("a.example", ANY, 1, "10.8.0.0");
	taken_as("a.example", ANY, 1, "10.8.0.0");
	taken_as("b.example", ANY, 1, "10.8.0.1");
	given_back("10.8.0.1", 2);
	leases_visit(leases, visit, sums);
	CU_ASSERT_EQUAL(sums[0], 2);
	CU_ASSERT_EQUAL(sums[1], 2);
	leases_free(leases);
	leases_free(NULL);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_lease_each_identity_its_own),
		TEST(test_lease_same_identity_same_address),
		TEST(test_lease_wanted_address),
		TEST(test_lease_moves_on_after_the_hold),
		TEST(test_lease_two_families),
		TEST(test_lease_at_the_end_of_all_addresses),
		TEST(test_lease_survives_a_restart),
		TEST(test_lease_file_of_a_broken_run),
		TEST(test_lease_file_of_somebody_else),
		TEST(test_lease_file_stays_short),
		TEST(test_lease_views),
	};

	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/leases", folder);
	int rc = test_main("control_leases", tests, ARRAY_LEN(tests), argc, argv);
	unlink(path);
	rmdir(folder);
	return rc;
}
