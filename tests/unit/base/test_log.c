/* SPDX-License-Identifier: BSD-3-Clause */
/* The log line: form, level, length, one line whatever the text. Standard error is a temporary file meanwhile. */
#include "log.h"

#include <regex.h>
#include <stdlib.h>
#include <unistd.h>

#include "base.h"
#include "harness.h"

static FILE *capture;
static int real_stderr;

static void capture_begin(void)
{
	capture = tmpfile();
	real_stderr = dup(STDERR_FILENO);
	CU_ASSERT_PTR_NOT_NULL_FATAL(capture);
	dup2(fileno(capture), STDERR_FILENO);
}

/* What was logged since, into text of 8 KB. */
static const char *capture_end(void)
{
	static char text[8192];

	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	rewind(capture);
	text[fread(text, 1, sizeof(text) - 1, capture)] = '\0';
	fclose(capture);
	return text;
}

static bool matches(const char *text, const char *pattern)
{
	regex_t re;

	CU_ASSERT_EQUAL_FATAL(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	bool found = regexec(&re, text, 0, NULL, 0) == 0;
	regfree(&re);
	return found;
}

static void test_log_line_has_time_level_and_text(void)
{
	capture_begin();
	log_line(LOG_NOTICE, "tunnel %s up in %d ms", "paris", 12);
	CU_ASSERT(matches(capture_end(),
		"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z notice sallyportd: tunnel paris up in 12 ms\n$"));
}

static void test_log_drops_lines_above_the_level(void)
{
	capture_begin();
	log_set_level(LOG_WARNING);
	log_line(LOG_NOTICE, "no");
	log_line(LOG_WARNING, "yes");
	log_line(LOG_ERROR, "always");
	log_set_level(LOG_NOTICE);
	const char *text = capture_end();
	CU_ASSERT(matches(text, "warning sallyportd: yes\n.*error sallyportd: always\n$"));
	CU_ASSERT_PTR_NULL(strstr(text, "no\n"));
}

static void test_log_line_stays_one_line(void)
{
	capture_begin();
	log_line(LOG_ERROR, "peer says %s", "bye\n2026 notice sallyportd: forged\x1b[2J\r\t\x7f");
	const char *text = capture_end();
	CU_ASSERT_PTR_EQUAL(strchr(text, '\n'), text + strlen(text) - 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "bye?2026 notice sallyportd: forged?[2J???\n"));
}

static void test_log_line_is_cut_not_overrun(void)
{
	char longest[3000];

	memset(longest, 'x', sizeof(longest) - 1);
	for (size_t len = 900; len < 1100; len++) {
		longest[len] = '\0';
		capture_begin();
		log_line(LOG_ERROR, "%s", longest);
		const char *text = capture_end();
		CU_ASSERT(strlen(text) <= 1024);
		CU_ASSERT_EQUAL(text[strlen(text) - 1], '\n');
		CU_ASSERT(matches(text, "sallyportd: x+\n$"));
		longest[len] = 'x';
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_log_line_has_time_level_and_text),
		TEST(test_log_drops_lines_above_the_level),
		TEST(test_log_line_stays_one_line),
		TEST(test_log_line_is_cut_not_overrun),
	};

	return test_main("base_log", tests, ARRAY_LEN(tests), argc, argv);
}
