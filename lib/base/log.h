/* SPDX-License-Identifier: BSD-3-Clause */
/* The log: one event, one line, to standard error. Used by control and the programs only; pure rooms return or count.
 * Never pass a key, nonce or password. Thread-safe. */
#pragma once

enum log_level {
	LOG_ERROR,
	LOG_WARNING,
	LOG_NOTICE,
	LOG_DEBUG,
};

/* Lines above this level are dropped. Set once at start, before threads. */
void log_set_level(enum log_level level);

/* "2026-01-02T03:04:05.678Z notice sallyportd: ..." and a newline; control characters become "?", text beyond about
 * 1 KB is cut. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
