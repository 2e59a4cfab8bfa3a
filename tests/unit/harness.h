/* SPDX-License-Identifier: BSD-3-Clause */
/* The main function of every CUnit program: runs the named tests (all, or those given as arguments) and prints one line
 * each: "PASS room/test_name" or "FAIL room/test_name file:line condition". Include it in one file per program. */
#pragma once

#include <CUnit/CUnit.h>
#include <CUnit/TestRun.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct test {
	const char *name;
	void (*run)(void);
};

#define TEST(function)                                                                                                 \
	{                                                                                                              \
#function, function                                                                                    \
	}

static bool test_wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc < 2;
}

static void test_report(const char *suite, const char *name, CU_pTest test)
{
	CU_pFailureRecord f = CU_get_failure_list();
	bool failed = false;

	for (; f; f = f->pNext)
		if (f->pTest == test) {
			if (!failed)
				printf("FAIL %s/%s %s:%u %s\n", suite, name, f->strFileName, f->uiLineNumber,
					f->strCondition);
			failed = true;
		}
	if (!failed)
		printf("PASS %s/%s\n", suite, name);
	fflush(stdout);
}

/* Runs the tests and returns the exit code of main. */
static int test_main(const char *suite, const struct test *tests, size_t count, int argc, char **argv)
{
	unsigned failures = 0, ran = 0;

	if (argc == 2 && !strcmp(argv[1], "--list")) {
		for (size_t i = 0; i < count; i++)
			printf("%s/%s\n", suite, tests[i].name);
		return 0;
	}
	CU_initialize_registry();
	CU_pSuite s = CU_add_suite(suite, NULL, NULL);
	for (size_t i = 0; i < count; i++) {
		if (!test_wanted(tests[i].name, argc, argv))
			continue;
		CU_pTest t = CU_add_test(s, tests[i].name, tests[i].run);
		CU_run_test(s, t);
		failures += CU_get_number_of_failures();
		test_report(suite, tests[i].name, t);
		ran++;
	}
	CU_cleanup_registry();
	if (!ran)
		printf("FAIL %s/none no such test\n", suite);
	return failures || !ran;
}
