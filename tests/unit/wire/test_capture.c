/* SPDX-License-Identifier: BSD-3-Clause */
/* A negotiation captured between two strongSwan daemons, against tshark's dissection of it: our decoder has to see the
 * same fields. data/strongswan.txt tells its origin. */
#include "wire_test.h"

#include <stdlib.h>

#define MESSAGES     6
#define LINE_BYTES   8192
#define REPORT_BYTES 16384

struct captured {
	uint8_t datagram[2048], inner[2048];
	struct bytes datagram_view, inner_view;
	bool has_inner;
	uint8_t inner_first;
	char dissection[REPORT_BYTES]; /* tshark's lines */
};

static struct captured captured[MESSAGES];
static struct message message;
static struct wire_error error;

static struct bytes hex_view(const char *hex, uint8_t *data, size_t capacity)
{
	int len = strcmp(hex, "-") ? hex_decode(hex, data, capacity) : 0;

	CU_ASSERT_FATAL(len >= 0);
	return BYTES(data, (size_t)len);
}

static void read_line(char *line, struct captured *c)
{
	char hex[LINE_BYTES];

	if (sscanf(line, "datagram %8191s", hex) == 1) {
		c->datagram_view = hex_view(hex, c->datagram, sizeof(c->datagram));
	} else if (sscanf(line, "inner %hhu %8191s", &c->inner_first, hex) == 2) {
		c->inner_view = hex_view(hex, c->inner, sizeof(c->inner));
		c->has_inner = true;
	} else {
		CU_ASSERT_FATAL(strlen(c->dissection) + strlen(line) < sizeof(c->dissection));
		strcat(c->dissection, line);
	}
}

static void read_capture(void)
{
	static char line[LINE_BYTES];
	FILE *f = fopen(WIRE_DATA "/strongswan.txt", "r");
	size_t count = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	memset(captured, 0, sizeof(captured));
	while (fgets(line, sizeof(line), f)) {
		if (line[0] == '#')
			continue;
		CU_ASSERT_FATAL(count < MESSAGES);
		if (strcmp(line, "end\n"))
			read_line(line, &captured[count]);
		else
			count++;
	}
	fclose(f);
	CU_ASSERT_EQUAL_FATAL(count, MESSAGES);
}

static void decode_captured(const struct captured *c)
{
	CU_ASSERT_EQUAL_FATAL(message_decode(c->datagram_view, &message, &error), 0);
	if (c->has_inner)
		CU_ASSERT_EQUAL_FATAL(message_decode_inner(c->inner_view, c->inner_first, &message, &error), 0);
}

static const char *hex_text(struct bytes b)
{
	static char text[2 * 2048 + 1];

	return b.len ? hex_encode(b, text) : "-";
}

static void report_proposals(FILE *out)
{
	for (int i = 0; i < message.sa.count; i++) {
		const struct proposal *p = &message.sa.items[i];
		fprintf(out, "proposal %u %u %u %u\n", p->number, p->protocol, p->spi_len, p->count);
		for (int k = 0; k < p->count; k++) {
			fprintf(out, "transform %u %u\n", p->transforms[k].type, p->transforms[k].id);
			if (p->transforms[k].key_bits)
				fprintf(out, "key_length %u\n", p->transforms[k].key_bits);
		}
	}
}

static void report_selectors(FILE *out, const struct selector_list *list)
{
	char low[ADDR_TEXT_MAX], high[ADDR_TEXT_MAX];

	for (int i = 0; i < list->count; i++) {
		const struct selector *s = &list->items[i];
		fprintf(out, "selector 7 %u %u %u %s %s\n", s->protocol, s->port_low, s->port_high,
			addr_format(&s->low, low), addr_format(&s->high, high));
	}
}

static void report_id(FILE *out, const struct payload *p)
{
	char text[IDENTITY_TEXT_MAX];
	struct identity id;

	CU_ASSERT_EQUAL_FATAL(identity_from_bytes(p->id.type, p->id.data, &id), 0);
	fprintf(out, "id %u %s\n", p->id.type, identity_format(&id, text));
}

/* One payload in the words of the data file. */
static void report_payload(FILE *out, const struct payload *p)
{
	fprintf(out, "payload %u\n", p->type);
	switch (p->type) {
	case PAYLOAD_SA: report_proposals(out); break;
	case PAYLOAD_KE: fprintf(out, "ke %u %s\n", p->ke.group, hex_text(p->ke.data)); break;
	case PAYLOAD_IDI:
	case PAYLOAD_IDR: report_id(out, p); break;
	case PAYLOAD_AUTH: fprintf(out, "auth %u %s\n", p->auth.method, hex_text(p->auth.data)); break;
	case PAYLOAD_NONCE: fprintf(out, "nonce %s\n", hex_text(p->nonce)); break;
	case PAYLOAD_NOTIFY: fprintf(out, "notify %u %s\n", p->notify.type, hex_text(p->notify.data)); break;
	case PAYLOAD_DELETE: fprintf(out, "delete %u %u %u\n", p->del.protocol, p->del.spi_len, p->del.count); break;
	case PAYLOAD_TSI: report_selectors(out, &message.tsi); break;
	case PAYLOAD_TSR: report_selectors(out, &message.tsr); break;
	default: break;
	}
}

static void report_message(char *ret_text)
{
	FILE *out = fmemopen(ret_text, REPORT_BYTES, "w");
	const struct ike_header *h = &message.header;

	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	fprintf(out, "header %016llx %016llx %u %02x %08x %u\n", (unsigned long long)h->spi_i,
		(unsigned long long)h->spi_r, h->exchange, h->flags, h->message_id, h->length);
	for (int i = 0; i < message.count; i++)
		report_payload(out, &message.payloads[i]);
	fclose(out);
}

static void test_dissection_is_tshark_s(void)
{
	static char text[REPORT_BYTES];

	read_capture();
	for (int i = 0; i < MESSAGES; i++) {
		decode_captured(&captured[i]);
		report_message(text);
		CU_ASSERT_STRING_EQUAL(text, captured[i].dissection);
	}
}

static void test_messages_pass_the_grammar(void)
{
	read_capture();
	for (int i = 0; i < MESSAGES; i++) {
		decode_captured(&captured[i]);
		CU_ASSERT_EQUAL(message_check(&message, &error), 0);
	}
}

static void test_messages_encode_to_their_bytes(void)
{
	uint8_t data[2048];

	read_capture();
	for (int i = 0; i < MESSAGES; i++) {
		struct writer w = writer_init(data, sizeof(data));
		decode_captured(&captured[i]);
		CU_ASSERT_EQUAL(message_encode(&message, &w), 0);
		CU_ASSERT(bytes_equal(writer_view(&w), captured[i].datagram_view));
	}
}

/* What was inside SK, written as a chain of its own. */
static void test_inner_payloads_encode_to_their_bytes(void)
{
	uint8_t data[2048], first;

	read_capture();
	for (int i = 0; i < MESSAGES; i++) {
		struct writer w = writer_init(data, sizeof(data));
		if (!captured[i].has_inner)
			continue;
		message_init(&message, 1, 2, IKE_AUTH, 0, 0);
		CU_ASSERT_EQUAL(
			message_decode_inner(captured[i].inner_view, captured[i].inner_first, &message, &error), 0);
		CU_ASSERT_EQUAL(payloads_encode(&message, &w, &first), 0);
		CU_ASSERT_EQUAL(first, captured[i].inner_first);
		CU_ASSERT(bytes_equal(writer_view(&w), captured[i].inner_view));
	}
}

static void test_messages_are_named(void)
{
	char text[512];

	read_capture();
	decode_captured(&captured[1]);
	CU_ASSERT_STRING_EQUAL(message_format(&message, text, sizeof(text)),
		"IKE_SA_INIT response 0 { SA KE No N(NAT_DETECTION_SOURCE_IP) N(NAT_DETECTION_DESTINATION_IP) "
		"N(IKEV2_FRAGMENTATION_SUPPORTED) N(SIGNATURE_HASH_ALGORITHMS) N(CHILDLESS_IKEV2_SUPPORTED) "
		"N(MULTIPLE_AUTH_SUPPORTED) }");
	decode_captured(&captured[4]);
	CU_ASSERT_STRING_EQUAL(
		message_format(&message, text, sizeof(text)), "INFORMATIONAL request 2 { SK { D(IKE) } }");
}

/* Every byte of the first message set to extremes: any verdict will do, but what is accepted must encode and decode. */
static void test_damaged_bytes_stay_consistent(void)
{
	static struct message again;
	static const uint8_t values[] = { 0x00, 0xff, 0x80, 0x04 };
	uint8_t data[2048];

	read_capture();
	struct bytes in = captured[0].datagram_view;
	for (size_t i = 0; i < in.len * ARRAY_LEN(values); i++) {
		memcpy(data, in.data, in.len);
		data[i / ARRAY_LEN(values)] = values[i % ARRAY_LEN(values)];
		int rc = message_decode(BYTES(data, in.len), &message, &error);
		CU_ASSERT_EQUAL(rc, error.reason ? -EBADMSG : 0);
		CU_ASSERT(error.offset <= in.len);
		CU_ASSERT(rc || round_trip(&message, &again) == 0);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_dissection_is_tshark_s),
		TEST(test_messages_pass_the_grammar),
		TEST(test_messages_encode_to_their_bytes),
		TEST(test_inner_payloads_encode_to_their_bytes),
		TEST(test_messages_are_named),
		TEST(test_damaged_bytes_stay_consistent),
	};

	return test_main("wire_capture", tests, ARRAY_LEN(tests), argc, argv);
}
