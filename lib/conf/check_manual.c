/* SPDX-License-Identifier: BSD-3-Clause */
/* Manual SAs: keys from the secrets file, the outbound half made from the inbound one, SPIs used once. */
#include "conf_priv.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#define MANUAL       "manual_sas"
#define UDP_ESP_PORT 4500 /* RFC 3948 2.1 */

/* A packet from or to another address never reaches the SA. */
static void check_addresses(struct load *l, size_t i)
{
	const struct path_spec *path = &l->config->manual_sas[i].in.path;
	char text[ADDR_TEXT_MAX];

	if (!interface_of_address(l->config, &path->local.addr))
		check_fault(l, MANUAL, i, "local", "%s is not the address of an interface",
			addr_format(&path->local.addr, text));
	if (interface_of_address(l->config, &path->remote.addr))
		check_fault(l, MANUAL, i, "remote", "%s is our own address", addr_format(&path->remote.addr, text));
}

/* The outbound half is the inbound one but for SPI and keys. Selectors and path are the gateway's, not the
 * direction's. */
static void complete_pair(struct config_manual_sa *m)
{
	uint32_t spi_out = m->out.spi;

	m->in.direction = SA_IN;
	m->in.protocol = PROTOCOL_ESP;
	if (m->in.path.encap == SA_ENCAP_UDP)
		m->in.path.local.port = m->in.path.remote.port = UDP_ESP_PORT;
	memcpy(m->in.name, m->name, sizeof(m->in.name));
	m->out = m->in;
	m->out.direction = SA_OUT;
	m->out.spi = spi_out;
	m->out.replay_window = 0; /* only receivers have one */
}

/* Whether a key has the length its algorithm takes; NULL: takes none. */
static void check_key(struct load *l, size_t i, const char *which, const struct secret *key, const struct alg *a)
{
	size_t wanted = a ? (size_t)a->key_bytes + a->salt_bytes : 0;

	if (key->len == wanted)
		return;
	if (!a)
		check_fault(l, MANUAL, i, "keys", "%s is given, but the proposal has no integrity algorithm", which);
	else if (!key->len)
		check_fault(l, MANUAL, i, "keys", "%s is missing, %s takes %zu bytes", which, a->name, wanted);
	else
		check_fault(l, MANUAL, i, "keys", "%s has %zu bytes, %s takes %zu (%u key, %u salt)", which, key->len,
			a->name, wanted, a->key_bytes, a->salt_bytes);
}

/* Both ends count from 1: one key both ways would use each nonce twice (RFC 4106 2, RFC 8221 3). */
static bool repeats_nonces(const struct alg *encr, const struct manual_keys *k)
{
	return encr->flags & ALG_COUNTER && k->encr_in.len == k->encr_out.len &&
	       secret_equal(k->encr_in.data, k->encr_out.data, k->encr_in.len);
}

/* Each entry belongs to one SA pair: its keys move there. */
static void take_keys(struct load *l, size_t i, struct manual_keys *k)
{
	struct config_manual_sa *m = &l->config->manual_sas[i];

	check_key(l, i, "encr_in", &k->encr_in, m->in.encr);
	check_key(l, i, "encr_out", &k->encr_out, m->in.encr);
	check_key(l, i, "integ_in", &k->integ_in, m->in.integ);
	check_key(l, i, "integ_out", &k->integ_out, m->in.integ);
	if (repeats_nonces(m->in.encr, k))
		check_fault(l, MANUAL, i, "keys",
			"encr_in and encr_out are the same: each nonce would be used twice (RFC 4106 2)");
	k->taken = true;
	secret_move(&m->in.encr_key, &k->encr_in);
	secret_move(&m->in.integ_key, &k->integ_in);
	secret_move(&m->out.encr_key, &k->encr_out);
	secret_move(&m->out.integ_key, &k->integ_out);
}

/* The entry of the secrets file; used up by its first user. */
static void resolve_keys(struct load *l, const struct name_index *keys, size_t i)
{
	const char *name = setting_node(l, MANUAL, i, "keys")->text;
	const struct name_ref *ref = name_index_lookup(keys, name);

	if (!ref) {
		struct suggestion s = suggestion_init(name, strlen(name));
		name_index_offer(keys, &s);
		check_fault(l, MANUAL, i, "keys", "no entry \"%s\" in manual_keys of the secrets file%s%s%s", name,
			s.best ? "; did you mean \"" : "", s.best ? s.best : "", s.best ? "\"?" : "");
	} else if (l->keys[ref->index].taken) {
		check_fault(l, MANUAL, i, "keys", "\"%s\" has another user: a key is for one pair of SAs", name);
	} else {
		take_keys(l, i, &l->keys[ref->index]);
	}
}

/* Inbound SPIs are ours alone, outbound ones the peer's (RFC 4301 4.1): the remote address tells them apart. */
struct spi_ref {
	uint64_t key;
	size_t index;
};

static int compare_spis(const void *a, const void *b)
{
	const struct spi_ref *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

static void report_spis(struct load *l, struct spi_ref *refs, size_t count, const char *setting)
{
	qsort(refs, count, sizeof(*refs), compare_spis);
	for (size_t i = 1; i < count; i++)
		if (refs[i - 1].key == refs[i].key)
			check_fault(l, MANUAL, refs[i].index, setting, "0x%x is the SPI of %s too",
				(uint32_t)refs[i].key, l->config->manual_sas[refs[i - 1].index].name);
}

static void check_spis(struct load *l)
{
	size_t count = l->config->manual_sa_count;
	struct spi_ref *refs = calloc(count + 1, sizeof(*refs));

	if (!refs) {
		fault_no_memory(l);
		return;
	}
	for (size_t i = 0; i < count; i++)
		refs[i] = (struct spi_ref){ l->config->manual_sas[i].in.spi, i };
	report_spis(l, refs, count, "spi_in");
	for (size_t i = 0; i < count; i++) {
		const struct sa_spec *out = &l->config->manual_sas[i].out;
		refs[i] = (struct spi_ref){ (uint64_t)addr_ipv4(&out->path.remote.addr) << 32 | out->spi, i };
	}
	report_spis(l, refs, count, "spi_out");
	free(refs);
}

/* What the packet path will ask, asked here where the answer has a place. */
static void check_spec(struct load *l, size_t i, const struct sa_spec *spec)
{
	const char *reason;

	if (!l->err && sa_spec_check(spec, &reason))
		check_fault(l, MANUAL, i, "", "%s", reason);
}

void check_manual_sas(struct load *l)
{
	struct name_index keys = { 0 };

	if (name_index_build(l->keys ? l->keys->name : NULL, sizeof(*l->keys), l->key_count, &keys)) {
		fault_no_memory(l);
		return;
	}
	for (size_t i = 0; i < l->config->manual_sa_count; i++) {
		check_addresses(l, i);
		complete_pair(&l->config->manual_sas[i]);
		resolve_keys(l, &keys, i);
		check_spec(l, i, &l->config->manual_sas[i].in);
		check_spec(l, i, &l->config->manual_sas[i].out);
	}
	check_spis(l);
	name_index_done(&keys);
}
