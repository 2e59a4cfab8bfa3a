/* SPDX-License-Identifier: BSD-3-Clause */
/* Birth and death of an SA, and the reads that others need. Everything that can be decided once is decided here; moving
 * packets is the bursts' part. */
#include <rte_malloc.h>
#include <sys/random.h>

#include "ah_priv.h"
#include "ipsec_priv.h"
#include "sa_priv.h"
#include "usual_priv.h"

static size_t family_count(const struct selector_list *list, enum addr_family family)
{
	size_t n = 0;

	for (int i = 0; i < list->count; i++)
		n += list->items[i].low.family == family;
	return n;
}

static bool family_selected(const struct sa_spec *spec, enum addr_family family)
{
	return family_count(&spec->local, family) && family_count(&spec->remote, family);
}

static const char *sa_fault(const struct ipsec *ips, const struct sa_spec *spec, const struct path *path)
{
	const char *reason;

	if (sa_spec_check(spec, &reason))
		return reason;
	if (!family_selected(spec, ADDR_IPV4) && !family_selected(spec, ADDR_IPV6))
		return "no traffic selectors of one family on both sides";
	if (spec->replay_window > REPLAY_WINDOW_MAX)
		return "replay window larger than 8192";
	if (!ips->engine->suite_lookup(spec->encr, spec->integ))
		return "the packet path lacks this algorithm";
	if (spec->direction == SA_OUT && !path)
		return "no path";
	return NULL;
}

/* ---- shape: what kind of SA this is, decided once ---- */

static uint8_t accept_of(const struct sa_spec *spec)
{
	if (spec->natt)
		return SA_ACCEPT_RAW | SA_ACCEPT_UDP;
	return spec->path.encap == SA_ENCAP_UDP ? SA_ACCEPT_UDP : SA_ACCEPT_RAW;
}

static enum sa_iv iv_of(const struct sa_spec *spec)
{
	const struct alg *a = spec->protocol == PROTOCOL_AH ? spec->integ : spec->encr;

	if (a->flags & ALG_IIV)
		return SA_IV_IMPLICIT;
	if (!a->iv_bytes)
		return SA_IV_NONE;
	return a->flags & ALG_COUNTER ? SA_IV_COUNTER : SA_IV_RANDOM;
}

static void sizes_build(struct sa *sa, const struct sa_spec *spec)
{
	bool ah = spec->protocol == PROTOCOL_AH, aead = !ah && spec->encr->flags & ALG_AEAD;
	const struct alg *keyed = ah ? spec->integ : spec->encr;
	const struct secret *key = ah ? &spec->integ_key : &spec->encr_key;

	sa->iv = (uint8_t)iv_of(spec);
	sa->iv_bytes = keyed->iv_bytes;
	sa->salt_bytes = keyed->salt_bytes;
	if (keyed->salt_bytes)
		memcpy(&sa->salt, key->data + keyed->key_bytes, keyed->salt_bytes);
	sa->icv_bytes = (uint8_t)(aead ? spec->encr->out_bytes : spec->integ->out_bytes);
	sa->aad_bytes = aead ? spec->esn ? 12 : 8 : 0;
	sa->before = aead ? sa->iv_bytes : (uint8_t)(ESP_BYTES + sa->iv_bytes);
	sa->traits |= spec->esn ? SA_ESN : 0;
	sa->traits |= spec->esn && !aead ? SA_TAIL : 0;
	/* RFC 4303 2.4: at least four bytes */
	sa->pad_mask = ah ? 0 : (uint8_t)(RTE_MAX(spec->encr->block_bytes, 4) - 1);
}

/* In the order of sa_shapes. */
static const struct shape_row {
	uint8_t protocol;
	bool transport, outbound;
	bool special; /* outbound: padded against traffic analysis; inbound: behind a NAT */
} shape_rows[] = {
	{ PROTOCOL_ESP, false, true, false },
	{ PROTOCOL_ESP, false, true, true },
	{ PROTOCOL_ESP, true, true, false },
	{ PROTOCOL_ESP, false, false, false },
	{ PROTOCOL_ESP, true, false, false },
	{ PROTOCOL_ESP, true, false, true },
	{ PROTOCOL_AH, false, true, false },
	{ PROTOCOL_AH, true, true, false },
	{ PROTOCOL_AH, false, false, false },
	{ PROTOCOL_AH, true, false, false },
};

const struct sa_shape sa_shapes[] = {
	{ esp_tunnel_out, NULL },
	{ esp_tunnel_tfc_out, NULL },
	{ esp_transport_out, NULL },
	{ esp_prepare_in, esp_tunnel_in },
	{ esp_prepare_in, esp_transport_in },
	{ esp_prepare_in, esp_transport_nat_in },
	{ ah_tunnel_out, ah_finish_out },
	{ ah_transport_out, ah_finish_out },
	{ ah_prepare_in, ah_tunnel_in },
	{ ah_prepare_in, ah_transport_in },
};
static_assert(ARRAY_LEN(shape_rows) == ARRAY_LEN(sa_shapes), "a shape for each row");

static void shape_build(struct sa *sa, const struct sa_spec *spec)
{
	bool behind_nat = spec->original_local.family || spec->original_remote.family;

	sa->protocol = spec->protocol;
	sa->transport = spec->mode == SA_MODE_TRANSPORT;
	sa->outbound = spec->direction == SA_OUT;
	bool special = sa->outbound ? spec->tfc_bytes : behind_nat;
	for (size_t i = 0; i < ARRAY_LEN(shape_rows); i++)
		if (shape_rows[i].protocol == sa->protocol && shape_rows[i].transport == sa->transport &&
			shape_rows[i].outbound == sa->outbound && shape_rows[i].special == special)
			sa->shape = (uint8_t)i;
	if (sa->outbound)
		sa->tfc_bytes = spec->tfc_bytes;
	else if (behind_nat)
		sa->checksum_delta = checksum_delta(spec);
}

static uint8_t crypt_number(const struct crypto_engine *engine, crypto_burst *crypt)
{
	uint8_t i = 0;

	while (i < engine->burst_count && engine->bursts[i] != crypt)
		i++;
	RTE_VERIFY(i < engine->burst_count);
	return i;
}

/* ---- birth ---- */

/* Last: it depends on the rest. */
static void flags_build(const struct crypto_engine *engine, struct sa *sa)
{
	const uint32_t crypt = crypt_number(engine, sa->outbound ? sa->suite->seal : sa->suite->open);

	atomic_init(&sa->flags, crypt << SA_CRYPT_LSB | (sa_is_usual(sa) ? 0 : SA_UNUSUAL));
}

static void fields_build(const struct crypto_engine *engine, struct sa *sa, const struct sa_spec *spec)
{
	uint64_t source[3];

	shape_build(sa, spec);
	sizes_build(sa, spec);
	sa->traits |= accept_of(spec);
	if (!sa->outbound)
		sa->tunnel_slot = spec->tunnel_slot;
	sa->policy_slot = spec->tunnel_slot;
	sa->spi = spec->spi;
	sa->destination = spec->path.local.addr;
	sa->table_id = spec->path.table_id;
	source_words(&spec->path.remote, source);
	source_write(&sa->source, source);
	if (sa->outbound) {
		atomic_init(&sa->owner, WORKER_NONE);
		sa->packets_before = spec->initial_sequence;
		atomic_init(&sa->packets, spec->initial_sequence);
	}
	sa_selectors_build(sa, spec);
	sa_limits_build(sa, spec);
	flags_build(engine, sa);
	if (sa->outbound)
		sa_way_take(sa);
}

/* Behind the fixed part: key context, replay ring, selectors. */
struct extent {
	size_t replay, selectors6, selectors, end; /* offsets */
};

static size_t selector_count(const struct sa_spec *spec, enum addr_family family)
{
	return family_count(&spec->local, family) + family_count(&spec->remote, family);
}

static struct extent extent_of(const struct crypto_suite *suite, const struct sa_spec *spec)
{
	struct extent e;

	e.replay = sizeof(struct sa) + RTE_ALIGN_CEIL(suite->context_bytes, RTE_CACHE_LINE_SIZE);
	e.selectors6 = e.replay + RTE_ALIGN_CEIL(replay_bytes(spec->replay_window), _Alignof(struct sa_selector6));
	e.selectors = e.selectors6 + selector_count(spec, ADDR_IPV6) * sizeof(struct sa_selector6);
	e.end = e.selectors + selector_count(spec, ADDR_IPV4) * sizeof(struct sa_selector);
	return e;
}

/* Near its worker's memory when that is known. */
static struct sa *sa_alloc(const struct ipsec *ips, const struct sa_spec *spec)
{
	const struct crypto_suite *suite = ips->engine->suite_lookup(spec->encr, spec->integ);
	struct extent e = extent_of(suite, spec);
	uint8_t worker = spec->direction == SA_IN ? sad_bucket_worker(ips, spec->spi) : 0;
	int socket = SOCKET_ID_ANY;
	struct sa *sa;

	if (worker < ips->config.workers)
		socket = atomic_load_explicit(&ips->worker_socket[worker], memory_order_relaxed);
	sa = (struct sa *)rte_zmalloc_socket(NULL, e.end, RTE_CACHE_LINE_SIZE, socket);
	if (!sa)
		return NULL;
	sa->suite = suite;
	sa->size_bytes = e.end;
	sa->selectors6 = (struct sa_selector6 *)((uint8_t *)sa + e.selectors6);
	sa->selectors = (struct sa_selector *)((uint8_t *)sa + e.selectors);
	if (spec->direction == SA_IN)
		replay_init(&sa->replay, spec->replay_window, spec->initial_sequence,
			(uint64_t *)((uint8_t *)sa + e.replay));
	return sa;
}

/* Random, from the kernel: under a manual key the IVs of one run must not meet those of another (RFC 4106 3.1). */
static bool iv_base_draw(struct sa *sa)
{
	if (!sa->outbound)
		return true;
	return getrandom(&sa->iv_base, sizeof(sa->iv_base), 0) == (ssize_t)sizeof(sa->iv_base);
}

struct sa *sa_create(struct ipsec *ips, const struct sa_spec *spec, struct path *path, const char **ret_reason)
{
	const struct crypto_keys keys = { spec->encr, spec->integ, spec->encr_key.data, spec->integ_key.data,
		spec->direction == SA_OUT };
	struct sa *sa = NULL;

	*ret_reason = sa_fault(ips, spec, path);
	if (!*ret_reason) {
		sa = sa_alloc(ips, spec);
		*ret_reason = sa ? NULL : "no memory for the SA";
	}
	if (!sa) {
		path_free(path);
		return NULL;
	}
	/* from here on sa_free takes the path along */
	atomic_init(&sa->path, path);
	fields_build(ips->engine, sa, spec);
	if (!iv_base_draw(sa))
		*ret_reason = "no random numbers";
	else if (sa->suite->key_init(ips->manager, &keys, sa->key))
		*ret_reason = "no memory for the key";
	if (*ret_reason) {
		sa_free(sa);
		return NULL;
	}
	if (sa->outbound) {
		sa->ips = ips;
		spi_filter_add(ips, sa->spi);
		LIST_INSERT_HEAD(&ips->outbound, sa, link);
	}
	return sa;
}

void sa_free(struct sa *sa)
{
	if (!sa)
		return;
	if (sa->outbound && sa->ips) {
		spi_filter_remove(sa->ips, sa->spi);
		LIST_REMOVE(sa, link);
	}
	path_free(atomic_load_explicit(&sa->path, memory_order_relaxed));
	if (sa->suite->key_done)
		sa->suite->key_done(sa->key);
	secret_wipe(sa, sa->size_bytes);
	rte_free(sa);
}

/* For the operator: a worker or WORKER_NONE. Inbound SAs are their bucket's. */
static uint8_t owner_shown(const struct sa *sa)
{
	uint8_t owner = WORKER_NONE;

	if (sa->outbound)
		owner = sa_owner(sa);
	else if (sa->ips)
		owner = sad_bucket_worker(sa->ips, sa->spi);
	if (owner < WORKER_LEAVING)
		return owner;
	return owner < WORKER_MOVING ? owner & ~WORKER_LEAVING : WORKER_NONE;
}

uint32_t sa_flags_read(const struct sa *sa)
{
	/* acquire: pairs with sa_flag */
	return atomic_load_explicit(&sa->flags, memory_order_acquire) & ~SA_HIDDEN;
}

uint64_t sa_packets_read(const struct sa *sa)
{
	return count_read(&sa->packets);
}

void sa_stats_read(const struct sa *sa, struct sa_stats *ret_stats)
{
	uint32_t flags = sa_flags_read(sa); /* first: what was changed before a flag was raised is seen */

	*ret_stats = (struct sa_stats){
		.packets = count_read(&sa->packets) - sa->packets_before,
		.bytes = count_read(&sa->bytes),
		.sequence = sa->outbound ? sa_sequence(sa) : replay_top(&sa->replay),
		.flags = flags,
		.owner = owner_shown(sa),
		.source = source_read(&sa->source),
	};
	for (int i = 0; i < DROP_REASON_COUNT; i++)
		ret_stats->drops[i] = count_read(&sa->drops[i]);
}

/* Whether most of its packets look closer, or need its ranges; a path that comes later does not count. */
static bool needs_more(const struct sa *sa)
{
	bool more = sa_unusual(sa);

	return more || (sa->outbound ? sa_path(sa)->flags != 0 : !sa->ends.mask && sa->ends.ends);
}

uint64_t sa_word_to(uint32_t name, const struct sa *sa)
{
	return sa_word_make(name, sa, sa && needs_more(sa));
}

uint32_t sa_spi(const struct sa *sa)
{
	return sa->spi;
}

uint32_t sa_policy_slot(const struct sa *sa)
{
	return sa->policy_slot;
}

uint32_t sa_tunnel_slot(const struct sa *sa)
{
	return sa->tunnel_slot;
}

bool sa_takes_fragments(const struct sa *sa)
{
	return !(sa->traits & SA_PORTS) && !sa->transport;
}

bool sa_joins_fragments(const struct sa *sa)
{
	return sa->traits & SA_JOINS;
}

uint8_t sa_owner(const struct sa *sa)
{
	/* relaxed: who finds itself here put it there */
	return atomic_load_explicit(&sa->owner, memory_order_relaxed);
}

uint8_t sa_claim(struct sa *sa, uint8_t worker)
{
	uint8_t owner = WORKER_NONE;

	/* acquire: pairs with sa_owners_release; what an owner before did to the SA is seen */
	if (atomic_compare_exchange_strong_explicit(
		    &sa->owner, &owner, worker, memory_order_acquire, memory_order_relaxed))
		return worker;
	return owner;
}

void sa_count_drop(struct sa *sa, enum drop_reason reason)
{
	count_add(&sa->drops[reason], 1);
}

/* Tunnel: what fits exactly. */
static uint32_t tunnel_mtu(const struct sa *sa, const struct path *p)
{
	uint32_t fixed = p->template_len + ESP_BYTES + sa->iv_bytes + sa->icv_bytes;
	uint32_t room = p->mtu > fixed ? (p->mtu - fixed) & ~(uint32_t)sa->pad_mask : 0;

	return room > ESP_TRAILER_BYTES ? room - ESP_TRAILER_BYTES : 0;
}

/* Transport: how much padding there is depends on the length of the IP header; the most there can be is taken. */
static uint32_t transport_mtu(const struct sa *sa, const struct path *p)
{
	uint32_t fixed = (p->flags & PATH_UDP ? UDP_BYTES : 0) + ESP_BYTES + sa->iv_bytes + sa->icv_bytes +
			 sa->pad_mask + ESP_TRAILER_BYTES;

	return p->mtu > fixed ? p->mtu - fixed : 0;
}

uint16_t sa_inner_mtu(const struct sa *sa)
{
	const struct path *p = sa_path(sa);

	if (sa->protocol == PROTOCOL_AH) {
		uint32_t fixed = ah_bytes(sa, p->flags & PATH_IPV6) + (sa->transport ? 0 : p->template_len);
		return (uint16_t)(p->mtu > fixed ? p->mtu - fixed : 0);
	}
	return (uint16_t)(sa->transport ? transport_mtu(sa, p) : tunnel_mtu(sa, p));
}
