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

/* The outbound half is the inbound one but for SPI, keys and what only a sender or a receiver has. Selectors, path and
 * lifetimes are the gateway's, not the direction's. */
static void complete_pair(struct config_manual_sa *m)
{
	struct sa_spec own = m->out;

	m->in.direction = SA_IN;
	if (m->in.path.encap == SA_ENCAP_UDP)
		m->in.path.local.port = m->in.path.remote.port = UDP_ESP_PORT;
	memcpy(m->in.name, m->name, sizeof(m->in.name));
	m->out = m->in;
	m->out.direction = SA_OUT;
	m->out.spi = own.spi;
	m->out.initial_sequence = own.initial_sequence;
	m->out.tfc_bytes = own.tfc_bytes;
	m->out.replay_window = 0; /* only receivers have one */
}

/* Whether a key has the length its algorithm takes; NULL: takes none, for the reason given. */
static void check_key(
	struct load *l, size_t i, const char *which, const struct secret *key, const struct alg *a, const char *none)
{
	size_t wanted = a ? (size_t)a->key_bytes + a->salt_bytes : 0;

	if (key->len == wanted)
		return;
	if (!wanted)
		check_fault(l, MANUAL, i, "keys", "%s is given, but %s", which, none);
	else if (!key->len)
		check_fault(l, MANUAL, i, "keys", "%s is missing, %s takes %zu bytes", which, a->name, wanted);
	else if (a->salt_bytes)
		check_fault(l, MANUAL, i, "keys", "%s has %zu bytes, %s takes %zu (%u key, %u salt)", which, key->len,
			a->name, wanted, a->key_bytes, a->salt_bytes);
	else
		check_fault(l, MANUAL, i, "keys", "%s has %zu bytes, %s takes %zu", which, key->len, a->name, wanted);
}

/* Both ends may come upon the same nonce: one key both ways could use it twice (RFC 4106 2, RFC 4543 2, RFC 8221 3). */
static void check_counter(struct load *l, size_t i, const char *kind, const struct alg *a, const struct secret *in,
	const struct secret *out)
{
	if (a && (a->flags & ALG_COUNTER) && in->len == out->len && secret_equal(in->data, out->data, in->len))
		check_fault(l, MANUAL, i, "keys",
			"%s_in and %s_out are the same: each nonce would be used twice (RFC 8221 3)", kind, kind);
}

/* Each entry belongs to one SA pair: its keys move there. */
static void take_keys(struct load *l, size_t i, struct manual_keys *k)
{
	struct config_manual_sa *m = &l->config->manual_sas[i];

	const char *no_encr = m->in.encr ? "null does not encrypt" : "AH does not encrypt";
	const char *no_integ = "the proposal has no integrity algorithm";

	check_key(l, i, "encr_in", &k->encr_in, m->in.encr, no_encr);
	check_key(l, i, "encr_out", &k->encr_out, m->in.encr, no_encr);
	check_key(l, i, "integ_in", &k->integ_in, m->in.integ, no_integ);
	check_key(l, i, "integ_out", &k->integ_out, m->in.integ, no_integ);
	check_counter(l, i, "encr", m->in.encr, &k->encr_in, &k->encr_out);
	check_counter(l, i, "integ", m->in.integ, &k->integ_in, &k->integ_out);
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

/* Whoever receives has an SPI space for each address and protocol (RFC 4301 4.1): we inbound, the peer outbound. */
struct spi_ref {
	struct addr destination;
	uint8_t protocol;
	uint32_t spi;
	size_t index;
};

static int compare_spis(const struct spi_ref *x, const struct spi_ref *y)
{
	int order = addr_compare(&x->destination, &y->destination);

	if (!order)
		order = x->protocol - y->protocol;
	return order ? order : (x->spi > y->spi) - (x->spi < y->spi);
}

static int compare_refs(const void *a, const void *b)
{
	const struct spi_ref *x = a, *y = b;
	int order = compare_spis(x, y);

	return order ? order : (x->index > y->index) - (x->index < y->index);
}

static void report_spis(struct load *l, struct spi_ref *refs, size_t count, const char *setting)
{
	qsort(refs, count, sizeof(*refs), compare_refs);
	for (size_t i = 1; i < count; i++)
		if (!compare_spis(&refs[i - 1], &refs[i]))
			check_fault(l, MANUAL, refs[i].index, setting, "0x%x is the SPI of %s too", refs[i].spi,
				l->config->manual_sas[refs[i - 1].index].name);
}

static void check_spis(struct load *l)
{
	size_t count = l->config->manual_sa_count;
	struct spi_ref *refs = calloc(count + 1, sizeof(*refs));

	if (!refs) {
		fault_no_memory(l);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const struct sa_spec *in = &l->config->manual_sas[i].in;
		refs[i] = (struct spi_ref){ in->path.local.addr, in->protocol, in->spi, i };
	}
	report_spis(l, refs, count, "spi_in");
	for (size_t i = 0; i < count; i++) {
		const struct sa_spec *out = &l->config->manual_sas[i].out;
		refs[i] = (struct spi_ref){ out->path.remote.addr, out->protocol, out->spi, i };
	}
	report_spis(l, refs, count, "spi_out");
	free(refs);
}

/* A key of a counter mode, whichever entry it came from. */
struct key_ref {
	const struct secret *key;
	size_t index; /* of its SA */
};

static int compare_key_bytes(const struct key_ref *x, const struct key_ref *y)
{
	size_t len = x->key->len < y->key->len ? x->key->len : y->key->len;
	int order = len ? memcmp(x->key->data, y->key->data, len) : 0;

	return order ? order : (x->key->len > y->key->len) - (x->key->len < y->key->len);
}

static int compare_key_refs(const void *a, const void *b)
{
	const struct key_ref *x = a, *y = b;
	int order = compare_key_bytes(x, y);

	return order ? order : (x->index > y->index) - (x->index < y->index);
}

static size_t counter_keys_add(
	const struct alg *a, const struct secret *in, const struct secret *out, size_t index, struct key_ref *ret_refs)
{
	if (!a || !(a->flags & ALG_COUNTER))
		return 0;
	ret_refs[0] = (struct key_ref){ in, index };
	ret_refs[1] = (struct key_ref){ out, index };
	return 2;
}

/* Under other names the same bytes are the same key: two SAs would come upon the same nonces (RFC 8221 3). */
static void check_counter_keys(struct load *l)
{
	size_t count = 0;
	struct key_ref *refs = calloc(4 * l->config->manual_sa_count + 1, sizeof(*refs));

	if (!refs) {
		fault_no_memory(l);
		return;
	}
	for (size_t i = 0; i < l->config->manual_sa_count; i++) {
		const struct config_manual_sa *m = &l->config->manual_sas[i];
		count += counter_keys_add(m->in.encr, &m->in.encr_key, &m->out.encr_key, i, &refs[count]);
		count += counter_keys_add(m->in.integ, &m->in.integ_key, &m->out.integ_key, i, &refs[count]);
	}
	qsort(refs, count, sizeof(*refs), compare_key_refs);
	for (size_t i = 1; i < count; i++)
		if (refs[i].key->len && refs[i].index != refs[i - 1].index &&
			!compare_key_bytes(&refs[i - 1], &refs[i]))
			check_fault(l, MANUAL, refs[i].index, "keys",
				"%s has one of these keys too: each nonce would be used twice (RFC 8221 3)",
				l->config->manual_sas[refs[i - 1].index].name);
	free(refs);
}

/* What the packet path will ask, asked here where the answer has a place. All but the keys' contents (3DES) has been
 * refused at its own setting before. */
static void check_spec(struct load *l, size_t i, const struct sa_spec *spec)
{
	const char *reason;

	if (!l->err && sa_spec_check(spec, &reason))
		check_fault(l, MANUAL, i, "keys", "%s", reason);
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
		check_combinations(l, i);
		resolve_keys(l, &keys, i);
		check_spec(l, i, &l->config->manual_sas[i].in);
		check_spec(l, i, &l->config->manual_sas[i].out);
	}
	check_spis(l);
	check_counter_keys(l);
	name_index_done(&keys);
}
