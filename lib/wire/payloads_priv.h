/* SPDX-License-Identifier: BSD-3-Clause */
/* Payload bodies between bytes and values. The chain of payloads and the grammar are message.c's. Private to the wire
 * room. */
#pragma once

#include "desc_priv.h"

/* Decodes the body r of p, whose type is set, into p and, for SA, TSi and TSr, into message. 0 or -EBADMSG (an unknown
 * critical type included) with reason and offset. */
int payload_decode(struct reader *r, struct payload *p, struct message *message, struct wire_error *ret_error);

/* Appends the body of p. */
void payload_encode(const struct payload *p, const struct message *message, struct writer *w);

bool payload_known(uint8_t type);

/* SA body (RFC 7296 3.3), checked whole; ret_list gets what it has room for. 0 or -EBADMSG. */
int proposals_decode(struct reader *r, struct proposal_list *ret_list, struct wire_error *ret_error);
void proposals_encode(const struct proposal_list *list, struct writer *w);

/* TS body (RFC 7296 3.13). 0 or -EBADMSG. */
int selectors_decode(struct reader *r, struct selector_list *ret_list, struct wire_error *ret_error);
void selectors_encode(const struct selector_list *list, struct writer *w);

/* The attributes of a CP body (RFC 7296 3.15.1): WIRE_OK, or why they are refused. */
enum wire_reason attributes_check(struct bytes attributes);
