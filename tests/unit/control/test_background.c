/* SPDX-License-Identifier: BSD-3-Clause */
/* Work beside the loop: told once when it has ended, waited for no longer than asked. */
#include "background_priv.h"

#include <errno.h>
#include <semaphore.h>

#include "harness.h"

static struct loop loop;
static struct background background;
static sem_t go, begun; /* the work waits for the one and says the other */
static unsigned worked, told;
static pthread_t worker;

static void work(void *context)
{
	sem_post(&begun);
	sem_wait(&go);
	worker = pthread_self();
	worked += *(const unsigned *)context;
}

static void done(void *context)
{
	(void)context;
	told++;
}

static void start(const unsigned *by)
{
	worked = told = 0;
	sem_init(&go, 0, 0);
	sem_init(&begun, 0, 0);
	CU_ASSERT_EQUAL_FATAL(loop_init(&loop), 0);
	background = (struct background){ .work = work, .done = done, .context = (void *)(uintptr_t)by };
	CU_ASSERT_EQUAL_FATAL(background_start(&background, &loop, NULL), 0);
	sem_wait(&begun);
}

static void test_background_tells_the_loop_when_it_has_ended(void)
{
	const unsigned by = 3;

	start(&by);
	CU_ASSERT_EQUAL(loop_wait(&loop, 0), 0);
	CU_ASSERT_EQUAL(told, 0);
	sem_post(&go);
	CU_ASSERT_EQUAL(loop_wait(&loop, loop_now_ns() + 10000000000ull), 0);
	CU_ASSERT_EQUAL(told, 1);
	CU_ASSERT_EQUAL(worked, 3);
	CU_ASSERT_FALSE(pthread_equal(worker, pthread_self()));
	/* and can be started again */
	CU_ASSERT_EQUAL(background_start(&background, &loop, NULL), 0);
	sem_post(&go);
	CU_ASSERT_EQUAL(background_end(&background, 10000), 0);
	CU_ASSERT_EQUAL(worked, 6);
	CU_ASSERT_EQUAL(told, 1);
	loop_done(&loop);
}

static void test_background_end_waits_no_longer_than_asked(void)
{
	const unsigned by = 1;

	start(&by);
	CU_ASSERT_EQUAL(background_end(&background, 0), -ETIMEDOUT);
	sem_post(&go);
	CU_ASSERT_EQUAL(background_end(&background, 10000), 0);
	CU_ASSERT_EQUAL(worked, 1);
	/* nothing runs any more */
	CU_ASSERT_EQUAL(background_end(&background, 10000), 0);
	CU_ASSERT_EQUAL(told, 0);
	loop_done(&loop);
}

static const struct test tests[] = {
	TEST(test_background_tells_the_loop_when_it_has_ended),
	TEST(test_background_end_waits_no_longer_than_asked),
};

int main(int argc, char **argv)
{
	return test_main("control", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
