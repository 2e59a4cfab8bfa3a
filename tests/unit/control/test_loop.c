/* SPDX-License-Identifier: BSD-3-Clause */
/* The event loop: sources are served, removed ones are not, deadlines in the past do not wait. */
#include "loop_priv.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "harness.h"

struct seen {
	struct loop *loop;
	struct loop_source source;
	unsigned calls;
	bool remove;
};

static void on_ready(void *context, uint32_t events)
{
	struct seen *s = context;

	CU_ASSERT_TRUE(events & EPOLLIN);
	s->calls++;
	if (s->remove)
		loop_remove(s->loop, &s->source);
}

static void seen_init(struct seen *s, struct loop *l)
{
	*s = (struct seen){ .loop = l, .source = { eventfd(1, EFD_NONBLOCK), on_ready, s } };
	CU_ASSERT_EQUAL(loop_add(l, &s->source, EPOLLIN), 0);
}

static void test_loop_serves_every_ready_source(void)
{
	struct loop l;
	struct seen a, b;

	CU_ASSERT_EQUAL_FATAL(loop_init(&l), 0);
	seen_init(&a, &l);
	seen_init(&b, &l);
	CU_ASSERT_EQUAL(loop_wait(&l, UINT64_MAX), 0);
	CU_ASSERT_EQUAL(a.calls, 1);
	CU_ASSERT_EQUAL(b.calls, 1);
	close(a.source.fd);
	close(b.source.fd);
	loop_done(&l);
}

static void test_loop_removed_source_is_silent(void)
{
	struct loop l;
	struct seen a;

	CU_ASSERT_EQUAL_FATAL(loop_init(&l), 0);
	seen_init(&a, &l);
	a.remove = true;
	CU_ASSERT_EQUAL(loop_wait(&l, 0), 0);
	CU_ASSERT_EQUAL(loop_wait(&l, 0), 0);
	CU_ASSERT_EQUAL(a.calls, 1);
	close(a.source.fd);
	loop_done(&l);
}

static void test_loop_returns_at_its_deadline(void)
{
	struct loop l;
	uint64_t begun = loop_now_ns();

	CU_ASSERT_EQUAL_FATAL(loop_init(&l), 0);
	CU_ASSERT_EQUAL(loop_wait(&l, begun), 0);
	CU_ASSERT_EQUAL(loop_wait(&l, begun + 3000000), 0);
	CU_ASSERT_TRUE(loop_now_ns() >= begun + 3000000);
	loop_done(&l);
}

static const struct test tests[] = {
	TEST(test_loop_serves_every_ready_source),
	TEST(test_loop_removed_source_is_silent),
	TEST(test_loop_returns_at_its_deadline),
};

int main(int argc, char **argv)
{
	return test_main("control", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
