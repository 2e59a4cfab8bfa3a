/* SPDX-License-Identifier: BSD-3-Clause */
/* pcapng: section header, interfaces and enhanced packets, nothing else. librte_pcapng (22.11) is not used: it copies
 * into mbufs of a pool, knows Ethernet ports only, and its packets have neither names of tunnels nor raw IP. */
#include "pcapng_priv.h"

#include <string.h>

/* Types of blocks and options, and what they hold, by their names in the draft. */
enum {
	SECTION_HEADER = 0x0a0d0d0a,
	INTERFACE_DESCRIPTION = 1,
	ENHANCED_PACKET = 6,
	BYTE_ORDER_MAGIC = 0x1a2b3c4d,
	OPT_ENDOFOPT = 0,
	OPT_COMMENT = 1,
	IF_NAME = 2,
	IF_TSRESOL = 9,
	SHB_USERAPPL = 4,
	EPB_FLAGS = 2,
	NANOSECONDS = 9, /* 10^-9 s */
	INBOUND = 1,
	OUTBOUND = 2,
};

/* The section's byte order is the writer's own: readers learn it from the magic. */
static void put16(struct writer *w, uint16_t v)
{
	writer_bytes(w, BYTES(&v, sizeof(v)));
}

static void put32(struct writer *w, uint32_t v)
{
	writer_bytes(w, BYTES(&v, sizeof(v)));
}

static void pad(struct writer *w, size_t len)
{
	writer_zero(w, (4 - len % 4) % 4);
}

static void option(struct writer *w, uint16_t code, const void *value, size_t len)
{
	put16(w, code);
	put16(w, (uint16_t)len);
	writer_bytes(w, BYTES(value, len));
	pad(w, len);
}

static void option_text(struct writer *w, uint16_t code, const char *text)
{
	option(w, code, text, strnlen(text, PCAPNG_TEXT_MAX));
}

/* Both ends of a block say how long it is. Returns where it begins. */
static size_t block_begin(struct writer *w, uint32_t type)
{
	size_t at = w->len;

	put32(w, type);
	put32(w, 0);
	return at;
}

static void block_end(struct writer *w, size_t at)
{
	uint32_t len = (uint32_t)(w->len - at + sizeof(len));

	put32(w, len);
	if (!w->failed)
		memcpy(w->data + at + sizeof(uint32_t), &len, sizeof(len));
}

void pcapng_section(struct writer *w, const char *application)
{
	size_t at = block_begin(w, SECTION_HEADER);

	put32(w, BYTE_ORDER_MAGIC);
	put16(w, 1); /* version 1.0 */
	put16(w, 0);
	put32(w, UINT32_MAX); /* length of the section: not known */
	put32(w, UINT32_MAX);
	option_text(w, SHB_USERAPPL, application);
	option(w, OPT_ENDOFOPT, NULL, 0);
	block_end(w, at);
}

void pcapng_interface(struct writer *w, const char *name, enum pcapng_link link, uint32_t snaplen)
{
	const uint8_t resolution = NANOSECONDS;
	size_t at = block_begin(w, INTERFACE_DESCRIPTION);

	put16(w, (uint16_t)link);
	put16(w, 0);
	put32(w, snaplen);
	option_text(w, IF_NAME, name);
	option(w, IF_TSRESOL, &resolution, sizeof(resolution));
	option(w, OPT_ENDOFOPT, NULL, 0);
	block_end(w, at);
}

void pcapng_packet(struct writer *w, const struct pcapng_packet *p)
{
	const uint32_t flags = p->outbound ? OUTBOUND : INBOUND;
	size_t at = block_begin(w, ENHANCED_PACKET);

	put32(w, p->interface);
	put32(w, (uint32_t)(p->time_ns >> 32));
	put32(w, (uint32_t)p->time_ns);
	put32(w, (uint32_t)p->data.len);
	put32(w, p->length);
	writer_bytes(w, p->data);
	pad(w, p->data.len);
	option(w, EPB_FLAGS, &flags, sizeof(flags));
	if (p->comment)
		option_text(w, OPT_COMMENT, p->comment);
	option(w, OPT_ENDOFOPT, NULL, 0);
	block_end(w, at);
}
