/* SPDX-License-Identifier: BSD-3-Clause */
/* What an operator asks explain about: the words of the command as values. Pure. */
#pragma once

#include "conf.h"
#include "datapath.h"

struct explain_request {
	bool by_spi;
	uint32_t spi;
	struct datapath_query query; /* not by_spi */
};

/* SRC DST [PROTO [SPORT DPORT | TYPE CODE]] [interface NAME], or spi NUMBER. 0, or -EINVAL with a text that says what
 * is wrong with which word. */
int explain_parse(const struct config *config, const char *const *args, size_t count,
	struct explain_request *ret_request, char *ret_error, size_t capacity);

/* A number of any base C writes, at most `most`. 0 or -EINVAL. */
int number_parse(const char *text, uint64_t most, uint64_t *ret_number);
