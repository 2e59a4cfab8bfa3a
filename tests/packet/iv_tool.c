/* SPDX-License-Identifier: BSD-3-Clause */
/* The IVs of many packets of one outbound ESP SA, as they stand on the wire, raw on standard output. The key is the
 * same in every run, as after a restart under manual keys. */
#include <stdio.h>
#include <stdlib.h>

#include "rig.h"

#define BURST       32
#define INNER_BYTES 40
#define IV_OFFSET   28 /* behind the IPv4 and ESP headers */

/* "aes128-sha256" to rows, with a key of their length. */
static void suite_set(struct sa_spec *spec, const char *text)
{
	uint8_t key[128];
	struct proposal p;
	const char *word, *reason;
	size_t word_len;

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * 7 + 3);
	if (proposal_parse(PROTOCOL_ESP, text, &p, &word, &word_len, &reason)) {
		fprintf(stderr, "iv_tool: %s: %s\n", text, reason);
		exit(2);
	}
	spec->encr = alg_lookup(TRANSFORM_ENCR, p.transforms[0].id, p.transforms[0].key_bits);
	spec->integ = spec->encr->flags & ALG_AEAD ? NULL : alg_lookup(TRANSFORM_INTEG, p.transforms[1].id, 0);
	secret_done(&spec->encr_key);
	if (secret_copy(&spec->encr_key, BYTES(key, (size_t)spec->encr->key_bytes + spec->encr->salt_bytes)))
		abort();
	if (spec->integ && secret_copy(&spec->integ_key, BYTES(key, spec->integ->key_bytes)))
		abort();
}

static struct sa *sa_make(struct ipsec *ips, const char *suite, size_t *ret_iv_bytes)
{
	const struct rig_options o = { .esn = true };
	const char *reason = NULL;
	struct sa_spec spec;
	struct sa *sa;

	rig_spec(&o, SA_OUT, &spec);
	suite_set(&spec, suite);
	*ret_iv_bytes = spec.encr->iv_bytes;
	sa = sa_create(ips, &spec, rig_path(&spec), &reason);
	sa_spec_done(&spec);
	if (!sa) {
		fprintf(stderr, "iv_tool: %s\n", reason);
		exit(1);
	}
	return sa;
}

static void ivs_print(struct ipsec_worker *w, struct sa *sa, uint16_t n, size_t iv_bytes)
{
	struct burst_item items[BURST];

	for (uint16_t i = 0; i < n; i++)
		items[i] = (struct burst_item){ .m = rig_packet(INNER_BYTES, 1), .sa = sa };
	if (burst_out(w, items, n) != n) {
		fprintf(stderr, "iv_tool: a packet was dropped: %s\n",
			drop_keyword((enum drop_reason)items[n - 1].drop));
		exit(1);
	}
	for (uint16_t i = 0; i < n; i++) {
		fwrite(rte_pktmbuf_mtod_offset(items[i].m, uint8_t *, IV_OFFSET), 1, iv_bytes, stdout);
		rte_pktmbuf_free(items[i].m);
	}
}

int main(int argc, char **argv)
{
	struct ipsec_worker *worker;
	struct ipsec *ips;
	size_t iv_bytes;
	struct sa *sa;

	if (argc != 3) {
		fprintf(stderr, "usage: iv_tool SUITE PACKETS\n");
		return 2;
	}
	rig_eal();
	ips = rig_ipsec(1, 256, 1);
	worker = ipsec_worker_create(ips, 0);
	sa = sa_make(ips, argv[1], &iv_bytes);
	for (unsigned long left = strtoul(argv[2], NULL, 0); left;) {
		uint16_t n = (uint16_t)RTE_MIN(left, (unsigned long)BURST);
		ivs_print(worker, sa, n, iv_bytes);
		left -= n;
	}
	sa_free(sa);
	ipsec_worker_free(worker);
	ipsec_free(ips);
	return 0;
}
