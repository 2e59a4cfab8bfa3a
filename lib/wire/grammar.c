/* SPDX-License-Identifier: BSD-3-Clause */
/* The grammar of IKEv2: which payloads each message may hold, how often, and whether in clear. One table and the check
 * against it; no handler sees a message that its row does not allow. */
#include "payloads_priv.h"

#define SPI_R_OFFSET    8
#define EXCHANGE_OFFSET 18

enum form {
	FORM_WHOLE,
	FORM_REFUSAL,   /* a response that is an error, or asks for a COOKIE */
	FORM_CHILDLESS, /* the peer is authenticated, its child refused (RFC 7296 1.2) */
	FORM_REKEY_IKE, /* RFC 7296 1.3.2 */
};

#define ANY MESSAGE_PAYLOADS_MAX

struct rule {
	uint8_t type, min, max;
	bool sealed; /* belongs inside SK; SK itself stands in clear */
};

#define CLEAR(name, min, max)                                                                                          \
	{                                                                                                              \
		PAYLOAD_##name, min, max, false                                                                        \
	}
#define SEALED(name, min, max)                                                                                         \
	{                                                                                                              \
		PAYLOAD_##name, min, max, true                                                                         \
	}
#define END                                                                                                            \
	{                                                                                                              \
		PAYLOAD_NONE, 0, 0, false                                                                              \
	}
#define RULES_MAX 16

/* RFC 7296 1.2, appendix C.1; the order of payloads is free (2.5) */
static const struct rule init_request[] = {
	CLEAR(SA, 1, 1),
	CLEAR(KE, 1, 1),
	CLEAR(NONCE, 1, 1),
	CLEAR(NOTIFY, 0, ANY),
	CLEAR(VENDOR, 0, ANY),
	END,
};

static const struct rule init_response[] = {
	CLEAR(SA, 1, 1),
	CLEAR(KE, 1, 1),
	CLEAR(NONCE, 1, 1),
	CLEAR(NOTIFY, 0, ANY),
	CLEAR(CERTREQ, 0, ANY),
	CLEAR(VENDOR, 0, ANY),
	END,
};

/* RFC 7296 1.3 (INVALID_KE_PAYLOAD), 2.6 (COOKIE), 2.21.1 */
static const struct rule init_refusal[] = {
	CLEAR(NOTIFY, 1, ANY),
	CLEAR(VENDOR, 0, ANY),
	END,
};

/* appendix C.2 */
static const struct rule auth_request[] = {
	CLEAR(SK, 1, 1),
	SEALED(IDI, 1, 1),
	SEALED(IDR, 0, 1),
	SEALED(CERT, 0, ANY),
	SEALED(CERTREQ, 0, ANY),
	/* without it the peer asks for EAP (RFC 7296 2.16) */
	SEALED(AUTH, 0, 1),
	SEALED(EAP, 0, 1),
	SEALED(CP, 0, 1),
	SEALED(SA, 1, 1),
	SEALED(TSI, 1, 1),
	SEALED(TSR, 1, 1),
	SEALED(NOTIFY, 0, ANY),
	SEALED(VENDOR, 0, ANY),
	END,
};

static const struct rule auth_response[] = {
	CLEAR(SK, 1, 1),
	SEALED(IDR, 1, 1),
	SEALED(CERT, 0, ANY),
	SEALED(AUTH, 1, 1),
	SEALED(EAP, 0, 1),
	SEALED(CP, 0, 1),
	SEALED(SA, 1, 1),
	SEALED(TSI, 1, 1),
	SEALED(TSR, 1, 1),
	SEALED(NOTIFY, 0, ANY),
	SEALED(VENDOR, 0, ANY),
	END,
};

static const struct rule auth_childless[] = {
	CLEAR(SK, 1, 1),
	SEALED(IDR, 1, 1),
	SEALED(CERT, 0, ANY),
	SEALED(AUTH, 1, 1),
	SEALED(CP, 0, 1),
	SEALED(NOTIFY, 1, ANY),
	SEALED(VENDOR, 0, ANY),
	END,
};

/* appendix C.4: both directions */
static const struct rule create_child[] = {
	CLEAR(SK, 1, 1),
	SEALED(SA, 1, 1),
	SEALED(NONCE, 1, 1),
	SEALED(KE, 0, 1),
	SEALED(TSI, 1, 1),
	SEALED(TSR, 1, 1),
	SEALED(CP, 0, 1),
	SEALED(NOTIFY, 0, ANY),
	SEALED(VENDOR, 0, ANY),
	END,
};

/* appendix C.5: both directions */
static const struct rule rekey_ike[] = {
	CLEAR(SK, 1, 1),
	SEALED(SA, 1, 1),
	SEALED(NONCE, 1, 1),
	SEALED(KE, 1, 1),
	SEALED(NOTIFY, 0, ANY),
	SEALED(VENDOR, 0, ANY),
	END,
};

/* RFC 7296 2.21.2, 2.21.3 */
static const struct rule sealed_refusal[] = {
	CLEAR(SK, 1, 1),
	SEALED(NOTIFY, 1, ANY),
	SEALED(VENDOR, 0, ANY),
	END,
};

/* appendix C.6: both directions; nothing inside is a liveness check (RFC 7296 2.4) */
static const struct rule informational[] = {
	CLEAR(SK, 1, 1),
	SEALED(NOTIFY, 0, ANY),
	SEALED(DELETE, 0, ANY),
	SEALED(CP, 0, ANY),
	SEALED(VENDOR, 0, ANY),
	END,
};

static const struct grammar {
	enum ike_exchange exchange;
	bool response;
	enum form form;
	const struct rule *rules; /* up to END, at most RULES_MAX */
} grammars[] = {
	{ IKE_SA_INIT, false, FORM_WHOLE, init_request },
	{ IKE_SA_INIT, true, FORM_WHOLE, init_response },
	{ IKE_SA_INIT, true, FORM_REFUSAL, init_refusal },
	{ IKE_AUTH, false, FORM_WHOLE, auth_request },
	{ IKE_AUTH, true, FORM_WHOLE, auth_response },
	{ IKE_AUTH, true, FORM_CHILDLESS, auth_childless },
	{ IKE_AUTH, true, FORM_REFUSAL, sealed_refusal },
	{ CREATE_CHILD_SA, false, FORM_WHOLE, create_child },
	{ CREATE_CHILD_SA, true, FORM_WHOLE, create_child },
	{ CREATE_CHILD_SA, false, FORM_REKEY_IKE, rekey_ike },
	{ CREATE_CHILD_SA, true, FORM_REKEY_IKE, rekey_ike },
	{ CREATE_CHILD_SA, true, FORM_REFUSAL, sealed_refusal },
	{ INFORMATIONAL, false, FORM_WHOLE, informational },
	{ INFORMATIONAL, true, FORM_WHOLE, informational },
};

_Static_assert(ARRAY_LEN(auth_request) <= RULES_MAX, "the longest list of rules");

static enum form message_form(const struct message *message)
{
	const struct ike_header *h = &message->header;
	bool refusal = message_find_error(message) ||
		       (h->exchange == IKE_SA_INIT && message_find_notify(message, NOTIFY_COOKIE));

	if (h->exchange == INFORMATIONAL)
		return FORM_WHOLE;
	if (h->flags & IKE_FLAG_RESPONSE && refusal && !message_find(message, PAYLOAD_SA))
		return h->exchange == IKE_AUTH && message_find(message, PAYLOAD_AUTH) ? FORM_CHILDLESS : FORM_REFUSAL;
	if (h->exchange == CREATE_CHILD_SA && message->sa.count && message->sa.items[0].protocol == PROTOCOL_IKE)
		return FORM_REKEY_IKE;
	return FORM_WHOLE;
}

static const struct grammar *grammar_lookup(uint8_t exchange, bool response, enum form form)
{
	for (size_t i = 0; i < ARRAY_LEN(grammars); i++)
		if (grammars[i].exchange == exchange && grammars[i].response == response && grammars[i].form == form)
			return &grammars[i];
	return NULL;
}

/* Index of the rule for a payload type, or -1. */
static int rule_lookup(const struct rule *rules, uint8_t type)
{
	for (int i = 0; rules[i].type != PAYLOAD_NONE; i++)
		if (rules[i].type == type)
			return i;
	return -1;
}

static enum wire_reason payload_check(const struct rule *rules, const struct payload *p, uint8_t *counts)
{
	int i = rule_lookup(rules, p->type);

	if (i < 0)
		return WIRE_UNEXPECTED;
	if (rules[i].sealed != p->encrypted)
		return p->encrypted ? WIRE_UNEXPECTED : WIRE_NOT_ENCRYPTED;
	return ++counts[i] > rules[i].max ? WIRE_REPEATED : WIRE_OK;
}

static int grammar_fail(enum wire_reason reason, size_t offset, uint8_t payload, struct wire_error *ret_error)
{
	wire_fail(ret_error, reason, offset);
	ret_error->payload = payload;
	return -EBADMSG;
}

int message_check(const struct message *message, struct wire_error *ret_error)
{
	const struct ike_header *h = &message->header;
	enum form form = message_form(message);
	const struct grammar *g = grammar_lookup(h->exchange, h->flags & IKE_FLAG_RESPONSE, form);
	uint8_t counts[RULES_MAX] = { 0 };

	*ret_error = (struct wire_error){ 0 };
	if (!g)
		return wire_fail(ret_error, WIRE_EXCHANGE, EXCHANGE_OFFSET);
	for (const struct payload *p = message->payloads; p < message->payloads + message->count; p++) {
		enum wire_reason reason = payload_known(p->type) ? payload_check(g->rules, p, counts) : WIRE_OK;
		if (reason)
			return grammar_fail(reason, p->offset, p->type, ret_error);
	}
	for (size_t i = 0; g->rules[i].type != PAYLOAD_NONE; i++)
		if (counts[i] < g->rules[i].min)
			return grammar_fail(WIRE_MISSING, 0, g->rules[i].type, ret_error);
	if (h->exchange == IKE_SA_INIT && h->flags & IKE_FLAG_RESPONSE && form == FORM_WHOLE && !h->spi_r)
		return wire_fail(ret_error, WIRE_SPI, SPI_R_OFFSET);
	return 0;
}
