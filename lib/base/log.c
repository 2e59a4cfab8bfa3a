/* SPDX-License-Identifier: BSD-3-Clause */
/* Formats a log line with its time and level and writes it with one write call, so that lines of threads never mix. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARNING] = "warning",
	[LOG_NOTICE] = "notice",
	[LOG_DEBUG] = "debug",
};

static enum log_level max_level = LOG_NOTICE;

void log_set_level(enum log_level level)
{
	max_level = level;
}

static int format_head(char *line, enum log_level level)
{
	struct timespec now;
	struct tm utc;
	char date[24];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
	return snprintf(
		line, LINE_MAX_BYTES, "%s.%03ldZ %s sallyportd: ", date, now.tv_nsec / 1000000, level_names[level]);
}

/* One event, one line, whatever text a peer or a file brought into it. */
static void hide_controls(char *text, int len)
{
	for (int i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 127)
			text[i] = '?';
}

void log_line(enum log_level level, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	va_list args;

	if (level > max_level)
		return;
	int head = format_head(line, level);
	va_start(args, format);
	int body = vsnprintf(line + head, sizeof(line) - (size_t)head - 1, format, args);
	va_end(args);
	int len = body < 0 ? head : head + body;
	if (len > LINE_MAX_BYTES - 2)
		len = LINE_MAX_BYTES - 2;
	hide_controls(line + head, len - head);
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)len) < 0)
		return; /* nowhere left to say so */
}
