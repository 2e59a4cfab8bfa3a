/* SPDX-License-Identifier: BSD-3-Clause */
/* libFuzzer target: ESP. An input is an outer packet as it is, or contents that are sealed under the SA's key first, so
 * that what is behind the ICV is reached, or a packet in clear that goes out and comes in. Whatever comes, nothing
 * unauthentic gets in, what is let through is a packet of the SA's selectors, and no mbuf is lost. Input: suite (1),
 * enum fuzz_bits (1), action (1), flip (2), bytes. */
#include "fuzz_sa.h"

static const struct fuzz_suite suites[] = {
	{ "aes128gcm16", NULL },
	{ "aes256gcm8", NULL },
	{ "aes128ccm12", NULL },
	{ "chacha20poly1305", NULL },
	{ "aes128", "sha1" },
	{ "aes256", "sha512" },
	{ "3des", "sha256" },
	{ "aes128ctr", "aescmac" },
	{ "null", "aesxcbc" },
	{ "null", "sha384" },
	{ "aes192gmac", NULL },
	{ "aes256gcm16iiv", NULL },
	{ "aes128ccm8iiv", NULL },
};

/* Contents as text of whole blocks: what is missing is put in front of the trailer. */
static struct rte_mbuf *seal(struct fuzz_scene *s, const uint8_t *data, uint16_t size)
{
	uint16_t block = RTE_MAX(s->o.encr->block_bytes, 4), more;
	uint8_t text[RIG_ROOM] = { 0 };

	if (size < 2) {
		data = (const uint8_t *)"\0\4";
		size = 2;
	}
	more = (uint16_t)(-size & (block - 1));
	memcpy(text, data, size - 2u);
	memcpy(text + size - 2 + more, data + size - 2, 2);
	return rig_seal(&s->p, s->o.sequence + 1, text, (uint16_t)(size + more));
}

/* Where the sequence number stands, or with an AEAD what follows the SPI. */
static uint16_t covered_from(const struct fuzz_scene *s)
{
	return (uint16_t)(sa_path(s->p.out)->template_len + 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_scene s;

	if (size < 5)
		return 0;
	uint8_t action = data[2] % 4;
	uint16_t bytes = (uint16_t)RTE_MIN(size - 5, (size_t)BYTES_MAX);
	scene_open(&s, &suites[data[0] % ARRAY_LEN(suites)], data[1]);
	if (action == 0)
		packet_through(&s, rig_mbuf(data + 5, bytes));
	else if (action == 1)
		must(!reason_is_early(
			packet_sealed(&s, seal(&s, data + 5, bytes), covered_from(&s), load_be16(data + 3))));
	else
		packet_forged(&s, rig_mbuf(data + 5, bytes), action == 2);
	scene_close(&s);
	return 0;
}
