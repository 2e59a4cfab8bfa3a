/* SPDX-License-Identifier: BSD-3-Clause */
/* A good configuration for the tests to spoil, one change at a time, and the loading of the result. */
#pragma once

#include "conf.h"

/* Line numbers stand beside the lines in base_config.c. */
extern const char base_yaml[], base_secrets[];

#define SPOILED_BYTES 8192

/* `text` with the first `from` replaced by `to`, in SPOILED_BYTES; fatal when `from` is not there. Returns ret_text. */
char *spoil(const char *text, const char *from, const char *to, char *ret_text);
int load_text(const char *yaml, const char *secrets, struct config **ret_config, struct config_errors *ret_errors);
/* Loads what has to be good; the caller frees it. */
struct config *loaded(const char *yaml, const char *secrets);
/* Loads what has to be refused: its first error is `expected`, nothing is returned. */
void refused_text(const char *yaml, const char *secrets, const char *expected);
