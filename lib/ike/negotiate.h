/* SPDX-License-Identifier: BSD-3-Clause */
/* Pure decisions of a negotiation: which proposal, what was the first mismatch. Values in, values
 * out. */
#pragma once

#include "base.h"
#include "model.h"
#include "wire.h"

/* The SPI that a proposal of the peer must bring. */
struct spi_rule {
	uint8_t len;
	uint32_t least;
};
extern const struct spi_rule spi_of_ike;   /* a rekeyed IKE SA: RFC 7296 3.3.1, and zero is no SPI (3.1) */
extern const struct spi_rule spi_of_child; /* RFC 4303 2.1, RFC 4302 2.4: 0 is not sent, 1 to 255 are reserved */

bool spi_allowed(const struct spi_rule *rule, uint8_t spi_len, uint64_t spi);

/* As responder: the first of our proposals that one of theirs matches, our order of transforms (RFC 7296 2.7, 3.3.6).
 * The whole offer counts, however long; of theirs that match the same of ours it is the first. Those without the SPI
 * that the rule wants do not count (NULL: it does not matter).
 * Where a proposal of theirs has several groups of ours, one equal to ke_hint (the peer's KE payload; 0: none) is
 * preferred, to save a round trip; it is no reason to prefer another proposal.
 * ret_chosen has one transform per type, and number and SPI of the peer's proposal. False: none matches. */
bool negotiate_choose(const struct proposal_list *ours, struct offer theirs, const struct spi_rule *spi,
	uint16_t ke_hint, struct proposal *ret_chosen);

/* Whether the proposal that was chosen by another list matches one of ours too. */
bool negotiate_allows(const struct proposal_list *ours, const struct proposal *chosen);

/* As initiator: the answer is exactly one proposal, picked from our offer with one transform per type (RFC 7296 3.3).
 */
bool negotiate_check_answer(
	const struct proposal_list *offer, const struct proposal_list *answer, struct proposal *ret_chosen);

/* "encryption: ours AES-GCM-256, theirs AES-CBC-128": of the pair of proposals that agrees furthest. */
void negotiate_mismatch(const struct proposal_list *ours, struct offer theirs, char *ret_text, size_t capacity);

void suite_of_proposal(const struct proposal *chosen, struct suite *ret_suite);

/* Takes the transforms of a type out of every proposal. */
void proposals_drop(struct proposal_list *list, enum transform_type type);
/* Numbers the proposals 1.. as an offer with this SPI. */
void proposals_address(struct proposal_list *list, uint8_t spi_len, uint64_t spi);

/* First key exchange group of the list, 0: none; whether a group is offered at all. */
uint16_t proposals_first_group(const struct proposal_list *list);
bool proposals_have_group(const struct proposal_list *list, uint16_t group);
