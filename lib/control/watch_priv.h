/* SPDX-License-Identifier: BSD-3-Clause */
/* What an operator asks capture and trace to watch: the words of the commands as values. Pure. */
#pragma once

#include "conf.h"
#include "datapath.h"
#include "policy_order_priv.h"

#define CAPTURE_SNAPLEN_MAX 16384

struct watch_error {
	char text[160];
};

struct capture_request {
	const char *file; /* borrowed from the words */
	char of[96];      /* "tunnel paris", "port lan" */
	struct datapath_capture_spec spec;
	uint64_t count, seconds, bytes; /* when it ends by itself, whichever comes first */
};

/* FILE tunnel NAME [clear|sealed|both] | FILE port NAME, [count N] [snaplen N] [seconds N] [bytes N]. 0, or -EINVAL
 * with a text. */
int capture_parse(const struct config *config, const struct policy *policy, const char *const *args, size_t count,
	struct capture_request *ret_request, struct watch_error *ret_error);

/* [count N] [every N] [src PREFIX] [dst PREFIX] [tunnel NAME] [spi SPI]. 0, or -EINVAL with a text. */
int trace_parse(const struct policy *policy, const char *const *args, size_t count,
	struct datapath_trace_spec *ret_spec, struct watch_error *ret_error);

/* The tunnel slots of a tunnel or manual SA, which follow each other. False: no such name. */
bool slots_of(const struct policy *policy, const char *name, uint32_t *ret_first, uint32_t *ret_count);
