/* SPDX-License-Identifier: BSD-3-Clause */
/* Blocks of a pcapng file (draft-ietf-opsawg-pcapng), encoded into memory. Pure; files are the caller's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"

/* LINKTYPE_ numbers of the format. */
enum pcapng_link { PCAPNG_ETHERNET = 1, PCAPNG_RAW_IP = 101 };

#define PCAPNG_TEXT_MAX    200  /* of a name or comment; longer ones are cut */
#define PCAPNG_BLOCK_EXTRA 1024 /* bytes of a block beside a packet's data, at most */

struct pcapng_packet {
	uint32_t interface; /* in the order they were written */
	uint64_t time_ns;   /* since 1970 */
	uint32_t length;    /* of the packet; data may be less */
	struct bytes data;
	bool outbound;
	const char *comment; /* NULL: none */
};

/* Each appends a block. writer.failed when it does not fit. */
void pcapng_section(struct writer *w, const char *application);
void pcapng_interface(struct writer *w, const char *name, enum pcapng_link link, uint32_t snaplen);
void pcapng_packet(struct writer *w, const struct pcapng_packet *p);
