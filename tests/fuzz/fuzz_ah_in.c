/* SPDX-License-Identifier: BSD-3-Clause */
/* libFuzzer target: AH. An input is an outer packet as it is, or headers with options and what AH protects, which get
 * an AH under the SA's key, or a packet in clear that goes out and comes in. Whatever comes, nothing unauthentic gets
 * in, what is let through is a packet of the SA's selectors, and no mbuf is lost. Input: suite (1), enum fuzz_bits (1),
 * action (1), flip (2); to be sealed then next header (1), bytes of options or extension headers (1); bytes. */
#include "fuzz_sa.h"

#include "ah_priv.h"

static const struct fuzz_suite suites[] = {
	{ NULL, "sha1" },
	{ NULL, "sha256" },
	{ NULL, "sha384" },
	{ NULL, "sha512" },
	{ NULL, "aesxcbc" },
	{ NULL, "aescmac" },
	{ NULL, "aes128gmac" },
	{ NULL, "aes256gmac" },
};

/* The path's header with these bytes behind it. IPv4: so many words of options as there may be; IPv6: the first byte
 * says of what kind the first extension header is. Returns its bytes. */
static uint16_t header_build(const struct fuzz_scene *s, const uint8_t *data, uint16_t bytes, uint8_t *ret_header)
{
	uint16_t base = rig_ah_header(&s->p, ret_header);

	if (!s->o.outer6) {
		bytes = (uint16_t)(RTE_MIN(bytes, 40) & ~3);
		memcpy(ret_header + base, data, bytes);
		ret_header[0] = (uint8_t)(0x40 | (base + bytes) / 4);
		return base + bytes;
	}
	if (bytes < 9)
		return base;
	bytes = (uint16_t)((bytes - 1) & ~7);
	memcpy(ret_header + base, data + 1, bytes);
	ret_header[6] = data[0];
	return base + bytes;
}

/* An authentic packet when its headers can have an ICV at all. */
static struct rte_mbuf *seal(struct fuzz_scene *s, const uint8_t *data, uint16_t size, uint16_t *ret_header_bytes)
{
	uint16_t options = RTE_MIN(data[1], (uint16_t)(size - 2));
	uint8_t header[40 + 255], covered[40 + 255];
	struct rig_ah a = { .sequence = s->o.sequence + 1, .header = header, .next_header = data[0] };
	struct ah_prefix prefix;

	a.header_bytes = header_build(s, data + 2, options, header);
	a.payload = data + 2 + options;
	a.bytes = (uint16_t)(size - 2 - options);
	memcpy(covered, header, a.header_bytes);
	/* refused here or there: it does not matter then what the ICV is */
	ah_prefix_zero(&prefix, covered, a.header_bytes);
	a.zeroed = covered;
	*ret_header_bytes = a.header_bytes;
	return rig_seal_ah(&s->p, &a);
}

static void sealed_one(struct fuzz_scene *s, uint16_t flip, const uint8_t *data, uint16_t size)
{
	uint16_t header_bytes;

	if (size < 2)
		return;
	struct rte_mbuf *m = seal(s, data, size, &header_bytes);
	packet_sealed(s, m, header_bytes, flip);
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
		sealed_one(&s, load_be16(data + 3), data + 5, bytes);
	else
		packet_forged(&s, rig_mbuf(data + 5, bytes), action == 2);
	scene_close(&s);
	return 0;
}
